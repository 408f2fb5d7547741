"""Certified lower bounds of the exact OTDD, cheap to dear.

Notation: clouds A and B couple through P; d^2 = min over P of <P, D + W>, where D holds |x - x'|^2 and W the squared
2-Wasserstein distances W2^2(y, y') of classes taken as Gaussians N(m_c, S_c). Q has p orthonormal columns, shared by
all clouds; "outside" means after (I - QQ').

1. *Apart.* The minimum of a sum is at least the sum of the minima: d^2 >= min <P, D> + min <P, W>. Summed over the
   points of each pair of classes, P is a coupling of the class weights, so the second term is the transport cost
   between classes, of k_a x k_b size; any table below W keeps the bound.
2. *Moments.* min <P, D> >= |m - m'|^2 + B(S, S') with the mean and covariance (divisor n) of all points and
   B(S, S') = tr S + tr S' - 2 |S^1/2 S'^1/2|_*, the nuclear norm (Gelbrich 1990). Split by Q, |x - x'|^2 is the sum of
   its parts inside and outside, so apart again: the bound holds with B inside plus B outside. With s and s' the falling
   singular values of the roots, the nuclear norm is at most sum s_j s'_j (von Neumann), hence B >= sum (s_j - s'_j)^2;
   and by Cauchy-Schwarz any set of places j may be replaced by one, the root of its sum of squares. So all that lies
   outside counts by the root of its trace.
3. *Classes.* As in 2, W2^2 >= |m_c - m_c'|^2 + sum (s_j - s'_j)^2 with s of the class covariances. For every coupling
   of the classes the mean of |m_c - m_c'|^2 is |m - m'|^2 plus that of |(m_c - m) - (m_c' - m')|^2, because the mean of
   the m_c is m; and outside Q vectors differ by at least the difference of their lengths. So transport between classes
   costs at least |m - m'|^2 plus transport, by squared Euclidean distance, between *class vectors*
   [Q'(m_c - m), |m_c - m| outside, s_1, .., s_r, root of the rest], which costs at least the squared distance of their
   means (Jensen). So all of 2 and 3 is at least the squared Euclidean distance of two *summaries*
   [m sqrt 2, s_1, .., s_p inside, root outside, means of the class spectra].
4. *Potentials.* If f_i + g_j <= C_ij for all i and j then sum a_i f_i + sum b_j g_j <= <P, C> for every coupling (weak
   duality). For any f, g_j = min_i (C_ij - f_i) is such a g, and minimising once more over j, then over i, only raises
   the sum (c-transforms).

Sources: Gelbrich 1990, "On a formula for the L2 Wasserstein metric between measures on Euclidean and Hilbert spaces";
Peyre & Cuturi 2019, arXiv:1803.00567 (duality and c-transforms).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ot_select.arrays import FloatArray, IntArray
from ot_select.cloud import LabelledCloud, spread_divisor
from ot_select.distances.network_simplex import squared_euclidean, transport
from ot_select.errors import OptionError

CLASS_SPECTRUM = 8
"""Singular values kept of each class covariance."""

ROUNDING = 1e-5
"""What keeping vectors in float32 may move a bound by, relative to the second moments of the two clouds.

Each bound is a squared distance |u - v|^2 of vectors (of Gaussians in the case of B) with |u|^2 and |v|^2 at most twice
these moments, so an error of 2^-24 in each component moves it by less than 1e-6 of them; ten times that is taken off.
Components below the normal range of float32 are off by up to 2^-149 each, which matters to moments below 1e-70 only;
so much is taken off too. All this is in units of the basis, which bring the clouds into that range.
"""

_UNDERFLOW = 1e-70
_LARGEST_MOMENT = 1e60  # in units of the basis: beyond it float32 may overflow
_LARGEST_EXPONENT = 500  # of the unit: its square must be a number

TEMPERATURES = (0.05, 0.03, 0.02, 0.01, 0.01)
"""Of the sweeps that raise potentials, relative to the mean cost."""


SecondMoment = TypeVar("SecondMoment", float, FloatArray)


class Points(Protocol):
    """The side of a coupling: weights of points, shape (n,), of sum 1, and positions of their classes, 0 to k - 1."""

    @property
    def weights(self) -> FloatArray:
        """Of the points."""
        ...

    @property
    def class_positions(self) -> IntArray:
        """Of the points' classes."""
        ...


