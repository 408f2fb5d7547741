"""One pass over small squares of the images: what of each image is kept for everything that is asked later."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from supernet_tl.data.decoded.pixel_cache import pixel_rows
from supernet_tl.data.health.perceptual_hash import DESCRIPTOR_SIZE, MARGINS, SIZE, descriptors, hashes
from supernet_tl.data.image_set import ImageSet, Progress
from supernet_tl.data.pixels.grey import to_grey

_IMAGES_AT_ONCE = 1024
_KEY_BYTES = 16
_COLOURLESS = 2  # grey levels between channels that coding leaves in images without colour
_COLOUR_EDGE = 4  # pixels a side


@dataclass(frozen=True, eq=False, repr=False)
class Squares:
    """About 1.1 KB of each of n images: 0.6 GB for 500,000 of them.

    Args:
        keys: shape (n,), bytes: equal for equal squares.
        hashes: shape (n, 4), perceptual hashes of the whole and of inner parts.
        descriptors: shape (n, 4, 256), int8, likewise.
        colour: shape (n, 32), int8: how far red and blue are from green in 4 x 4 fields, halved.
        deviation: shape (n,), standard deviation in grey levels, of the channel that has most.
        colourless: shape (n,), bool.
    """

    keys: NDArray[np.void]
    hashes: NDArray[np.uint64]
    descriptors: NDArray[np.int8]
    colour: NDArray[np.int8]
    deviation: NDArray[np.float32]
    colourless: NDArray[np.bool_]


def read_squares(images: ImageSet, progress: Progress | None = None) -> Squares:
    """Read every image once, as a square of 32 pixels a side, from the cache of decoded images.

    Args:
        images: the set.
        progress: called as images are decoded that the cache does not hold.

    Raises:
        DecodeError: an image cannot be decoded.
    """
    total = len(images)
    squares = Squares(
        keys=np.empty(total, dtype=f"V{_KEY_BYTES}"),
        hashes=np.empty((total, len(MARGINS)), dtype=np.uint64),
        descriptors=np.empty((total, len(MARGINS), DESCRIPTOR_SIZE**2), dtype=np.int8),
        colour=np.empty((total, 2 * _COLOUR_EDGE**2), dtype=np.int8),
        deviation=np.empty(total, dtype=np.float32),
        colourless=np.empty(total, dtype=np.bool_),
    )
    rows = pixel_rows(images, SIZE, progress=progress)
    for indices in torch.split(torch.arange(total), _IMAGES_AT_ONCE):
        part, pixels = slice(int(indices[0]), int(indices[-1]) + 1), rows.gather(indices)
        colours = pixels.numpy()
        squares.keys[part] = [hashlib.blake2b(row, digest_size=_KEY_BYTES).digest() for row in colours]
        grey = to_grey(pixels)[:, 0].numpy()
        squares.hashes[part], squares.descriptors[part] = hashes(grey), descriptors(grey)
        from_green = colours[:, [0, 2]].astype(np.int16) - colours[:, [1]]
        field = SIZE // _COLOUR_EDGE
        fields = from_green.reshape(len(indices), 2, _COLOUR_EDGE, field, _COLOUR_EDGE, field).mean(axis=(3, 5))
        squares.colour[part] = np.rint(fields / 2).reshape(len(indices), -1)
        squares.deviation[part] = colours.std(axis=(2, 3), dtype=np.float32).max(axis=1)
        squares.colourless[part] = np.abs(from_green).max(axis=(1, 2, 3)) <= _COLOURLESS
    return squares
