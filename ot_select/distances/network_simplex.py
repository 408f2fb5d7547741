"""POT's network simplex, quiet, with its dual solution, in a unit in which its tolerances do not matter.

The simplex compares costs to constants of its own: costs far below 1 end it at a plan that is far from optimal, without
a word. So costs are multiplied by a power of two beforehand, and the dual solution has to certify the plan.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np

from ot_select.arrays import FloatArray

MAX_ITERATIONS = 100_000_000
_EXPONENT = 40  # costs are brought to 2 to this power: tolerances near 1 are then far below the last digit
_LARGEST_GAP = 1e-9  # relative to the mean cost, up to which a plan counts as optimal


@dataclass(frozen=True, eq=False)
class Transport:
    """A solved transport problem.

    Attributes:
        plan: shape (n, m).
        cost: <plan, cost>.
        potentials_a: shape (n,), dual solution f with f_i + g_j <= cost_ij.
        potentials_b: shape (m,), g.
        dual_gap: the cost minus the value of the dual solution: the optimum lies no further below.
        converged: whether the simplex met its test of optimality, and the gap is below 1e-9 of the mean cost; where the
            first fails, the plan is no coupling.
    """

    plan: FloatArray
    cost: float
    potentials_a: FloatArray
    potentials_b: FloatArray
    dual_gap: float
    converged: bool


def transport(
    weights_a: FloatArray, weights_b: FloatArray, cost: FloatArray, *, max_iterations: int = MAX_ITERATIONS
) -> Transport:
    """Move one distribution to another at least cost.

    Args:
        weights_a: shape (n,), at least 0, sum 1.
        weights_b: shape (m,), likewise.
        cost: shape (n, m), finite, float64, contiguous, of any magnitude.
        max_iterations: of the simplex.
    """
    exponent = math.frexp(max(float(cost.max()), -float(cost.min())))[1] - _EXPONENT
    scaled = np.ldexp(cost, -exponent)
    with warnings.catch_warnings():
        # POT's own sources carry invalid escape sequences, which Python reports when it first compiles them; and its
        # warning of a run cut short is a status here, not a line on the screen.
        warnings.simplefilter("ignore")
        import ot

        plan, log = ot.emd(weights_a, weights_b, scaled, numItermax=max_iterations, log=True)
    for_a = log["u"]
    for_b = (scaled - for_a[:, None]).min(axis=0)  # those of the simplex where it is right, and below the cost anyway
    found = float((plan * scaled).sum())
    gap = found - float(for_a @ weights_a + for_b @ weights_b)
    return Transport(
        plan,
        cost=math.ldexp(found, exponent),
        potentials_a=np.ldexp(for_a, exponent),
        potentials_b=np.ldexp(for_b, exponent),
        dual_gap=math.ldexp(gap, exponent),
        converged=log["warning"] is None and gap <= _LARGEST_GAP * float(weights_a @ scaled @ weights_b),
    )


def squared_euclidean(a: FloatArray, b: FloatArray) -> FloatArray:
    """|a_i - b_j|^2 of all pairs, shape (n, m), by differences, so that equal rows give 0."""
    from scipy.spatial.distance import cdist  # type: ignore[import-untyped, unused-ignore]

    return np.asarray(cdist(a, b, "sqeuclidean"), dtype=np.float64)