@dataclass(frozen=True, eq=False)
class Basis:
    """Where clouds are seen from.

    Attributes:
        centre: shape (d,).
        directions: Q, shape (d, p), orthonormal columns.
        unit: a power of two of the size of the features about the centre; moments are kept in units of it.
    """

    centre: FloatArray
    directions: FloatArray
    unit: float

    @property
    def rank(self) -> int:
        """The number of directions, p."""
        return int(self.directions.shape[1])

    @classmethod
    def of_rows(cls, rows: FloatArray, rank: int) -> "Basis":
        """The principal directions of rows; any basis gives bounds, this one good ones.

        Args:
            rows: shape (n, d), of all clouds that will be compared or a sample of them.
            rank: directions at most; fewer where rows or features are fewer.

        Raises:
            OptionError: squares of the features would leave the range of float64.
        """
        centre = rows.mean(axis=0)
        largest = float(np.abs(rows - centre).max())
        exponent = int(np.frexp(largest)[1])
        if not (np.isfinite(largest) and abs(exponent) <= _LARGEST_EXPONENT):
            raise OptionError(
                f"The features spread over {largest:.3g}, whose square is no number that can be computed with. "
                "Scale them to a size near 1."
            )
        unit = 2.0**exponent
        _, _, directions = np.linalg.svd((rows - centre) / unit, full_matrices=False)
        return cls(centre, np.ascontiguousarray(directions[:rank].T), unit)


@dataclass(frozen=True, eq=False)
class Moments:
    """What the bounds 2 and 3 need to know of a cloud, all in units of the basis.

    Attributes:
        summary: see 3, shape (d + p + 1 + CLASS_SPECTRUM + 1,).
        root: symmetric root of the covariance inside, shape (p, p).
        class_weights: shape (k,), sum 1.
        class_vectors: see 3, shape (k, p + 1 + CLASS_SPECTRUM + 1).
        second_moment: mean of |x - centre|^2 plus that of the traces of the class covariances.
        unit: of the basis, in feature units.
    """

    summary: FloatArray
    root: FloatArray
    class_weights: FloatArray
    class_vectors: FloatArray
    second_moment: float
    unit: float

    @property
    def mean(self) -> FloatArray:
        """Of all points about the centre of the basis, shape (d,)."""
        found: FloatArray = self.summary[: -(len(self.root) + 1 + CLASS_SPECTRUM + 1)] / np.sqrt(2.0)
        return found

    @property
    def spectrum(self) -> FloatArray:
        """Singular values of the root, falling, then the root of the trace outside, shape (p + 1,)."""
        end = len(self.summary) - CLASS_SPECTRUM - 1
        found: FloatArray = self.summary[end - len(self.root) - 1 : end]
        return found

    @classmethod
    def of(cls, cloud: LabelledCloud, basis: Basis) -> "Moments":
        """The moments of a cloud.

        Args:
            cloud: of the dimension of the basis.
            basis: the same for all clouds that are compared.

        Raises:
            OptionError: the cloud is out of all proportion to the basis.
        """
        points = (cloud.features - basis.centre) / basis.unit
        weights = cloud.weights
        mean = weights @ points
        spread = points - mean
        inside = spread @ basis.directions
        eigenvalues, eigenvectors = np.linalg.eigh((inside * weights[:, None]).T @ inside)
        spectrum = np.sqrt(np.maximum(eigenvalues, 0.0))
        rest = _root_of_rest(float(weights @ np.square(spread).sum(axis=1)), spectrum)
        members = [cloud.class_indices == index for index in range(cloud.num_classes)]
        class_weights = np.array([weights[chosen].sum() for chosen in members])
        class_means = np.stack(
            [weights[chosen] @ points[chosen] / share for chosen, share in zip(members, class_weights, strict=True)]
        )
        spectra = np.stack(
            [
                _class_spectrum(points[chosen], weights[chosen] / share)
                for chosen, share in zip(members, class_weights, strict=True)
            ]
        )
        class_means -= mean
        means_inside = class_means @ basis.directions
        means_outside = np.sqrt(
            np.maximum(0.0, np.square(class_means).sum(axis=1) - np.square(means_inside).sum(axis=1))
        )
        second_moment = weights @ np.square(points).sum(axis=1) + class_weights @ np.square(spectra).sum(axis=1)
        if not second_moment <= _LARGEST_MOMENT:
            raise OptionError(
                f"The features of a cloud are up to {np.abs(cloud.features - basis.centre).max():.3g} from the centre, "
                f"but those that the basis was made of are within {basis.unit:.3g}. Compare only clouds of one kind."
            )
        return cls(
            summary=np.concatenate([np.sqrt(2.0) * mean, spectrum[::-1], [rest], class_weights @ spectra]),
            root=(eigenvectors * spectrum) @ eigenvectors.T,
            class_weights=class_weights,
            class_vectors=np.hstack([means_inside, means_outside[:, None], spectra]),
            second_moment=float(second_moment),
            unit=basis.unit,
        )


