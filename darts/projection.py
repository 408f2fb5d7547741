"""Perturbation-based selection (DARTS-PT): what an op is worth is what the supernet loses without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from darts.errors import DartsError
from darts.genotype import EDGES_PER_NODE, CellGenotype, Genotype
from darts.space import SearchSpace
from darts.supernet import MixingWeights, Supernet


class Judgement(NamedTuple):
    """How well the supernet does with some mixing weights, on images that the weights are not trained on.

    Attributes:
        accuracy: a fraction.
        loss: mean cross-entropy; decides between equal accuracies.
    """

    accuracy: float
    loss: float

    @property
    def rank(self) -> tuple[float, float]:
        """Greater is better."""
        return self.accuracy, -self.loss


Judge = Callable[[MixingWeights], Judgement]
"""Mixing weights -> how well the supernet does with them, in evaluation mode."""

Tune = Callable[[MixingWeights, int], None]
"""Train the supernet's weights with these mixing weights; how many decisions were made before is told too."""


@dataclass(frozen=True)
class Decision:
    """One decision of the selection.

    Attributes:
        reduction: about the reduction cells; the normal ones otherwise.
        target: the node that the edges enter.
        kept: the primitive that its edge keeps, or the two sources that the node keeps.
        without: how the supernet did without each candidate: by the name of a primitive of the edge, or by the source
            of an edge of the node.
        source: of the edge; None where sources of a node were chosen.
    """

    reduction: bool
    target: int
    kept: str | tuple[int, ...]
    without: Mapping[str, Judgement]
    source: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The decision as plain JSON values."""
        return {
            "cell": "reduction" if self.reduction else "normal",
            "target": self.target,
            "source": self.source,
            "kept": self.kept if isinstance(self.kept, str) else list(self.kept),
            "without": {name: found._asdict() for name, found in self.without.items()},
        }


@dataclass(frozen=True)
class Projection:
    """A discrete architecture and how it came about.

    Attributes:
        genotype: the architecture; of a node's edges that comes first whose loss costs more.
        mixing: one-hot on the edges that are kept, zero elsewhere; the supernet with them is the discrete network.
        decisions: in the order in which they were made.
    """

    genotype: Genotype
    mixing: MixingWeights
    decisions: tuple[Decision, ...] = field(repr=False)


def num_decisions(space: SearchSpace) -> int:
    """Rounds of :func:`select_by_perturbation`: one for each edge, then one for each node with edges to lose."""
    return space.num_edges + len(_choosing_nodes(space))


def select_by_perturbation(
    net: Supernet, judge: Judge, *, tune: Tune | None = None, generator: torch.Generator | None = None
) -> Projection:
    """Choose the discrete architecture by what the supernet loses without each op, edge after edge.

    In random order, each edge keeps the op without which the supernet does worst; from then on the edge holds that op
    alone. Then each node, in random order, keeps the two edges without which it does worst. Normal and reduction cells
    take a decision each in a round, and the supernet may be tuned after every round but the last. ``none`` is never
    chosen, and it is gone once its edge is decided.

    Args:
        net: a searched supernet; its alphas stay, its weights change by ``tune`` alone. In the mixing weights that
            ``judge`` gets, a removed op's weight is zero and the others stay as they are.
        judge: tells how the supernet does; :class:`Judgement`.
        tune: trains the weights between the rounds; no tuning when absent.
        generator: of the orders; the global one when absent.

    Raises:
        DartsError: a judgement that is not finite.

    Source: Wang et al. 2021, arXiv:2108.04392, algorithm 1 (edges decided in random order; the supernet's accuracy
    decides, and here its loss between equal accuracies).
    """
    state = _State(net.space, net.mixing_weights(), judge)
    decisions: list[Decision] = []
    rounds = num_decisions(net.space)
    orders = [_shuffled(list(range(net.space.num_edges)), generator) for _ in range(2)]
    topologies = [_shuffled(_choosing_nodes(net.space), generator) for _ in range(2)]
    for number in range(rounds):
        for reduction in (False, True):
            if number < net.space.num_edges:
                decisions.append(state.decide_op(reduction, orders[reduction][number]))
            else:
                target = topologies[reduction][number - net.space.num_edges]
                decisions.append(state.decide_sources(reduction, target))
        if tune is not None and number < rounds - 1:
            tune(state.mixing(), number + 1)
    return Projection(state.genotype(), state.mixing(), tuple(decisions))


class _State:
    """The mixing weights as they become one-hot."""

    def __init__(self, space: SearchSpace, mixing: MixingWeights, judge: Judge) -> None:
        self.space = space
        self.weights = MixingWeights(*(matrix.detach().clone() for matrix in mixing))  # by whether cells reduce
        self.judge = judge
        self.kept: dict[tuple[bool, int], tuple[int, ...]] = {}

    def mixing(self) -> MixingWeights:
        return MixingWeights(*(matrix.clone() for matrix in self.weights))

    def decide_op(self, reduction: bool, edge: int) -> Decision:
        names = self.space.primitives(reduction=reduction)[edge]
        columns = [column for column, name in enumerate(names) if name != "none"]
        without = {names[column]: self._without(reduction, edge, column) for column in columns}
        kept = min(without, key=lambda name: without[name].rank)
        row = torch.zeros_like(self.weights[reduction][edge])
        row[names.index(kept)] = 1.0
        self.weights[reduction][edge] = row
        source, target = self.space.edges[edge]
        return Decision(reduction, target, kept, without, source)

    def decide_sources(self, reduction: bool, target: int) -> Decision:
        rows = {self.space.edges[row][0]: row for row in self.space.rows_into(target)}
        without = {source: self._without(reduction, row, slice(None)) for source, row in rows.items()}
        weakest_last = sorted(without, key=lambda source: without[source].rank)
        kept = tuple(weakest_last[:EDGES_PER_NODE])
        for source in weakest_last[EDGES_PER_NODE:]:
            self.weights[reduction][rows[source]] = 0.0
        self.kept[reduction, target] = kept
        return Decision(reduction, target, kept, {str(source): found for source, found in without.items()})

    def genotype(self) -> Genotype:
        return Genotype(self._cell(False), self._cell(True))

    def _cell(self, reduction: bool) -> CellGenotype:
        names, row_of = self.space.primitives(reduction=reduction), self.space.row_of
        columns = self.weights[reduction].argmax(dim=1).tolist()
        return tuple(
            (names[row][columns[row]], source)
            for target in self.space.nodes
            for source in self.kept.get((reduction, target), tuple(range(EDGES_PER_NODE)))
            for row in (row_of[source, target],)
        )

    def _without(self, reduction: bool, row: int, columns: int | slice) -> Judgement:
        held = self.weights[reduction][row].clone()
        self.weights[reduction][row, columns] = 0.0
        found = self.judge(self.mixing())
        self.weights[reduction][row] = held
        if not torch.isfinite(torch.tensor(found)).all():
            raise DartsError(
                f"the supernet was judged {found} without an op; expected finite numbers. It diverged: lower the rate "
                "of tuning, or search again."
            )
        return found


def _choosing_nodes(space: SearchSpace) -> list[int]:
    """Nodes with more edges than they may keep."""
    return [node for node in space.nodes if len(space.rows_into(node)) > EDGES_PER_NODE]


def _shuffled(items: list[int], generator: torch.Generator | None) -> list[int]:
    return [items[index] for index in torch.randperm(len(items), generator=generator).tolist()]
