"""Couplings of two weighted sets of points: the common result, and the exact solver.

Notation: C is the (n, m) cost, a and b the weights of the two sets, each of sum 1, P a coupling; its rows should sum
to a and its columns to b.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ot_select.arrays import FloatArray, check_positive_int
from ot_select.cloud import WEIGHT_SUM_TOLERANCE, shares_of_one
from ot_select.distances.network_simplex import MAX_ITERATIONS, transport
from ot_select.errors import OptionError
from ot_select.tensors import as_tensor


@dataclass(frozen=True, eq=False)
class CouplingResult:
    """A coupling and how far it can be trusted.

    Attributes:
        table: shape (n, m), float64, the coupling on the device that it was computed on.
        cost: <P, C>, in units of the cost.
        value: optimal value of the problem solved, in units of the cost: the cost itself when exact; when entropic the
            dual value, a lower bound of min <P, C> + eps KL(P | a b).
        dual_gap: a feasible primal value minus the dual value, in units of the cost: the optimum lies no further away.
            Without meaning where the network simplex did not converge, as its plan is then no coupling.
        marginal_error: L1 distance of the row sums from a plus that of the column sums from b.
        converged: whether the solver met its own test of optimality; of the network simplex, with a dual gap below 1e-9
            of the mean cost.
        num_iterations: Sinkhorn sweeps; ``None`` for the network simplex, which does not tell.
    """

    table: Tensor
    cost: float
    value: float
    dual_gap: float
    marginal_error: float
    converged: bool
    num_iterations: int | None = None

    @property
    def plan(self) -> FloatArray:
        """The coupling as an array, shape (n, m)."""
        return np.asarray(self.table.cpu().numpy(), dtype=np.float64)


def exact_coupling(
    cost: FloatArray | Tensor,
    *,
    weights_a: FloatArray | None = None,
    weights_b: FloatArray | None = None,
    max_iterations: int = MAX_ITERATIONS,
) -> CouplingResult:
    """The coupling of least cost, by POT's network simplex in float64.

    Args:
        cost: shape (n, m), finite, on any device.
        weights_a: shape (n,), above 0 and of sum 1; equal by default.
        weights_b: shape (m,), likewise.
        max_iterations: of the simplex; when they do not suffice the result says ``converged=False``.

    Raises:
        OptionError: the cost is not a finite (n, m) table, weights do not fit it, or there are no iterations.
    """
    table = check_cost(cost).cpu().numpy()
    a = check_weights("weights_a", weights_a, table.shape[0])
    b = check_weights("weights_b", weights_b, table.shape[1])
    budget = check_positive_int("max_iterations", max_iterations)
    solved = transport(a, b, table, max_iterations=budget)
    return CouplingResult(
        table=torch.from_numpy(solved.plan),
        cost=solved.cost,
        value=solved.cost,
        dual_gap=solved.dual_gap,
        marginal_error=float(np.abs(solved.plan.sum(axis=1) - a).sum() + np.abs(solved.plan.sum(axis=0) - b).sum()),
        converged=solved.converged,
    )


def check_cost(cost: FloatArray | Tensor) -> Tensor:
    """The cost as a contiguous float64 table on its own device.

    Raises:
        OptionError: it is not a finite (n, m) table with n and m at least 1.
    """
    try:
        table = as_tensor(cost)
        if table.is_complex():
            raise TypeError("they are complex")
        table = table.to(torch.float64).contiguous()
    except (TypeError, ValueError, RuntimeError) as error:
        raise OptionError(
            f"The costs cannot be read as real numbers ({error}), but a finite table of shape (n, m) is needed."
        ) from error
    finite = torch.isfinite(table)
    if table.ndim != 2 or 0 in table.shape or not finite.all():
        raise OptionError(
            f"The cost has shape {tuple(table.shape)} and {int((~finite).sum())} entries that are not finite, "
            "but a finite table of shape (n, m) is needed. Check the two clouds that it was made from."
        )
    return table


def check_weights(name: str, weights: FloatArray | None, size: int) -> FloatArray:
    """The weights as a float64 vector of sum 1; equal ones for ``None``.

    Raises:
        OptionError: they are not ``size`` finite numbers above 0 of sum 1.
    """
    if weights is None:
        return np.full(size, 1.0 / size)
    try:
        vector = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise OptionError(f"{name} cannot be read as numbers ({error}), but {size} of sum 1 are needed.") from error
    if vector.shape != (size,) or not (np.isfinite(vector) & (vector > 0)).all():
        raise OptionError(
            f"{name} has shape {vector.shape} and {int((~(np.isfinite(vector) & (vector > 0))).sum())} entries that "
            f"are not finite numbers above 0, but {size} such numbers are needed, one for every point."
        )
    if abs(vector.sum() - 1.0) > WEIGHT_SUM_TOLERANCE:
        raise OptionError(
            f"{name} sums to {vector.sum():.9g}, but shares of the mass, which sum to 1, are needed. "
            f"Give {name} / {name}.sum()."
        )
    return shares_of_one(vector)
