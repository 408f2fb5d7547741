"""The discrete architecture as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from darts.errors import GenotypeError
from darts.primitives import PRIMITIVES
from darts.space import NUM_INPUTS, SearchSpace

EDGES_PER_NODE = 2
"""Each node of a discrete cell keeps two incoming edges."""

CellGenotype = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Genotype:
    """A discrete architecture: two incoming edges for each node of the normal and of the reduction cell.

    Args:
        normal: ``(primitive, source)`` pairs, two per node in the order of the nodes; within a node the stronger edge
            comes first. Sources 0 and 1 are the cell's inputs, 2 is its first node.
        reduction: the same for the reduction cell.

    Raises:
        GenotypeError: a pair is malformed, its primitive unknown or ``none``, its source not before its node,
            or a node's two edges leave the same source.
    """

    normal: CellGenotype
    reduction: CellGenotype

    def __post_init__(self) -> None:
        for cell in ("normal", "reduction"):
            object.__setattr__(self, cell, _checked_cell(cell, getattr(self, cell)))
        if len(self.normal) != len(self.reduction):
            raise GenotypeError(
                f"the normal cell has {len(self.normal)} edges, the reduction cell {len(self.reduction)}; "
                "both need two per node and the same number of nodes."
            )

    @property
    def num_nodes(self) -> int:
        """Intermediate nodes of a cell."""
        return len(self.normal) // EDGES_PER_NODE

    def cell(self, *, reduction: bool) -> CellGenotype:
        """The edges of one of the two cell types."""
        return self.reduction if reduction else self.normal

    def edges(self, *, reduction: bool) -> tuple[tuple[str, int, int], ...]:
        """``(primitive, source, target)`` of every edge of one of the two cell types."""
        return tuple(
            (primitive, source, NUM_INPUTS + index // EDGES_PER_NODE)
            for index, (primitive, source) in enumerate(self.cell(reduction=reduction))
        )

    @property
    def edge_sets(self) -> tuple[frozenset[tuple[str, int, int]], frozenset[tuple[str, int, int]]]:
        """The edges of the normal and of the reduction cell: equal where architectures are, whatever the order."""
        return frozenset(self.edges(reduction=False)), frozenset(self.edges(reduction=True))

    def count(self, primitive: str) -> int:
        """How many edges of the two cells hold the primitive (for example ``skip_connect``)."""
        return sum(name == primitive for name, _ in self.normal + self.reduction)

    def check_in(self, space: SearchSpace) -> None:
        """Refuse a genotype that no discretization in the space can give.

        Raises:
            GenotypeError: naming the first edge whose primitive the space does not offer there.
        """
        if self.num_nodes != space.num_nodes:
            raise GenotypeError(
                f"the genotype has {self.num_nodes} nodes per cell; space {space.name!r} has {space.num_nodes}."
            )
        for reduction in (False, True):
            offered = dict(zip(space.edges, space.primitives(reduction=reduction), strict=True))
            for primitive, source, target in self.edges(reduction=reduction):
                if primitive not in offered[source, target]:
                    cell = "reduction" if reduction else "normal"
                    raise GenotypeError(
                        f"{cell} cell, edge {source} -> {target}: space {space.name!r} does not offer {primitive!r} "
                        f"there; it offers {list(offered[source, target])}."
                    )

    def to_dict(self) -> dict[str, Any]:
        """The genotype as plain JSON values."""
        return {"normal": [list(edge) for edge in self.normal], "reduction": [list(edge) for edge in self.reduction]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Genotype:
        """The genotype that :meth:`to_dict` wrote; raises GenotypeError when it is not one."""
        missing = [key for key in ("normal", "reduction") if key not in values]
        if missing:
            raise GenotypeError(f"a genotype lacks the keys {missing}; expected what Genotype.to_dict writes.")
        return cls(normal=values["normal"], reduction=values["reduction"])

    def to_json(self) -> str:
        """The genotype as JSON text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Genotype:
        """The genotype that :meth:`to_json` wrote; raises GenotypeError when it is not one."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise GenotypeError(f"a genotype is not valid JSON ({error}); expected what to_json writes.") from error
        if not isinstance(values, dict):
            raise GenotypeError(f"a genotype is a JSON object; found {type(values).__name__}.")
        return cls.from_dict(values)

    def __str__(self) -> str:
        lines = []
        for reduction in (False, True):
            edges = ", ".join(f"{source}->{target} {name}" for name, source, target in self.edges(reduction=reduction))
            lines.append(f"{'reduction' if reduction else 'normal'}: {edges}")
        return "\n".join(lines)


def _checked_cell(cell: str, pairs: Any) -> CellGenotype:
    try:
        edges = tuple((str(primitive), int(source)) for primitive, source in pairs)
    except (TypeError, ValueError) as error:
        raise GenotypeError(
            f"the {cell} cell is {pairs!r}; expected pairs (primitive, source), two per node."
        ) from error
    if not edges or len(edges) % EDGES_PER_NODE:
        raise GenotypeError(f"the {cell} cell has {len(edges)} edges; expected {EDGES_PER_NODE} per node.")
    for index, (primitive, source) in enumerate(edges):
        target = NUM_INPUTS + index // EDGES_PER_NODE
        where = f"the {cell} cell, node {target}"
        if primitive == "none" or primitive not in PRIMITIVES:
            known = sorted(set(PRIMITIVES) - {"none"})
            raise GenotypeError(f"{where} holds {primitive!r}; expected one of {known}.")
        if not 0 <= source < target:
            raise GenotypeError(f"{where} reads state {source}; expected a state before it, 0 to {target - 1}.")
        if index % EDGES_PER_NODE and source == edges[index - 1][1]:
            raise GenotypeError(f"{where} reads state {source} twice; expected two different sources.")
    return edges
