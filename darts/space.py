"""Search spaces as data: which primitives each edge of a cell may hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from darts.errors import SpaceError
from darts.primitives import PRIMITIVES

EdgePrimitives = tuple[tuple[str, ...], ...]

NUM_INPUTS = 2
"""A cell reads the outputs of the two cells before it: states 0 and 1."""


def cell_edges(num_nodes: int) -> tuple[tuple[int, int], ...]:
    """Edges ``(source, target)`` of a cell in the order of the rows of alpha.

    Nodes are visited in order, and the sources of a node in order: (0,2) (1,2) (0,3) (1,3) (2,3) ...

    Args:
        num_nodes: intermediate nodes of the cell; states 0 and 1 are its inputs.

    Source: DARTS (Liu et al. 2019, arXiv:1806.09055), section 2.1.
    """
    return tuple((source, target) for target in range(NUM_INPUTS, NUM_INPUTS + num_nodes) for source in range(target))


@dataclass(frozen=True)
class SearchSpace:
    """A cell search space: the primitives of every edge of the normal and of the reduction cell.

    A value: it checks itself when built, compares by content and round-trips through JSON.

    Args:
        name: how people call the space.
        normal: for each edge (see :func:`cell_edges`) the names of its primitives, in the order of alpha's columns.
        reduction: the same for the reduction cell.
        num_nodes: intermediate nodes of a cell.

    Raises:
        SpaceError: an unknown or repeated primitive, a wrong number of edges, edges of unequal length,
            or an edge that offers nothing but ``none``.
    """

    name: str
    normal: EdgePrimitives
    reduction: EdgePrimitives
    num_nodes: int = 4

    def __post_init__(self) -> None:
        object.__setattr__(self, "normal", tuple(tuple(edge) for edge in self.normal))
        object.__setattr__(self, "reduction", tuple(tuple(edge) for edge in self.reduction))
        if self.num_nodes < 1:
            raise SpaceError(f"space {self.name!r} has num_nodes={self.num_nodes}; expected at least 1.")
        for cell, edges in (("normal", self.normal), ("reduction", self.reduction)):
            self._check_edges(cell, edges)

    def _check_edges(self, cell: str, edges: EdgePrimitives) -> None:
        if len(edges) != self.num_edges:
            raise SpaceError(
                f"space {self.name!r}: the {cell} cell lists {len(edges)} edges; {self.num_nodes} nodes have "
                f"{self.num_edges}. List one tuple of primitives per edge, in the order of darts.cell_edges."
            )
        for index, primitives in enumerate(edges):
            where = f"space {self.name!r}, {cell} cell, edge {index}"
            unknown = [name for name in primitives if name not in PRIMITIVES]
            if unknown:
                raise SpaceError(f"{where}: unknown primitives {unknown}; known are {sorted(PRIMITIVES)}.")
            if len(set(primitives)) != len(primitives):
                raise SpaceError(f"{where} repeats a primitive: {list(primitives)}. Name each once.")
            if not set(primitives) - {"none"}:
                raise SpaceError(f"{where} offers {list(primitives)}; it needs a primitive other than 'none'.")
            if len(primitives) != len(self.normal[0]):
                raise SpaceError(
                    f"{where} offers {len(primitives)} primitives, edge 0 of the normal cell {len(self.normal[0])}; "
                    "all edges need the same number, because alpha is one matrix per cell type."
                )

    @classmethod
    def uniform(cls, name: str, primitives: tuple[str, ...], num_nodes: int = 4) -> SearchSpace:
        """The space with the same primitives on every edge of both cells."""
        edges = (tuple(primitives),) * len(cell_edges(num_nodes))
        return cls(name=name, normal=edges, reduction=edges, num_nodes=num_nodes)

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """``(source, target)`` of every edge, in the order of alpha's rows."""
        return cell_edges(self.num_nodes)

    @property
    def nodes(self) -> range:
        """The states that edges enter, in order."""
        return range(NUM_INPUTS, NUM_INPUTS + self.num_nodes)

    @property
    def row_of(self) -> dict[tuple[int, int], int]:
        """Row of alpha of each edge ``(source, target)``."""
        return {edge: row for row, edge in enumerate(self.edges)}

    def rows_into(self, node: int) -> list[int]:
        """Rows of alpha of the edges that enter a node, the lowest source first."""
        return [row for row, (_, target) in enumerate(self.edges) if target == node]

    @property
    def num_edges(self) -> int:
        """Rows of alpha."""
        return len(cell_edges(self.num_nodes))

    @property
    def num_primitives(self) -> int:
        """Columns of alpha."""
        return len(self.normal[0])

    def primitives(self, *, reduction: bool) -> EdgePrimitives:
        """The primitives per edge of one of the two cell types."""
        return self.reduction if reduction else self.normal

    def to_dict(self) -> dict[str, Any]:
        """The space as plain JSON values."""
        return {
            "name": self.name,
            "num_nodes": self.num_nodes,
            "normal": [list(edge) for edge in self.normal],
            "reduction": [list(edge) for edge in self.reduction],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SearchSpace:
        """The space that :meth:`to_dict` wrote.

        Raises:
            SpaceError: a key is missing or of the wrong kind, or the space contradicts itself.
        """
        missing = [key for key in ("name", "num_nodes", "normal", "reduction") if key not in values]
        if missing:
            raise SpaceError(f"a search space lacks the keys {missing}; expected what SearchSpace.to_dict writes.")
        try:
            return cls(
                name=str(values["name"]),
                num_nodes=int(values["num_nodes"]),
                normal=tuple(tuple(edge) for edge in values["normal"]),
                reduction=tuple(tuple(edge) for edge in values["reduction"]),
            )
        except TypeError as error:
            raise SpaceError(
                f"a search space is malformed ({error}); expected what SearchSpace.to_dict writes."
            ) from error

    def to_json(self) -> str:
        """The space as JSON text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> SearchSpace:
        """The space that :meth:`to_json` wrote; raises SpaceError as :meth:`from_dict` does."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise SpaceError(f"a search space is not valid JSON ({error}); expected what to_json writes.") from error
        if not isinstance(values, dict):
            raise SpaceError(f"a search space is a JSON object; found {type(values).__name__}.")
        return cls.from_dict(values)

    def __str__(self) -> str:
        lines = [f"search space {self.name}: {self.num_nodes} nodes, {self.num_edges} edges"]
        for (source, target), normal, reduction in zip(self.edges, self.normal, self.reduction, strict=True):
            lines.append(f"  {source} -> {target}   normal: {', '.join(normal)}   reduction: {', '.join(reduction)}")
        return "\n".join(lines)
