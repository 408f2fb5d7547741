"""Reading one stored entry: every byte is held against the manifest, and every part against the id, before use."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from zoo_store.errors import (
    CardError,
    CorruptEntryError,
    EntryNotFoundError,
    NewerVersionError,
    SchemaVersionError,
    TensorError,
    ZooReadError,
)
from zoo_store.format.card import Card, checked_card
from zoo_store.format.entry import ZooEntry
from zoo_store.format.identity import card_digest, is_full_id
from zoo_store.format.manifest import (
    CARD_FILE,
    LISTED_FILES,
    MANIFEST_FILE,
    MAX_MANIFEST_BYTES,
    README_FILE,
    SKETCH_FILE,
    SUPERNET_FILE,
    Manifest,
)
from zoo_store.format.migrations import CARD_SCHEMA, check_version
from zoo_store.format.plain_json import parse, shown
from zoo_store.places.files import UnfitFileError
from zoo_store.places.local import LocalFolder
from zoo_store.places.place import Place
from zoo_store.problem import Problem

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

_ROUNDS = 24  # in each of which somebody has replaced the entry; some places tell another mark of what has not changed


class StoredEntry:
    """An entry in its place.

    `load`, `card` and `sketch` raise `CorruptEntryError` at the first thing that is wrong, and
    `EntryNotFoundError` where the entry is gone.

    Args:
        place: the zoo's.
        entry_id: a full id.
        group: its name in the place, where that is not the id.
        use_copies: whether files may come from copies that the place has kept, which are as good for their content but
            tell nothing of what lies in the place now.
    """

    def __init__(self, place: Place, entry_id: str, group: str | None = None, *, use_copies: bool = True) -> None:
        self.place = place
        self.entry_id = entry_id
        self.group = entry_id if group is None else group
        self.use_copies = use_copies

    @classmethod
    def in_folder(cls, folder: Path) -> "StoredEntry":
        """The entry in a folder of any name, as which its manifest gives itself out.

        Raises:
            CorruptEntryError: there is no manifest, or it names no entry.
        """
        stored = cls(LocalFolder(folder.parent, lock_timeout=0), str(folder), folder.name)
        data = stored._bytes(MANIFEST_FILE, MAX_MANIFEST_BYTES)
        try:
            found = parse(data)
        except ValueError as error:
            raise stored._corrupt(MANIFEST_FILE, str(error)) from error
        claimed = found.get("id") if isinstance(found, dict) else None
        if not isinstance(claimed, str) or not is_full_id(claimed):
            raise stored._corrupt(
                MANIFEST_FILE, f"gives the id {shown(claimed)}; expected 64 characters of 0-9 and a-f"
            )
        return cls(stored.place, claimed, folder.name)

    def load(self) -> ZooEntry:
        """The whole entry, after every check there is."""
        return self._steadily(self._load)

    def card(self) -> Card:
        """The card alone; the tensors are not read."""
        return self._steadily(lambda: self._card(self._manifest()[1]))

    def card_and_size(self) -> tuple[Card, int]:
        """The card, and the bytes that all files take together, by the manifest."""
        return self._steadily(self._card_and_size)

    def sketch(self) -> dict[str, "Tensor"]:
        """The sketch alone; the supernet's tensors are not read."""
        return self._steadily(lambda: self._sketch(self._manifest()[1]))

    def files(self) -> dict[str, bytes]:
        """The bytes of all files, after every check there is; the manifest comes last, as `Place.publish` wants it."""
        return self._steadily(self._files)

    def problems(self) -> list[Problem]:
        """Everything that is wrong, file by file, instead of the first thing; empty when the entry is gone.

        Every byte is read from the place itself.
        """
        in_place = StoredEntry(self.place, self.entry_id, self.group, use_copies=False)
        found: list[Problem] = []
        for _ in range(_ROUNDS):
            if (before := self.place.mark(self.group)) is None:
                return []
            found = in_place._all_problems()
            if not found or self.place.mark(self.group) == before:
                break
        return found

    def _steadily(self, read: Callable[[], T]) -> T:
        """Read; and again where the entry was removed and added meanwhile, so that no fault comes of two halves."""
        looks = 1 if self.place.path is not None else 2  # marks of places afar may be the same for a second
        for rounds_left in reversed(range(_ROUNDS)):
            if (before := self.place.mark(self.group)) is None:
                break
            try:
                return read()
            except CorruptEntryError:
                looks -= self.place.mark(self.group) == before
                if not looks or not rounds_left:
                    raise
        raise EntryNotFoundError(
            f"zoo {self.place.address!r} no longer holds {self.entry_id}: it was removed just now."
        )

    def _load(self) -> ZooEntry:
        return self._checked()[1]

    def _files(self) -> dict[str, bytes]:
        return self._checked()[0]

    def _card_and_size(self) -> tuple[Card, int]:
        manifest_bytes, manifest = self._manifest()
        return self._card(manifest), len(manifest_bytes) + sum(record.size for record in manifest.files.values())

    def _checked(self) -> tuple[dict[str, bytes], ZooEntry]:
        """All files and what they say, from the same bytes."""
        manifest_bytes, manifest = self._manifest()
        for file in self._extra_files():
            raise self._stray(file)
        files = {file: self._listed(manifest, file) for file in (CARD_FILE, SKETCH_FILE, SUPERNET_FILE, README_FILE)}
        card = self._parsed_card(files[CARD_FILE], manifest)
        sketch = self._parsed_sketch(files[SKETCH_FILE], manifest)
        state = self._parsed_state(files[SUPERNET_FILE], manifest)
        return {**files, MANIFEST_FILE: manifest_bytes}, ZooEntry(state=state, sketch=sketch, card=card)

    def _all_problems(self) -> list[Problem]:
        found: list[Problem] = []
        with self._noting(found, MANIFEST_FILE):
            _, manifest = self._manifest()
        if found:
            return found  # without a manifest there is nothing to hold the other files against
        with self._noting(found, CARD_FILE):
            self._card(manifest)
        with self._noting(found, SKETCH_FILE):
            self._sketch(manifest)
        with self._noting(found, SUPERNET_FILE):
            self._state(manifest)
        with self._noting(found, README_FILE):
            self._listed(manifest, README_FILE)
        with self._noting(found, "."):
            found.extend(self._stray(file).problem for file in self._extra_files())
        return found

    @contextmanager
    def _noting(self, found: list[Problem], file: str) -> Iterator[None]:
        try:
            yield
        except CorruptEntryError as error:
            found.append(error.problem)
        except (NewerVersionError, ZooReadError) as error:
            found.append(Problem(self.entry_id, file, f"cannot be read: {error}".rstrip("."), damaged=False))

    def _extra_files(self) -> list[str]:
        try:
            names = self.place.files(self.group)
        except FileNotFoundError:
            raise self._corrupt(".", "is missing") from None
        return sorted(set(names) - {*LISTED_FILES, MANIFEST_FILE})

    def _stray(self, file: str) -> CorruptEntryError:
        return self._corrupt(file, f"does not belong there; an entry has exactly {_file_list()}")

    def _manifest(self) -> tuple[bytes, Manifest]:
        if not self.place.is_whole(self.group):
            raise self._corrupt(".", "is a file or a symbolic link; expected a folder of its own")
        data = self._bytes(MANIFEST_FILE, MAX_MANIFEST_BYTES)
        try:
            return data, Manifest.from_bytes(data, self.entry_id)
        except NewerVersionError:
            raise
        except SchemaVersionError as error:
            raise self._corrupt(MANIFEST_FILE, f"cannot be used: {error}") from error
        except ValueError as error:
            raise self._corrupt(MANIFEST_FILE, str(error)) from error

    def _card(self, manifest: Manifest) -> Card:
        return self._parsed_card(self._listed(manifest, CARD_FILE), manifest)

    def _sketch(self, manifest: Manifest) -> dict[str, "Tensor"]:
        return self._parsed_sketch(self._listed(manifest, SKETCH_FILE), manifest)

    def _state(self, manifest: Manifest) -> dict[str, "Tensor"]:
        return self._parsed_state(self._listed(manifest, SUPERNET_FILE), manifest)

    def _parsed_card(self, data: bytes, manifest: Manifest) -> Card:
        try:
            card = parse(data)
            if not isinstance(card, dict):
                raise ValueError("is not a JSON object")
            what = f"{CARD_FILE} of zoo entry {self.entry_id}"
            check_version(card.get("schema_version"), newest=CARD_SCHEMA, what=what)
            checked = checked_card(card)
            self._check_digest(CARD_FILE, found=card_digest(card), expected=manifest.content.card)
            return checked
        except (NewerVersionError, CorruptEntryError):
            raise
        except (CardError, SchemaVersionError) as error:
            raise self._corrupt(CARD_FILE, f"cannot be used: {error}") from error
        except ValueError as error:
            raise self._corrupt(CARD_FILE, str(error)) from error

    def _parsed_sketch(self, data: bytes, manifest: Manifest) -> dict[str, "Tensor"]:
        return self._parsed_tensors(data, SKETCH_FILE, "sketch", manifest.content.sketch)

    def _parsed_state(self, data: bytes, manifest: Manifest) -> dict[str, "Tensor"]:
        state = self._parsed_tensors(data, SUPERNET_FILE, "state", manifest.content.state)
        if not state:
            raise self._corrupt(SUPERNET_FILE, "holds no tensors; expected those of a supernet")
        return state

    def _parsed_tensors(self, data: bytes, file: str, part: str, expected: str) -> dict[str, "Tensor"]:
        from zoo_store.format.tensors import decode, tensors_digest

        try:
            tensors = decode(data, part)
        except TensorError as error:
            raise self._corrupt(file, f"cannot be used: {error}") from error
        self._check_digest(file, found=tensors_digest(tensors), expected=expected)
        return tensors

    def _listed(self, manifest: Manifest, file: str) -> bytes:
        record = manifest.files[file]
        data = self._bytes(file, record.size, record.sha256 if self.use_copies else None)
        fault = record.fault_of(data)
        if fault:
            raise self._corrupt(file, fault)
        return data

    def _bytes(self, file: str, max_bytes: int, sha256: str | None = None) -> bytes:
        try:
            return self.place.read(self.group, file, max_bytes, sha256)
        except FileNotFoundError:
            raise self._corrupt(file, f"is missing; an entry has exactly {_file_list()}") from None
        except UnfitFileError as error:
            raise self._corrupt(file, str(error)) from None

    def _check_digest(self, file: str, *, found: str, expected: str) -> None:
        if found != expected:
            raise self._corrupt(file, f"holds content with the digest {found}; the entry's id stands for {expected}")

    def _corrupt(self, file: str, reason: str) -> CorruptEntryError:
        return CorruptEntryError(Problem(self.entry_id, file, reason.rstrip(".")), self.place.address)


def _file_list() -> str:
    return ", ".join(sorted((*LISTED_FILES, MANIFEST_FILE)))
