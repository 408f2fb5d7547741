"""What a transfer changed in the architecture that its source had."""

from __future__ import annotations

from dataclasses import dataclass

import darts
from darts.space import NUM_INPUTS


@dataclass(frozen=True)
class NodeChange:
    """A node whose edges are others than in the source.

    Attributes:
        cell: ``normal`` or ``reduction``.
        node: counted from 0.
        before: op and state of each of its edges in the source, as the page writes them.
        after: in the run.
    """

    cell: str
    node: int
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class ArchitectureChange:
    """The difference of two architectures of one shape.

    Attributes:
        num_edges: of both cells.
        num_kept: edges with the same op, source state and node.
        nodes: those that changed.
    """

    num_edges: int
    num_kept: int
    nodes: tuple[NodeChange, ...]


def architecture_change(source: darts.Genotype, found: darts.Genotype) -> ArchitectureChange | None:
    """What changed; None where the two have other numbers of nodes and cannot be laid side by side."""
    if source.num_nodes != found.num_nodes:
        return None
    nodes: list[NodeChange] = []
    kept = total = 0
    for cell, before, after in zip(("normal", "reduction"), source.edge_sets, found.edge_sets, strict=True):
        kept += len(before & after)
        total += len(after)
        for node in range(NUM_INPUTS, NUM_INPUTS + found.num_nodes):
            was, now = ({edge for edge in edges if edge[2] == node} for edges in (before, after))
            if was != now:
                nodes.append(NodeChange(cell, node - NUM_INPUTS, _told(was), _told(now)))
    return ArchitectureChange(total, kept, tuple(nodes))


def _told(edges: set[tuple[str, int, int]]) -> tuple[str, ...]:
    ordered = sorted((source, name) for name, source, _ in edges)
    return tuple(f"{name} of {_state(source)}" for source, name in ordered)


def _state(source: int) -> str:
    return ("c(k-2)", "c(k-1)")[source] if source < NUM_INPUTS else f"node {source - NUM_INPUTS}"
