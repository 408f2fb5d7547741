"""Couplings of two sets of points of equal weight: the common result, and the exact solver.

Notation: C is the (n, m) cost, P a coupling; its rows should sum to 1/n and its columns to 1/m.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from ot_select.arrays import FloatArray
from ot_select.errors import OptionError


@dataclass(frozen=True, eq=False)
class CouplingResult:
    """A coupling and how far it can be trusted.

    Attributes:
        plan: shape (n, m), the coupling.
        cost: <P, C>, in units of the cost.
        value: optimal value of the problem solved, in units of the cost: the cost itself when exact; when entropic the
            dual value, a lower bound of min <P, C> + eps KL(P | uniform).
        dual_gap: a feasible primal value minus the dual value, in units of the cost: the optimum lies no further away.
            Without meaning where the network simplex did not converge, as its plan is then no coupling.
        marginal_error: L1 distance of the row sums from 1/n plus that of the column sums from 1/m.
        converged: whether the solver met its own test of optimality.
        num_iterations: Sinkhorn sweeps; ``None`` for the network simplex, which does not tell.
    """

    plan: FloatArray
    cost: float
    value: float
    dual_gap: float
    marginal_error: float
    converged: bool
    num_iterations: int | None = None


def exact_coupling(cost: FloatArray, *, max_iterations: int = 100_000_000) -> CouplingResult:
    """The coupling of least cost, by POT's network simplex in float64.

    Args:
        cost: shape (n, m), finite.
        max_iterations: of the simplex; when they do not suffice the result says ``converged=False``.

    Raises:
        OptionError: the cost is not a finite (n, m) table.
    """
    cost = check_cost(cost)
    with warnings.catch_warnings():
        # POT's own sources carry invalid escape sequences, which Python reports when it first compiles them; and its
        # warning of a run cut short is a status here, not a line on the screen.
        warnings.simplefilter("ignore")
        import ot

        n, m = cost.shape
        plan, log = ot.emd(np.full(n, 1 / n), np.full(m, 1 / m), cost, numItermax=max_iterations, log=True)
    value = float((plan * cost).sum())
    return CouplingResult(
        plan=plan,
        cost=value,
        value=value,
        dual_gap=value - float(log["u"].mean() + log["v"].mean()),
        marginal_error=marginal_error(plan),
        converged=log["warning"] is None,
    )


def marginal_error(plan: FloatArray) -> float:
    """L1 distance of both marginals from the uniform ones."""
    n, m = plan.shape
    return float(np.abs(plan.sum(axis=1) - 1 / n).sum() + np.abs(plan.sum(axis=0) - 1 / m).sum())


def check_cost(cost: FloatArray) -> FloatArray:
    """The cost as a contiguous float64 table.

    Raises:
        OptionError: it is not a finite (n, m) table with n and m at least 1.
    """
    table = np.ascontiguousarray(cost, dtype=np.float64)
    if table.ndim != 2 or 0 in table.shape or not np.isfinite(table).all():
        raise OptionError(
            f"The cost has shape {table.shape} and {int((~np.isfinite(table)).sum())} entries that are not finite, "
            "but a finite table of shape (n, m) is needed. Check the two clouds that it was made from."
        )
    return table
