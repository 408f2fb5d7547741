"""A place that may not be asked: what was kept of it answers instead."""

import errno
import hashlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from zoo_store.environment import OFFLINE_SWITCH
from zoo_store.errors import ZooReadError, ZooWriteError
from zoo_store.places.kept.copies import KeptCopies
from zoo_store.places.kept.pages import KeptPages
from zoo_store.places.layout import NOTES

_log = logging.getLogger("zoo_store")


class OfflinePlace:
    """A `Place` that has the groups whose marker was read, and not found missing since, when it could be asked.

    Their other files are there as far as a copy was kept. Nothing can be written.

    Args:
        address: of the place.
        marker: the file that makes a group visible.
        endpoint: who would answer, where others could answer for the same address.
    """

    def __init__(self, address: str, marker: str, endpoint: str = "") -> None:
        self.address = address
        self.marker = marker
        self.copies = KeptCopies()
        self.pages = KeptPages(address, endpoint)
        _log.warning(
            "offline (%s is set): the zoo %r is not asked; what was kept of it in %s is all there is.",
            OFFLINE_SWITCH,
            address,
            self.pages.folder.parent.parent,
        )

    @property
    def path(self) -> Path | None:
        """None: what is kept is no folder of this layout."""
        return None

    def exists(self) -> bool:
        """True.

        Raises:
            ZooReadError: nothing is kept, so nobody can tell.
        """
        if not self.pages.groups(self.marker) and not self.notes():
            self._refuse_read("anything")
        return True

    def groups(self, is_group: Callable[[str], bool]) -> list[str]:
        """The sorted names of the groups whose marker is kept."""
        return list(filter(is_group, self.pages.groups(self.marker)))

    def holds(self, group: str) -> bool:
        """Whether the marker of a group is kept."""
        return group in self.pages.groups(self.marker)

    def mark(self, group: str) -> str | None:
        """The digest of the kept marker."""
        try:
            return f"kept {hashlib.sha256((self.pages.folder / group / self.marker).read_bytes()).hexdigest()}"
        except FileNotFoundError:
            return None

    def marks(self, is_group: Callable[[str], bool]) -> dict[str, str]:
        """The marks of all groups."""
        return {group: mark for group in self.groups(is_group) if (mark := self.mark(group)) is not None}

    def is_whole(self, group: str) -> bool:
        """True: there are no links."""
        return True

    def files(self, group: str) -> list[str]:
        """The kept marker; what else there may be is not known."""
        return self.pages.files(group)

    def read(self, group: str, file: str, max_bytes: int, sha256: str | None = None) -> bytes:
        """The bytes of a marker, or of another file of which a copy is kept.

        Raises:
            ZooReadError: nothing is kept.
        """
        if file == self.marker:
            return self.pages.read(group, file, max_bytes)
        if sha256 is None:
            raise ZooReadError(
                errno.ENETUNREACH,
                f"could not look at {group}/{file} in the zoo {self.address!r} itself: {OFFLINE_SWITCH} is set. Unset "
                "it for this.",
            )
        data = self.copies.find(sha256, max_bytes)
        if data is None:
            self._refuse_read(f"{group}/{file}")
        return data

    def publish(self, group: str, files: Mapping[str, bytes]) -> bool:
        """Refused, unless the group is there."""
        if self.holds(group):
            return False
        self._refuse_write(f"add {group}")

    def discard(self, group: str) -> bool:
        """Refused."""
        self._refuse_write(f"remove {group}")

    def set_aside(self, group: str, *, mark: str | None = None) -> NoReturn:
        """Refused."""
        self._refuse_write(f"set {group} aside")

    def clear_leftovers(self) -> list[str]:
        """Refused."""
        self._refuse_write("clear what was left behind")

    def notes(self) -> list[str]:
        """The sorted names of the notes that are kept."""
        return self.pages.files(NOTES)

    def read_note(self, name: str, max_bytes: int) -> bytes | None:
        """A note that is kept."""
        try:
            return self.pages.read(NOTES, name, max_bytes)
        except FileNotFoundError:
            return None

    def write_notes(
        self, notes: Mapping[str, bytes | None], *, expected: Mapping[str, bytes | None] | None = None
    ) -> NoReturn:
        """Refused."""
        self._refuse_write("write the aliases")

    def _refuse_read(self, what: str) -> NoReturn:
        raise ZooReadError(
            errno.ENETUNREACH,
            f"could not read {what} in the zoo {self.address!r}: {OFFLINE_SWITCH} is set, and no copy was kept in "
            f"{str(self.copies.folder)!r}. Unset it and read it once with a network, then it can be had without.",
        )

    def _refuse_write(self, action: str) -> NoReturn:
        raise ZooWriteError(
            errno.ENETUNREACH,
            f"could not {action} in the zoo {self.address!r}: {OFFLINE_SWITCH} is set. Unset it, or write to a zoo in "
            "a local folder.",
        )
