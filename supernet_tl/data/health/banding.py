"""All pairs of 64-bit hashes that differ in few bits, without comparing every pair.

A hash is four bands of 16 bits. Two hashes that differ in at most 7 bits differ in at most one bit of some band (were
it two in each, it would be 8), so each hash is compared with those whose band is equal or differs in one bit: 17 lists
in each of four tables.

Source: Norouzi, Punjani & Fleet, "Fast Search in Hamming Space with Multi-Index Hashing" (CVPR 2012), section 3.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

RADIUS = 7
"""Bits in which the hashes of a pair may differ."""

_NUM_BANDS = 4
_NUM_KEYS = 2**16
_MASKS = np.array([0, *(1 << bit for bit in range(16))], dtype=np.int64)
_PAIRS_AT_ONCE = 2**18  # their hashes fit a cache

_U = np.uint64
Rows = NDArray[np.int64]


def near_pairs(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> Iterator[tuple[Rows, Rows]]:
    """Pairs that differ in at most ``RADIUS`` bits, each once, in portions.

    Args:
        left: shape (n,).
        right: shape (m,).

    Yields:
        Rows of ``left`` and rows of ``right``, of equal length.
    """
    left_bands, right_bands = _bands(left), _bands(right)
    for band in range(_NUM_BANDS):
        order = np.argsort(right_bands[:, band], kind="stable")
        in_order = right[order]
        counts = np.bincount(right_bands[:, band], minlength=_NUM_KEYS)
        starts = np.cumsum(counts) - counts
        for mask in _MASKS:
            keys = left_bands[:, band] ^ mask
            for rows in _portions(counts[keys]):
                i, places = _expand(rows, starts[keys[rows]], counts[keys[rows]])
                different = left[i] ^ in_order[places]
                near = np.flatnonzero(num_ones(different) <= RADIUS)
                near = near[_found_first_in(band, different[near])]
                yield i[near], order[places[near]]


def num_ones(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Bits that are set in each value, shape as given."""
    # NumPy counts bits only from version 2 on. Source: Warren, "Hacker's Delight", 2nd edition, section 5-1.
    pairs = values - ((values >> _U(1)) & _U(0x5555555555555555))
    fours = (pairs & _U(0x3333333333333333)) + ((pairs >> _U(2)) & _U(0x3333333333333333))
    bytes_ = (fours + (fours >> _U(4))) & _U(0x0F0F0F0F0F0F0F0F)
    ones: NDArray[np.uint64] = (bytes_ * _U(0x0101010101010101)) >> _U(56)
    return ones


def num_comparisons(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> int:
    """How many pairs :func:`near_pairs` looks at: grows with how alike the hashes are."""
    left_bands, right_bands = _bands(left), _bands(right)
    total = 0
    for band in range(_NUM_BANDS):
        counts = np.bincount(right_bands[:, band], minlength=_NUM_KEYS)
        total += sum(int(counts[left_bands[:, band] ^ mask].sum()) for mask in _MASKS)
    return total


def _bands(values: NDArray[np.uint64]) -> Rows:
    """Shape (n, 4): the bands of each hash."""
    return np.ascontiguousarray(values).view(np.uint16).reshape(-1, _NUM_BANDS).astype(np.int64)


def _portions(num_partners: NDArray[np.intp]) -> Iterator[Rows]:
    """Rows with partners, in portions of about so many pairs as memory should hold."""
    rows = np.flatnonzero(num_partners)
    if not len(rows):
        return
    portion = np.cumsum(num_partners[rows]) // _PAIRS_AT_ONCE
    yield from np.split(rows, np.flatnonzero(np.diff(portion)) + 1)


def _expand(rows: Rows, starts: NDArray[np.intp], counts: NDArray[np.intp]) -> tuple[Rows, Rows]:
    """Each row with every place of its list."""
    ends = np.cumsum(counts)
    places = np.arange(ends[-1]) - np.repeat(ends - counts - starts, counts)
    return np.repeat(rows, counts), places


def _found_first_in(band: int, different: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether no band before this one finds the pair too: all of them differ in two bits or more."""
    bands = _bands(different)[:, :band]
    several: NDArray[np.bool_] = np.logical_and.reduce((bands & (bands - 1)) != 0, axis=1)
    return several
