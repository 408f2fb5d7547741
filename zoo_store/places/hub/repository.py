"""A place on the Hugging Face Hub: a repository whose every change is one commit."""

import errno
import itertools
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from zoo_store.errors import ZooBusyError
from zoo_store.places.hub.address import HubAddress
from zoo_store.places.hub.connection import HubConnection
from zoo_store.places.hub.copies import HubCopies
from zoo_store.places.hub.listing import Listing
from zoo_store.places.hub.refusal import HubRefusal, offline_switch
from zoo_store.places.hub.view import HubView
from zoo_store.places.layout import NOTES, QUARANTINE

if TYPE_CHECKING:
    from zoo_store.places.hub.connection import Operation

ReadFile: TypeAlias = Callable[[str, str], bytes]
PageMaker: TypeAlias = Callable[[str, bytes | None, Sequence[str], ReadFile], bytes | None]

_PAGE = "README.md"
_MAX_PAGE_BYTES = 4 * 2**20
_ATTEMPTS = 10
_PAUSE_SECONDS = 0.05

_log = logging.getLogger("zoo_store")


@dataclass(frozen=True)
class _Change:
    """What one commit does: its message and operations, and which groups come and go by them."""

    message: str
    operations: "Sequence[Operation]"
    added: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    removed: Collection[str] = ()


