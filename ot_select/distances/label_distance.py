"""Class-to-class distances: squared, in feature units squared, exactly 0 for classes equal to the last bit.

Notation: the rows x_i of a class carry conditional weights p_i of sum 1; its mean is m = sum p_i x_i, its covariance
S = sum p_i (x_i - m)(x_i - m)' / (1 - sum p_i^2), whose divisor turns into n_c - 1 where weights are equal. A class of
one row has no spread.

``gaussian``: the squared 2-Wasserstein distance between N(m, S) and N(o, T),
|m - o|^2 + tr S + tr T - 2 tr((S^1/2 T S^1/2)^1/2). The cross term is the nuclear norm of F G', where S = F'F and
T = G'G. With F the centred rows times sqrt(p_i / (1 - sum p_i^2)) no (d, d) eigenproblem is solved, and nothing is lost
where covariances have no full rank, as in a class with fewer rows than features.
``diagonal``: the same with all covariances between features left out, |m - o|^2 + sum_j (sqrt S_jj - sqrt T_jj)^2.
``means``: |m - o|^2.
``exact``: the squared 2-Wasserstein distance between the two weighted samples, by network simplex, no divisor at all.

Source: Alvarez-Melis & Fusi 2020, arXiv:2002.02866 (label-to-label distances).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ot_select.arrays import FloatArray
from ot_select.cloud import spread_divisor
from ot_select.distances.coupling import check_weights, exact_coupling
from ot_select.distances.ground_cost import squared_distances
from ot_select.distances.network_simplex import MAX_ITERATIONS
from ot_select.distances.nuclear_norm import nuclear_norms
from ot_select.distances.side import Side
from ot_select.distances.unit import Unit
from ot_select.errors import OptionError
from ot_select.tensors import as_tensor

Inner = Literal["gaussian", "exact", "diagonal", "means"]


@dataclass(frozen=True, eq=False)
class ClassGaussian:
    """A class as a Gaussian, its covariance in factored form.

    Attributes:
        mean: shape (d,), in feature units.
        factor: shape (r, d) with r at most min(n_c, d); ``factor.T @ factor`` is the covariance.
            A class of one row has no spread: r is 0.
    """

    mean: FloatArray
    factor: FloatArray

    def equals(self, other: "ClassGaussian") -> bool:
        """Whether mean and factor are the same to the last bit."""
        return np.array_equal(self.mean, other.mean) and np.array_equal(self.factor, other.factor)


def class_gaussian(rows: FloatArray, weights: FloatArray | None = None) -> ClassGaussian:
    """Mean and covariance factor of one class.

    Args:
        rows: shape (n_c, d), n_c at least 1.
        weights: shape (n_c,), above 0 and of sum 1; equal by default.

    Raises:
        OptionError: the rows are no finite table with at least one row, or weights do not fit it.
    """
    table = np.asarray(rows, dtype=np.float64)
    if table.ndim != 2 or 0 in table.shape or not np.isfinite(table).all():
        raise OptionError(
            f"The rows have shape {table.shape} and {int((~np.isfinite(table)).sum())} entries that are not finite, "
            "but a finite table of shape (rows, features) with at least one of each is needed."
        )
    mean, spread = _moments(as_tensor(table), check_weights("weights", weights, len(table)))
    return ClassGaussian(mean.numpy(), _factor(spread).numpy())


def gaussian_label_distances(a: Sequence[ClassGaussian], b: Sequence[ClassGaussian]) -> FloatArray:
    """Squared 2-Wasserstein distances between all classes of two datasets.

    Returns:
        Shape (len(a), len(b)), in feature units squared, >= 0; exactly 0 for Gaussians that are equal to the last bit.

    Raises:
        OptionError: one of the datasets has no class, or features differ in number.
    """
    dimensions = {len(one.mean) for one in (*a, *b)}
    if not (len(a) and len(b)) or len(dimensions) > 1:
        raise OptionError(
            f"There are {len(a)} and {len(b)} Gaussians of {' and '.join(map(str, sorted(dimensions))) or 'no'} "
            "features, but at least one on each side, all of one feature space, is needed."
        )
    different = torch.tensor([[not one.equals(other) for other in b] for one in a])
    unit = Unit.of(*(table for one in (*a, *b) for table in (one.mean, one.factor)))
    means_a, means_b = (as_tensor(unit.measure(np.stack([one.mean for one in side]))) for side in (a, b))
    factors_a, factors_b = ([as_tensor(unit.measure(one.factor)) for one in side] for side in (a, b))
    return unit.fitting_squares(_wasserstein(means_a, factors_a, means_b, factors_b, different).numpy())


def label_distances(a: Side, b: Side, inner: Inner, *, max_iterations: int | None = None) -> tuple[Tensor, bool]:
    """Squared distances between the classes of two clouds.

    Args:
        a: the cloud of the rows; when ``b`` is the very same, each pair is computed once.
        b: the cloud of the columns. Classes stand in the order of the sides.
        inner: which distance.
        max_iterations: of each network simplex of ``"exact"``; ``None`` for its own default.

    Returns:
        Shape (k_a, k_b), in the unit of the sides squared, and whether every problem solved on the way converged.
    """
    wanted = torch.tensor([[one != other for other in b.keys] for one in a.keys], device=a.features.device)
    if a is b:
        wanted = wanted.triu()
    converged = True
    if inner == "exact":
        table, converged = _between_samples(a, b, wanted, MAX_ITERATIONS if max_iterations is None else max_iterations)
    else:
        (means_a, spreads_a), (means_b, spreads_b) = _class_moments(a), _class_moments(b)
        if inner == "gaussian":
            factors_a = [_factor(spread) for spread in spreads_a]
            factors_b = factors_a if a is b else [_factor(spread) for spread in spreads_b]
            table = _wasserstein(means_a, factors_a, means_b, factors_b, wanted)
        elif inner == "diagonal":
            table = squared_distances(_with_deviations(means_a, spreads_a), _with_deviations(means_b, spreads_b))
        else:
            table = squared_distances(means_a, means_b)
        table = torch.where(wanted, table, 0.0)
    return (table + table.T if a is b else table), converged


def _class_moments(side: Side) -> tuple[Tensor, list[Tensor]]:
    """Means, shape (k, d), and the scaled centred rows of each class."""
    moments = [
        _moments(side.features[rows], weights)
        for rows, weights in zip(side.class_rows, side.conditional_weights, strict=True)
    ]
    return torch.stack([mean for mean, _ in moments]), [spread for _, spread in moments]


def _moments(rows: Tensor, weights: FloatArray) -> tuple[Tensor, Tensor]:
    """The mean, and centred rows X scaled so that X'X is the covariance."""
    mean = torch.as_tensor(weights, dtype=rows.dtype, device=rows.device) @ rows
    if len(rows) == 1:
        return mean, rows[:0]
    scale = torch.as_tensor(np.sqrt(weights / spread_divisor(weights)), dtype=rows.dtype, device=rows.device)
    # A scale beyond float32 is that of a row that carries everything, and is the mean: 0 must stay 0.
    return mean, (rows - mean) * scale.clamp(max=torch.finfo(rows.dtype).max)[:, None]