def summary_bounds(target: Moments, summaries: npt.NDArray[np.float32], second_moments: FloatArray) -> FloatArray:
    """Bound 3 by summaries, of a target and many sources at once.

    Args:
        target: of the target.
        summaries: of the sources, shape (num_sources, ...), as in ``Moments``.
        second_moments: of the sources, shape (num_sources,).

    Returns:
        Shape (num_sources,), in feature units squared.
    """
    apart = np.square(summaries - target.summary).sum(axis=1)
    bounds: FloatArray = np.maximum(0.0, apart - _rounding(target.second_moment, second_moments)) * target.unit**2
    return bounds


def class_bound(a: Moments, b: Moments) -> float:
    """Bound 2 by spectra plus bound 3 by transport between class vectors; at least that of the summaries."""
    between = 2 * _between_means(a, b) + _between_spectra(a, b) + _between_classes(a, b)
    return max(0.0, between - _rounding(a.second_moment, b.second_moment)) * a.unit**2


def moment_bound(a: Moments, b: Moments) -> float:
    """Bound 2 by roots plus bound 3 by transport between class vectors; at least ``class_bound``."""
    shared = float(np.linalg.svd(a.root @ b.root, compute_uv=False).sum())
    inside = float(np.square(a.root).sum() + np.square(b.root).sum()) - 2 * shared
    between = 2 * _between_means(a, b) + inside + _outside(a, b) + _between_classes(a, b)
    return max(0.0, between - _rounding(a.second_moment, b.second_moment)) * a.unit**2


def moment_estimate(a: Moments, b: Moments) -> float:
    """No bound: an estimate from the same numbers, which orders sources.

    The distance of the roots stands for that of Bures, and where only spectra are kept, the middle between covariances
    that point the same way, (s - s')^2, and such that have nothing in common, s^2 + s'^2.
    """
    between_roots = float(np.square(a.root - b.root).sum())
    outside_a, outside_b = float(a.spectrum[-1]), float(b.spectrum[-1])
    outside = outside_a**2 + outside_b**2 - outside_a * outside_b
    means_a, spectra_a = np.split(a.class_vectors, [len(a.root) + 1], axis=1)
    means_b, spectra_b = np.split(b.class_vectors, [len(b.root) + 1], axis=1)
    traces = np.square(spectra_a).sum(axis=1)[:, None] + np.square(spectra_b).sum(axis=1)
    cost = squared_euclidean(means_a, means_b) + traces - spectra_a @ spectra_b.T
    between = transport(a.class_weights, b.class_weights, np.ascontiguousarray(cost)).cost
    return (2 * _between_means(a, b) + between_roots + outside + between) * a.unit**2


def class_potentials(cost: FloatArray, a: "Points", b: "Points") -> FloatArray:
    """Potentials f for bound 4, the same for all points of a class: those of transport between classes at mean costs.

    Args:
        cost: C = D + W, shape (n, m).
        a: of the rows of the cost.
        b: of its columns.

    Returns:
        Shape (n,), in units of the cost.
    """
    in_a, in_b = _membership(a), _membership(b)
    weights_a, weights_b = in_a.sum(axis=0), in_b.sum(axis=0)
    mean_cost = in_a.T @ cost @ in_b / np.outer(weights_a, weights_b)
    by_class: FloatArray = transport(weights_a, weights_b, np.ascontiguousarray(mean_cost)).potentials_a
    return np.asarray(by_class[a.class_positions])