class HubRepository:
    """A `Place` in a repository on the Hugging Face Hub.

    The folders in the repository are those of a `LocalFolder`. What may change is asked of the Hub at every question;
    what is read then comes from the commit that the last question saw, and is copied to this machine, where each copy
    is held against what the Hub lists before it is used. Where the Hub must not be asked (``SUPERNET_TL_OFFLINE`` or
    ``HF_HUB_OFFLINE`` is 1) or cannot be reached, the commit that this machine saw last answers, as far as there are
    copies, and a warning says so.

    Args:
        address: of the repository; one with a commit is for reading only.
        token: None for that of ``hf auth login`` or ``HF_TOKEN``, False for none.
        endpoint: None for that of ``HF_ENDPOINT``, or else of the public Hub.
        private: whether a repository that the first write makes is for its owner alone.
        timeout: seconds to wait for an answer to a small question before the Hub counts as out of reach.
        make_page: the repository's page, from its address, the page as it is, the names of the groups and a function
            that reads a file of a group; None to leave the page as it is.
    """

    def __init__(
        self,
        address: HubAddress,
        *,
        token: str | bool | None = None,
        endpoint: str | None = None,
        private: bool = True,
        timeout: float = 8.0,
        make_page: PageMaker | None = None,
    ) -> None:
        self._address = address
        self._connection = HubConnection(address, token, endpoint, timeout)
        self._private = private
        self._make_page = make_page
        self._view = HubView(self._connection)
        self._copies = HubCopies(self._connection)

    @property
    def address(self) -> str:
        """The URL, ``hf://...``."""
        return str(self._address)

    @property
    def path(self) -> None:
        """None: this is no local folder."""
        return None

    def exists(self) -> bool:
        """Whether there is such a repository, as far as the token may see it."""
        return self._view.now() is not None

    def groups(self, is_group: Callable[[str], bool]) -> list[str]:
        """The sorted names at the top of the repository that ``is_group`` knows; none where there is no repository."""
        listing = self._view.now()
        return [] if listing is None else sorted(filter(is_group, listing.groups))

    def holds(self, group: str) -> bool:
        """Whether there is anything under a group's name."""
        return self.mark(group) is not None

    def mark(self, group: str) -> str | None:
        """The names in git of what is in the group; None when it is not there."""
        listing = self._view.now()
        return None if listing is None else listing.mark(group)

    def marks(self, is_group: Callable[[str], bool]) -> dict[str, str]:
        """The marks of all groups, at one commit."""
        listing = self._view.now()
        if listing is None:
            return {}
        return {group: mark for group in filter(is_group, listing.groups) if (mark := listing.mark(group)) is not None}

    def is_whole(self, group: str) -> bool:
        """Whether a group is a folder, not a file or a link."""
        return "" not in self._view.last().groups.get(group, {"": None})

    def files(self, group: str) -> list[str]:
        """The sorted names of a group's files; hidden names are left out."""
        listing = self._view.last()
        if group not in listing.groups:
            raise FileNotFoundError(group)
        return listing.names_in(group)

    def read(self, group: str, file: str, max_bytes: int, sha256: str | None = None) -> bytes:
        """The bytes of one file at the commit that was last asked about, from a copy on this machine if there is one.

        What is not as the Hub lists it is fetched again. If what then comes is not either, it is handed out for the
        caller to refuse, and no copy is kept. A large file is read from the Hub itself where no ``sha256`` is given.
        """
        return self._read(self._view.last(), f"{group}/{file}", max_bytes, sha256)

    def publish(self, group: str, files: Mapping[str, bytes]) -> bool:
        """Make a new group visible in one commit. Returns False when it was there already.

        Raises:
            ZooWriteError: the Hub refused, failed, or was not reached.
            ZooBusyError: others kept changing the repository.
        """
        return self.publish_all({group: files}) == [group]

    def publish_all(self, groups: Mapping[str, Mapping[str, bytes]]) -> list[str]:
        """Make new groups visible, all in one commit.

        Returns:
            The names of those that were not there already.

        Raises:
            ZooWriteError: the Hub refused, failed, or was not reached; then none of the groups is visible.
            ZooBusyError: others kept changing the repository.
        """
        from huggingface_hub import CommitOperationAdd

        with self._writing(f"add {_named(groups)}"):
            present = self._for_writing(make=True).groups
            additions = {
                group: [CommitOperationAdd(f"{group}/{name}", data) for name, data in files.items()]
                for group, files in groups.items()
                if group not in present
            }
            if additions:
                self._connection.upload(list(itertools.chain.from_iterable(additions.values())))

            def plan(listing: Listing) -> _Change:
                lacking = [group for group in additions if group not in listing.groups]
                operations = list(itertools.chain.from_iterable(additions[group] for group in lacking))
                return _Change(f"Add {_named(lacking)}", operations, added={group: groups[group] for group in lacking})

            return list(self._change(plan).added)

    def discard(self, group: str) -> bool:
        """Make a group vanish in one commit. Returns False when there was nothing to remove.

        The commits before still have it, as git does.
        """

        def plan(listing: Listing) -> _Change:
            present = [group] if group in listing.groups else []
            return _Change(f"Remove {group}", [_deletion(listing, name) for name in present], removed=present)

        with self._writing(f"remove {group}"):
            return bool(self._change(plan).removed)

    def set_aside(self, group: str, *, mark: str | None = None) -> str | None:
        """Move a group into the folder ``quarantine``, beside others of its name, in one commit.

        Returns:
            Where it lies now; None when it is not there, or has another mark at that commit.
        """
        from huggingface_hub import CommitOperationCopy

        aside: str | None = None

        def plan(listing: Listing) -> _Change:
            nonlocal aside
            aside = None
            if group not in listing.groups or (mark is not None and listing.mark(group) != mark):
                return _Change("", [])
            taken = set(listing.names_in(QUARANTINE))
            names = (group, *(f"{group}.{number}" for number in range(2, len(taken) + 3)))
            aside = f"{QUARANTINE}/{next(name for name in names if name not in taken)}"
            copies = [
                CommitOperationCopy(_joined(group, rest), _joined(aside, rest), src_revision=listing.commit)
                for rest in listing.groups[group]
            ]
            return _Change(f"Set {group} aside", [*copies, _deletion(listing, group)], removed=[group])

        with self._writing(f"set {group} aside"):
            self._change(plan)
        return None if aside is None else f"{self.address}/{aside}"

    def clear_leftovers(self) -> list[str]:
        """Nothing: a commit is made or is not."""
        return []

    def notes(self) -> list[str]:
        """The sorted names of the notes."""
        listing = self._view.now()
        return [] if listing is None else listing.names_in(NOTES)

    def read_note(self, name: str, max_bytes: int) -> bytes | None:
        """The bytes of a note; None where there is none."""
        listing = self._view.now()
        path = f"{NOTES}/{name}"
        return None if listing is None or path not in listing.files else self._read(listing, path, max_bytes)

    def write_notes(
        self, notes: Mapping[str, bytes | None], *, expected: Mapping[str, bytes | None] | None = None
    ) -> bool:
        """Replace notes, all in one commit.

        Returns:
            False, and nothing has been written, when one of the expected notes holds something else at that commit.

        Raises:
            ZooWriteError: the Hub refused, failed, or was not reached; then all notes are as before.
            ZooBusyError: others kept changing the repository.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        as_expected = True

        def plan(listing: Listing) -> _Change:
            nonlocal as_expected
            as_expected = all(_is_note(listing, name, data) for name, data in (expected or {}).items())
            if not as_expected:
                return _Change("", [])
            operations: list[Operation] = []
            for name, data in notes.items():
                path = f"{NOTES}/{name}"
                if data is not None:
                    operations.append(CommitOperationAdd(path, data))
                elif path in listing.files:
                    operations.append(CommitOperationDelete(path))
            return _Change("Write aliases", operations)

        with self._writing("write the aliases"):
            self._change(plan)
        return as_expected

    def _change(self, plan: Callable[[Listing], _Change]) -> _Change:
        """Commit what ``plan`` makes of what the repository holds; again if others changed it meanwhile."""
        for attempt in range(_ATTEMPTS):
            listing = self._for_writing(make=False)
            change = plan(listing)
            if not change.operations:
                return change
            operations = [*change.operations, *self._page(listing, change)]
            if self._connection.commit(operations, change.message, listing.commit):
                with suppress(HubRefusal):
                    self._view.ask()  # so that it is remembered for when the Hub cannot be asked
                return change
            time.sleep(min(2.0, _PAUSE_SECONDS * 2**attempt))
        raise ZooBusyError(
            f"the zoo {self.address!r} was changed by others {_ATTEMPTS} times while this change was under way; "
            "wait for them, then try again."
        )

    def _for_writing(self, *, make: bool) -> Listing:
        if self._address.is_commit:
            raise HubRefusal(
                errno.EROFS, "the address is that of a commit, which never changes", "Leave out the @ and what follows"
            )
        if (switch := offline_switch()) is not None:
            raise HubRefusal(errno.ENETUNREACH, f"{switch} is set", "Unset it")
        listing = self._view.ask()
        if listing is None and make:
            self._connection.create(private=self._private)
            _log.warning(
                "made the %s repository %s.%s",
                "private" if self._private else "public",
                self.address,
                " Its settings on the Hub can make it public." if self._private else "",
            )
            listing = self._view.ask()
        if listing is None:
            raise HubRefusal(errno.ENOENT, "there is no such repository", "Check the address")
        return listing

    def _page(self, listing: Listing, change: _Change) -> "list[Operation]":
        from huggingface_hub import CommitOperationAdd

        listed = listing.files.get(_PAGE)
        comes_or_goes = bool(change.added or change.removed)
        if self._make_page is None or not comes_or_goes or (listed is not None and listed.size > _MAX_PAGE_BYTES):
            return []

        def read(group: str, file: str) -> bytes:
            added = change.added.get(group)
            return self._read(listing, f"{group}/{file}", _MAX_PAGE_BYTES) if added is None else added[file]

        old = None if listed is None else self._read(listing, _PAGE, _MAX_PAGE_BYTES)
        names = sorted((listing.groups.keys() | change.added.keys()) - set(change.removed))
        page = self._make_page(self.address, old, names, read)
        return [] if page is None or page == old else [CommitOperationAdd(_PAGE, page)]

    def _read(self, listing: Listing, path: str, max_bytes: int, sha256: str | None = None) -> bytes:
        return self._copies.read(listing, path, max_bytes, sha256, self._view.offline)

    @contextmanager
    def _writing(self, action: str) -> Iterator[None]:
        try:
            yield
        except HubRefusal as refusal:
            raise refusal.of_write(action, self._address) from refusal


def _deletion(listing: Listing, group: str) -> "Operation":
    from huggingface_hub import CommitOperationDelete

    is_folder = "" not in listing.groups[group]
    return CommitOperationDelete(f"{group}/" if is_folder else group, is_folder=is_folder)


def _is_note(listing: Listing, name: str, data: bytes | None) -> bool:
    """Whether a note holds these bytes; or, for None, whether there is none."""
    file = listing.files.get(f"{NOTES}/{name}")
    return file is None if data is None else file is not None and file.describes(data)


def _joined(group: str, rest: str) -> str:
    return f"{group}/{rest}" if rest else group


def _named(groups: Collection[str]) -> str:
    return f"{len(groups)} entries" if len(groups) != 1 else next(iter(groups))
