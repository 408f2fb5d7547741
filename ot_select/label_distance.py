"""Class-to-class distances: the squared 2-Wasserstein distance between classes taken as Gaussians.

Notation: a class c has n_c rows, mean m_c and covariance S_c (divisor n_c - 1); F_c is any matrix with F_c' F_c = S_c.
The cross term tr((S^1/2 T S^1/2)^1/2) of the distance between N(m, S) and N(o, T) is the nuclear norm of F G', where
S = F'F and T = G'G. With F the centred rows over sqrt(n_c - 1) no (d, d) eigenproblem is solved, and nothing is lost
where covariances have no full rank, as in a class with fewer rows than features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ot_select.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class ClassGaussian:
    """A class as a Gaussian, its covariance in factored form.

    Attributes:
        mean: shape (d,), in feature units.
        factor: shape (r, d) with r at most min(n_c, d); ``factor.T @ factor`` is the covariance (divisor n_c - 1).
            A class of one row has no spread: r is 0.
    """

    mean: FloatArray
    factor: FloatArray

    @property
    def trace(self) -> float:
        """Trace of the covariance, in feature units squared."""
        return float(np.square(self.factor).sum())

    def equals(self, other: "ClassGaussian") -> bool:
        """Whether mean and factor are the same to the last bit."""
        return np.array_equal(self.mean, other.mean) and np.array_equal(self.factor, other.factor)


def class_gaussian(rows: FloatArray) -> ClassGaussian:
    """Mean and covariance factor of one class.

    Args:
        rows: shape (n_c, d), n_c at least 1.
    """
    mean = rows.mean(axis=0)
    if len(rows) == 1:
        return ClassGaussian(mean, np.empty((0, rows.shape[1])))
    factor = (rows - mean) / np.sqrt(len(rows) - 1)
    if len(rows) > rows.shape[1]:
        factor = np.linalg.qr(factor, mode="r")
    return ClassGaussian(mean, factor)


def squared_wasserstein(a: ClassGaussian, b: ClassGaussian) -> float:
    """Squared 2-Wasserstein distance between two Gaussians.

    Returns:
        A value >= 0 in feature units squared; exactly 0 for Gaussians that are equal to the last bit, and rounding
        below 0 is cut.

    Source: Alvarez-Melis & Fusi 2020, arXiv:2002.02866 (label-to-label distances as Gaussians).
    """
    if a.equals(b):
        return 0.0
    cross = 0.0
    if len(a.factor) and len(b.factor):
        cross = float(np.linalg.svd(a.factor @ b.factor.T, compute_uv=False).sum())
    return max(0.0, float(np.square(a.mean - b.mean).sum()) + a.trace + b.trace - 2.0 * cross)


def gaussian_label_distances(a: Sequence[ClassGaussian], b: Sequence[ClassGaussian]) -> FloatArray:
    """Squared 2-Wasserstein distances between all classes of two datasets.

    Returns:
        Shape (len(a), len(b)), in feature units squared.
    """
    return np.array([[squared_wasserstein(one, other) for other in b] for one in a], dtype=np.float64)
