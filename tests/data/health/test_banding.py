"""The search for near hashes finds all of them, each once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from supernet_tl.data.health.banding import RADIUS, near_pairs, num_comparisons, num_ones

Hashes = np.ndarray[tuple[int, ...], np.dtype[np.uint64]]


def flipped(value: int, bits: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> int:
    for bit in bits.tolist():
        value ^= 1 << bit
    return value


def hashes_with_neighbours(seed: int, num: int = 300) -> Hashes:
    """Random hashes, each followed by one that differs in 0 to 11 bits at random places."""
    generator = np.random.default_rng(seed)
    found = []
    for value in generator.integers(0, 2**63, num).tolist():
        found += [value, flipped(value, generator.choice(64, generator.integers(0, 12), replace=False))]
    return np.array(found, dtype=np.uint64)


def few_bits(seed: int, num: int = 150) -> Hashes:
    """Hashes as alike as those of glyphs: only twelve bits ever differ."""
    generator = np.random.default_rng(seed)
    where = generator.choice(64, 12, replace=False)
    chosen = [flipped(0, where[generator.random(12) < 0.5]) for _ in range(num)]
    return np.array(chosen, dtype=np.uint64)


@pytest.mark.parametrize("make", [hashes_with_neighbours, few_bits])
def test_the_pairs_are_those_of_comparing_each_with_each(make: Callable[[int], Hashes]) -> None:
    left, right = make(0), make(0)[::-1].copy()
    # Oracle: brute force with Python's own count of bits.
    expected = {
        (i, j)
        for i, a in enumerate(left.tolist())
        for j, b in enumerate(right.tolist())
        if (a ^ b).bit_count() <= RADIUS
    }
    found = [pair for i, j in near_pairs(left, right) for pair in zip(i.tolist(), j.tolist(), strict=True)]
    assert len(found) == len(set(found)), "a pair was found twice"
    assert set(found) == expected


def test_comparisons_are_counted_before_they_are_made() -> None:
    left = np.array([0], dtype=np.uint64)
    # Oracle: by hand. Equal hashes meet once in each of four bands; one bit apart in a band, likewise; two bits apart
    # in one band, in the three others.
    assert num_comparisons(left, np.array([0], dtype=np.uint64)) == 4
    assert num_comparisons(left, np.array([1], dtype=np.uint64)) == 4
    assert num_comparisons(left, np.array([0b11], dtype=np.uint64)) == 3
    assert num_comparisons(left, np.array([2**64 - 1], dtype=np.uint64)) == 0


def test_set_bits_are_counted() -> None:
    values = np.random.default_rng(0).integers(0, 2**64, 200, dtype=np.uint64)
    assert num_ones(values).tolist() == [value.bit_count() for value in values.tolist()]
    assert num_ones(np.array([0, 2**64 - 1], dtype=np.uint64)).tolist() == [0, 64]


def test_no_hashes_have_no_pairs() -> None:
    nothing = np.array([], dtype=np.uint64)
    assert list(near_pairs(nothing, nothing)) == []
    assert list(near_pairs(nothing, np.array([5], dtype=np.uint64))) == []
