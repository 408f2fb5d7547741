"""Whether a folder holds a whole set of Meta-Album."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from supernet_tl.data.album.table import AlbumVersion
from supernet_tl.data.album.transfer import sha256_of
from supernet_tl.data.decoded.readable import unreadable
from supernet_tl.data.errors import DataError, listing
from supernet_tl.data.image_set import Progress
from supernet_tl.data.pixels.stores import FileStore
from supernet_tl.data.pixels.threads import in_threads
from supernet_tl.data.sources.meta_album_folder import open_meta_album

SIDE = 128
"""Pixels a side of all images of Meta-Album."""


@dataclass(frozen=True)
class Inspection:
    """What was found in a folder.

    Args:
        num_rows: rows of labels.csv; 0 where it could not be read.
        num_classes: categories in it.
        problems: what makes the set unfit for use, one sentence each.
        remarks: what is unlike Meta-Album without doing harm.
    """

    num_rows: int
    num_classes: int
    problems: tuple[str, ...]
    remarks: tuple[str, ...]


def inspect(root: Path, version: AlbumVersion | None, progress: Progress | None = None) -> Inspection:
    """Hold the rows of labels.csv against the files of images/, decode every image, count the classes.

    An image whose very content was decoded before on this machine is not decoded again, here or when it is used.

    Args:
        root: a folder in the Meta-Album layout.
        version: what it should hold; None for a set outside of Meta-Album, whose images may have any size.
        progress: called after each image that is decoded.
    """
    try:
        images = open_meta_album(root)
    except DataError as error:
        return Inspection(0, 0, (str(error),), ())
    problems, remarks = [], []
    if images.ignored:
        problems.append(f"{len(images.ignored)} files of images/ have no row in labels.csv: {listing(images.ignored)}.")
    corrupt = unreadable(images, None, progress)
    if corrupt:
        named = [f"{Path(problem.path).name} ({problem.reason})" for problem in corrupt.values()]
        problems.append(f"{len(corrupt)} of {len(images)} images cannot be read: {listing(named)}.")
    wrong_size, other_modes = [], []
    store = images.take([index for index in range(len(images)) if index not in corrupt]).store
    paths = store.paths if isinstance(store, FileStore) else ()
    for path, (size, mode) in zip(paths, in_threads(_header, paths), strict=True):
        if size != (SIDE, SIDE):
            wrong_size.append(f"{path.name} ({size[0]}x{size[1]})")
        if mode != "RGB":
            other_modes.append(path.name)
    if wrong_size and version is not None:
        problems.append(f"{len(wrong_size)} of {len(images)} images are not {SIDE}x{SIDE}: {listing(wrong_size)}.")
    if other_modes:
        remarks.append(
            f"{len(other_modes)} of {len(images)} images are not stored as RGB, and are read as RGB: "
            f"{listing(other_modes, 3)}."
        )
    num_classes = len(images.class_names)
    if version is not None and version.num_classes not in (None, num_classes):
        remarks.append(
            f"labels.csv has {num_classes} classes, and {version.name} is listed with {version.num_classes}."
        )
    return Inspection(len(images), num_classes, tuple(problems), tuple(remarks))


def _header(path: Path) -> tuple[tuple[int, int], str]:
    """Size and mode of an image that can be decoded."""
    with Image.open(path) as image:
        return image.size, image.mode


def names_and_sizes(root: Path) -> tuple[str, int]:
    """SHA-256 over the names and sizes of all files beneath a folder, and their size together: quick to compute."""
    digest, total = hashlib.sha256(), 0
    for path in _files(root):
        size = path.stat().st_size
        total += size
        digest.update(f"{path.relative_to(root).as_posix()}\0{size}\n".encode(errors="surrogateescape"))
    return digest.hexdigest(), total


def contents(root: Path) -> str:
    """SHA-256 over the names and bytes of all files beneath a folder."""
    digest, paths = hashlib.sha256(), _files(root)
    for path, content in zip(paths, in_threads(sha256_of, paths), strict=True):
        digest.update(f"{path.relative_to(root).as_posix()}\0{content}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())
