"""Small files in one folder: of this machine, or at any address that fsspec knows."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supernet_tl.files import write_whole

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


class SmallFiles:
    """Files that are read and written whole; the folder is made when the first is written.

    Args:
        address: a local folder, or a URL that fsspec knows.
        storage_options: passed on to fsspec.
    """

    def __init__(self, address: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> None:
        self.address = os.fspath(address)
        self._remote: tuple[AbstractFileSystem, str] | None = None
        if "://" in self.address:
            from fsspec.core import url_to_fs

            self._remote = url_to_fs(self.address, use_listings_cache=False, **(storage_options or {}))

    def names(self) -> list[str]:
        """What the folder holds; nothing where there is none."""
        if self._remote is None:
            folder = Path(self.address)
            return [item.name for item in folder.iterdir()] if folder.is_dir() else []
        filesystem, root = self._remote
        filesystem.invalidate_cache()
        try:
            return [path.rpartition("/")[2] for path in filesystem.ls(root, detail=False)]
        except FileNotFoundError:
            return []

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: there is no such file.
        """
        if self._remote is None:
            return (Path(self.address) / name).read_bytes()
        filesystem, root = self._remote
        content: bytes = filesystem.cat_file(f"{root}/{name}")
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a file; readers see the old one or the new one, whole."""
        if self._remote is None:
            Path(self.address).mkdir(parents=True, exist_ok=True)
            write_whole(Path(self.address) / name, content)
            return
        filesystem, root = self._remote
        filesystem.makedirs(root, exist_ok=True)
        temporary = f"{root}/.{name}.{uuid.uuid4().hex}.tmp"
        filesystem.pipe_file(temporary, content)
        filesystem.mv(temporary, f"{root}/{name}")

    def delete(self, name: str) -> None:
        """Delete a file, where there is one."""
        if self._remote is None:
            (Path(self.address) / name).unlink(missing_ok=True)
            return
        filesystem, root = self._remote
        if filesystem.exists(f"{root}/{name}"):
            filesystem.rm_file(f"{root}/{name}")
