"""POT's network simplex, quiet, with its dual solution."""

import warnings
from dataclasses import dataclass

import numpy as np

from ot_select.arrays import FloatArray

MAX_ITERATIONS = 100_000_000


@dataclass(frozen=True, eq=False)
class Transport:
    """A solved transport problem.

    Attributes:
        plan: shape (n, m).
        cost: <plan, cost>.
        potentials_a: shape (n,), dual solution f with f_i + g_j <= cost_ij.
        potentials_b: shape (m,), g.
        converged: whether the simplex met its test of optimality; otherwise the plan is no coupling.
    """

    plan: FloatArray
    cost: float
    potentials_a: FloatArray
    potentials_b: FloatArray
    converged: bool


def transport(
    weights_a: FloatArray, weights_b: FloatArray, cost: FloatArray, *, max_iterations: int = MAX_ITERATIONS
) -> Transport:
    """Move one distribution to another at least cost.

    Args:
        weights_a: shape (n,), at least 0, sum 1.
        weights_b: shape (m,), likewise.
        cost: shape (n, m), finite, float64, contiguous.
        max_iterations: of the simplex.
    """
    with warnings.catch_warnings():
        # POT's own sources carry invalid escape sequences, which Python reports when it first compiles them; and its
        # warning of a run cut short is a status here, not a line on the screen.
        warnings.simplefilter("ignore")
        import ot

        plan, log = ot.emd(weights_a, weights_b, cost, numItermax=max_iterations, log=True)
    return Transport(plan, float((plan * cost).sum()), log["u"], log["v"], converged=log["warning"] is None)


def squared_distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """|a_i - b_j|^2 of all pairs, shape (n, m), by differences, so that equal rows give 0."""
    from scipy.spatial.distance import cdist  # type: ignore[import-untyped, unused-ignore]

    return np.asarray(cdist(a, b, "sqeuclidean"), dtype=np.float64)
