"""The page of all distances between several datasets: a heat map in the order of a dendrogram."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from supernet_tl.report.dendrogram import dendrogram
from supernet_tl.report.matrix import Cell, Heading, matrix
from supernet_tl.report.rendering import write_page
from supernet_tl.report.wording import NOTHING, decimals_for, fixed, significant


def write_distances_page(path: Path, values: Mapping[str, Any]) -> Path:
    """Write the page.

    Args:
        path: the page's file.
        values: the content of ``distances.json``.
    """
    names = [dataset["name"] for dataset in values["datasets"]]
    pairs = {(pair["a"], pair["b"]): pair for pair in values["pairs"]}
    pairs |= {(b, a): pair for (a, b), pair in pairs.items()}
    # A debiased value may be slightly negative: nearer than it can tell, which a tree takes for 0.
    table = np.array([[0.0 if a == b else pairs[a, b]["distance"] or 0.0 for b in names] for a in names])
    tree = dendrogram(table)
    ordered = [names[leaf] for leaf in tree.order]
    apart = [pair["distance"] or 0.0 for pair in values["pairs"]]
    nearest, farthest = min(apart), max(apart)
    span, decimals = farthest - nearest or 1.0, decimals_for(apart)

    def cell(a: str, b: str) -> Cell:
        if a == b:
            return Cell(None, "", f"{a}: 0 from itself")
        pair = pairs[a, b]
        text = _distance(pair, decimals)
        spread = f" ± {fixed(pair['distance_spread'], decimals)}" if pair["distance_spread"] else ""
        doubt = "" if pair["converged"] else ", not converged"
        shade = (farthest - (pair["distance"] or 0.0)) / span
        return Cell(round(shade, 3), text, f"{a} and {b}: {text}{spread}{doubt}")

    closest = min(values["pairs"], key=lambda pair: float(pair["squared"]))
    headings = [Heading(name) for name in ordered]
    return write_page(
        path,
        "distances.html",
        values=values,
        heat_map=matrix(
            f"Distances between {len(names)} datasets, as numbers in the table of pairs",
            headings,
            headings,
            [[cell(a, b) for b in ordered] for a in ordered],
        ),
        tree=tree,
        nearest_pair=closest,
        least=_distance(closest, decimals),
        nearest=fixed(nearest, decimals),
        farthest=fixed(farthest, decimals),
        neighbours=[(row["name"], row["nearest"], _distance(row, decimals)) for row in values["nearest"]],
        pairs=[_row(pair, decimals) for pair in sorted(values["pairs"], key=lambda pair: pair["squared"])],
        num_unconverged=sum(not pair["converged"] for pair in values["pairs"]),
    )


def _distance(values: Mapping[str, Any], decimals: int) -> str:
    """The distance as people read it; a negative squared one stands for itself."""
    if values["distance"] is None:
        return f"√({significant(values['squared'])})"
    return fixed(values["distance"], decimals)


def _row(pair: Mapping[str, Any], decimals: int) -> tuple[str, str, str, str, str]:
    spread = NOTHING if pair["distance_spread"] is None else fixed(pair["distance_spread"], decimals)
    doubt = "" if pair["converged"] else " (not converged)"
    return pair["a"], pair["b"], _distance(pair, decimals) + doubt, spread, significant(pair["squared"])
