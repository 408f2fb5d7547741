"""Entropic couplings: Sinkhorn's algorithm in the log domain, with eps-scaling.

Notation: C is the (n, m) cost, a = 1/n and b = 1/m the weights, eps the regularisation, f and g the dual potentials;
the coupling is P = a b exp((f + g - C) / eps), the minimiser of <P, C> + eps KL(P | a b).

Potentials live in the log domain. Between two log-domain sweeps the coupling that they give is rescaled by plain
matrix-vector products, as long as the scalings stay within bounds: the same iteration at a fraction of the price.
"""

from collections.abc import Iterator

import numpy as np

from ot_select.arrays import FloatArray, check_positive_int
from ot_select.coupling import CouplingResult, check_cost, marginal_error
from ot_select.errors import OptionError

_WARMING_TOLERANCE = 1e-2  # L1 marginal error at which a larger eps has done its work
_WARMING_SWEEPS = 100  # sweeps at most for each larger eps
_LARGEST_SCALING = 1e13  # beyond it scalings are absorbed into the potentials


def entropic_coupling(
    cost: FloatArray, *, regularisation: float, tolerance: float = 1e-3, max_iterations: int = 50_000
) -> CouplingResult:
    """The coupling that minimises <P, C> + eps KL(P | a b).

    Args:
        cost: shape (n, m), finite.
        regularisation: eps, in units of the cost, greater than 0.
        tolerance: L1 marginal error at which to stop.
        max_iterations: sweeps (one update of each potential) in all; when they do not suffice the result says
            ``converged=False``.

    Raises:
        OptionError: the cost is not a finite table, or an option is not positive.
    """
    cost = check_cost(cost)
    for name, number in (("regularisation", regularisation), ("tolerance", tolerance)):
        if not (np.isfinite(number) and number > 0):
            raise OptionError(f"{name} is {number!r}, but a finite number above 0 is needed.")
    budget = check_positive_int("max_iterations", max_iterations)
    f, g = np.zeros(cost.shape[0]), np.zeros(cost.shape[1])
    used = 0
    for eps in _eps_schedule(cost, regularisation):
        final = eps == regularisation
        sweeps = max(1, budget - used) if final else min(_WARMING_SWEEPS, max(1, budget - used))
        # A tenth is kept back for the rounding between the scalings and the coupling rebuilt from the potentials.
        f, g, spent = _solve(cost, f, g, eps, 0.9 * tolerance if final else _WARMING_TOLERANCE, sweeps)
        used += spent
    plan = _plan(cost, f, g, regularisation)
    dual_value = float(f.mean() + g.mean() - regularisation * (plan.sum() - 1.0))
    error = marginal_error(plan)
    return CouplingResult(
        plan=plan,
        cost=float((plan * cost).sum()),
        value=dual_value,
        dual_gap=_primal_value(_round_to_marginals(plan), cost, regularisation) - dual_value,
        marginal_error=error,
        converged=error <= tolerance,
        num_iterations=used,
    )


def _eps_schedule(cost: FloatArray, regularisation: float) -> Iterator[float]:
    """From half the range of the cost down to the regularisation, halved each time."""
    eps = float(cost.max() - cost.min()) / 2
    while eps > regularisation:
        yield eps
        eps /= 2
    yield regularisation


def _solve(
    cost: FloatArray, f: FloatArray, g: FloatArray, eps: float, tolerance: float, budget: int
) -> tuple[FloatArray, FloatArray, int]:
    """Potentials at one eps, and the sweeps they took."""
    used = 0
    while True:
        f = _soft_minimum(cost - g, eps, axis=1)
        g = _soft_minimum(cost - f[:, None], eps, axis=0)
        used += 1
        u, v, error, spent = _rescale(_plan(cost, f, g, eps), tolerance, budget - used)
        f, g = f + eps * np.log(u), g + eps * np.log(v)
        used += spent
        if error <= tolerance or used >= budget:
            return f, g, used


def _rescale(plan: FloatArray, tolerance: float, budget: int) -> tuple[FloatArray, FloatArray, float, int]:
    """Scalings u, v that bring diag(u) P diag(v) towards uniform marginals, the L1 error of its rows, and the sweeps.

    Stops early, with the last scalings that were within bounds, where the next would leave them.
    """
    n, m = plan.shape
    u, v = np.ones(n), np.ones(m)
    spent = 0
    while True:
        rows = plan @ v
        error = float(np.abs(u * rows - 1 / n).sum())
        if error <= tolerance or spent == budget:
            return u, v, error, spent
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            next_u = 1 / (n * rows)
            next_v = 1 / (m * (next_u @ plan))
        if not (_within_bounds(next_u) and _within_bounds(next_v)):
            return u, v, error, spent
        u, v = next_u, next_v
        spent += 1


def _within_bounds(scaling: FloatArray) -> bool:
    return bool(scaling.min() > 1 / _LARGEST_SCALING and scaling.max() < _LARGEST_SCALING)


def _soft_minimum(values: FloatArray, eps: float, axis: int) -> FloatArray:
    """-eps log mean exp(-values / eps): the update of a potential under uniform weights."""
    lowest = values.min(axis=axis, keepdims=True)
    mean = np.exp((lowest - values) / eps).mean(axis=axis)
    return np.asarray(lowest.squeeze(axis) - eps * np.log(mean), dtype=np.float64)


def _plan(cost: FloatArray, f: FloatArray, g: FloatArray, eps: float) -> FloatArray:
    return np.asarray(np.exp((f[:, None] + g - cost) / eps) / cost.size, dtype=np.float64)


def _round_to_marginals(plan: FloatArray) -> FloatArray:
    """A coupling with exactly uniform marginals near the plan.

    Source: Altschuler, Weed & Rigollet 2017, arXiv:1705.09634 (algorithm 2).
    """
    n, m = plan.shape
    plan = plan * np.minimum(1.0, 1 / (n * plan.sum(axis=1)))[:, None]
    plan = plan * np.minimum(1.0, 1 / (m * plan.sum(axis=0)))
    missing_rows, missing_columns = 1 / n - plan.sum(axis=1), 1 / m - plan.sum(axis=0)
    missing = missing_rows.sum()
    return plan + np.outer(missing_rows, missing_columns) / missing if missing > 0 else plan


def _primal_value(plan: FloatArray, cost: FloatArray, eps: float) -> float:
    """<P, C> + eps KL(P | a b) of a coupling."""
    mass = plan[plan > 0]
    return float((plan * cost).sum() + eps * (mass * np.log(mass * plan.size)).sum())
