"""Learning curves as inline SVG, drawn by matplotlib and coloured by the page's style sheet."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup, escape

from supernet_tl.report.palette import Stroke
from supernet_tl.training.history import EpochRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE_INCHES = (4.3, 3.1)
_MAX_MARKED_POINTS = 16
_LINE_WIDTH = 1.8
_STYLE = {
    "svg.fonttype": "none",  # text stays text, in the page's own font
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "figure.constrained_layout.use": True,
}
_CHROME = {"ink": "#010203", "muted": "#040506", "line": "#070809"}
"""Placeholders that the page's colours replace; no series has them."""


@dataclass(frozen=True)
class Curve:
    """One line: accuracies in percent, with a band where it stands for several seeds.

    Attributes:
        stroke: how it is drawn.
        x: epochs or seconds.
        y: accuracy in percent.
        low: lower edge of the band; empty without one.
        high: upper edge of the band; empty without one.
    """

    stroke: Stroke
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = field(default=())
    high: tuple[float, ...] = field(default=())


def accuracy_curve(stroke: Stroke, seeds: Sequence[Sequence[EpochRow]], *, over: str) -> Curve | None:
    """Validation accuracy of one stage, over ``epoch`` or ``seconds``: the mean of the seeds, the band their range.

    Seeds are averaged epoch by epoch, as far as all of them got. None when no epoch was evaluated.
    """
    evaluated = [[row for row in rows if row.validation_accuracy is not None] for rows in seeds]
    length = min((len(rows) for rows in evaluated), default=0)
    if length == 0:
        return None
    y = 100 * np.array([[row.validation_accuracy for row in rows[:length]] for rows in evaluated], dtype=float)
    x = np.array([[getattr(row, over) for row in rows[:length]] for rows in evaluated], dtype=float).mean(axis=0)
    band = (y.min(axis=0), y.max(axis=0)) if len(seeds) > 1 else (np.empty(0), np.empty(0))
    low, high = (tuple(float(value) for value in edge) for edge in band)
    return Curve(stroke, tuple(map(float, x)), tuple(map(float, y.mean(axis=0))), low, high)


def draw_curves(curves: Sequence[Curve], *, x_label: str, description: str, name: str) -> Markup:
    """Curves in one plot, as an SVG element.

    Args:
        curves: drawn in this order, the first on top.
        x_label: title of the horizontal axis.
        description: for those who cannot see the plot.
        name: of the plot, unlike any other's on the page.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    placeholders = {curve.stroke.colour: f"#0a0b{index:02x}" for index, curve in enumerate(curves)}
    style: dict[Any, Any] = {
        **_STYLE,
        "text.color": _CHROME["ink"],
        "axes.labelcolor": _CHROME["muted"],
        "axes.edgecolor": _CHROME["line"],
        "xtick.color": _CHROME["line"],
        "ytick.color": _CHROME["line"],
        "xtick.labelcolor": _CHROME["muted"],
        "ytick.labelcolor": _CHROME["muted"],
        "grid.color": _CHROME["line"],
        "svg.hashsalt": name,
    }
    with rc_context(style):
        figure = Figure(figsize=_SIZE_INCHES)
        axes = figure.add_subplot()
        for order, curve in enumerate(curves):
            _draw(axes, curve, placeholders[curve.stroke.colour], order=2 * (len(curves) - order))
        axes.set_xlabel(x_label)
        axes.set_ylabel("validation accuracy (%)")
        axes.grid(axis="y", linewidth=0.5)
        axes.set_axisbelow(True)
        _limits(axes, curves)
        text = io.StringIO()
        figure.savefig(
            text, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
        )
    colours = {hex_colour: f"var(--{colour})" for colour, hex_colour in (*placeholders.items(), *_CHROME.items())}
    return _inline(text.getvalue(), colours, description)


def _draw(axes: Axes, curve: Curve, colour: str, order: int) -> None:
    if curve.low:
        axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.16, linewidth=0, zorder=order)
    marker = "o" if len(curve.x) <= _MAX_MARKED_POINTS else ""
    (line,) = axes.plot(curve.x, curve.y, color=colour, linewidth=_LINE_WIDTH, zorder=order + 1)
    line.set(marker=marker, markersize=3.5)
    if curve.stroke.dash:
        line.set_dashes([length / _LINE_WIDTH for length in curve.stroke.dash])


def _limits(axes: Axes, curves: Sequence[Curve]) -> None:
    from matplotlib.ticker import MaxNLocator

    highest = max((value for curve in curves for value in (*curve.y, *curve.high)), default=0.0)
    axes.set_ylim(0, 100 if highest > 60 else max(10.0, 10 * np.ceil(highest / 9)))
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]))


def _inline(document: str, colours: dict[str, str], description: str) -> Markup:
    """The drawing of an SVG document, ready to stand in a page with others like it."""
    svg = document[document.index("<svg") :]
    svg = re.sub(r"<g id=\"[^\"]*\"", "<g", svg)  # ids that several plots would share
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"^<svg [^>]*?viewBox=\"([^\"]*)\"[^>]*>", _opening(description), svg, count=1)
    for hex_colour, css in colours.items():
        svg = svg.replace(hex_colour, css)
    return Markup(svg)


def _opening(description: str) -> Callable[[re.Match[str]], str]:
    def opening(match: re.Match[str]) -> str:
        return f'<svg class="plot" viewBox="{match[1]}" role="img" aria-label="{escape(description)}">'

    return opening
