"""Unpacking a dataset's archive without trusting it."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from supernet_tl.data.errors import DownloadError, LayoutError, listing
from supernet_tl.data.names import is_clutter

MAX_FILES = 2_000_000
MAX_RATIO = 50  # images are compressed already, so that archives of them hardly shrink; tables may tenfold

_KNOWN = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA})
_ENCRYPTED = 0x1 | 0x40
_PATCHED = 0x20
_LONGEST_NAME, _LONGEST_PATH = 255, 1024  # bytes that usual systems can keep
_DAMAGE = (  # what reading raises on damaged or hostile archives
    zipfile.BadZipFile,
    zlib.error,
    LZMAError,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    struct.error,
)


def unpack(archive: Path, folder: Path, *, max_files: int = MAX_FILES, max_ratio: float = MAX_RATIO) -> int:
    """Unpack a dataset in the Meta-Album layout; its archive may hold it directly or in one folder.

    All names and sizes are looked at before anything is written. What desktops leave behind is passed over.

    Args:
        archive: a zip file.
        folder: where ``images/``, ``labels.csv`` and ``info.json`` go; it is made.
        max_files: how many files there may be.
        max_ratio: how many times larger than the archive they may be.

    Returns:
        The size of what was unpacked, in bytes.

    Raises:
        DownloadError: it is damaged, or would write elsewhere, or far more than it holds.
        LayoutError: it holds no set in the Meta-Album layout.
        OSError: the disk refused.
    """
    with _opened(archive) as opened:
        members = _checked(archive, opened, max_files, max_ratio)
        root = _root(archive, list(members))
        folder.mkdir(parents=True)
        for path, member in members.items():
            if path.is_relative_to(root):
                target = folder / path.relative_to(root)
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as unpacked:
                    unpacked.writelines(_contents(archive, opened, member))
    return sum(member.file_size for path, member in members.items() if path.is_relative_to(root))


def _opened(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except _DAMAGE as error:
        raise _damaged(archive, error) from error


def _contents(archive: Path, opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """What a file holds, in portions; what goes wrong while they are written is not taken for damage."""
    try:
        with opened.open(member) as packed:
            while portion := packed.read(1 << 20):
                yield portion
    except _DAMAGE as error:
        raise _damaged(archive, error) from error


def _damaged(archive: Path, error: Exception) -> DownloadError:
    return DownloadError(
        f"{archive.name} is no whole zip archive ({error}); expected the images of a dataset. Download it again."
    )


def _checked(
    archive: Path, opened: zipfile.ZipFile, max_files: int, max_ratio: float
) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """The files to unpack by their path, if all of them may be."""
    members: dict[PurePosixPath, zipfile.ZipInfo] = {}
    faults = []
    files = [member for member in opened.infolist() if not member.filename.endswith("/")]
    for member in files:
        fault = _fault(member)
        path = PurePosixPath(member.filename)
        if fault is None and path in members:
            fault = "is there twice"
        if fault is not None:
            faults.append(f"{member.filename!r} {fault}")
        elif not any(is_clutter(part) for part in path.parts):
            members[path] = member
    faults += [
        f"{str(path)!r} lies in an entry that is a file"
        for path in members
        if not members.keys().isdisjoint(path.parents)
    ]
    if faults:
        raise DownloadError(
            f"{archive.name} holds {len(faults)} of {len(files)} entries that may not be unpacked: {listing(faults)}; "
            f"expected ordinary files in one folder. Nothing was unpacked; tell OpenML."
        )
    size = archive.stat().st_size
    packed = sum(member.compress_size for member in files)
    unpacked = sum(member.file_size for member in files)
    if len(files) > max_files or packed > size or unpacked > max_ratio * size:
        raise DownloadError(
            f"{archive.name} has {size} bytes and would unpack to {len(files)} files of {unpacked} bytes; expected at "
            f"most {max_files} files and {max_ratio} times its size. Nothing was unpacked; tell OpenML."
        )
    return members


def _fault(member: zipfile.ZipInfo) -> str | None:
    """Why an entry may not be unpacked."""
    name, kind = member.filename, stat.S_IFMT(member.external_attr >> 16)
    path = PurePosixPath(name)
    if not path.parts:
        return "has no name"
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0]:
        return "would be written outside of its folder"
    if len(os.fsencode(name)) > _LONGEST_PATH or any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts):
        return "has too long a name"
    if kind not in (0, stat.S_IFREG):
        return "is a link" if stat.S_ISLNK(kind) else "is not an ordinary file"
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if member.flag_bits & _PATCHED:
        return "holds patched data"
    if member.compress_type not in _KNOWN:
        return f"is compressed by the unknown method {member.compress_type}"
    return None


def _root(archive: Path, paths: list[PurePosixPath]) -> PurePosixPath:
    """The folder of the archive that holds labels.csv: itself, or the only one in it that does."""
    roots = [path.parent for path in paths if path.name == "labels.csv" and len(path.parts) <= 2]
    if not roots:
        raise LayoutError(
            f"{archive.name} holds no labels.csv (found {listing([str(path) for path in paths], 3) or 'nothing'}); "
            f"expected images/, labels.csv and info.json, as Meta-Album has them. Give a dataset of images."
        )
    top = min(roots, key=lambda root: len(root.parts))
    if sum(len(root.parts) == len(top.parts) for root in roots) > 1:
        raise LayoutError(
            f"{archive.name} holds several sets: {listing(sorted(map(str, roots)))}; expected one. Unpack it by hand "
            f"and give the folder of one."
        )
    return top
