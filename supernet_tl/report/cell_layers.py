"""A cell as layers from left to right, ordered so that few of its lines cross.

A layer holds states, and for every edge that passes it a track, one for all edges from the same state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random

import darts
from darts.space import NUM_INPUTS

OP_HEIGHT, OP_GAP = 24.0, 6.0
NODE_HEIGHT = 30.0
_TRACK_HEIGHT = 12.0
_ITEM_GAP = 14.0
_STARTS = 16
_CROSSING = 400.0  # what a crossing costs, in units of height that lines climb


@dataclass(frozen=True)
class Item:
    """What stands in a layer: a state, or the track on which lines from a state pass."""

    state: int
    is_track: bool


@dataclass(frozen=True)
class Graph:
    """A cell as layers of items."""

    edges: tuple[tuple[str, int, int], ...]
    num_nodes: int
    layer_of: tuple[int, ...]

    @property
    def output(self) -> int:
        """The state that concatenates all nodes."""
        return NUM_INPUTS + self.num_nodes

    def sources(self, state: int) -> tuple[int, ...]:
        """States that a state reads."""
        if state == self.output:
            return tuple(range(NUM_INPUTS, self.output))
        return tuple(source for _, source, target in self.edges if target == state)

    def layers(self) -> list[list[Item]]:
        """Items of every layer, in no particular order yet."""
        layers: list[list[Item]] = [[] for _ in range(self.layer_of[self.output] + 1)]
        for state, layer in enumerate(self.layer_of):
            layers[layer].append(Item(state, is_track=False))
        for state in range(self.output):
            readers = [self.layer_of[other] for other in range(self.output + 1) if state in self.sources(other)]
            for layer in range(self.layer_of[state] + 1, max(readers, default=0)):
                layers[layer].append(Item(state, is_track=True))
        return layers


def graph_of(genotype: darts.Genotype, reduction: bool) -> Graph:
    """A cell's edges, and for each state its layer: one behind the last of those it reads."""
    edges = genotype.edges(reduction=reduction)
    layer_of = [0] * NUM_INPUTS
    for node in range(NUM_INPUTS, NUM_INPUTS + genotype.num_nodes):
        layer_of.append(1 + max(layer_of[source] for _, source, target in edges if target == node))
    return Graph(edges, genotype.num_nodes, (*layer_of, 1 + max(layer_of)))


def ordered_layers(graph: Graph) -> list[list[Item]]:
    """Layers with few crossings: the best of several orders to start from, the same for every drawing of a cell."""
    shuffled = Random(0)
    layers = graph.layers()
    starts = [layers]
    for _ in range(_STARTS - 1):
        starts.append([layers[0], *(shuffled.sample(layer, len(layer)) for layer in layers[1:])])
    return min((_improved(graph, start) for start in starts), key=lambda found: _cost(graph, found))


def _improved(graph: Graph, layers: list[list[Item]]) -> list[list[Item]]:
    """Swap two items of a layer as long as that helps; the inputs stay in their order, so that cells look alike."""
    cost = _cost(graph, layers)
    improved = True
    while improved:
        improved = False
        for layer in layers[1:]:
            for first, second in combinations(range(len(layer)), 2):
                layer[first], layer[second] = layer[second], layer[first]
                changed = _cost(graph, layers)
                if changed < cost - 1e-9:
                    cost, improved = changed, True
                else:
                    layer[first], layer[second] = layer[second], layer[first]
    return layers


def _cost(graph: Graph, layers: Sequence[Sequence[Item]]) -> float:
    """Crossings of lines from different states count; then how steep lines are."""
    centres = [centres_of(layer) for layer in layers]
    total = 0.0
    for layer in range(1, len(layers)):
        hops = [
            (source, centres[layer - 1][_holder(layers[layer - 1], source)], y)
            for source, y in _arrivals(graph, layers, layer, centres)
        ]
        total += sum(abs(start - end) for _, start, end in hops)
        total += _CROSSING * sum(
            (a_start - b_start) * (a_end - b_end) < 0
            for (a, a_start, a_end), (b, b_start, b_end) in combinations(hops, 2)
            if a != b
        )
    return total


def centres_of(layer: Sequence[Item]) -> dict[Item, float]:
    """Height of each item's centre, the layer's own centre being 0."""
    heights = [height_of(item) for item in layer]
    top = -(sum(heights) + _ITEM_GAP * (len(layer) - 1)) / 2
    centres = {}
    for item, height in zip(layer, heights, strict=True):
        centres[item] = top + height / 2
        top += height + _ITEM_GAP
    return centres


def height_of(item: Item) -> float:
    """What an item takes up of its layer."""
    if item.is_track:
        return _TRACK_HEIGHT
    return NODE_HEIGHT if item.state < NUM_INPUTS else 2 * OP_HEIGHT + OP_GAP


def _holder(layer: Sequence[Item], state: int) -> Item:
    """The item of a layer from which lines of a state leave."""
    return next(item for item in layer if item.state == state)


def _arrivals(
    graph: Graph, layers: Sequence[Sequence[Item]], layer: int, centres: Sequence[Mapping[Item, float]]
) -> Iterator[tuple[int, float]]:
    """Lines that enter a layer: the state each comes from, and at which height."""
    for item in layers[layer]:
        y = centres[layer][item]
        if item.is_track:
            yield item.state, y
        elif item.state == graph.output:
            for source in graph.sources(graph.output):
                yield source, y
        elif item.state >= NUM_INPUTS:
            for source, offset in ports_of(graph, item.state, layers[layer - 1], centres[layer - 1]):
                yield source, y + offset


def ports_of(
    graph: Graph, node: int, before: Sequence[Item], centres: Mapping[Item, float]
) -> tuple[tuple[int, float], ...]:
    """Sources of a node, in the order in which their lines arrive, with the heights of their ops about the node's."""
    sources = sorted(graph.sources(node), key=lambda source: (centres[_holder(before, source)], source))
    step = OP_HEIGHT + OP_GAP
    return tuple((source, (index - (len(sources) - 1) / 2) * step) for index, source in enumerate(sources))
