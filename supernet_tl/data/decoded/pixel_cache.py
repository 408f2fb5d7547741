"""Decoded images of one size, kept on the disk and found by the content that they were decoded from.

What is kept does not depend on the set that an image is in: other splits, labels or classes of the same images, and
sets that share images, find the same pixels. Images that are missing are decoded once and kept as one pack; several
processes that want the same build it once. A damaged pack is removed with a notice and built anew.
"""

from __future__ import annotations

import errno
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

import numpy as np
import PIL
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from supernet_tl.data.decoded.packs import UNFINISHED, DamagedPackError, Pack, write_pack
from supernet_tl.data.decoded.pixel_rows import Block, PixelRows
from supernet_tl.data.errors import DataError, DecodeError, ImageProblem
from supernet_tl.data.pixels.threads import in_threads
from supernet_tl.data.places import pixels_dir

if TYPE_CHECKING:
    from supernet_tl.data.image_set import ImageSet, Progress

PROCEDURE = 1
"""How files become squares: one more whenever ``decode.py`` makes other pixels of a file than before."""

FEW_BYTES = 2**22
"""Images whose pixels take no more than 4 MiB are decoded whenever they are needed, and kept in memory alone."""

_ROOM_LEFT = 2**30
_LOCK = ".lock"
_log = logging.getLogger("supernet_tl.data")


def procedure_dir() -> Path:
    """Where what this way of decoding found is kept; another version of Pillow may decode otherwise."""
    return pixels_dir() / f"v{PROCEDURE}-pillow-{PIL.__version__}"


def pixel_rows(
    images: ImageSet, size: int, indices: Sequence[int] | None = None, progress: Progress | None = None
) -> PixelRows:
    """The images as :meth:`ImageSet.pixels` gives them, mapped from the cache; what is missing there is added.

    Few images, and all where the cache cannot be used (then a warning says so), are decoded into memory.

    Args:
        images: the set.
        size: pixels a side.
        indices: which images, in which order; all by default.
        progress: called after each image that has been decoded.

    Raises:
        DecodeError: an image cannot be decoded.
    """
    wanted = np.arange(len(images)) if indices is None else np.asarray(indices, dtype=np.int64)
    if is_worth_keeping(len(wanted), size):
        digests = images.digests
        try:
            problems = keep(images, size, wanted, progress)
            if problems:
                raise DecodeError(problems[min(problems)])
            found = _Found(size, digests[wanted])
            if found.is_complete:
                return found.rows()
            _log.warning("decoded images went from %s while they were needed; reading them into memory", found.folder)
        except (OSError, NotImplementedError) as error:  # file locks are not implemented on every file system
            if isinstance(error, DataError):
                raise
            _log.warning(
                "decoded images cannot be kept in %s (%s); reading them into memory, as in every run until that is "
                "mended. Set SUPERNET_TL_CACHE to a folder with room.",
                pixels_dir(),
                error.strerror if isinstance(error, OSError) and error.strerror else error,
            )
    return PixelRows.of(images.pixels(size, wanted.tolist(), progress))


def read_pixels(images: ImageSet, size: int, indices: Sequence[int]) -> Tensor:
    """The images as :meth:`ImageSet.pixels` gives them; from the cache where all are there, and without adding any."""
    if len(indices) and _size_dir(size).is_dir():
        try:
            found = _Found(size, images.digests_of(indices))
            if found.is_complete:
                return found.rows().gather()
        except OSError as error:
            _log.info("the cache of decoded images cannot be read: %s", error)
    return images.pixels(size, indices)


def is_worth_keeping(num_images: int, size: int) -> bool:
    """Whether so many images are enough for the cache."""
    return 3 * size * size * num_images > FEW_BYTES


def keep(
    images: ImageSet, size: int, indices: NDArray[np.int64], progress: Progress | None = None
) -> dict[int, ImageProblem]:
    """Decode those of the images that the cache does not hold, and add them to it.

    Args:
        images: the set.
        size: pixels a side.
        indices: which images.
        progress: called after each image that has been decoded.

    Returns:
        Of each image that cannot be decoded, by its index, why.

    Raises:
        OSError: the cache cannot be written or has no room.
        DataError: an image changed while it was read.
    """
    digests = images.digests
    if _Found(size, digests[indices]).is_complete:
        return {}
    with locked(_size_dir(size)) as folder:
        missing = indices[_Found(size, digests[indices], remove_damaged=True).missing]  # another process built it
        # Equal images are decoded once, in the order of the set.
        _, firsts = np.unique(keys(digests[missing]), return_index=True)
        wanted = missing[np.sort(firsts)]
        _require_room(folder, 3 * size * size * len(wanted))
        problems: dict[int, ImageProblem] = {}
        write_pack(folder, size, _decoded(images, size, wanted, problems, progress))
    unreadable = keys(digests[sorted(problems)])
    for index in missing[np.isin(keys(digests[missing]), unreadable)].tolist():
        if index not in problems:  # equal to an image that cannot be decoded: neither can it, under its own name
            _take(images, size, index, problems)
    return dict(sorted(problems.items()))


