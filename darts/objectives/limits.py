"""The best architecture that keeps within limits."""

from __future__ import annotations

import bisect
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import NamedTuple

import torch
from torch import Tensor

from darts.discretize import strongest
from darts.errors import LimitError
from darts.genotype import EDGES_PER_NODE, CellGenotype, Genotype
from darts.objectives.cost_table import CostTable
from darts.space import SearchSpace
from darts.supernet import MixingWeights


@dataclass(frozen=True)
class Limit:
    """The most that a discrete network may cost.

    Attributes:
        table: the costs of the space's ops.
        most: in the table's unit.
    """

    table: CostTable
    most: int


def cost_range(table: CostTable) -> tuple[int, int]:
    """What the cheapest and the dearest architecture of the space cost."""
    least = most = table.fixed
    for reduction, matrix in ((False, table.normal), (True, table.reduction)):
        names = table.space.primitives(reduction=reduction)
        real = [
            [cost for cost, name in zip(row, offered, strict=True) if name != "none"]
            for row, offered in zip(matrix.tolist(), names, strict=True)
        ]
        for node in table.space.nodes:
            incoming = [real[row] for row in table.space.rows_into(node)]
            least += sum(sorted(min(costs) for costs in incoming)[:EDGES_PER_NODE])
            most += sum(sorted((max(costs) for costs in incoming), reverse=True)[:EDGES_PER_NODE])
    return least, most


def check_limits(limits: Sequence[Limit]) -> None:
    """Refuse limits that no architecture of the space keeps, each alone or both together.

    Args:
        limits: one or two, each of another unit, in one space.

    Raises:
        LimitError: with the least that can be asked for.
    """
    _space_of(limits)
    for limit in limits:
        least, most = cost_range(limit.table)
        if limit.most < least:
            raise LimitError(
                f"no network of space {limit.table.space.name!r} at this depth and width has {limit.most:,} "
                f"{limit.table.unit} or fewer: they have from {least:,} to {most:,}. Raise the limit to {least:,} or "
                "more, or take fewer channels or cells."
            )
    equal = [torch.ones_like(costs) for costs in (limits[0].table.normal, limits[0].table.reduction)]
    if len(limits) > 1 and not _best_choices(limits, equal):
        told = " and ".join(f"{limit.most:,} {limit.table.unit}" for limit in limits)
        raise LimitError(
            f"each of the limits {told} can be kept alone, but no network of space {limits[0].table.space.name!r} "
            "keeps both. Raise one of them."
        )


def strongest_within(limits: Sequence[Limit], strengths: MixingWeights) -> Genotype:
    """The architecture of greatest weight within limits.

    Its weight is the sum over its edges of the strength of what they hold. Without limits that is
    :func:`darts.strongest`, and so it is where that architecture is within them; otherwise it is found exactly.

    Args:
        limits: one or two, each of another unit, in one space.
        strengths: as ``strengths()`` of a supernet gives them.

    Raises:
        LimitError: no limit, limits of one unit or of different spaces, or no architecture within them.
        ShapeError: strengths of another shape, or not finite.
    """
    space = _space_of(limits)
    plain = strongest(space, strengths)
    if all(limit.table.of(plain) <= limit.most for limit in limits):
        return plain
    check_limits(limits)
    weights = [matrix.detach().cpu() for matrix in strengths]
    nodes = _best_choices(limits, weights)[0].nodes()
    return Genotype(_cell(nodes[: space.num_nodes]), _cell(nodes[space.num_nodes :]))


def _space_of(limits: Sequence[Limit]) -> SearchSpace:
    units = [limit.table.unit for limit in limits]
    spaces = {limit.table.space for limit in limits}
    if len(spaces) != 1 or len(set(units)) != len(units):
        names = sorted(space.name for space in spaces)
        raise LimitError(
            f"limits on {units} in the spaces {names} were given; expected one or two, each of another unit, in one "
            "search space."
        )
    return spaces.pop()


