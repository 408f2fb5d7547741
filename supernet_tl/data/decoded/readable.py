"""Which images can be decoded: found out once for each content, and kept on record."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from supernet_tl.data.decoded.packs import UNFINISHED
from supernet_tl.data.decoded.pixel_cache import is_worth_keeping, keep, keys, locked, procedure_dir, refuse_changed
from supernet_tl.data.errors import DecodeError, ImageProblem
from supernet_tl.data.pixels.threads import in_threads

if TYPE_CHECKING:
    from supernet_tl.data.image_set import ImageSet, Progress

_DIGEST_BYTES = 32
_log = logging.getLogger("supernet_tl.data")


def unreadable(images: ImageSet, size: int | None, progress: Progress | None = None) -> dict[int, ImageProblem]:
    """Of each image that cannot be decoded, by its index, why; what is on record as readable is not decoded again.

    Args:
        images: the set.
        size: pixels a side, to keep what is decoded in the cache of pixels; None not to.
        progress: called after each image that is decoded.

    Raises:
        DataError: an image changed while it was read.
    """
    try:
        digests = images.digests
    except OSError:  # decoding all will say which file cannot even be read, and why
        return _try_all(images.image, np.arange(len(images)), progress)
    unknown = np.flatnonzero(~np.isin(keys(digests), _recorded()))
    if not len(unknown):
        return {}
    problems = _try_and_keep(images, size, unknown, progress)
    _record(digests[np.setdiff1d(unknown, list(problems))])
    return problems


def _try_and_keep(
    images: ImageSet, size: int | None, indices: NDArray[np.int64], progress: Progress | None
) -> dict[int, ImageProblem]:
    if size is not None and is_worth_keeping(len(images), size):
        try:
            return keep(images, size, indices, progress)
        except (OSError, NotImplementedError) as error:  # whoever needs the pixels will say so
            _log.debug("decoded images cannot be kept: %s", error)

    def decode_unchanged(index: int) -> None:
        images.image(index)
        refuse_changed(images, index)

    return _try_all(decode_unchanged, indices, progress)


def _try_all(
    decode: Callable[[int], object], indices: NDArray[np.int64], progress: Progress | None
) -> dict[int, ImageProblem]:
    def attempt(index: int) -> ImageProblem | None:
        try:
            decode(index)
        except DecodeError as error:
            return error.problem
        return None

    problems: dict[int, ImageProblem] = {}
    found = in_threads(attempt, indices.tolist())
    for done, (index, problem) in enumerate(zip(indices.tolist(), found, strict=True), start=1):
        if problem is not None:
            problems[index] = problem
        if progress is not None:
            progress(done, len(indices))
    return problems


def _records() -> Path:
    return procedure_dir() / "readable"


def _recorded() -> NDArray[np.bytes_]:
    """Digests of all contents that have been decoded on this machine."""
    found = b""
    for path in sorted(_records().glob("*.bin")):
        with suppress(OSError):  # another user's own, or just cleared
            content = path.read_bytes()
            found += content[: len(content) // _DIGEST_BYTES * _DIGEST_BYTES]
    return np.frombuffer(found, dtype=f"S{_DIGEST_BYTES}")


def _record(digests: NDArray[np.uint8]) -> None:
    """Add contents to the record; where it cannot be written, they will be decoded again."""
    if not len(digests):
        return
    content = np.unique(digests, axis=0).tobytes()
    try:
        with locked(_records()) as folder:
            name = hashlib.sha256(content).hexdigest()
            unfinished = folder / f"{UNFINISHED}{name}"
            try:
                unfinished.write_bytes(content)
                unfinished.replace(folder / f"{name}.bin")
            finally:
                unfinished.unlink(missing_ok=True)
    except (OSError, NotImplementedError) as error:  # file locks are not implemented on every file system
        _log.debug("which images can be decoded cannot be recorded in %s: %s", _records(), error)
