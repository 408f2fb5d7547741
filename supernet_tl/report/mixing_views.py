"""Mixing weights as pictures: a heat map of where they ended, and how each edge's moved over the epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import darts
from darts.space import NUM_INPUTS
from supernet_tl.report.state_names import state_name

PANEL_WIDTH, PANEL_HEIGHT = 112.0, 46.0
_PANEL_STEP_X, _PANEL_STEP_Y, _PANEL_TOP = 124.0, 74.0, 20.0


@dataclass(frozen=True)
class HeatCell:
    """One primitive on one edge.

    Attributes:
        primitive: its name.
        weight: its mixing weight after the last epoch.
        shade: from 0 for the smallest weight of the run to 1 for the largest.
        kept: whether the genotype kept this edge with this primitive.
    """

    primitive: str
    weight: float
    shade: float
    kept: bool


@dataclass(frozen=True)
class HeatRow:
    """One edge.

    Attributes:
        source: name of the state it leaves.
        target: name of the state it enters.
        states: the same as state numbers, such as ``0→2``.
        cells: one a primitive, in the order of alpha's columns.
    """

    source: str
    target: str
    states: str
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True)
class Trace:
    """How one mixing weight moved.

    Attributes:
        primitive: whose weight.
        points: of an SVG polyline inside the panel.
    """

    primitive: str
    points: str


@dataclass(frozen=True)
class Panel:
    """The weights of one edge over the epochs.

    Attributes:
        source: name of the state it leaves.
        target: name of the state it enters.
        x: left edge of the panel.
        y: upper edge of the panel.
        traces: one a primitive.
    """

    source: str
    target: str
    x: float
    y: float
    traces: tuple[Trace, ...]


@dataclass(frozen=True)
class CellMixing:
    """Both views of one cell type.

    Attributes:
        name: ``normal`` or ``reduction``.
        columns: primitives, where all edges have the same; else empty, and each cell says its own.
        rows: of the heat map.
        panels: one an edge, a column a target and a row a source.
        width: of all panels together.
        height: of all panels together.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[HeatRow, ...]
    panels: tuple[Panel, ...]
    width: float
    height: float


@dataclass(frozen=True)
class MixingViews:
    """Both cell types on common scales.

    Attributes:
        cells: normal and reduction.
        primitives: all that occur, for the legend.
        num_epochs: of the search.
        final_low: smallest weight after the last epoch: shade 0.
        final_high: largest: shade 1.
        low: smallest weight of any epoch: the panels' lower edge.
        high: largest: their upper edge.
        uniform: the weight that all primitives of an edge share when none is preferred.
        uniform_y: its height inside a panel; None where it lies outside.
    """

    cells: tuple[CellMixing, ...]
    primitives: tuple[str, ...]
    num_epochs: int
    final_low: float
    final_high: float
    low: float
    high: float
    uniform: float
    uniform_y: float | None


def mixing_views(
    space: darts.SearchSpace, genotype: darts.Genotype, mixing: Mapping[str, NDArray[np.float32]]
) -> MixingViews:
    """Prepare both pictures.

    Args:
        space: names edges and primitives.
        genotype: what was kept.
        mixing: ``normal`` and ``reduction``, shape (epochs + 1, num_edges, num_primitives).
    """
    both = np.stack([np.asarray(mixing[name], dtype=float) for name in ("normal", "reduction")])
    final = both[:, -1]
    scale = _Scale(float(both.min()), float(both.max()))
    final_scale = _Scale(float(final.min()), float(final.max()))
    uniform = 1 / space.num_primitives
    cells = tuple(
        _cell_mixing(space, genotype, both[index], reduction=bool(index), scale=scale, final_scale=final_scale)
        for index in range(2)
    )
    found = {name for reduction in (False, True) for edge in space.primitives(reduction=reduction) for name in edge}
    return MixingViews(
        cells=cells,
        primitives=tuple(sorted(found)),
        num_epochs=both.shape[1] - 1,
        final_low=final_scale.low,
        final_high=final_scale.high,
        low=scale.low,
        high=scale.high,
        uniform=uniform,
        uniform_y=_panel_y(uniform, scale) if scale.low <= uniform <= scale.high else None,
    )


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float

    def share(self, value: float) -> float:
        """Where a value lies between the ends; in the middle when they are the same."""
        return (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5


def _cell_mixing(
    space: darts.SearchSpace,
    genotype: darts.Genotype,
    weights: NDArray[np.float64],
    *,
    reduction: bool,
    scale: _Scale,
    final_scale: _Scale,
) -> CellMixing:
    kept = set(genotype.edges(reduction=reduction))
    offered = space.primitives(reduction=reduction)
    rows, panels = [], []
    for index, ((source, target), primitives) in enumerate(zip(space.edges, offered, strict=True)):
        ends = (state_name(source, space.num_nodes), state_name(target, space.num_nodes))
        cells = tuple(
            HeatCell(name, float(value), round(final_scale.share(float(value)), 3), (name, source, target) in kept)
            for name, value in zip(primitives, weights[-1, index], strict=True)
        )
        rows.append(HeatRow(*ends, f"{source}→{target}", cells))
        traces = tuple(
            Trace(name, _polyline(weights[:, index, column], scale)) for column, name in enumerate(primitives)
        )
        x, y = (target - NUM_INPUTS) * _PANEL_STEP_X, _PANEL_TOP + source * _PANEL_STEP_Y
        panels.append(Panel(*ends, x, y, traces))
    return CellMixing(
        name="reduction" if reduction else "normal",
        columns=offered[0] if len(set(offered)) == 1 else (),
        rows=tuple(rows),
        panels=tuple(panels),
        width=space.num_nodes * _PANEL_STEP_X - (_PANEL_STEP_X - PANEL_WIDTH),
        height=(space.num_nodes + NUM_INPUTS - 1) * _PANEL_STEP_Y,
    )


def _polyline(values: NDArray[np.float64], scale: _Scale) -> str:
    step = PANEL_WIDTH / max(1, len(values) - 1)
    return " ".join(f"{index * step:.1f},{_panel_y(float(value), scale):.1f}" for index, value in enumerate(values))


def _panel_y(value: float, scale: _Scale) -> float:
    """Height in a panel, with a little air above and below."""
    air = 3.0
    return round(air + (1 - scale.share(value)) * (PANEL_HEIGHT - 2 * air), 1)
