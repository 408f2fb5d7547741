"""The distances that choices were made by, as a heat map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from supernet_tl.report.dendrogram import dendrogram
from supernet_tl.report.evaluation.facts import Facts, Values
from supernet_tl.report.matrix import Cell, Heading, Matrix, matrix
from supernet_tl.report.wording import decimals_for, fixed, significant


@dataclass(frozen=True)
class DistanceMap:
    """The heat map with its scale.

    Attributes:
        matrix: targets down, sources across.
        distance: which one it is.
        nearest: the smallest.
        farthest: the largest.
    """

    matrix: Matrix
    distance: str
    nearest: str
    farthest: str


def distance_map(facts: Facts) -> DistanceMap | None:
    """Distances of every target from its sources; None where no selection measured any."""
    distances = facts.summary["distances"] or {}
    cells = {(cell["target"], cell["source"]): cell for cell in distances.get("cells", ())}
    if not cells:
        return None
    names = _ordered(distances["names"], cells)
    targets = [name for name in names if any(target == name for target, _ in cells)]
    apart = [cell["distance"] or 0.0 for cell in cells.values()]
    nearest, farthest = min(apart), max(apart)
    span, decimals = farthest - nearest or 1.0, decimals_for(apart)

    def shaded(target: str, source: str) -> Cell:
        cell = cells.get((target, source))
        if cell is None:
            return Cell(None, "", f"{target} from {source}: not measured")
        text = _distance(cell, decimals)
        shade = round((farthest - (cell["distance"] or 0.0)) / span, 3)
        return Cell(shade, text, f"{target} from {source}: {text}", facts.refer([cell]))

    return DistanceMap(
        matrix(
            f"Distances of {len(targets)} targets from their sources",
            [Heading(name) for name in targets],
            [Heading(name) for name in names],
            [[shaded(target, source) for source in names] for target in targets],
        ),
        distances["distance"],
        fixed(nearest, decimals),
        fixed(farthest, decimals),
    )


def _distance(cell: Values, decimals: int) -> str:
    """As people read it; a negative squared one stands for itself."""
    return f"√({significant(cell['squared'])})" if cell["distance"] is None else fixed(cell["distance"], decimals)


def _ordered(names: list[str], cells: dict[tuple[str, str], Values]) -> list[str]:
    """Names so that neighbours are near; as they are where some distance between two was not measured."""
    if len(names) < 3:
        return names
    table = np.zeros((len(names), len(names)))
    for row, one in enumerate(names):
        for column, other in enumerate(names):
            both = [cells[pair]["distance"] or 0.0 for pair in ((one, other), (other, one)) if pair in cells]
            if one != other and not both:
                return names
            table[row, column] = sum(both) / len(both) if one != other else 0.0
    return [names[leaf] for leaf in dendrogram(table).order]
