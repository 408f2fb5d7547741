"""What image files say of themselves before their pixels are decoded."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from supernet_tl.data.image_set import ImageSet
from supernet_tl.data.pixels.stores import FileStore
from supernet_tl.data.pixels.threads import in_threads


@dataclass(frozen=True, eq=False, repr=False)
class Headers:
    """Sizes and formats of n images.

    Args:
        width: shape (n,), pixels, as stored: a camera's rotation is not applied.
        height: likewise.
        formats: images of each format and mode, most frequent first.
    """

    width: NDArray[np.int64]
    height: NDArray[np.int64]
    formats: dict[str, int]


def read_headers(images: ImageSet) -> Headers:
    """Open every image, and decode none of those that are files.

    Raises:
        DecodeError: an image cannot be decoded.
    """
    sizes, formats = np.empty((len(images), 2), dtype=np.int64), Counter[str]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nothing is decompressed, and no metadata used
        headers = in_threads(lambda index: _header(images, index), range(len(images)))
        for index, (size, kind) in enumerate(headers):
            sizes[index] = size
            formats[kind] += 1
    return Headers(sizes[:, 0], sizes[:, 1], dict(sorted(formats.items(), key=lambda item: (-item[1], item[0]))))


def _header(images: ImageSet, index: int) -> tuple[tuple[int, int], str]:
    if not isinstance(images.store, FileStore):
        return images.image(index).size, "array"
    try:
        with Image.open(images.store.paths[index]) as image:
            return image.size, f"{image.format} {image.mode}"
    except (OSError, Image.DecompressionBombError):  # let it be decoded, or refused with its reason
        return images.image(index).size, "unknown"
