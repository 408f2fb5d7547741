"""Entropic couplings: Sinkhorn's algorithm in the log domain, with eps-scaling.

Notation: C is the (n, m) cost, a and b the weights, eps the regularisation, f and g the dual potentials; the coupling
is P = a b exp((f + g - C) / eps), the minimiser of <P, C> + eps KL(P | a b).

Potentials live in the log domain. Between two log-domain sweeps the coupling that they give is rescaled by plain
matrix-vector products, as long as the scalings stay within bounds: the same iteration at a fraction of the price.
Everything is float64 and stays on the device of the cost.

A symmetric problem, such as a cloud against itself, has one potential for both sides. Setting it to the mean of its old
value and its update, rather than going to and fro, takes tens of sweeps where the other takes tens of thousands.

Source: Feydy et al. 2019, arXiv:1810.08278 (the averaged update of symmetric problems).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ot_select.arrays import FloatArray, check_positive_int
from ot_select.distances.coupling import CouplingResult, check_cost, check_weights
from ot_select.errors import OptionError

_WARMING_TOLERANCE = 1e-2  # L1 marginal error at which a larger eps has done its work
_WARMING_SWEEPS = 100  # sweeps at most for each larger eps
_LARGEST_SCALING = 1e13  # beyond it scalings are absorbed into the potentials


def entropic_coupling(
    cost: FloatArray | Tensor,
    *,
    regularisation: float,
    tolerance: float = 1e-3,
    max_iterations: int = 50_000,
    weights_a: FloatArray | None = None,
    weights_b: FloatArray | None = None,
    symmetric: bool = False,
) -> CouplingResult:
    """The coupling that minimises <P, C> + eps KL(P | a b).

    Args:
        cost: shape (n, m), finite; a tensor is worked on where it lies.
        regularisation: eps, in units of the cost, greater than 0.
        tolerance: L1 marginal error at which to stop.
        max_iterations: sweeps (one update of each potential) in all; when they do not suffice the result says
            ``converged=False``.
        weights_a: shape (n,), above 0 and of sum 1; equal by default.
        weights_b: shape (m,), likewise.
        symmetric: the caller's word that cost and transposed cost, and both weights, are equal up to rounding.

    Raises:
        OptionError: the cost is not a finite table, weights do not fit it, or an option is not positive.
    """
    table = check_cost(cost)
    check_positive("regularisation", regularisation)
    check_positive("tolerance", tolerance)
    budget = check_positive_int("max_iterations", max_iterations)
    problem = _Problem(
        table,
        torch.as_tensor(check_weights("weights_a", weights_a, table.shape[0]), device=table.device),
        torch.as_tensor(check_weights("weights_b", weights_b, table.shape[1]), device=table.device),
    )
    f, g = torch.zeros_like(problem.a), torch.zeros_like(problem.b)
    used = 0
    for eps in _eps_schedule(table, regularisation):
        final = eps == regularisation
        sweeps = max(1, budget - used) if final else min(_WARMING_SWEEPS, max(1, budget - used))
        # A tenth is kept back for the rounding between the scalings and the coupling rebuilt from the potentials.
        goal = 0.9 * tolerance if final else _WARMING_TOLERANCE
        if symmetric:
            f, spent = _solve_symmetric(problem, f, eps, goal, sweeps)
            g = f
        else:
            f, g, spent = _solve(problem, f, g, eps, goal, sweeps)
        used += spent
    plan = problem.plan(f, g, regularisation)
    dual_value = float(f @ problem.a + g @ problem.b - regularisation * (plan.sum() - 1.0))
    error = float((plan.sum(dim=1) - problem.a).abs().sum() + (plan.sum(dim=0) - problem.b).abs().sum())
    return CouplingResult(
        table=plan,
        cost=float((plan * table).sum()),
        value=dual_value,
        dual_gap=problem.primal_value(problem.rounded(plan), regularisation) - dual_value,
        marginal_error=error,
        converged=error <= tolerance,
        num_iterations=used,
    )


def check_positive(name: str, number: object) -> None:
    """Refuse what is no finite number above 0.

    Raises:
        OptionError: as said.
    """
    if isinstance(number, bool) or not isinstance(number, int | float | np.number) or not 0 < number < np.inf:
        raise OptionError(f"{name} is {number!r}, but a finite number above 0 is needed.")


@dataclass(frozen=True, eq=False)
class _Problem:
    """A cost, shape (n, m), and the weights that a coupling must have."""

    cost: Tensor
    a: Tensor
    b: Tensor

    def plan(self, f: Tensor, g: Tensor, eps: float) -> Tensor:
        exponent = (f / eps + self.a.log())[:, None] + (g / eps + self.b.log())
        return exponent.sub_(self.cost, alpha=1 / eps).exp_()

    def row_sweep(self, g: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        """The f that makes the row sums right, and the plan that it gives with g."""
        plan = (g / eps + self.b.log()).sub(self.cost, alpha=1 / eps)
        highest = plan.amax(dim=1)
        plan.sub_(highest[:, None]).exp_()
        sums = plan.sum(dim=1)
        return (highest + sums.log()) * -eps, plan.mul_((self.a / sums)[:, None])

    def best_g(self, f: Tensor, eps: float) -> Tensor:
        """The g that makes the column sums right."""
        return torch.logsumexp((f / eps + self.a.log())[:, None].sub(self.cost, alpha=1 / eps), dim=0).mul_(-eps)

    def rounded(self, plan: Tensor) -> Tensor:
        """A coupling near the plan whose marginals are right.

        Source: Altschuler, Weed & Rigollet 2017, arXiv:1705.09634 (algorithm 2).
        """
        plan = plan * (self.a / plan.sum(dim=1)).clamp(max=1)[:, None]
        plan *= (self.b / plan.sum(dim=0)).clamp(max=1)
        missing_rows = (self.a - plan.sum(dim=1)).clamp(min=0)
        missing_columns = (self.b - plan.sum(dim=0)).clamp(min=0)
        missing = missing_columns.sum()
        return plan.addr_(missing_rows, missing_columns / missing) if missing > 0 else plan

    def primal_value(self, plan: Tensor, eps: float) -> float:
        """<P, C> + eps KL(P | a b) of a coupling whose marginals are right."""
        cost = float((plan * self.cost).sum())
        entropy = plan.clamp(min=torch.finfo(plan.dtype).tiny).log_().mul_(plan).sum()
        return cost + eps * float(entropy - self.a @ self.a.log() - self.b @ self.b.log())


def _eps_schedule(cost: Tensor, regularisation: float) -> Iterator[float]:
    """From half the range of the cost down to the regularisation, halved each time."""
    eps = float(cost.max() - cost.min()) / 2
    while eps > regularisation:
        yield eps
        eps /= 2
    yield regularisation


def _solve(
    problem: _Problem, f: Tensor, g: Tensor, eps: float, tolerance: float, budget: int
) -> tuple[Tensor, Tensor, int]:
    """Potentials at one eps, and the sweeps they took."""
    used = 0
    while True:
        f, plan = problem.row_sweep(g, eps)
        v = problem.b / plan.sum(dim=0)
        if not _within_bounds(v):
            g = problem.best_g(f, eps)
            plan, v = problem.plan(f, g, eps), torch.ones_like(v)
        used += 1
        u, v, error, spent = _rescale(problem, plan, v, tolerance, budget - used)
        f, g = f + eps * u.log(), g + eps * v.log()
        used += spent
        if error <= tolerance or used >= budget:
            return f, g, used


def _solve_symmetric(problem: _Problem, f: Tensor, eps: float, tolerance: float, budget: int) -> tuple[Tensor, int]:
    """The one potential of a symmetric problem at one eps, and the sweeps it took."""
    used = 0
    while True:
        f = (f + problem.row_sweep(f, eps)[0]) / 2
        used += 1
        plan, u = problem.plan(f, f, eps), torch.ones_like(f)
        while True:
            sums = u * (plan @ u)
            if used >= budget or 2 * float((sums - problem.a).abs().sum()) <= tolerance:
                return f + eps * u.log(), used
            next_u = u * (problem.a / sums).sqrt()
            if not _within_bounds(next_u):
                break
            u = next_u
            used += 1
        f = f + eps * u.log()


def _rescale(
    problem: _Problem, plan: Tensor, v: Tensor, tolerance: float, budget: int
) -> tuple[Tensor, Tensor, float, int]:
    """Scalings u, v that bring diag(u) P diag(v) towards its marginals, the L1 error of its rows, and the sweeps.

    Starts from the v given. Stops early, with the last scalings that were within bounds, where the next would leave
    them.
    """
    u = torch.ones_like(problem.a)
    spent = 0
    while True:
        rows = plan @ v
        error = float((u * rows - problem.a).abs().sum())
        if error <= tolerance or spent == budget:
            return u, v, error, spent
        next_u = problem.a / rows
        next_v = problem.b / (next_u @ plan)
        if not (_within_bounds(next_u) and _within_bounds(next_v)):
            return u, v, error, spent
        u, v = next_u, next_v
        spent += 1


def _within_bounds(scaling: Tensor) -> bool:
    lowest, highest = torch.aminmax(scaling)
    return bool((lowest > 1 / _LARGEST_SCALING) & (highest < _LARGEST_SCALING))
