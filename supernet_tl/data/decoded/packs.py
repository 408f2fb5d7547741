"""Squares of one size in a file: written once and whole, checked when opened, mapped into memory.

A pack is a folder of three files: ``pixels.bin``, one image after the other, a byte a pixel and channel;
``digests.bin``, the SHA-256 of the content that each image was decoded from; and ``pack.json``, which gives the sizes
and the SHA-256 of every part of the other two. It appears under its name only when it is complete.

Nothing here ever writes to a pack or shortens it. Whoever shortens the file of a pack that is mapped kills the process
that looks at what is gone (SIGBUS); to remove a pack does no harm to those who have it open.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from supernet_tl.data.decoded.pixel_rows import Block
from supernet_tl.data.errors import DataError
from supernet_tl.data.pixels.threads import in_threads

UNFINISHED = ".unfinished-"
"""How the name begins of what is being written, or was when its writer was killed."""

_FORMAT = 1
_PART_BYTES = 2**24
_PIXELS, _DIGESTS, _FACTS = "pixels.bin", "digests.bin", "pack.json"
_DIGEST_BYTES = 32


class DamagedPackError(DataError):
    """A pack is not what was written; what it held can be decoded again."""


@dataclass(frozen=True)
class _Facts:
    format: int
    size: int
    num_images: int
    images_a_part: int
    parts: list[str]
    digests: str

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.num_images, 3, self.size, self.size


def write_pack(folder: Path, size: int, images: Iterable[tuple[bytes, NDArray[np.uint8]]]) -> Path | None:
    """Write a pack into a folder; nothing where there are no images.

    Args:
        folder: that holds packs.
        size: pixels a side.
        images: the digest of each image's content, and its pixels, shape (3, size, size).

    Raises:
        OSError: there is no room, or no permission; nothing is left behind.
    """
    unfinished = folder / f"{UNFINISHED}{uuid4().hex}"  # tempfile would keep other users of a shared cache out
    try:
        unfinished.mkdir()
        facts = _fill(unfinished, size, images)
        if facts is None:
            return None
        finished = folder / facts.digests
        if finished.exists():  # the same images; the one that is there is about to be replaced for a reason
            shutil.rmtree(finished)
        unfinished.rename(finished)
        return finished
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _fill(folder: Path, size: int, images: Iterable[tuple[bytes, NDArray[np.uint8]]]) -> _Facts | None:
    images_a_part = max(1, _PART_BYTES // (3 * size * size))
    digests, parts, part, in_part = bytearray(), [], hashlib.sha256(), 0
    # Written, never mapped for writing: a full disk is then an error to handle, not the end of the process.
    with (folder / _PIXELS).open("wb") as file:
        for digest, pixels in images:
            if in_part == images_a_part:
                parts.append(part.hexdigest())
                part, in_part = hashlib.sha256(), 0
            content = pixels.tobytes()
            file.write(content)
            part.update(content)
            digests += digest
            in_part += 1
    if not digests:
        return None
    parts.append(part.hexdigest())
    (folder / _DIGESTS).write_bytes(digests)
    num_images = len(digests) // _DIGEST_BYTES
    facts = _Facts(_FORMAT, size, num_images, images_a_part, parts, hashlib.sha256(digests).hexdigest())
    (folder / _FACTS).write_text(json.dumps(asdict(facts)) + "\n", encoding="utf-8")
    return facts


class Pack:
    """A pack whose list of images has been read and found whole.

    Args:
        folder: of the pack.

    Raises:
        DamagedPackError: its list of images is damaged, or its pixels are not as many as there should be.
        OSError: it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._facts = _read_facts(folder)
        digests = (folder / _DIGESTS).read_bytes()
        expected = int(np.prod(self._facts.shape))
        found = (folder / _PIXELS).stat().st_size
        if hashlib.sha256(digests).hexdigest() != self._facts.digests:
            raise DamagedPackError(f"{folder / _DIGESTS} is damaged")
        if found != expected:
            raise DamagedPackError(f"{folder / _PIXELS} has {found} of {expected} bytes")
        self.digests = np.frombuffer(digests, dtype=f"S{_DIGEST_BYTES}")

    def open(self) -> Block:
        """Check all pixels, and map them.

        Raises:
            DamagedPackError: naming the images whose pixels are damaged.
        """
        with suppress(OSError):  # a cache may be there to be read only
            os.utime(self.folder / _FACTS)  # when it was last used
        facts = self._facts
        block = Block.mapped(self.folder / _PIXELS, facts.shape)
        identity = _identity(self.folder / _PIXELS)
        if identity not in _CHECKED:
            starts = range(0, facts.num_images, facts.images_a_part)
            pixels = block.pixels.numpy()
            digests = in_threads(
                lambda start: hashlib.sha256(pixels[start : start + facts.images_a_part].data).hexdigest(), starts, 1
            )
            for start, found, expected in zip(starts, digests, facts.parts, strict=True):
                if found != expected:
                    last = min(start + facts.images_a_part, facts.num_images) - 1
                    raise DamagedPackError(f"images {start} to {last} of {self.folder / _PIXELS} are damaged")
            _CHECKED.add(identity)
        return block


_CHECKED: set[tuple[Any, ...]] = set()
"""Files that this process has found whole; they are never written to."""


def _identity(file: Path) -> tuple[Any, ...]:
    status = file.stat()
    return file, status.st_ino, status.st_size, status.st_mtime_ns


def _read_facts(folder: Path) -> _Facts:
    try:
        facts = _Facts(**json.loads((folder / _FACTS).read_text(encoding="utf-8")))
        if facts.format != _FORMAT or len(facts.parts) != -(-facts.num_images // facts.images_a_part):
            raise ValueError(f"format {facts.format} with {len(facts.parts)} parts")
    except (FileNotFoundError, NotADirectoryError, TypeError, ValueError, ZeroDivisionError) as error:
        raise DamagedPackError(f"{folder / _FACTS} is damaged ({error})") from error
    return facts
