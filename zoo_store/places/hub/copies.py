"""Copies on this machine of files on the Hugging Face Hub, each held against what the Hub lists before it is used."""

import errno
import logging
from contextlib import suppress
from functools import partial

from zoo_store.errors import ZooReadError
from zoo_store.places.files import UnfitFileError
from zoo_store.places.hub.connection import HubConnection
from zoo_store.places.hub.listing import HubFile, Listing
from zoo_store.places.hub.refusal import HubRefusal
from zoo_store.places.kept.copies import Fetch, KeptCopies, download
from zoo_store.places.kept.pages import KeptPages

_log = logging.getLogger("zoo_store")


class HubCopies:
    """Files of one repository, at any of its commits.

    Large files are kept by SHA-256, and a download of one that was stopped is resumed; small ones by name.

    Args:
        connection: to the repository.
    """

    def __init__(self, connection: HubConnection) -> None:
        self._connection = connection
        self._copies = KeptCopies()
        self._pages = KeptPages(str(connection.address))

    def read(self, listing: Listing, path: str, max_bytes: int, sha256: str | None, offline: str | None) -> bytes:
        """The bytes of a file.

        Args:
            listing: what the Hub says of it.
            path: in the repository.
            max_bytes: the largest size that is read.
            sha256: None where a large file is to come from the Hub itself, if that can be asked.
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
        if listed.sha256 is None:
            kept = self._page(path, listed.size)
        else:
            kept = None if sha256 is None and offline is None else self._copies.find(listed.sha256, listed.size)
        if kept is not None and listed.describes(kept):
            return kept
        if offline is not None:
            raise ZooReadError(
                errno.ENETUNREACH,
                f"could not read {path} of the zoo {str(self._connection.address)!r}: {offline}, and no good copy of "
                "it is on this machine. Read it once with access to the Hub, or bring a copy of the zoo here "
                "(supernet-tl zoo pull).",
            )
        fetch = partial(self._connection.fetch, path, listing.commit, listed.size)
        try:
            if listed.sha256 is None:
                return self._fetch_page(path, listed, fetch)
            if sha256 is None:
                return download(fetch, listed.size)
            return self._copies.read(listed.sha256, listed.size, fetch)
        except HubRefusal as refusal:
            raise refusal.of_read(path, self._connection.address) from refusal

    def _page(self, path: str, max_bytes: int) -> bytes | None:
        with suppress(OSError, UnfitFileError):  # a copy that cannot be read is none
            return self._pages.read(*_split(path), max_bytes)
        return None

    def _fetch_page(self, path: str, listed: HubFile, fetch: Fetch) -> bytes:
        data = b""
        for _ in range(2):
            data = download(fetch, listed.size)
            if listed.describes(data):
                self._pages.keep(*_split(path), data)
                break
            _log.warning("what was fetched as %s is not what the Hub lists.", path)
        return data


def _split(path: str) -> tuple[str, str]:
    group, _, file = path.rpartition("/")
    return group, file
