"""Hashes that re-encoded, resized, brightened and slightly cropped copies of an image share in most of their bits.

The hash of a grey square is the signs of its 64 lowest frequencies (discrete cosine transform, without the constant
one), so neither brightness nor contrast is in it. For copies that lost a margin there are hashes of the square's inner
part: the hash of a crop is near that of the same part of its original.

Source: Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010), section 3.2.1 (pHash), with
signs in the place of comparisons with the median.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

SIZE = 32
"""Pixels a side of the squares that are hashed."""
MARGINS = (0.0, 0.02, 0.04, 0.06)
"""What each hash leaves out on every side, as a fraction of the side."""

_NUM_BITS = 64
_DESCRIPTOR_SIZE = 16  # pixels a side
_NUM_FREQUENCIES = 11  # in each direction: so many that the 64 lowest are among them

Floats = NDArray[np.float32]


def hashes(grey: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hashes of squares and of their inner parts.

    Args:
        grey: shape (n, 32, 32).

    Returns:
        Shape (n, 4), one column for each of ``MARGINS``.
    """
    down, across = _lowest_frequencies()
    found = []
    for margin in MARGINS:
        transform = _cosines() @ _inner(margin)
        coefficients = transform @ grey.astype(np.float32) @ transform.T
        packed = np.packbits(coefficients[:, down, across] > 0, axis=1)
        found.append(np.ascontiguousarray(packed).view(np.uint64)[:, 0])
    return np.stack(found, axis=1)


def distance(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Number of bits in which hashes differ, of any shapes that fit each other."""
    different = np.ascontiguousarray(a ^ b)
    ones: NDArray[np.uint8] = _ones_of_16_bits()[different.view(np.uint16).reshape(*different.shape, 4)].sum(
        axis=-1, dtype=np.uint8
    )
    return ones


def similarity(whole: NDArray[np.uint8], other: NDArray[np.uint8], margin: float) -> Floats:
    """Correlation of squares, averaged to 16 x 16 pixels, with the inner part of others.

    Args:
        whole: shape (n, 32, 32), grey.
        other: likewise; compared pair by pair.
        margin: left out of ``other`` on every side, as a fraction of the side.

    Returns:
        Shape (n,), from -1 to 1; 1 for squares that are equal up to brightness and contrast.
    """
    a, b = _descriptors(whole, 0.0), _descriptors(other, margin)
    products: Floats = (a * b).sum(axis=1)
    return products


def _descriptors(grey: NDArray[np.uint8], margin: float) -> Floats:
    """Shape (n, 256), of mean 0 and length 1."""
    average = _averages(_DESCRIPTOR_SIZE, SIZE, 0.0) @ _inner(margin)
    values = (average @ grey.astype(np.float32) @ average.T).reshape(len(grey), _DESCRIPTOR_SIZE**2)
    values -= values.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    scaled: Floats = np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0)
    return scaled


def _inner(margin: float) -> Floats:
    """Rows of a square to those of its inner part, at the same size."""
    return np.eye(SIZE, dtype=np.float32) if margin == 0 else _averages(SIZE, SIZE, margin)


@cache
def _averages(num_out: int, num_in: int, margin: float) -> Floats:
    """Matrix (num_out, num_in) of the averages over equal stretches of what lies within the margins."""
    edges = np.linspace(num_in * margin, num_in * (1 - margin), num_out + 1)
    starts = np.arange(num_in)
    overlaps = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    shares = np.maximum(overlaps, 0)
    averages: Floats = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return averages


@cache
def _cosines() -> Floats:
    """Matrix (11, 32) of the first cosines of the discrete cosine transform (type II), without their scale."""
    frequency, place = np.arange(_NUM_FREQUENCIES)[:, None], np.arange(SIZE)[None]
    return np.cos(np.pi * frequency * (place + 0.5) / SIZE).astype(np.float32)


@cache
def _lowest_frequencies() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the 64 lowest frequencies without the constant one, in the order of their sum."""
    down, across = np.divmod(np.arange(_NUM_FREQUENCIES**2), _NUM_FREQUENCIES)
    order = np.lexsort((down, down + across))[1 : _NUM_BITS + 1]
    return down[order], across[order]


@cache
def _ones_of_16_bits() -> NDArray[np.uint8]:
    values = np.arange(2**16, dtype=np.uint16)
    bits: NDArray[np.uint8] = np.unpackbits(values.view(np.uint8).reshape(-1, 2), axis=1).sum(axis=1, dtype=np.uint8)
    return bits