def swept_potentials(
    cost: FloatArray,
    potentials: FloatArray,
    weights: Sequence[FloatArray],
    temperatures: Sequence[float] = TEMPERATURES,
) -> FloatArray:
    """Potentials f raised by a few sweeps of Sinkhorn's algorithm at falling temperatures.

    Args:
        cost: shape (n, m).
        potentials: to begin with, shape (n,).
        weights: of rows and of columns.
        temperatures: relative to the mean cost.
    """
    weights_a, weights_b = weights
    scale = float(weights_a @ cost @ weights_b)
    for temperature in temperatures:
        eps = temperature * scale
        if eps <= 0:
            break
        for_b = _soft_minimum(cost.T, potentials, weights_a, eps)
        potentials = _soft_minimum(cost, for_b, weights_b, eps)
    return potentials


def potential_bound(cost: FloatArray, potentials: FloatArray, weights: Sequence[FloatArray]) -> float:
    """Bound 4 from any potentials.

    Args:
        cost: C = D + W, shape (n, m).
        potentials: f, shape (n,).
        weights: of rows and of columns.
    """
    weights_a, weights_b = weights
    for_b = (cost - potentials[:, None]).min(axis=0)
    for_a = (cost - for_b).min(axis=1)
    for_b = (cost - for_a[:, None]).min(axis=0)
    slack = 1e-12 * float(np.abs(for_a).max() + np.abs(for_b).max())
    return float(weights_a @ for_a + weights_b @ for_b) - slack


def _between_classes(a: Moments, b: Moments) -> float:
    """Transport between class vectors."""
    cost = squared_euclidean(a.class_vectors, b.class_vectors)
    solved = transport(a.class_weights, b.class_weights, cost)
    return solved.cost if solved.converged else 0.0


def _between_means(a: Moments, b: Moments) -> float:
    return float(np.square(a.mean - b.mean).sum())


def _between_spectra(a: Moments, b: Moments) -> float:
    return float(np.square(a.spectrum - b.spectrum).sum())


def _outside(a: Moments, b: Moments) -> float:
    return float(a.spectrum[-1] - b.spectrum[-1]) ** 2


def _rounding(a: float, b: SecondMoment) -> SecondMoment:
    return ROUNDING * (a + b) + _UNDERFLOW


def _class_spectrum(points: FloatArray, weights: FloatArray) -> FloatArray:
    """The largest singular values of a class covariance's root, falling, and the root of the rest of its trace."""
    found = np.zeros(CLASS_SPECTRUM + 1)
    if len(points) > 1:
        spread = (points - weights @ points) * np.sqrt(weights / spread_divisor(weights))[:, None]
        gram = spread @ spread.T if len(spread) <= spread.shape[1] else spread.T @ spread
        largest = np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[::-1][:CLASS_SPECTRUM], 0.0))
        found[: len(largest)] = largest
        found[-1] = _root_of_rest(float(np.trace(gram)), largest)
    return found


def _root_of_rest(total: float, singular_values: FloatArray) -> float:
    return float(np.sqrt(max(0.0, total - float(np.square(singular_values).sum()))))


def _membership(points: "Points") -> FloatArray:
    """Weight of each point in the column of its class, shape (n, k)."""
    table = np.zeros((len(points.weights), int(points.class_positions.max()) + 1))
    table[np.arange(len(table)), points.class_positions] = points.weights
    return table


def _soft_minimum(cost: FloatArray, potentials: FloatArray, weights: FloatArray, eps: float) -> FloatArray:
    """-eps log sum_j weights_j exp((potentials_j - cost_ij) / eps), shape (n,)."""
    values = cost - potentials
    lowest = values.min(axis=1, keepdims=True)
    mass = np.exp((lowest - values) / eps) @ weights
    return np.asarray(lowest[:, 0] - eps * np.log(mass), dtype=np.float64)
