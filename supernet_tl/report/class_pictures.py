"""The page of two datasets: how their classes lie to each other, and which mass the coupling moves between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supernet_tl.report.contact_sheet import image_urls
from supernet_tl.report.dendrogram import dendrogram
from supernet_tl.report.matrix import Cell, Heading, Matrix, matrix
from supernet_tl.report.rendering import write_page
from supernet_tl.report.wording import NOTHING, decimals_for, fixed, percent, significant

Table = NDArray[np.float64]

_ROUNDS = 12
_LEAST_WRITTEN = 0.0005  # below it a percentage with one decimal is 0


def write_pair_page(
    path: Path, values: Mapping[str, Any], thumbnails: Sequence[Mapping[str, NDArray[np.uint8]]]
) -> Path:
    """Write the page.

    Args:
        path: the page's file.
        values: the content of ``distance.json``.
        thumbnails: of each of the two datasets one image for every class, uint8 (3, size, size), by class name.
    """
    classes = values["classes"]
    sides = [
        _headings(side, labels, images)
        for side, labels, images in zip("ab", (classes["labels_a"], classes["labels_b"]), thumbnails, strict=True)
    ]
    coupling, between = _table(classes["coupling"]), _table(classes["label_distances"])
    order = class_order(coupling, between)
    heading_of = [{heading.name: heading for heading in side} for side in sides]
    return write_page(
        path,
        "distance.html",
        values=values,
        pair=values["pairs"][0],
        distance=_root(values["pairs"][0]["squared"]),
        spread=values["pairs"][0]["distance_spread"],
        images={
            heading.image: url
            for side, pictures in zip(sides, thumbnails, strict=True)
            for heading, url in zip(side, _urls(side, pictures), strict=True)
            if heading.image
        },
        coupling=None if coupling is None else _coupling(coupling, sides, order),
        label_distances=None if between is None else _label_distances(between, sides, order),
        scales=_scales(coupling, between),
        nearest=[
            _nearest(row, heading_of[0], heading_of[1], 0 if between is None else _decimals(between))
            for row in classes["nearest"]
        ],
    )


def class_order(coupling: Table | None, between: Table | None) -> tuple[list[int], list[int]]:
    """Rows and columns in an order that makes structure visible.

    Rows begin in the order of a dendrogram of their label distances to all columns (of their coupled mass, where there
    are no label distances). Then columns and rows are moved in turn to where their mass is, and of all these orders the
    one with the mass nearest to the diagonal is taken. Without a coupling a column's mass is at its nearest row.

    Args:
        coupling: shape (k_a, k_b), mass.
        between: shape (k_a, k_b), squared label distances.

    Returns:
        Positions of rows and of columns; both empty where there is neither table.
    """
    from scipy.spatial.distance import cdist  # type: ignore[import-untyped, unused-ignore]

    found = coupling if between is None else np.sqrt(np.maximum(between, 0))
    if found is None:
        return [], []
    mass = coupling if coupling is not None else np.asarray(found == found.min(axis=0), dtype=np.float64)
    rows = np.array(dendrogram(cdist(found, found)).order if len(found) > 1 else [0])
    orders = []
    for _ in range(_ROUNDS):
        columns = np.argsort(_centres(mass[rows]), kind="stable")
        orders.append((_far_from_diagonal(mass[np.ix_(rows, columns)]), rows.tolist(), columns.tolist()))
        rows = np.argsort(_centres(mass[:, columns].T), kind="stable")
    _, best_rows, best_columns = min(orders, key=lambda order: order[0])
    return best_rows, best_columns


def _centres(mass: Table) -> Table:
    """Of every column the mean place of its mass among the rows; the middle for one without mass."""
    total = mass.sum(axis=0)
    middle = (len(mass) - 1) / 2
    centres: Table = np.divide(np.arange(len(mass)) @ mass, total, out=np.full(len(total), middle), where=total > 0)
    return centres


def _far_from_diagonal(mass: Table) -> float:
    """Mean squared distance of the mass from the diagonal of the unit square."""
    down, across = ((np.arange(size) + 0.5) / size for size in mass.shape)
    return float((mass * (down[:, None] - across) ** 2).sum())


def _coupling(mass: Table, sides: Sequence[Sequence[Heading]], order: tuple[list[int], list[int]]) -> Matrix:
    from_a, to_b, largest = mass.sum(axis=1), mass.sum(axis=0), mass.max()

    def cell(i: int, j: int) -> Cell:
        a, b = sides[0][i].name, sides[1][j].name
        if mass[i, j] <= 1e-12:
            return Cell(None, "", f"{a} → {b}: none")
        shares = f"{percent(mass[i, j] / from_a[i])} of {a}, {percent(mass[i, j] / to_b[j])} of {b}"
        text = percent(mass[i, j]) if mass[i, j] >= _LEAST_WRITTEN else ""
        return Cell(round(mass[i, j] / largest, 3), text, f"{a} → {b}: {percent(mass[i, j])} of all mass, {shares}")

    return _matrix("Mass coupled between the classes", sides, order, cell)


def _label_distances(between: Table, sides: Sequence[Sequence[Heading]], order: tuple[list[int], list[int]]) -> Matrix:
    roots = np.sqrt(np.maximum(between, 0))
    low, span = roots.min(), roots.max() - roots.min() or 1.0
    decimals = _decimals(between)

    def cell(i: int, j: int) -> Cell:
        text = fixed(float(roots[i, j]), decimals)
        shade = 1 - float(roots[i, j] - low) / span
        return Cell(round(shade, 3), text, f"{sides[0][i].name} and {sides[1][j].name}: {text}")

    return _matrix("Distances between the classes", sides, order, cell)


def _matrix(what: str, sides: Sequence[Sequence[Heading]], order: tuple[list[int], list[int]], cell: Any) -> Matrix:
    rows, columns = order
    return matrix(
        f"{what}: {len(rows)} rows, {len(columns)} columns",
        [sides[0][i] for i in rows],
        [sides[1][j] for j in columns],
        [[cell(i, j) for j in columns] for i in rows],
    )


def _scales(coupling: Table | None, between: Table | None) -> dict[str, str]:
    """The ends of the colour scales, in words."""
    found = {}
    if coupling is not None:
        found["most_mass"] = percent(float(coupling.max()))
    if between is not None:
        decimals = _decimals(between)
        found["near"], found["far"] = (fixed(max(end, 0) ** 0.5, decimals) for end in (between.min(), between.max()))
    return found


def _headings(side: str, labels: Sequence[str], images: Mapping[str, Any]) -> list[Heading]:
    return [Heading(label, f"c-{side}-{row}" if label in images else "") for row, label in enumerate(labels)]


def _urls(side: Sequence[Heading], pictures: Mapping[str, NDArray[np.uint8]]) -> list[str]:
    return [image_urls(pictures[heading.name][None])[0] if heading.image else "" for heading in side]


def _decimals(between: Table) -> int:
    """With which every distance between classes is written."""
    return decimals_for([max(float(between.max()), 0) ** 0.5])


def _nearest(
    row: Mapping[str, Any], of_a: Mapping[str, Heading], of_b: Mapping[str, Heading], decimals: int
) -> dict[str, Any]:
    by_distance, by_mass = row["by_label_distance"], row["by_mass"]
    return {
        "a": of_a[row["class"]],
        "by_distance": None if by_distance is None else of_b[by_distance["class"]],
        "distance": NOTHING if by_distance is None else fixed(by_distance["distance"], decimals),
        "by_mass": None if by_mass is None else of_b[by_mass["class"]],
        "share": NOTHING if by_mass is None else percent(by_mass["share"]),
    }


def _table(values: Any) -> Table | None:
    return None if values is None else np.array(values, dtype=np.float64)


def _root(squared: float) -> str:
    """The root as people read it; of a negative square the square itself."""
    return f"√({significant(squared)})" if squared < 0 else significant(squared**0.5)
