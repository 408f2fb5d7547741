"""Where the pixels of an image set are: files on a disk, or arrays in memory."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from supernet_tl.data.names import readable
from supernet_tl.data.pixels.decode import read_rgb


class ImageStore(Protocol):
    """Gives one image at a time; everything else about an image set is the same for all stores."""

    def __len__(self) -> int: ...

    def image(self, index: int) -> Image.Image:
        """The image as 8-bit RGB. Raises DecodeError if it cannot be decoded."""
        ...

    def digest(self, index: int) -> bytes:
        """SHA-256 of the image's content: equal for equal content, wherever it lies."""
        ...

    def name(self, index: int) -> str:
        """How results call the image, on any machine: its path within the set, or its place."""
        ...

    def take(self, indices: Sequence[int]) -> ImageStore:
        """The store of these images, in this order."""
        ...


class FileStore:
    """Images in files.

    Args:
        paths: one file an image.
        root: the folder to which the names of images are relative; without one they are the paths.
    """

    def __init__(self, paths: Sequence[Path], root: Path | None = None) -> None:
        self.paths = tuple(paths)
        self.root = root

    def __len__(self) -> int:
        return len(self.paths)

    def image(self, index: int) -> Image.Image:
        """The image as 8-bit RGB. Raises DecodeError if it cannot be decoded."""
        return read_rgb(self.paths[index])

    def digest(self, index: int) -> bytes:
        """SHA-256 of the file's bytes."""
        if not os.path.isfile(self.paths[index]):  # a pipe would be waited for, a device has no end
            raise FileNotFoundError(errno.ENOENT, "not a regular file", str(self.paths[index]))
        with self.paths[index].open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()

    def name(self, index: int) -> str:
        """The file's path beneath the root."""
        path = self.paths[index]
        return readable(os.fspath(path) if self.root is None else os.path.relpath(path, self.root))

    def take(self, indices: Sequence[int]) -> FileStore:
        """The store of these files, in this order."""
        return FileStore([self.paths[index] for index in indices], self.root)


class ArrayStore:
    """Images in memory.

    Args:
        arrays: one array an image, uint8, shape (height, width) for grey or (height, width, 3); sizes may differ.
    """

    def __init__(self, arrays: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> None:
        self._arrays = arrays

    def __len__(self) -> int:
        return len(self._arrays)

    def image(self, index: int) -> Image.Image:
        """The image as 8-bit RGB."""
        return Image.fromarray(self._arrays[index]).convert("RGB")

    def digest(self, index: int) -> bytes:
        """SHA-256 of the array's shape and values."""
        array = self._arrays[index]
        return hashlib.sha256(repr(array.shape).encode() + array.tobytes()).digest()

    def name(self, index: int) -> str:
        """The image's place, counted from 0."""
        return f"image {index}"

    def take(self, indices: Sequence[int]) -> ArrayStore:
        """The store of these images, in this order."""
        return ArrayStore([self._arrays[index] for index in indices])
