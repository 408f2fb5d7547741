"""Average linkage of datasets, and its tree as lines beside the rows of a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Dendrogram:
    """A tree over rows, the root at the right.

    Attributes:
        order: the leaves from top to bottom, as positions in the table that was given.
        lines: ``points`` of an SVG polyline for every merge; x from 0 (height 0) to 1 (the root's), y in rows.
    """

    order: tuple[int, ...]
    lines: tuple[str, ...]


def dendrogram(distances: NDArray[np.float64]) -> Dendrogram:
    """Average linkage, its leaves ordered so that neighbours are as near as the tree allows.

    Args:
        distances: shape (n, n), symmetric, at least 0, with n of 2 or more.
    """
    from scipy.cluster import hierarchy  # type: ignore[import-untyped, unused-ignore]
    from scipy.spatial.distance import squareform  # type: ignore[import-untyped, unused-ignore]

    merges = hierarchy.linkage(squareform(distances, checks=False), "average", optimal_ordering=True)
    drawn = hierarchy.dendrogram(merges, no_plot=True)
    top = float(merges[-1, 2]) or 1.0
    lines = tuple(
        " ".join(f"{height / top:.4f},{place / 10:.2f}" for height, place in zip(heights, places, strict=True))
        for heights, places in zip(drawn["dcoord"], drawn["icoord"], strict=True)
    )
    return Dendrogram(tuple(drawn["leaves"]), lines)
