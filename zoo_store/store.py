"""The zoo: a folder of immutable entries, each named by the hash of its content."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from zoo_store.card import Card, checked_card
from zoo_store.entry import ZooEntry
from zoo_store.errors import (
    AmbiguousIdError,
    EntryNotFoundError,
    InvalidIdError,
    ZooNotFoundError,
    ZooPathError,
)
from zoo_store.folder import LocalFolder
from zoo_store.identity import content_of
from zoo_store.manifest import CARD_FILE, MANIFEST_FILE, README_FILE, SKETCH_FILE, SUPERNET_FILE, FileRecord, Manifest
from zoo_store.plain_json import pretty
from zoo_store.problem import Problem
from zoo_store.readme import readme
from zoo_store.stored_entry import StoredEntry
from zoo_store.tensors import encode, snapshot

_FULL_ID = re.compile(r"[0-9a-f]{64}")
_ID_PREFIX = re.compile(r"[0-9a-f]{6,64}")


class Zoo:
    """Pretrained supernets in a folder, safe to share: see ``docs/zoo-format.md`` for what lies on the disk.

    An entry appears whole or not at all, never changes afterwards, and is checked against its id whenever it is read.
    Any number of processes may read and write at once. Names in the folder that are not ids are ignored.

    As a container, a zoo is its ids in sorted order; one whose folder does not exist yet has none. The methods that
    read, remove or verify raise `ZooNotFoundError` instead, so that a mistyped path is not taken for an empty zoo.

    Wherever an id is asked for, a prefix of at least 6 characters that fits one entry will do.

    Args:
        path: a local folder; the first `add` makes it.
        lock_timeout: seconds to wait for another writer.

    Raises:
        ZooPathError: ``path`` is empty, a URL, or something else than a folder.
    """

    def __init__(self, path: str | os.PathLike[str], *, lock_timeout: float = 600.0) -> None:
        self.path = _checked_path(path)
        self._folder = LocalFolder(self.path, lock_timeout)

    def __repr__(self) -> str:
        return f"Zoo({str(self.path)!r})"

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids())

    def __len__(self) -> int:
        return len(self._ids())

    def __contains__(self, entry_id: object) -> bool:
        """Whether there is an entry under a full id."""
        return isinstance(entry_id, str) and bool(_FULL_ID.fullmatch(entry_id)) and self._folder.holds(entry_id)

    def add(self, entry: ZooEntry) -> str:
        """Keep an entry.

        Args:
            entry: its tensors are copied first and never altered.

        Returns:
            The entry's id. Content that is there already is checked, found good, and left as it is.

        Raises:
            TensorError: a tensor cannot be kept.
            CardError: the card was changed into something that cannot be kept.
            CorruptEntryError: the same content is there already, but damaged.
            ZooWriteError: the operating system refused; the zoo is as valid as before.
            ZooBusyError: another writer held the lock for too long.
        """
        if not isinstance(entry, ZooEntry):
            raise TypeError(
                f"found a {type(entry).__name__}, expected a ZooEntry: build one with "
                "ZooEntry(state=..., sketch=..., card=...)."
            )
        state, sketch = snapshot(entry.state, "state"), snapshot(entry.sketch, "sketch")
        card = checked_card(entry.card)  # again: what is inside a card may have been changed since it was built
        content = content_of(state, sketch, card)
        entry_id = content.entry_id
        if not self._folder.holds(entry_id):
            files = {
                SUPERNET_FILE: encode(state),
                SKETCH_FILE: encode(sketch),
                CARD_FILE: pretty(card),
                README_FILE: readme(entry_id, card),
            }
            records = {name: FileRecord.of(data) for name, data in files.items()}
            files[MANIFEST_FILE] = Manifest(content, records).to_bytes()
            if self._folder.publish(entry_id, files):
                return entry_id
        self._stored(entry_id).load()
        return entry_id

    def get(self, entry_id: str) -> ZooEntry:
        """A whole entry, after every check there is.

        Raises:
            CorruptEntryError: naming the entry, the file and what is wrong with it.
            SchemaVersionError: the entry was written by a newer supernet-tl.
            EntryNotFoundError: there is no such entry.
            AmbiguousIdError: the prefix fits several.
            InvalidIdError: that is no id.
            ZooNotFoundError: the zoo's folder does not exist.
            ZooReadError: the operating system refused.
        """
        return self._stored(self.resolve(entry_id)).load()

    def card(self, entry_id: str) -> Card:
        """The card of an entry, checked; no tensor is read. Raises as `get`."""
        return self._stored(self.resolve(entry_id)).card()

    def cards(self) -> dict[str, Card]:
        """The cards of all entries by id, in sorted order. Raises as `get`, at the first entry that is damaged."""
        self._require_folder()
        cards = {}
        for entry_id in self:
            with suppress(EntryNotFoundError):  # removed since it was listed
                cards[entry_id] = self._stored(entry_id).card()
        return cards

    def sketch(self, entry_id: str) -> dict[str, Tensor]:
        """The sketch of an entry, checked; the supernet's tensors are not read. Raises as `get`."""
        return self._stored(self.resolve(entry_id)).sketch()

    def verify(self) -> list[Problem]:
        """Read every byte of every entry.

        Returns:
            What is wrong, in the order of the ids; empty when all is well. What an interrupted `add` left behind is no
            problem: readers ignore it and the next writer clears it away.

        Raises:
            ZooNotFoundError: the zoo's folder does not exist.
        """
        self._require_folder()
        return [problem for entry_id in self for problem in self._stored(entry_id).problems()]

    def remove(self, entry_id: str) -> None:
        """Delete an entry, damaged or not.

        Raises:
            EntryNotFoundError: there is no such entry; also when another process removed it just now.
            ZooWriteError: the operating system refused.
            ZooBusyError: another writer held the lock for too long.
            AmbiguousIdError: the prefix fits several entries.
            InvalidIdError: that is no id.
            ZooNotFoundError: the zoo's folder does not exist.
        """
        full_id = self.resolve(entry_id)
        if not self._folder.discard(full_id):
            raise EntryNotFoundError(f"zoo {str(self.path)!r} no longer holds {full_id}: it was removed just now.")

    def resolve(self, entry_id: str) -> str:
        """The full id of an entry of this zoo.

        Args:
            entry_id: the id or a prefix of at least 6 characters.

        Raises:
            EntryNotFoundError: there is no such entry.
            AmbiguousIdError: the prefix fits several.
            InvalidIdError: that is no id.
            ZooNotFoundError: the zoo's folder does not exist.
        """
        if not isinstance(entry_id, str) or not _ID_PREFIX.fullmatch(entry_id):
            raise InvalidIdError(
                f"{entry_id!r} is not the id of a zoo entry; expected 64 characters of 0-9 and a-f, or the first 6 or "
                "more of them: list(zoo) gives the ids."
            )
        self._require_folder()
        fitting = [full_id for full_id in self if full_id.startswith(entry_id)]
        if not fitting:
            raise EntryNotFoundError(
                f"zoo {str(self.path)!r} holds no entry {entry_id!r} among its {len(self)}: list(zoo) gives the ids."
            )
        if len(fitting) > 1:
            raise AmbiguousIdError(
                f"{entry_id!r} fits {len(fitting)} entries of zoo {str(self.path)!r}, {fitting[0]} and {fitting[1]} "
                "among them; give more characters."
            )
        return fitting[0]

    def _ids(self) -> list[str]:
        return self._folder.groups(lambda name: _FULL_ID.fullmatch(name) is not None)

    def _stored(self, full_id: str) -> StoredEntry:
        return StoredEntry(self._folder, full_id)

    def _require_folder(self) -> None:
        if not self._folder.exists():
            raise ZooNotFoundError(
                f"there is no zoo at {str(self.path)!r}: no such folder. Check the path, or make a zoo there by adding "
                "an entry (supernet-tl pretrain --zoo ...)."
            )


def _checked_path(path: str | os.PathLike[str]) -> Path:
    text = os.fspath(path)
    if not isinstance(text, str) or not text or "\0" in text:
        raise ZooPathError(f"{path!r} is not a path of a zoo; expected the name of a local folder.")
    if "://" in text:
        raise ZooPathError(
            f"{text!r} is a URL, and this version keeps a zoo in a local folder only: copy the zoo to a folder and "
            "give its path."
        )
    absolute = Path(text).absolute()
    if absolute.exists() and not absolute.is_dir():
        raise ZooPathError(f"{text!r} is a file; a zoo is a folder: give the path of a folder, or of a new one.")
    return absolute
