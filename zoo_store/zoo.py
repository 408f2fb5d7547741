"""The zoo: immutable entries, each named by the hash of its content, wherever they lie."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_store.addresses import open_place
from zoo_store.aliases import MAX_NOTE_BYTES, alias_of, checked_alias, decode_alias, encode_alias, is_alias, note_name
from zoo_store.errors import (
    AliasError,
    AmbiguousIdError,
    EntryNotFoundError,
    InvalidIdError,
    ZooNotFoundError,
    ZooPathError,
)
from zoo_store.filters import EntryFilter
from zoo_store.format.card import Card, checked_card
from zoo_store.format.entry import ZooEntry
from zoo_store.format.identity import content_of
from zoo_store.format.manifest import (
    CARD_FILE,
    MANIFEST_FILE,
    README_FILE,
    SKETCH_FILE,
    SUPERNET_FILE,
    FileRecord,
    Manifest,
)
from zoo_store.format.plain_json import pretty
from zoo_store.format.readme import readme
from zoo_store.format.stored_entry import StoredEntry
from zoo_store.listed_entry import ListedEntry
from zoo_store.places.files import UnfitFileError
from zoo_store.problem import Problem

if TYPE_CHECKING:
    from torch import Tensor

_FULL_ID = re.compile(r"[0-9a-f]{64}")
_ID_PREFIX = re.compile(r"[0-9a-f]{6,64}")


def _is_full_id(name: str) -> bool:
    return _FULL_ID.fullmatch(name) is not None


class Zoo:
    """Pretrained supernets in one place, safe to share: see ``docs/zoo-format.md`` for the files.

    An entry appears whole or not at all, never changes afterwards, and is checked against its id whenever it is read.
    Any number of processes may read and write at once. Names in the place that are not ids are ignored.

    As a container, a zoo is its ids in sorted order; one whose place does not exist yet has none. The methods that
    read, remove or verify raise `ZooNotFoundError` instead, so that a mistyped path is not taken for an empty zoo.

    Wherever an id is asked for, an alias or a prefix of at least 6 characters that fits one entry will do.

    Args:
        address: a local folder, which the first `add` makes, or a URL: ``s3://BUCKET/PREFIX``, ``memory://NAME``, any
            other that fsspec knows, or ``hf://OWNER/NAME`` on the Hugging Face Hub.
        lock_timeout: seconds to wait for another writer of a local folder.
        storage_options: passed on to fsspec, such as ``{"endpoint_url": ...}``.

    Raises:
        ZooPathError: the address is empty or malformed, its scheme is not known, or it is a file.
    """

    def __init__(
        self,
        address: str | os.PathLike[str],
        *,
        lock_timeout: float = 600.0,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._place = open_place(address, lock_timeout, storage_options)

    @property
    def address(self) -> str:
        """How people write where this zoo is: an absolute path or a URL."""
        return self._place.address

    @property
    def path(self) -> Path:
        """The local folder.

        Raises:
            ZooPathError: this zoo is not in a local folder.
        """
        if self._place.path is None:
            raise ZooPathError(
                f"zoo {self.address!r} is not in a local folder: copy it to one for this, with "
                f"`supernet-tl zoo pull {self.address} FOLDER`."
            )
        return self._place.path

    def __repr__(self) -> str:
        return f"Zoo({self.address!r})"

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids())

    def __len__(self) -> int:
        return len(self._ids())

    def __contains__(self, entry_id: object) -> bool:
        """Whether there is an entry under a full id."""
        return isinstance(entry_id, str) and bool(_FULL_ID.fullmatch(entry_id)) and self._place.holds(entry_id)

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
        from zoo_store.format.tensors import encode, snapshot

        state, sketch = snapshot(entry.state, "state"), snapshot(entry.sketch, "sketch")
        card = checked_card(entry.card)  # again: what is inside a card may have been changed since it was built
        content = content_of(state, sketch, card)
        entry_id = content.entry_id
        if not self._place.holds(entry_id):
            files = {
                SUPERNET_FILE: encode(state),
                SKETCH_FILE: encode(sketch),
                CARD_FILE: pretty(card),
                README_FILE: readme(entry_id, card),
            }
            records = {name: FileRecord.of(data) for name, data in files.items()}
            files[MANIFEST_FILE] = Manifest(content, records).to_bytes()
            if self._place.publish(entry_id, files):
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
            ZooNotFoundError: the zoo's place does not exist.
            ZooReadError: the operating system refused.
        """
        return self._stored(self.resolve(entry_id)).load()

    def card(self, entry_id: str) -> Card:
        """The card of an entry, checked; no tensor is read. Raises as `get`."""
        return self._stored(self.resolve(entry_id)).card()

    def cards(self) -> dict[str, Card]:
        """The cards of all entries by id, in sorted order. Raises as `get`, at the first entry that is damaged."""
        cards = {}
        for entry_id, listed in self.find().items():
            with suppress(EntryNotFoundError):  # removed since it was listed
                cards[entry_id] = listed.card or self._stored(entry_id).card()  # which raises, unless it is good again
        return cards

    def find(self, wanted: EntryFilter | None = None) -> dict[str, ListedEntry]:
        """The entries that fit a filter, by id in sorted order; all of them where there is none.

        Cards are read once and then kept in an index, in this machine's cache. Entries that have come, gone or changed
        since are noticed.

        Returns:
            Also every damaged entry, whatever is wanted, since nobody knows what it would be: without a card, and with
            its ``problem``.

        Raises:
            ZooNotFoundError: the zoo's place does not exist.
            ZooReadError: the operating system refused.
        """
        from zoo_store.index import Index  # brings SQLite

        self._require_place()
        return Index(self._place, _is_full_id).find(wanted)

    def sketch(self, entry_id: str) -> dict[str, "Tensor"]:
        """The sketch of an entry, checked; the supernet's tensors are not read. Raises as `get`."""
        return self._stored(self.resolve(entry_id)).sketch()

    def verify(self) -> list[Problem]:
        """Read every byte of every entry.

        Returns:
            What is wrong, in the order of the ids; empty when all is well. What an interrupted `add` left behind is no
            problem: readers ignore it and the next writer clears it away.

        Raises:
            ZooNotFoundError: the zoo's place does not exist.
        """
        self._require_place()
        return [problem for entry_id in self for problem in self._stored(entry_id).problems()]

    def remove(self, entry_id: str, *, with_aliases: bool = False) -> None:
        """Delete an entry, damaged or not.

        Args:
            entry_id: an id, the beginning of one, or an alias.
            with_aliases: also delete the aliases that point at it, instead of refusing.

        Raises:
            AliasError: aliases point at it, or the file of one is damaged.
            EntryNotFoundError: there is no such entry; also when another process removed it just now.
            ZooWriteError: the operating system refused.
            ZooBusyError: another writer held the lock for too long.
            AmbiguousIdError: the prefix fits several entries.
            InvalidIdError: that is no id.
            ZooNotFoundError: the zoo's place does not exist.
        """
        full_id = self.resolve(entry_id)
        pointing = [alias for alias, pointed_at in self.aliases().items() if pointed_at == full_id]
        if pointing and not with_aliases:
            raise AliasError(
                f"the entry {full_id} has the alias{'' if len(pointing) == 1 else 'es'} {', '.join(pointing)}; let "
                "them point elsewhere with zoo.set_alias, or remove the entry with_aliases=True (zoo rm --aliases)."
            )
        if not self._place.discard(full_id):
            raise EntryNotFoundError(f"zoo {self.address!r} no longer holds {full_id}: it was removed just now.")
        if pointing:
            self._place.write_notes(dict.fromkeys(map(note_name, pointing)))

    def resolve(self, entry_id: str) -> str:
        """The full id of an entry of this zoo.

        Args:
            entry_id: an alias, the id, or a prefix of at least 6 characters.

        Raises:
            EntryNotFoundError: there is no such entry; also when an alias points at one that is not there.
            AmbiguousIdError: the prefix fits several.
            InvalidIdError: that is neither an alias of this zoo nor the form of an id.
            AliasError: the alias' file is damaged.
            ZooNotFoundError: the zoo's place does not exist.
        """
        self._require_place()
        if isinstance(entry_id, str) and is_alias(entry_id):
            return self._aliased(entry_id)
        if not isinstance(entry_id, str) or not _ID_PREFIX.fullmatch(entry_id):
            raise self._no_id(entry_id)
        if _FULL_ID.fullmatch(entry_id) and self._place.holds(entry_id):
            return entry_id
        fitting = [full_id for full_id in self if full_id.startswith(entry_id)]
        if not fitting:
            raise EntryNotFoundError(
                f"zoo {self.address!r} holds no entry {entry_id!r} among its {len(self)}: list(zoo) gives the ids."
            )
        if len(fitting) > 1:
            raise AmbiguousIdError(
                f"{entry_id!r} fits {len(fitting)} entries of zoo {self.address!r}, {fitting[0]} and {fitting[1]} "
                "among them; give more characters."
            )
        return fitting[0]

    def aliases(self) -> dict[str, str]:
        """The ids that the aliases point at, by alias in sorted order, whether or not there is such an entry.

        Raises:
            AliasError: the file of an alias is damaged.
            ZooNotFoundError: the zoo's place does not exist.
        """
        self._require_place()
        names = [alias for note in self._place.notes() if (alias := alias_of(note)) is not None]
        return {alias: found for alias in names if (found := self._alias(alias)) is not None}

    def set_alias(self, alias: str, entry_id: str) -> str:
        """Let an alias point at an entry, whatever it pointed at before.

        Args:
            alias: 1 to 64 of a-z, 0-9, ``.``, ``_`` and ``-``, that could not be taken for the beginning of an id.
            entry_id: an id, the beginning of one, or another alias, whose entry is meant.

        Returns:
            The full id.

        Raises:
            AliasError: that cannot be an alias.
            ZooWriteError: the operating system refused; the alias is as before.
            ZooBusyError: another writer held the lock for too long.
        """
        name = checked_alias(alias)
        full_id = self.resolve(entry_id)
        self._place.write_notes({note_name(name): encode_alias(name, full_id)})
        return full_id

    def delete_alias(self, alias: str) -> None:
        """Forget an alias, damaged or not; the entry stays.

        Raises:
            AliasError: that cannot be an alias.
            EntryNotFoundError: there is no such alias.
        """
        name = note_name(checked_alias(alias))
        self._require_place()
        if name not in self._place.notes():
            raise EntryNotFoundError(f"zoo {self.address!r} has no alias {alias!r}: zoo.aliases() lists them.")
        self._place.write_notes({name: None})

    def _aliased(self, alias: str) -> str:
        full_id = self._alias(alias)
        if full_id is None:
            raise self._no_id(alias)
        if not self._place.holds(full_id):
            raise EntryNotFoundError(
                f"the alias {alias!r} of zoo {self.address!r} points at {full_id}, which it does not hold: move the "
                "alias with zoo.set_alias, or delete it with zoo.delete_alias."
            )
        return full_id

    def _no_id(self, text: object) -> InvalidIdError:
        return InvalidIdError(
            f"{text!r} is not the id of a zoo entry; expected 64 characters of 0-9 and a-f, the first 6 or more of "
            f"them, or an alias of zoo {self.address!r}: list(zoo) gives the ids, zoo.aliases() the aliases."
        )

    def _alias(self, alias: str) -> str | None:
        try:
            data = self._place.read_note(note_name(alias), MAX_NOTE_BYTES)
            return None if data is None else decode_alias(data, alias)
        except (ValueError, UnfitFileError) as error:
            raise AliasError(
                f"the file of the alias {alias!r} in zoo {self.address!r} {error}. Point it at an entry again with "
                "zoo.set_alias, or delete it with zoo.delete_alias."
            ) from error

    def _ids(self) -> list[str]:
        return self._place.groups(_is_full_id)

    def _stored(self, full_id: str) -> StoredEntry:
        return StoredEntry(self._place, full_id)

    def _require_place(self) -> None:
        if not self._place.exists():
            raise ZooNotFoundError(
                f"there is no zoo at {self.address!r}: no such folder. Check the address, or make a zoo there by "
                "adding an entry (supernet-tl pretrain --zoo ...)."
            )
