"""Copies on this machine of files on the Hugging Face Hub, in the layout of the Hub's own client."""

import errno
import logging
import os
import time
from pathlib import Path

from zoo_store.errors import ZooReadError
from zoo_store.places.files import UnfitFileError, read_file
from zoo_store.places.hub_connection import HubConnection
from zoo_store.places.hub_listing import HubFile, Listing
from zoo_store.places.hub_refusal import HubRefusal

_DEAD_AFTER_SECONDS = 24 * 3600.0

_log = logging.getLogger("zoo_store")


class HubCopies:
    """Files of one repository, at any of its commits; each is held against what the Hub lists before it is used.

    The client downloads to a file of its own and moves it when it is whole. What a process leaves that is killed
    meanwhile is never used.

    Args:
        connection: to the repository.
    """

    def __init__(self, connection: HubConnection) -> None:
        self._connection = connection

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self._connection.folder / "copies"

    def read(self, listing: Listing, path: str, max_bytes: int, offline: str | None) -> bytes:
        """The bytes of a file.

        Args:
            listing: what the Hub says of it.
            path: in the repository.
            max_bytes: the largest size that is read.
            offline: why the Hub cannot be asked; None where it can.

        Returns:
            The bytes. If they are not the listed ones also when they have been fetched twice, they are returned as they
            are, and no copy is kept.

        Raises:
            FileNotFoundError: it is not in the repository.
            UnfitFileError: it is too large.
            ZooReadError: it cannot be had.
        """
        listed = listing.files.get(path)
        if listed is None:
            raise FileNotFoundError(path)
        if listed.size > max_bytes:
            raise UnfitFileError(f"has {listed.size} bytes; expected at most {max_bytes}")
        for snapshot in self.folder.glob("*/snapshots/*"):  # an entry never changes: a copy of any commit will do
            data = self._bytes(snapshot / path, listed)
            if data is not None and listed.describes(data):
                return data
        if offline is not None:
            raise ZooReadError(
                errno.ENETUNREACH,
                f"could not read {path} of the zoo {str(self._connection.address)!r}: {offline}, and no good copy of "
                "it is on this machine. Read it once with access to the Hub, or bring a copy of the zoo here "
                "(supernet-tl zoo pull).",
            )
        try:
            return self._fetch(listing.commit, path, listed)
        except HubRefusal as refusal:
            raise refusal.of_read(path, self._connection.address) from refusal

    def clear_leftovers(self) -> list[str]:
        """Delete what is left of downloads that were broken off more than a day ago; the names of what was deleted."""
        cleared = []
        for partial in self.folder.glob("*/blobs/*.incomplete"):
            try:
                if time.time() - partial.stat().st_mtime > _DEAD_AFTER_SECONDS:
                    partial.unlink()
                    cleared.append(partial.name)
            except FileNotFoundError:  # another process was quicker
                continue
        return sorted(cleared)

    def _fetch(self, commit: str, path: str, listed: HubFile) -> bytes:
        copy = self._connection.download(path, commit, self.folder, again=False)
        data = self._bytes(copy, listed)
        if data is None or not listed.describes(data):
            _log.warning(
                "the copy of %s of the zoo %s is not what the Hub lists: fetched again.", path, self._connection.address
            )
            copy = self._connection.download(path, commit, self.folder, again=True)
            data = self._bytes(copy, listed)
        if data is None:
            raise UnfitFileError(f"could not be copied to {str(copy)!r}: something else is in its way there")
        if not listed.describes(data):
            Path(os.path.realpath(copy)).unlink(missing_ok=True)
        return data

    def _bytes(self, copy: Path, listed: HubFile) -> bytes | None:
        """What a copy holds; None where there is none, or something that cannot be it.

        A copy is a link to a file beside it; a link out of the folder is not followed.
        """
        target = Path(os.path.realpath(copy))
        if not target.is_relative_to(os.path.realpath(self.folder)):
            return None
        try:
            return read_file(target, listed.size)
        except (UnfitFileError, FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ZooReadError(
                error.errno or errno.EIO,
                f"could not read the copy {str(target)!r} of a file of the zoo {str(self._connection.address)!r}: "
                f"{error.strerror or error}. Allow reading there, or delete it, then try again.",
            ) from error
