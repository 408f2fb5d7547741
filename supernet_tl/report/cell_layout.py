"""Where the parts of a cell's drawing stand: layers from left to right, an op's label always in a box of its own.

Every edge ends in the box of its op, and the box stands by its node; labels therefore cannot overlap. Where edges pass
a layer they get a track there, one for all edges from the same state; lines therefore cross no box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import darts
from supernet_tl.report.cell_layers import (
    NODE_HEIGHT,
    OP_HEIGHT,
    Graph,
    Item,
    centres_of,
    graph_of,
    height_of,
    ordered_layers,
    ports_of,
)
from supernet_tl.report.state_names import state_name

_CHARACTER = 6.9  # width of a letter in an op's box, generously
_OP_PADDING = 9.0
_STUB = 12.0  # between an op's box and its node
_NODE_WIDTH = {"input": 46.0, "node": 30.0, "output": 58.0}
_LAYER_GAP = 58.0
_MARGIN = 6.0


@dataclass(frozen=True)
class Box:
    """A rectangle: centre and size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        """Its left edge."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        """Its upper edge; y grows downwards."""
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height / 2


@dataclass(frozen=True)
class StateBox:
    """A state of the cell: an input, a node or the output.

    Attributes:
        name: as :func:`state_name` gives it.
        kind: ``input``, ``node`` or ``output``.
        box: where it stands.
    """

    name: str
    kind: str
    box: Box


@dataclass(frozen=True)
class OpBox:
    """The op on an edge, left of the node it feeds.

    Attributes:
        primitive: name of the op.
        source: state it reads.
        target: state it feeds.
        box: where it stands.
    """

    primitive: str
    source: int
    target: int
    box: Box


@dataclass(frozen=True)
class CellDrawing:
    """A drawing in its own units, which are CSS pixels at full size.

    Attributes:
        width: of the drawing.
        height: of the drawing.
        states: inputs, nodes, output.
        ops: one an edge of the genotype.
        lines: SVG paths of the edges.
        description: the cell in words.
    """

    width: float
    height: float
    states: tuple[StateBox, ...]
    ops: tuple[OpBox, ...]
    lines: tuple[str, ...]
    description: str


def cell_drawing(genotype: darts.Genotype, *, reduction: bool) -> CellDrawing:
    """Lay out the normal or the reduction cell of a genotype."""
    graph = graph_of(genotype, reduction)
    layers = ordered_layers(graph)
    return _placed(graph, layers, _description(graph, reduction))


def _placed(graph: Graph, layers: Sequence[Sequence[Item]], description: str) -> CellDrawing:
    centres = [centres_of(layer) for layer in layers]
    middle = _MARGIN + max(abs(centre) + height_of(item) / 2 for layer in centres for item, centre in layer.items())
    op_width = max(len(primitive) for primitive, _, _ in graph.edges) * _CHARACTER + 2 * _OP_PADDING
    states: dict[int, StateBox] = {}
    ops: list[OpBox] = []
    lines: list[str] = []
    leaving: dict[int, tuple[float, float]] = {}
    left = _MARGIN
    for layer, items in enumerate(layers):
        kind = "input" if layer == 0 else "output" if layer == len(layers) - 1 else "node"
        op_space = op_width + _STUB if kind == "node" else 0.0
        right = left + op_space + _NODE_WIDTH[kind]
        next_leaving = dict(leaving)
        for item in items:
            y = middle + centres[layer][item]
            if item.is_track:
                lines.append(_curve(leaving[item.state], (left, y)) + f" H{right:.1f}")
                next_leaving[item.state] = (right, y)
                continue
            node = Box(right - _NODE_WIDTH[kind] / 2, y, _NODE_WIDTH[kind], NODE_HEIGHT)
            states[item.state] = StateBox(state_name(item.state, graph.num_nodes), kind, node)
            next_leaving[item.state] = (node.right, y)
            if kind == "output":
                lines += [_curve(leaving[source], (left, y)) for source in graph.sources(item.state)]
            elif kind == "node":
                ports = ports_of(graph, item.state, layers[layer - 1], centres[layer - 1])
                for source, offset in ports:
                    primitive = next(name for name, start, end in graph.edges if (start, end) == (source, item.state))
                    op = Box(left + op_width / 2, y + offset, op_width, OP_HEIGHT)
                    ops.append(OpBox(primitive, source, item.state, op))
                    lines.append(_curve(leaving[source], (left, op.y)))
                    lines.append(_curve((op.right, op.y), (node.left, y)))
        leaving = next_leaving
        left = right + _LAYER_GAP
    return CellDrawing(
        width=left - _LAYER_GAP + _MARGIN,
        height=2 * middle,
        states=tuple(states[state] for state in sorted(states)),
        ops=tuple(sorted(ops, key=lambda op: (op.target, op.source))),
        lines=tuple(lines),
        description=description,
    )


def _curve(start: tuple[float, float], end: tuple[float, float]) -> str:
    """A line that leaves and arrives level."""
    (x1, y1), (x2, y2) = start, end
    bend = (x1 + x2) / 2
    return f"M{x1:.1f} {y1:.1f} C{bend:.1f} {y1:.1f} {bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"


def _description(graph: Graph, reduction: bool) -> str:
    edges = "; ".join(
        f"{state_name(source, graph.num_nodes)} to {state_name(target, graph.num_nodes)} by {primitive}"
        for primitive, source, target in graph.edges
    )
    return f"{'Reduction' if reduction else 'Normal'} cell: {edges}. The output concatenates all nodes."