def _factor(spread: Tensor) -> Tensor:
    """The same covariance in at most d rows."""
    return torch.linalg.qr(spread, mode="r")[1] if len(spread) > spread.shape[1] else spread


def _with_deviations(means: Tensor, spreads: Sequence[Tensor]) -> Tensor:
    return torch.cat([means, torch.stack([spread.square().sum(dim=0).sqrt() for spread in spreads])], dim=1)


def _wasserstein(
    means_a: Tensor, factors_a: Sequence[Tensor], means_b: Tensor, factors_b: Sequence[Tensor], wanted: Tensor
) -> Tensor:
    """Squared 2-Wasserstein distances of Gaussians where wanted, 0 elsewhere; rounding below 0 is cut."""
    traces_a, traces_b = (
        torch.stack([factor.square().sum() for factor in factors]) for factors in (factors_a, factors_b)
    )
    cross = nuclear_norms(factors_a, factors_b, wanted)
    table = squared_distances(means_a, means_b) + traces_a[:, None] + traces_b - 2 * cross
    return torch.where(wanted, table.clamp(min=0), 0.0)


def _between_samples(a: Side, b: Side, wanted: Tensor, max_iterations: int) -> tuple[Tensor, bool]:
    """Squared 2-Wasserstein distances between class samples where wanted, 0 elsewhere."""
    table = torch.zeros(wanted.shape, dtype=a.features.dtype)
    converged = True
    for i, j in wanted.nonzero().tolist():
        cost = squared_distances(a.features[a.class_rows[i]], b.features[b.class_rows[j]])
        weights_a, weights_b = a.conditional_weights[i], b.conditional_weights[j]
        coupling = exact_coupling(cost, weights_a=weights_a, weights_b=weights_b, max_iterations=max_iterations)
        table[i, j] = coupling.cost
        converged &= coupling.converged
    return table.to(wanted.device), converged
