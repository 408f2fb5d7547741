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
DESCRIPTOR_SIZE = 16
"""Fields a side of the pictures that are compared."""

_NUM_BITS = 64
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
        coefficients = _on_both_sides(_cosines() @ _inner(margin), grey)
        packed = np.packbits(coefficients[:, down, across] > 0, axis=1)
        found.append(np.ascontiguousarray(packed).view(np.uint64)[:, 0])
    return np.stack(found, axis=1)


def descriptors(grey: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Squares and their inner parts as averages over 16 x 16 fields, without brightness and contrast.

    Args:
        grey: shape (n, 32, 32).

    Returns:
        Shape (n, 4, 256), one row for each of ``MARGINS``: differences from the mean, the largest of them 127.
    """
    found = np.empty((len(grey), len(MARGINS), DESCRIPTOR_SIZE**2), dtype=np.int8)
    for view, margin in enumerate(MARGINS):
        fields = _on_both_sides(_averages(DESCRIPTOR_SIZE, SIZE, 0.0) @ _inner(margin), grey)
        values = fields.reshape(len(grey), DESCRIPTOR_SIZE**2)
        values = values - values.mean(axis=1, keepdims=True)
        largest = np.abs(values).max(axis=1, keepdims=True)
        found[:, view] = np.rint(values * (127 / np.maximum(largest, np.float32(1e-3))))
    return found


def similarity(a: NDArray[np.int8], b: NDArray[np.int8]) -> Floats:
    """Correlation of descriptors, pair by pair.

    Args:
        a: shape (n, 256).
        b: likewise.

    Returns:
        Shape (n,), from -1 to 1: 1 for pictures that are equal up to brightness and contrast; 0 for flat ones.
    """
    x, y = a.astype(np.float32), b.astype(np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", x, x) * np.einsum("nd,nd->n", y, y))
    found: Floats = np.einsum("nd,nd->n", x, y) / np.maximum(lengths, 1)
    return found


def _on_both_sides(transform: Floats, grey: NDArray[np.uint8]) -> Floats:
    """``transform @ square @ transform.T`` of each square, as two large products: shape (n, k, k)."""
    once = grey.astype(np.float32).reshape(-1, SIZE) @ transform.T
    turned = np.ascontiguousarray(once.reshape(len(grey), SIZE, -1).transpose(0, 2, 1))
    twice: Floats = (turned.reshape(-1, SIZE) @ transform.T).reshape(len(grey), len(transform), len(transform))
    return twice.transpose(0, 2, 1)


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
