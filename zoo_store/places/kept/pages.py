"""Small files that lie afar and may change, as they were when last read: for when they cannot be asked for."""

import hashlib
import logging
import os
import uuid
from collections.abc import Container
from contextlib import suppress
from pathlib import Path

from zoo_store.environment import cache_dir
from zoo_store.places.files import read_file

_log = logging.getLogger("zoo_store")


class KeptPages:
    """Files by group and name, of one place.

    Args:
        address: of the place.
        endpoint: who answers for it, where others could answer for the same address.
    """

    def __init__(self, address: str, endpoint: str = "") -> None:
        self.address = address
        self.endpoint = endpoint

    @property
    def folder(self) -> Path:
        """Where they are."""
        place = "\n".join((self.address, self.endpoint)).encode()
        return cache_dir() / "pages" / hashlib.sha256(place).hexdigest()[:32]

    def keep(self, group: str, file: str, data: bytes) -> None:
        """Keep a file. What the disk refuses is logged."""
        path = self.folder / group / file
        incoming = self.folder / f".{uuid.uuid4().hex}"
        try:
            with suppress(FileNotFoundError):
                if path.read_bytes() == data:
                    os.utime(path)  # it has been used
                    return
            path.parent.mkdir(parents=True, exist_ok=True)
            incoming.write_bytes(data)
            os.replace(incoming, path)
        except OSError as error:
            _log.warning("could not keep %s (%s); it will be missed offline.", path, error.strerror or error)
            with suppress(OSError):
                incoming.unlink()

    def forget(self, group: str, file: str) -> None:
        """Delete a file; it is no error if it is not there."""
        with suppress(OSError):
            (self.folder / group / file).unlink()

    def forget_others(self, file: str, groups: Container[str]) -> None:
        """Delete a file of every group but these."""
        for group in self.groups(file):
            if group not in groups:
                self.forget(group, file)

    def read(self, group: str, file: str, max_bytes: int) -> bytes:
        """A kept file.

        Raises:
            FileNotFoundError: it is not there.
            UnfitFileError: it is too large.
        """
        data = read_file(self.folder / group / file, max_bytes)
        with suppress(OSError):
            os.utime(self.folder / group / file)  # it has been used
        return data

    def groups(self, file: str) -> list[str]:
        """The sorted names of the groups of which a file is kept."""
        return sorted(path.parent.name for path in self.folder.glob(f"*/{file}"))

    def files(self, group: str) -> list[str]:
        """The sorted names of a group's kept files."""
        return sorted(path.name for path in (self.folder / group).glob("*"))
