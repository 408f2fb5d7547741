"""Parameters and multiply-adds of the discrete network, op by op."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from darts.complexity import count_macs, count_parameters
from darts.discrete_net import DiscreteNetwork
from darts.discretize import discretize
from darts.errors import LimitError
from darts.genotype import Genotype
from darts.macro import STEM_STRIDES, Stem, plan_cells
from darts.primitives import make_op
from darts.space import NUM_INPUTS, SearchSpace

Unit = Literal["parameters", "macs"]
"""Trainable numbers of the network, or multiply-adds for one image."""


@dataclass(frozen=True)
class CostTable:
    """What a discrete network of fixed depth and width costs: its op on each edge, and the rest.

    Attributes:
        space: of the architectures.
        unit: what is counted, as :func:`darts.count_parameters` and :func:`darts.count_macs` do.
        fixed: of all that no genotype changes: stem, preprocessing of the cells, classifier.
        normal: of a primitive on an edge, in all normal cells together, shape (num_edges, num_primitives), whole
            numbers.
        reduction: the same of the reduction cells.
    """

    space: SearchSpace
    unit: Unit
    fixed: int
    normal: Tensor
    reduction: Tensor

    def of(self, genotype: Genotype) -> int:
        """What the network of a genotype costs.

        Raises:
            GenotypeError: it does not belong to the space.
        """
        genotype.check_in(self.space)
        total = self.fixed
        row_of = self.space.row_of
        for reduction, matrix in ((False, self.normal), (True, self.reduction)):
            offered = self.space.primitives(reduction=reduction)
            for primitive, source, target in genotype.edges(reduction=reduction):
                row = row_of[source, target]
                total += int(matrix[row, offered[row].index(primitive)])
        return total


def cost_table(
    unit: Unit,
    space: SearchSpace,
    num_classes: int,
    channels: int,
    num_cells: int,
    image_shape: tuple[int, int, int],
    stem: Stem = "cifar",
) -> CostTable:
    """The costs of the discrete networks of a space at one depth and width.

    Args:
        unit: what is counted.
        space: of the architectures.
        num_classes: outputs of the classifier.
        channels: of each node of the first cells.
        num_cells: cells stacked.
        image_shape: (channels, h, w).
        stem: as :class:`darts.Supernet`'s.

    Raises:
        LimitError: an unknown unit.
        ShapeError: a network that cannot be built.
    """
    if unit not in get_args(Unit):
        raise LimitError(f"the unit of a cost is {unit!r}; expected one of {', '.join(map(repr, get_args(Unit)))}.")
    size = tuple(side // STEM_STRIDES[stem] for side in image_shape[1:])
    totals = {kind: torch.zeros((space.num_edges, space.num_primitives), dtype=torch.int64) for kind in (False, True)}
    for plan in plan_cells(channels, num_cells, space.num_nodes):
        halved = tuple(side // 2 for side in size) if plan.reduction else size
        for row, ((source, _), names) in enumerate(
            zip(space.edges, space.primitives(reduction=plan.reduction), strict=True)
        ):
            strided = plan.reduction and source < NUM_INPUTS
            shape = (plan.channels, *(size if strided else halved))
            for column, name in enumerate(names):
                totals[plan.reduction][row, column] += _op_cost(unit, name, 2 if strided else 1, shape)
        size = halved
    ops = CostTable(space, unit, 0, totals[False], totals[True])
    some = discretize(space, *(torch.zeros(costs.shape) for costs in totals.values()))  # whichever: the rest is fixed
    with torch.device("meta"):
        net = DiscreteNetwork(some, num_classes, channels, num_cells, in_channels=image_shape[0], stem=stem)
    return replace(ops, fixed=_COUNTS[unit](net, image_shape) - ops.of(some))


@cache
def _op_cost(unit: Unit, primitive: str, stride: int, shape: tuple[int, int, int]) -> int:
    if primitive == "none":
        return 0
    with torch.device("meta"):
        op = make_op(primitive, shape[0], stride, affine=True, pool_norm=False)
    return _COUNTS[unit](op, shape)


def _parameters(net: nn.Module, image_shape: tuple[int, int, int]) -> int:
    return count_parameters(net)


_COUNTS: dict[str, Callable[[nn.Module, tuple[int, int, int]], int]] = {"parameters": _parameters, "macs": count_macs}
