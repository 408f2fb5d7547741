"""Files and folders that survive a crash, and reads that follow nothing out of their folder."""

import errno
import os
import shutil
import stat
import uuid
from collections.abc import Mapping
from pathlib import Path

_READ_FLAGS = (
    os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
)  # no symbolic links; no waiting for the other end of a pipe


class UnfitFileError(Exception):
    """A file is there, but is not what may be read; the message says what it is."""


def read_file(path: Path, max_bytes: int) -> bytes:
    """Read a regular file.

    Args:
        path: a file; a symbolic link is refused.
        max_bytes: the largest size that is read.

    Raises:
        FileNotFoundError: there is nothing at ``path``.
        UnfitFileError: there is something else than a regular file, or it is too large.
        OSError: the operating system refused; also where there is no memory for so large a file.
    """
    _check_regular(os.lstat(path))  # before it is opened: to open a pipe or a device may do something
    with os.fdopen(os.open(path, _READ_FLAGS), "rb") as file:
        status = os.fstat(file.fileno())
        _check_regular(status)
        if status.st_size > max_bytes:
            raise UnfitFileError(f"has {status.st_size} bytes; expected at most {max_bytes}")
        try:
            return file.read(status.st_size)  # not max_bytes, which may be a lie of any size
        except MemoryError:
            raise OSError(errno.ENOMEM, f"there is no memory for its {status.st_size} bytes") from None


def _check_regular(status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise UnfitFileError("is a symbolic link; expected a regular file")
    if not stat.S_ISREG(status.st_mode):
        raise UnfitFileError("is not a regular file")


def write_file(path: Path, data: bytes) -> None:
    """Write a new file and wait until it is on the disk."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Wait until a folder's list of names is on the disk."""
    if os.name == "nt":  # Windows opens no folders; its file systems keep the order of renames by themselves
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Create a folder, and those above it, and wait until they are on the disk; one that exists is left alone."""
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        path.mkdir(exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, f"{path.name!r} is there already, and is no folder") from None
    sync_folder(path.parent)


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Make a new folder with these files, whole and on the disk, or nothing.

    Raises:
        FileExistsError: there is something at ``path`` already.
        OSError: the operating system refused.
    """
    if os.path.lexists(path):
        raise FileExistsError(path)
    make_folder(path.parent)
    incoming = path.with_name(f".{uuid.uuid4().hex}")  # no longer than names may be, whatever ``path`` is called
    try:
        fill_folder(incoming, files)
        os.rename(incoming, path)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    sync_folder(path.parent)


def fill_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Make a folder, write files into it, and wait until they are on the disk."""
    path.mkdir()
    for name, data in files.items():
        write_file(path / name, data)
    sync_folder(path)
