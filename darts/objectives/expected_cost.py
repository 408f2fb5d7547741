"""What the architecture would cost that the mixing weights are about to choose, differentiable in them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from darts.arch_shapes import check_mixing
from darts.discretize import strongest_rows
from darts.errors import LimitError
from darts.objectives.cost_table import CostTable
from darts.objectives.limits import Limit, cost_range
from darts.space import SearchSpace
from darts.supernet import MixingWeights

Penalty = Callable[[MixingWeights], Tensor]
"""Mixing weights -> a scalar that is added to the architecture loss."""


def expected_cost(table: CostTable, mixing: MixingWeights) -> Tensor:
    """Expected cost of the discrete network, a scalar in the table's unit.

    On the edges that :func:`darts.discretize` would keep (for each node the two whose best primitive weighs most) the
    primitive is drawn by the mixing weights, ``none`` left out; all others cost nothing. With one-hot weights it is
    the cost of the network that ``discretize`` gives, as :func:`darts.count_parameters` or :func:`darts.count_macs`
    counts it. It is differentiable in the weights of the edges that are kept, and jumps where another edge is kept.

    Args:
        table: the costs.
        mixing: as ``strengths()`` of a supernet gives them, or points on the simplex.

    Raises:
        ShapeError: mixing weights of another space.

    Source: the expectation over the ops of an edge as ProxylessNAS (Cai et al. 2019, arXiv:1812.00332, equation 5)
    has it for latency.
    """
    check_mixing(table.space, mixing)
    total = mixing.normal.new_tensor(float(table.fixed))
    for reduction, weights, costs in ((False, mixing.normal, table.normal), (True, mixing.reduction, table.reduction)):
        real = _real_primitives(table.space, weights, reduction=reduction)
        mass = (weights * real).sum(dim=-1, keepdim=True)
        # an edge that is all 'none' still holds a primitive if it is kept: the one that discretize takes, its first
        first = torch.zeros_like(weights).scatter_(1, real.argmax(dim=-1, keepdim=True), 1.0)
        chances = torch.where(mass > 0, weights * real / mass.where(mass > 0, 1.0), first)
        kept = strongest_rows(table.space, (weights * real).amax(dim=-1).tolist())
        total = total + (chances * costs.to(weights)).sum(dim=-1)[kept].sum()
    return total


def limit_penalty(limit: Limit, weight: float) -> Penalty:
    """``weight`` times the share by which the expected cost exceeds a limit; nothing below it.

    Args:
        limit: of the discrete network.
        weight: what twice the limit costs, in units of the architecture loss.

    Raises:
        LimitError: a limit that is not positive, or a weight that is negative or not finite.
    """
    _check_weight(weight)
    if limit.most <= 0:
        raise LimitError(f"the limit on {limit.table.unit} is {limit.most}; expected a positive number.")
    return lambda mixing: weight * (expected_cost(limit.table, mixing) / limit.most - 1).relu()


def cost_penalty(table: CostTable, weight: float) -> Penalty:
    """``weight`` times the expected cost, as a share of the most that any architecture of the space costs.

    Args:
        table: the costs.
        weight: of the whole cost, in units of the architecture loss.

    Raises:
        LimitError: a weight that is negative or not finite.
    """
    _check_weight(weight)
    most = cost_range(table)[1]
    return lambda mixing: weight * expected_cost(table, mixing) / most


def _check_weight(weight: float) -> None:
    if not 0 <= weight < float("inf"):
        raise LimitError(f"the weight of a cost is {weight}; expected a finite number, 0 or more.")


def _real_primitives(space: SearchSpace, weights: Tensor, *, reduction: bool) -> Tensor:
    """1 where an edge's primitive is a real one, 0 for ``none``: (num_edges, num_primitives)."""
    rows = [[float(name != "none") for name in names] for names in space.primitives(reduction=reduction)]
    return weights.new_tensor(rows)
