"""Squared Euclidean distances between all pairs of points, fast and yet exact where points meet.

One matrix product gives |x|^2 + |y|^2 - 2 x.y. Where the sum all but cancels, the product has lost the digits that
matter; such entries are few, and are computed again from the differences x - y. Hence equal points are at distance 0
to the last bit, nothing is negative, and every entry is good to a few hundred roundings.
"""

import torch
from torch import Tensor

_CANCELLED = 1e-2  # below this share of |x|^2 + |y|^2 an entry is computed again
_CHUNK = 2**21  # numbers held at a time while entries are computed again


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """|x - y|^2 for all pairs of rows.

    Args:
        x: shape (n, d). Subtract a point in the middle from both tables first: the closer the points lie to the
            origin, the fewer entries are computed twice.
        y: shape (m, d), dtype and device as ``x``.

    Returns:
        Shape (n, m), in units of the coordinates squared.
    """
    norms_x, norms_y = x.square().sum(dim=1), y.square().sum(dim=1)
    distances = torch.addmm(norms_x[:, None] + norms_y, x, y.T, alpha=-2.0)
    cancelled = distances <= _CANCELLED * (norms_x[:, None] + norms_y)
    rows, columns = cancelled.nonzero(as_tuple=True)
    step = max(1, _CHUNK // x.shape[1])
    for start in range(0, len(rows), step):
        i, j = rows[start : start + step], columns[start : start + step]
        distances[i, j] = (x[i] - y[j]).square_().sum(dim=1)
    return distances