_Edge = tuple[float, str, int]
"""Weight, primitive and source."""


class _Choice(NamedTuple):
    """A choice for some of the nodes.

    Attributes:
        costs: of its edges, by limit; 0 in place of a second limit that is not there.
        weight: sum of its edges'.
        edges: of the last node decided; the stronger first.
        before: the choice for the nodes before.
    """

    costs: tuple[int, int]
    weight: float
    edges: tuple[_Edge, ...] = ()
    before: _Choice | None = None

    def nodes(self) -> list[tuple[_Edge, ...]]:
        """The edges of every node, in order."""
        return [] if self.before is None else [*self.before.nodes(), self.edges]


def _best_choices(limits: Sequence[Limit], weights: Sequence[Tensor]) -> list[_Choice]:
    """The choices within the limits that no other beats in weight at no greater costs, the heaviest first.

    One node is decided after the other. Of partial choices only those are kept that no other beats, and from which the
    limits can still be kept: none of the others can become the best.
    """
    nodes = [_undominated(options) for options in _options_of_nodes(limits, weights)]
    room = [limit.most - limit.table.fixed for limit in limits] + [0] * (2 - len(limits))
    floors = [tuple(min(option.costs[unit] for option in options) for unit in range(2)) for options in nodes]
    decided = [_Choice((0, 0), 0.0)]
    for index, options in enumerate(nodes):
        left = [room[unit] - sum(floor[unit] for floor in floors[index + 1 :]) for unit in range(2)]
        decided = _undominated(
            _Choice(costs, before.weight + option.weight, option.edges, before)
            for before in decided
            for option in options
            if (costs := (before.costs[0] + option.costs[0], before.costs[1] + option.costs[1]))[0] <= left[0]
            and costs[1] <= left[1]
        )
    return decided


def _undominated(choices: Iterable[_Choice]) -> list[_Choice]:
    """Those that no other beats, the heaviest first; of equals the first."""
    kept: list[_Choice] = []
    stairs: list[tuple[int, int]] = []  # costs of those kept: the first rises, the second falls
    for choice in sorted(choices, key=lambda one: (-one.weight, one.costs)):
        at = bisect.bisect_right(stairs, (choice.costs[0], sys.maxsize))
        if at and stairs[at - 1][1] <= choice.costs[1]:
            continue
        end = at
        while end < len(stairs) and stairs[end][1] >= choice.costs[1]:
            end += 1
        stairs[at:end] = [choice.costs]
        kept.append(choice)
    return kept


def _options_of_nodes(limits: Sequence[Limit], weights: Sequence[Tensor]) -> Iterator[list[_Choice]]:
    """What each node may hold, the normal cell's nodes first: two of its edges with a primitive on each."""
    space = limits[0].table.space
    for reduction in (False, True):
        offered = space.primitives(reduction=reduction)
        tables = [(limit.table.reduction if reduction else limit.table.normal).tolist() for limit in limits]
        heavy = weights[reduction].tolist()
        for node in space.nodes:
            incoming = [
                [
                    ((heavy[row][column], name, space.edges[row][0]), [table[row][column] for table in tables])
                    for column, name in enumerate(offered[row])
                    if name != "none"
                ]
                for row in space.rows_into(node)
            ]
            yield [_node(first, second) for pair in combinations(incoming, 2) for first, second in product(*pair)]


def _node(first: tuple[_Edge, list[int]], second: tuple[_Edge, list[int]]) -> _Choice:
    costs = [mine + other for mine, other in zip(first[1], second[1], strict=True)] + [0]
    edges = tuple(sorted((first[0], second[0]), key=lambda edge: -edge[0]))
    return _Choice((costs[0], costs[1]), first[0][0] + second[0][0], edges)


def _cell(nodes: Sequence[tuple[_Edge, ...]]) -> CellGenotype:
    return tuple((primitive, source) for edges in nodes for _, primitive, source in edges)