def clear_pixels(older_than: timedelta | None = None) -> int:
    """Remove decoded images from the disk; they are decoded again when needed.

    Args:
        older_than: only what has not been used for as long; everything by default.

    Returns:
        Bytes that were freed.
    """
    latest = time() - (older_than.total_seconds() if older_than is not None else 0)
    freed = 0
    for folder in sorted(pixels_dir().glob("*/*/")):
        with locked(folder):
            for file in [path for path in folder.iterdir() if path.name != _LOCK]:
                if older_than is not None and (file if file.is_file() else _newest(file)).stat().st_mtime > latest:
                    continue
                freed += sum(path.stat().st_size for path in (file.rglob("*") if file.is_dir() else [file]))
                _remove(file)
    return freed


class _Found:
    """Which of some images the cache holds, and where.

    Args:
        size: pixels a side.
        digests: shape (n, 32), of the images.
        remove_damaged: remove packs that are damaged; the caller holds the lock.
    """

    def __init__(self, size: int, digests: NDArray[np.uint8], *, remove_damaged: bool = False) -> None:
        self.folder = _size_dir(size)
        wanted = keys(digests)
        self._blocks: list[Block] = []
        self._block = np.full(len(wanted), -1)
        self._row = np.zeros(len(wanted), dtype=np.int64)
        for path in sorted(self.folder.glob("[!.]*/")):
            try:
                pack = Pack(path)
                order = np.argsort(pack.digests)
                place = np.searchsorted(pack.digests, wanted, sorter=order).clip(max=len(order) - 1)
                held = (self._block < 0) & (pack.digests[order[place]] == wanted)
                if held.any():
                    self._blocks.append(pack.open())
                    self._block[held] = len(self._blocks) - 1
                    self._row[held] = order[place[held]]
            except DamagedPackError as error:
                if remove_damaged:
                    _log.warning("%s; decoding these images again", error)
                    shutil.rmtree(path)

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Shape (n,): which are not in the cache."""
        return self._block < 0

    @property
    def is_complete(self) -> bool:
        """Whether the cache holds them all."""
        return not self.missing.any()

    def rows(self) -> PixelRows:
        """The images, none of which may be missing."""
        return PixelRows(self._blocks, torch.from_numpy(self._block), torch.from_numpy(self._row))


def _decoded(
    images: ImageSet,
    size: int,
    indices: NDArray[np.int64],
    problems: dict[int, ImageProblem],
    progress: Progress | None,
) -> Iterator[tuple[bytes, NDArray[np.uint8]]]:
    """Digest and pixels of each image that can be decoded; the others are put among the problems."""
    squares = in_threads(lambda index: _take(images, size, index, problems), indices.tolist())
    for done, (index, square) in enumerate(zip(indices.tolist(), squares, strict=True), start=1):
        if square is not None:
            yield images.digests[index].tobytes(), square
        if progress is not None:
            progress(done, len(indices))


def _take(images: ImageSet, size: int, index: int, problems: dict[int, ImageProblem]) -> NDArray[np.uint8] | None:
    try:
        square = images.square(index, size)
    except DecodeError as error:
        problems[index] = error.problem
        return None
    refuse_changed(images, index)
    return square


def refuse_changed(images: ImageSet, index: int) -> None:
    """Refuse an image whose content is no longer what the set took it for.

    Raises:
        DataError: it was replaced.
    """
    if images.store.digest(index) != images.digests[index].tobytes():
        raise DataError(
            f"image {index} of {images.name!r} changed while it was read; expected images that stay as they are. "
            "Start again when nobody writes to them."
        )


def keys(digests: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """Digests as one value each, that can be sorted and compared; shape (n,)."""
    return np.ascontiguousarray(digests).view(f"S{digests.shape[1]}")[:, 0]


def _size_dir(size: int) -> Path:
    return procedure_dir() / f"{size}px"


@contextmanager
def locked(folder: Path) -> Iterator[Path]:
    """A folder of the cache that no other process writes to; what killed writers left there is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / _LOCK):
        for left in folder.glob(f"{UNFINISHED}*"):
            with suppress(OSError):  # another user's own, which is in nobody's way
                _remove(left)
        yield folder


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _newest(folder: Path) -> Path:
    return max(folder.iterdir(), key=lambda file: file.stat().st_mtime, default=folder)


def _require_room(folder: Path, num_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < num_bytes + _ROOM_LEFT:
        raise OSError(
            errno.ENOSPC,
            f"{free / 1e9:.1f} GB are free, and {num_bytes / 1e9:.1f} GB are needed beside 1 GB to spare",
        )
