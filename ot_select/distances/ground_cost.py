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
        x: shape (n, d).
        y: shape (m, d), dtype and device as ``x``.

    Returns:
        Shape (n, m), in units of the coordinates squared.
    """
    middle = (x.mean(dim=0) + y.mean(dim=0)) / 2  # the closer points lie to the origin, the fewer entries cancel
    centred_x, centred_y = x - middle, y - middle
    sums = centred_x.square().sum(dim=1)[:, None] + centred_y.square().sum(dim=1)
    distances = torch.addmm(sums, centred_x, centred_y.T, alpha=-2.0)
    rows, columns = (distances <= sums.mul_(_CANCELLED)).nonzero(as_tuple=True)
    step = max(1, _CHUNK // x.shape[1])
    for start in range(0, len(rows), step):
        i, j = rows[start : start + step], columns[start : start + step]
        distances[i, j] = (x[i] - y[j]).square_().sum(dim=1)
    return distances
