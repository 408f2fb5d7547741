"""Reading one stored entry: every byte is held against the manifest, and every part against the id, before use."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from torch import Tensor

from zoo_store.card import Card, checked_card
from zoo_store.entry import ZooEntry
from zoo_store.errors import (
    CardError,
    CorruptEntryError,
    EntryNotFoundError,
    SchemaVersionError,
    TensorError,
    ZooReadError,
)
from zoo_store.files import UnfitFileError
from zoo_store.folder import LocalFolder
from zoo_store.identity import card_digest
from zoo_store.manifest import (
    CARD_FILE,
    LISTED_FILES,
    MANIFEST_FILE,
    MAX_MANIFEST_BYTES,
    README_FILE,
    SKETCH_FILE,
    SUPERNET_FILE,
    Manifest,
)
from zoo_store.migrations import CARD_SCHEMA, check_version
from zoo_store.plain_json import parse
from zoo_store.problem import Problem
from zoo_store.tensors import decode, tensors_digest

T = TypeVar("T")


class StoredEntry:
    """An entry in a folder.

    `load`, `card` and `sketch` raise `CorruptEntryError` at the first thing that is wrong, and
    `EntryNotFoundError` where the entry is gone.

    Args:
        folder: the zoo's.
        entry_id: a full id.
    """

    def __init__(self, folder: LocalFolder, entry_id: str) -> None:
        self.folder = folder
        self.entry_id = entry_id

    def load(self) -> ZooEntry:
        """The whole entry, after every check there is."""
        return self._steadily(self._load)

    def card(self) -> Card:
        """The card alone; the tensors are not read."""
        return self._steadily(lambda: self._card(self._manifest()))

    def sketch(self) -> dict[str, Tensor]:
        """The sketch alone; the supernet's tensors are not read."""
        return self._steadily(lambda: self._sketch(self._manifest()))

    def problems(self) -> list[Problem]:
        """Everything that is wrong, file by file, instead of the first thing; empty when the entry is gone."""
        while (before := self.folder.mark(self.entry_id)) is not None:
            found = self._all_problems()
            if not found or self.folder.mark(self.entry_id) == before:
                return found
        return []

    def _steadily(self, read: Callable[[], T]) -> T:
        """Read; and again where the entry was removed and added meanwhile, so that no fault comes of two halves."""
        while (before := self.folder.mark(self.entry_id)) is not None:
            try:
                return read()
            except CorruptEntryError:
                if self.folder.mark(self.entry_id) == before:
                    raise
        raise EntryNotFoundError(
            f"zoo {str(self.folder.path)!r} no longer holds {self.entry_id}: it was removed just now."
        )

    def _load(self) -> ZooEntry:
        manifest = self._manifest()
        for file in self._extra_files():
            raise self._stray(file)
        card = self._card(manifest)
        sketch, state = self._sketch(manifest), self._state(manifest)
        self._listed(manifest, README_FILE)
        return ZooEntry(state=state, sketch=sketch, card=card)

    def _all_problems(self) -> list[Problem]:
        found: list[Problem] = []
        with self._noting(found, MANIFEST_FILE):
            manifest = self._manifest()
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
        except (SchemaVersionError, ZooReadError) as error:
            found.append(Problem(self.entry_id, file, f"cannot be read: {error}"))

    def _extra_files(self) -> list[str]:
        try:
            names = self.folder.files(self.entry_id)
        except FileNotFoundError:
            raise self._corrupt(".", "is missing") from None
        return sorted(set(names) - {*LISTED_FILES, MANIFEST_FILE})

    def _stray(self, file: str) -> CorruptEntryError:
        return self._corrupt(file, f"does not belong there; an entry has exactly {_file_list()}")

    def _manifest(self) -> Manifest:
        if not self.folder.is_whole(self.entry_id):
            raise self._corrupt(".", "is a file or a symbolic link; expected a folder of its own")
        data = self._bytes(MANIFEST_FILE, MAX_MANIFEST_BYTES)
        try:
            return Manifest.from_bytes(data, self.entry_id)
        except SchemaVersionError:
            raise
        except ValueError as error:
            raise self._corrupt(MANIFEST_FILE, str(error)) from error

    def _card(self, manifest: Manifest) -> Card:
        data = self._listed(manifest, CARD_FILE)
        try:
            card = parse(data)
            if not isinstance(card, dict):
                raise ValueError("is not a JSON object")
            what = f"{CARD_FILE} of zoo entry {self.entry_id}"
            check_version(card.get("schema_version"), newest=CARD_SCHEMA, what=what)
            checked = checked_card(card)
            self._check_digest(CARD_FILE, found=card_digest(card), expected=manifest.content.card)
            return checked
        except (SchemaVersionError, CorruptEntryError):
            raise
        except CardError as error:
            raise self._corrupt(CARD_FILE, f"cannot be used: {error}") from error
        except ValueError as error:
            raise self._corrupt(CARD_FILE, str(error)) from error

    def _sketch(self, manifest: Manifest) -> dict[str, Tensor]:
        return self._tensors(manifest, SKETCH_FILE, "sketch", manifest.content.sketch)

    def _state(self, manifest: Manifest) -> dict[str, Tensor]:
        state = self._tensors(manifest, SUPERNET_FILE, "state", manifest.content.state)
        if not state:
            raise self._corrupt(SUPERNET_FILE, "holds no tensors; expected those of a supernet")
        return state

    def _tensors(self, manifest: Manifest, file: str, part: str, expected: str) -> dict[str, Tensor]:
        data = self._listed(manifest, file)
        try:
            tensors = decode(data, part)
        except TensorError as error:
            raise self._corrupt(file, f"cannot be used: {error}") from error
        self._check_digest(file, found=tensors_digest(tensors), expected=expected)
        return tensors

    def _listed(self, manifest: Manifest, file: str) -> bytes:
        record = manifest.files[file]
        data = self._bytes(file, record.size)
        fault = record.fault_of(data)
        if fault:
            raise self._corrupt(file, fault)
        return data

    def _bytes(self, file: str, max_bytes: int) -> bytes:
        try:
            return self.folder.read(self.entry_id, file, max_bytes)
        except FileNotFoundError:
            raise self._corrupt(file, f"is missing; an entry has exactly {_file_list()}") from None
        except UnfitFileError as error:
            raise self._corrupt(file, str(error)) from None

    def _check_digest(self, file: str, *, found: str, expected: str) -> None:
        if found != expected:
            raise self._corrupt(file, f"holds content with the digest {found}; the entry's id stands for {expected}")

    def _corrupt(self, file: str, reason: str) -> CorruptEntryError:
        return CorruptEntryError(Problem(self.entry_id, file, reason))


def _file_list() -> str:
    return ", ".join(sorted((*LISTED_FILES, MANIFEST_FILE)))
