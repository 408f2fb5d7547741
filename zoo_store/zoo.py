"""The zoo: immutable entries, each named by the hash of its content, wherever they lie."""

import errno
import logging
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_store.addresses import open_place
from zoo_store.aliases import Aliases, checked_alias, file_of, is_alias
from zoo_store.copying import Copies, Progress, copy_entries
from zoo_store.errors import (
    AliasError,
    AmbiguousIdError,
    CorruptEntryError,
    EntryNotFoundError,
    InvalidIdError,
    ZooBusyError,
    ZooError,
    ZooNotFoundError,
    ZooPathError,
    ZooReadError,
    ZooWriteError,
)
from zoo_store.format.card import Card, checked_card, encode_card
from zoo_store.format.entry import ZooEntry
from zoo_store.format.identity import content_of, is_full_id
from zoo_store.format.manifest import (
    CARD_FILE,
    MANIFEST_FILE,
    README_FILE,
    SKETCH_FILE,
    SUPERNET_FILE,
    FileRecord,
    Manifest,
)
from zoo_store.format.readme import readme
from zoo_store.format.stored_entry import StoredEntry
from zoo_store.listing.filters import EntryFilter
from zoo_store.listing.listed_entry import ListedEntry
from zoo_store.places.files import write_folder
from zoo_store.problem import Problem

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger("zoo_store")

_ID_PREFIX = re.compile(r"[0-9a-f]{6,64}")


