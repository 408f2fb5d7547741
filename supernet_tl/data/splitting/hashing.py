"""Random numbers of an image that follow from the seed and its content alone, and shares drawn by them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TAG = b"supernet-tl splits 2\n"
_EXACT = 9  # decimals: 0.1 * 30 is not 3
_LEAST, _MOST = 0.25, 2.0
"""Of its share, what a part of a class has at least and at most: rarely missed by chance, so that parts are stable."""


@dataclass(frozen=True)
class Draws:
    """Three independent numbers an image, each shape (n,), uint64; equal for equal content.

    Attributes:
        place: decides between test, validation and search.
        half: decides between the halves of the search images.
        order: decides which search images are kept where not all are.
    """

    place: NDArray[np.uint64]
    half: NDArray[np.uint64]
    order: NDArray[np.uint64]

    @classmethod
    def of(cls, digests: NDArray[np.uint8], seed: int) -> Draws:
        """The numbers of images with these SHA-256 digests, shape (n, 32): SHA-256 over seed and digest."""
        prefix = _TAG + f"{seed}\n".encode()
        hashes = b"".join(hashlib.sha256(prefix + digest.tobytes()).digest() for digest in digests)
        place, half, order, _ = np.frombuffer(hashes, dtype=">u8").reshape(-1, 4).T.astype(np.uint64)
        return cls(place, half, order)


@dataclass(frozen=True)
class Share:
    """What a part is to have of some images.

    Attributes:
        frac: its fraction; those of all parts sum up to 1.
        least: images that it has in any case.
        fixed: different images that are in it already.
    """

    frac: float
    least: int
    fixed: int = 0


def parts_by_hash(draws: NDArray[np.uint64], shares: Sequence[Share]) -> NDArray[np.int64]:
    """The part of each image: where its number, as one in [0, 1), falls among the fractions laid end to end.

    Where chance gives a part less than a quarter or more than twice its share of the different images, those nearest
    the boundary are moved until it has that much. Equal numbers of one call stay together.

    Args:
        draws: shape (n,): a number each.
        shares: of the parts, in their order.

    Returns:
        Shape (n,): places in ``shares``.
    """
    numbers, group = np.unique(draws, return_inverse=True)
    uniform = (numbers >> np.uint64(11)).astype(np.float64) * 2.0**-53
    ends = np.cumsum([share.frac for share in shares])[:-1]
    cuts = _bounded([int(cut) for cut in np.searchsorted(uniform, ends)], len(numbers), shares)
    return np.searchsorted(cuts, np.arange(len(numbers)), side="right")[group]


def _bounded(cuts: Sequence[int], num_free: int, shares: Sequence[Share]) -> list[int]:
    """The cuts nearest those given that leave every part within its bounds; a cut is how many images lie before it."""
    low, high = _bounds(num_free + sum(share.fixed for share in shares), shares)
    found, taken = list[int](), 0
    for part, cut in enumerate(cuts):
        left = num_free - taken
        fewest = max(low[part], left - sum(high[part + 1 :]))
        most = min(high[part], left - sum(low[part + 1 :]))
        taken += max(0, min(max(cut - taken, fewest), most))
        found.append(taken)
    return found


def _bounds(num_images: int, shares: Sequence[Share]) -> tuple[list[int], list[int]]:
    """The fewest and the most images that each part may still be given."""
    low, high = list[int](), list[int]()
    for part, share in enumerate(shares):
        expected = round(num_images * share.frac, _EXACT)
        spare = num_images - sum(low) - sum(other.least for other in shares[part + 1 :])
        low.append(max(share.least, min(math.ceil(round(_LEAST * expected, _EXACT)), spare)))
        high.append(max(share.least, math.floor(round(_MOST * expected, _EXACT))))
    return (
        [max(0, bound - share.fixed) for bound, share in zip(low, shares, strict=True)],
        [max(0, bound - share.fixed) for bound, share in zip(high, shares, strict=True)],
    )
