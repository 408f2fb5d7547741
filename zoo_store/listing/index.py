"""The index of a zoo: a cache of checked cards. The files of the zoo are the truth; the index may be deleted any time.

A row is believed where the place still gives the entry the mark that it had when its card was held against manifest and
id. All other entries are read, among them the damaged ones, and those altered so recently that the place gives no mark.
An alteration that leaves the mark as it was goes unnoticed here, such as one of a local file through a memory map, for
which the system need not change the file's times; `Zoo.get` and `Zoo.verify` notice it.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from zoo_store.environment import cache_dir
from zoo_store.errors import CorruptEntryError, EntryNotFoundError, SchemaVersionError
from zoo_store.format.card import KNOWN_KEYS, Card
from zoo_store.format.migrations import CARD_SCHEMA, MANIFEST_FORMAT
from zoo_store.format.plain_json import Json, canonical
from zoo_store.format.stored_entry import StoredEntry
from zoo_store.listing.filters import EntryFilter, what_filters_see
from zoo_store.listing.index_file import (
    IndexDamagedError,
    IndexFile,
    IndexOutdatedError,
    IndexUnusableError,
    Row,
    delete_index,
)
from zoo_store.listing.listed_entry import ListedEntry
from zoo_store.places.place import Place

T = TypeVar("T")

INDEX_FORMAT = 1
"""Of the rows; another whenever what is in them, or what `StoredEntry` asks of a card, has changed."""

_BATCH = 200  # rows that are written together
_log = logging.getLogger("zoo_store")


class Index:
    """Cards of a zoo's entries, read from the files once.

    Nothing that happens to the index reaches the caller: what is damaged is made again, and where no file can be kept,
    or another process keeps it to itself, every card is read from the zoo.

    Args:
        place: the zoo's.
        is_entry_id: tells the names of entries from others.
    """

    def __init__(self, place: Place, is_entry_id: Callable[[str], bool]) -> None:
        self._place = place
        self._is_entry_id = is_entry_id

    @property
    def path(self) -> Path:
        """The file, which need not be there: in this machine's cache, since a zoo may be shared or read-only."""
        return cache_dir() / "indexes" / f"{self._address_digest()}.sqlite"

    def find(self, wanted: EntryFilter | None) -> dict[str, ListedEntry]:
        """The entries that fit a filter, and all that are damaged, by id in sorted order."""
        try:
            path = self.path
            try:
                return self._find_in(path, wanted)
            except IndexDamagedError as error:
                level = logging.DEBUG if isinstance(error, IndexOutdatedError) else logging.INFO
                _log.log(level, "the index of zoo %s is damaged (%s); it is made again", self._place.address, error)
                delete_index(path)
                return self._find_in(path, wanted)
        except (IndexDamagedError, IndexUnusableError) as error:
            _log.warning("the index of zoo %s cannot be used (%s); every card is read", self._place.address, error)
            return self._find_in(None, wanted)

    def _find_in(self, path: Path | None, wanted: EntryFilter | None) -> dict[str, ListedEntry]:
        with IndexFile(path, self._signature()) as file:
            marks = self._place.marks(self._is_entry_id)
            unread = dict.fromkeys(marks)
            found: dict[str, ListedEntry] = {}
            known: list[tuple[str, str, int]] = []
            vanished: list[str] = []
            for entry_id, mark, facts in file.facts():
                if entry_id not in unread:
                    vanished.append(entry_id)
                elif marks[entry_id] == mark:
                    num_bytes, seen = json.loads(facts)
                    del unread[entry_id]
                    if wanted is None or wanted.fits(seen, num_bytes):
                        known.append((entry_id, mark, num_bytes))
            for entry_id, mark, num_bytes in known:
                card = file.card(entry_id, mark)
                if card is None:
                    unread[entry_id] = None
                else:
                    found[entry_id] = ListedEntry(json.loads(card), num_bytes)
            writable = not vanished or self._tried(file.forget, vanished)
            for batch in _batches(list(unread)):
                rows = []
                for entry_id, listed in self._read(batch):
                    if listed.card is None or wanted is None or wanted.fits(listed.card, listed.num_bytes):
                        found[entry_id] = listed
                    if listed.card is not None and (settled := marks[entry_id]) is not None:
                        rows.append(_row(entry_id, settled, listed.card, listed.num_bytes))
                if rows and writable:
                    writable = self._tried(file.put, rows)
        return dict(sorted(found.items()))

    def _read(self, entry_ids: Iterable[str]) -> Iterator[tuple[str, ListedEntry]]:
        """Entries from their files, without those that are gone meanwhile."""
        for entry_id in entry_ids:
            try:
                card, num_bytes = StoredEntry(self._place, entry_id).card_and_size()
                yield entry_id, ListedEntry(card, num_bytes)
            except EntryNotFoundError:
                continue
            except (CorruptEntryError, SchemaVersionError) as error:
                yield entry_id, ListedEntry(None, 0, str(error))

    def _tried(self, change: Callable[[T], None], argument: T) -> bool:
        """Change the file; whether that was possible."""
        try:
            change(argument)
        except IndexUnusableError as error:
            _log.warning("the index of zoo %s cannot be written (%s)", self._place.address, error)
            return False
        return True

    def _signature(self) -> str:
        """What the rows are about, and the rules that they passed: where any of these changes, all are read again."""
        rules: Json = {key: expected for key, (expected, _) in KNOWN_KEYS.items()}
        return canonical([INDEX_FORMAT, CARD_SCHEMA, MANIFEST_FORMAT, rules, self._address_digest()]).decode()

    def _address_digest(self) -> str:
        return hashlib.sha256(os.fsencode(self._place.address)).hexdigest()  # a path need not be Unicode


def _row(entry_id: str, mark: str, card: Card, num_bytes: int) -> Row:
    return Row(entry_id, mark, _compact([num_bytes, what_filters_see(card)]), _compact(card))


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))  # keys stay in their order


def _batches(entry_ids: list[str]) -> Iterator[list[str]]:
    return (entry_ids[start : start + _BATCH] for start in range(0, len(entry_ids), _BATCH))