class Zoo:
    """Pretrained supernets in one place, safe to share: see ``docs/zoo-format.md`` for the files.

    An entry appears whole or not at all, never changes afterwards, and is checked against its id whenever it is read.
    Any number of processes may read and write at once. Names in the place that are not ids are ignored.

    As a container, a zoo is its ids in sorted order; one whose place does not exist yet has none. The methods that
    read, remove or verify raise `ZooNotFoundError` instead, so that a mistyped path is not taken for an empty zoo
    (on an object store only where the bucket is not there: a folder in it is no more than a part of names).

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
        self._aliases = Aliases(self._place)

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
                f"`supernet-tl zoo pull {shlex.quote(self.address)} FOLDER`."
            )
        return self._place.path

    def exists(self) -> bool:
        """Whether there is a folder, bucket or repository at the address; an existing zoo may have no entries."""
        return self._place.exists()

    def clear_leftovers(self) -> list[str]:
        """Delete what writers that died left behind, which no reader sees; no entry is touched.

        Returns:
            The names of what was deleted.

        Raises:
            ZooWriteError: the operating system refused.
            ZooBusyError: another writer held the lock for too long.
            ZooNotFoundError: the zoo's place does not exist.
        """
        self._require_place()
        return self._place.clear_leftovers()

    @property
    def is_local(self) -> bool:
        """Whether the zoo is in a local folder, its `path`."""
        return self._place.path is not None

    def __repr__(self) -> str:
        return f"Zoo({self.address!r})"

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids())

    def __len__(self) -> int:
        return len(self._ids())

    def __contains__(self, entry_id: object) -> bool:
        """Whether there is an entry under a full id."""
        return isinstance(entry_id, str) and is_full_id(entry_id) and self._place.holds(entry_id)

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
                SUPERNET_FILE: encode(state, "state"),
                SKETCH_FILE: encode(sketch, "sketch"),
                CARD_FILE: encode_card(card),
                README_FILE: readme(entry_id, card),
            }
            records = {name: FileRecord.of(data) for name, data in files.items()}
            files[MANIFEST_FILE] = Manifest(content, records).to_bytes()
            if self._place.publish(entry_id, files):
                return entry_id
        self._check_in_place(entry_id)
        return entry_id

    def add_folder(self, folder: str | os.PathLike[str]) -> str:
        """Keep the entry that a folder holds, as it lies in another zoo or as `export` wrote it.

        Args:
            folder: with an entry's five files; its name does not matter, and it may be a link to one.

        Returns:
            The entry's id. Content that is there already is checked, found good, and left as it is.

        Raises:
            CorruptEntryError: the folder holds no whole entry; or the same content is there already, but damaged.
            ZooPathError: there is no such folder.
            ZooWriteError: the operating system refused; the zoo is as valid as before.
            ZooBusyError: another writer held the lock for too long.
        """
        path = Path(os.path.realpath(folder))
        if not os.path.isdir(path):
            raise ZooPathError(
                f"there is no folder {str(folder)!r}; expected one with an entry's files, which may be read: "
                "manifest.json, card.json, supernet.safetensors, sketch.safetensors and README.md."
            )
        try:
            stored = StoredEntry.in_folder(path)
            files = stored.files()
        except CorruptEntryError as error:
            raise CorruptEntryError(error.problem, None) from None  # the folder above is no zoo, to be fixed
        if not self._place.publish(stored.entry_id, files):
            self._check_in_place(stored.entry_id)
        return stored.entry_id

    def export(self, entry_id: str, folder: str | os.PathLike[str]) -> Path:
        """Write the files of an entry to a new folder, byte for byte, after every check there is.

        Args:
            entry_id: an id, the beginning of one, or an alias.
            folder: appears whole or not at all.

        Raises:
            ZooPathError: there is something at ``folder`` already, or it can be no name.
            ZooWriteError: the operating system refused.
            CorruptEntryError: the entry is damaged; nothing is written. Otherwise raises as `get`.
        """
        path = Path(os.path.abspath(folder))
        files = self._stored(self.resolve(entry_id)).files()
        try:
            write_folder(path, files)
        except FileExistsError:
            raise ZooPathError(
                f"there is something at {str(folder)!r} already; give the name of a new folder."
            ) from None
        except ValueError as error:
            raise ZooPathError(f"{str(folder)!r} cannot be a folder: {error}. Give another name.") from error
        except OSError as error:
            raise ZooWriteError(
                error.errno or errno.EIO,
                f"could not write {str(folder)!r}: {error.strerror or error}. Try another folder.",
            ) from error
        return path

    def copy_to(
        self,
        target: "Zoo",
        entry_ids: Iterable[str] | None = None,
        *,
        with_aliases: bool = True,
        progress: Progress | None = None,
    ) -> Copies:
        """Copy entries to another zoo, byte for byte, each after every check there is.

        Entries that the target holds are not copied again, so a stopped copy goes on where it was when it is repeated;
        they are checked there, and left as they are.

        Args:
            target: another zoo.
            entry_ids: ids, beginnings of ids, or aliases; all entries when absent.
            with_aliases: also the aliases of the entries that the target then holds whole. One that points elsewhere in
                the target stays there.
            progress: is told how many entries of how many are in the target.

        Raises:
            ZooReadError, ZooWriteError, ZooBusyError: as `get` and `add`.
        """
        self._require_place()
        wanted = self._wanted(entry_ids)
        copies = copy_entries(self._place, target._place, wanted, progress)
        whole = {*copies.added, *copies.present}
        aliases = self._aliases.all() if with_aliases else {}
        own = {alias: full_id for alias, full_id in aliases.items() if full_id in whole}
        new, kept = target._aliases.add(own) if own else ({}, {})
        return replace(copies, aliases=new, kept_aliases=kept)

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
        from zoo_store.listing.index import Index  # brings SQLite

        self._require_place()
        return Index(self._place, is_full_id).find(wanted)

    def sketch(self, entry_id: str) -> dict[str, "Tensor"]:
        """The sketch of an entry, checked; the supernet's tensors are not read. Raises as `get`."""
        return self._stored(self.resolve(entry_id)).sketch()

    def verify(self, entry_ids: Iterable[str] | None = None, *, progress: Progress | None = None) -> list[Problem]:
        """Read every byte of every entry.

        Args:
            entry_ids: ids, beginnings of ids, or aliases; when absent, all entries and then the aliases.
            progress: is told how many entries of how many have been read.

        Returns:
            What is wrong, in the order of the ids; empty when all is well. What an interrupted `add` left behind is no
            problem: readers ignore it and the next writer clears it away.

        Raises:
            ZooNotFoundError: the zoo's place does not exist, or has vanished meanwhile.
        """
        self._require_place()
        wanted = self._wanted(entry_ids)
        found: list[Problem] = []
        for done, entry_id in enumerate(wanted, start=1):
            found.extend(self._stored(entry_id).problems())
            if progress is not None:
                progress(done, len(wanted))
        self._require_place()  # where it has vanished, nothing was wrong with its entries either
        return found + self._aliases.problems() if entry_ids is None else found

    def quarantine(self, entry_id: str) -> str:
        """Move an entry out of the zoo, damaged or not, and delete nothing.

        Aliases that then point at nothing are set aside too: their files are kept under other names.

        Args:
            entry_id: an id, the beginning of one, or an alias.

        Returns:
            Where the entry lies now.

        Raises:
            ZooWriteError: the operating system refused.
            ZooBusyError: another writer held the lock for too long.
            EntryNotFoundError: there is no such entry; also when another process removed it just now.
        """
        full_id = self.resolve(entry_id)
        where = self._place.set_aside(full_id)
        if where is None:
            raise self._gone(full_id)
        with _telling({full_id: where}):
            for alias in self._aliases.pointing_at({full_id}):
                self._aliases.set_aside(file_of(alias))
        return where

    def fix(self, problems: Iterable[Problem]) -> dict[str, str]:
        """Move what is damaged out of the zoo, and delete nothing: see `quarantine`.

        What may not be read here, or is of a newer supernet-tl, stays; so does what is good by now, gone, or just being
        changed by another process. Of the aliases, those go that have a problem here, or whose entry has gone.

        Args:
            problems: as `verify` found them.

        Returns:
            Where things lie now, by the id of an entry or the file of an alias.

        Raises:
            ZooReadError, ZooWriteError: something could not be moved. Everything else has been, and warnings tell where
                that lies now.
            ZooBusyError: another writer held the lock for too long; likewise.
        """
        damaged = [problem for problem in problems if problem.damaged]
        moved: dict[str, str] = {}
        refusals: list[ZooReadError | ZooWriteError | ZooBusyError] = []

        def move(what: str, set_aside: Callable[[str], str | None]) -> None:
            try:
                where = set_aside(what)
            except (ZooReadError, ZooWriteError, ZooBusyError) as error:
                refusals.append(error)
            else:
                moved.update({} if where is None else {what: where})

        with _telling(moved):
            for entry_id in dict.fromkeys(problem.entry_id for problem in damaged if problem.entry_id is not None):
                move(entry_id, self._set_aside_damaged)
            files = [problem.file for problem in damaged if problem.entry_id is None]
            if moved:
                files += map(file_of, self._aliases.pointing_at(moved))
            for file in dict.fromkeys(files):
                move(file, self._aliases.set_aside)
            if refusals:
                raise refusals[0]
        return moved

    def _set_aside_damaged(self, full_id: str) -> str | None:
        mark = self._place.mark(full_id)  # before it is read: what is brought back meanwhile has another one
        if any(problem.damaged for problem in self._stored(full_id).problems()):
            return self._place.set_aside(full_id, mark=mark)
        return None

    def remove(self, entry_id: str, *, with_aliases: bool = False) -> None:
        """Delete an entry, damaged or not.

        Aliases are looked at right before. One that another process sets between the look and the removal points at
        nothing afterwards; `verify` tells it. One whose file is damaged keeps no entry from being removed.

        Args:
            entry_id: an id, the beginning of one, or an alias.
            with_aliases: also delete the aliases that point at it, instead of refusing.

        Raises:
            AliasError: aliases point at it.
            EntryNotFoundError: there is no such entry; also when another process removed it just now.
            ZooWriteError: the operating system refused.
            ZooBusyError: another writer held the lock for too long.
            AmbiguousIdError: the prefix fits several entries.
            InvalidIdError: that is no id.
            ZooNotFoundError: the zoo's place does not exist.
        """
        full_id = self.resolve(entry_id)
        while pointing := self._aliases.pointing_at({full_id}):
            if not with_aliases:
                raise AliasError(
                    f"the entry {full_id} has the alias{'' if len(pointing) == 1 else 'es'} {_few(sorted(pointing))}; "
                    "let them point elsewhere, or remove them too (zoo rm --aliases, with_aliases=True)."
                )
            # First: a process that dies in between leaves no alias that points at nothing.
            self._aliases.delete_unchanged(pointing)
        if not self._place.discard(full_id):
            raise self._gone(full_id)

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
        if is_full_id(entry_id) and self._place.holds(entry_id):
            return entry_id
        fitting = [full_id for full_id in self if full_id.startswith(entry_id)]
        if not fitting:
            raise EntryNotFoundError(
                f"zoo {self.address!r} holds no entry {entry_id!r} among its {len(self)}: "
                f"`supernet-tl zoo list {shlex.quote(self.address)}` shows them."
            )
        if len(fitting) > 1:
            raise AmbiguousIdError(
                f"{entry_id!r} fits {len(fitting)} entries of zoo {self.address!r}, {fitting[0]} and {fitting[1]} "
                "among them; give more characters."
            )
        return fitting[0]

    def aliases(self) -> dict[str, str]:
        """The ids that the aliases point at, by alias in sorted order, whether or not there is such an entry.

        An alias whose file is damaged or may not be read is left out, and told in a warning of the logger
        ``zoo_store``; to `resolve` it raises.

        Raises:
            ZooNotFoundError: the zoo's place does not exist.
        """
        self._require_place()
        return self._aliases.all()

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
        self._aliases.point({name: full_id})
        return full_id

    def delete_alias(self, alias: str) -> None:
        """Forget an alias, damaged or not; the entry stays.

        Raises:
            AliasError: that cannot be an alias.
            EntryNotFoundError: there is no such alias.
        """
        name = checked_alias(alias)
        self._require_place()
        self._aliases.delete(name)

    def _aliased(self, alias: str) -> str:
        full_id = self._aliases.find(alias)
        if full_id is None:
            raise self._no_id(alias)
        if not self._place.holds(full_id):
            raise EntryNotFoundError(
                f"the alias {alias!r} of zoo {self.address!r} points at {full_id}, which it does not hold: move the "
                "alias with zoo.set_alias, or delete it with zoo.delete_alias."
            )
        return full_id

    def _gone(self, full_id: str) -> EntryNotFoundError:
        return EntryNotFoundError(f"zoo {self.address!r} no longer holds {full_id}: it was removed just now.")

    def _no_id(self, text: object) -> InvalidIdError:
        return InvalidIdError(
            f"{text!r} is not the id of a zoo entry; expected 64 characters of 0-9 and a-f, the first 6 or more of "
            f"them, or an alias: `supernet-tl zoo list {shlex.quote(self.address)}` shows ids and aliases."
        )

    def _wanted(self, entry_ids: Iterable[str] | None) -> list[str]:
        """The full ids that are meant, each once; all where none are given."""
        if entry_ids is None:
            return self._ids()
        return list(dict.fromkeys(map(self.resolve, [entry_ids] if isinstance(entry_ids, str) else entry_ids)))

    def _ids(self) -> list[str]:
        return self._place.groups(is_full_id)

    def _stored(self, full_id: str) -> StoredEntry:
        return StoredEntry(self._place, full_id)

    def _check_in_place(self, full_id: str) -> None:
        """Refuse content that is there already, but damaged; what this machine keeps of it does not count."""
        StoredEntry(self._place, full_id, use_copies=False).load()

    def _require_place(self) -> None:
        if not self._place.exists():
            missing = "no such folder" if self.is_local else "no such bucket, repository or folder, or none for you"
            raise ZooNotFoundError(
                f"there is no zoo at {self.address!r}: {missing}. Check the address, or make a zoo there by "
                "adding an entry (supernet-tl pretrain --zoo ...)."
            )


@contextmanager
def _telling(moved: Mapping[str, str]) -> Iterator[None]:
    """Where something cannot be moved, a warning tells where everything else lies by then."""
    try:
        yield
    except ZooError:
        for what, where in moved.items():
            _log.warning("set aside: %s is now %s", what, where)
        raise


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
