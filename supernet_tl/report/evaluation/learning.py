"""Learning curves of every target: supernet and final network from scratch, from the choice and from the mixture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supernet_tl.report.evaluation.axes import Axis, linear_axis
from supernet_tl.report.evaluation.facts import Facts, Values
from supernet_tl.report.evaluation.series import Series, series_of
from supernet_tl.report.wording import percent, threshold

WIDTH, HEIGHT = 380.0, 262.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 8.0, 10.0, 40.0
_STAGES = (("search", "Search: supernet"), ("finetune", "Training the final network"))
_KINDS = (("train_accuracy", "training"), ("validation_accuracy", "validation"))


@dataclass(frozen=True)
class Line:
    """One line of a plot.

    Attributes:
        series: that it belongs to.
        trains: whether it is accuracy on the training images.
        points: of an SVG polyline.
        band: of an SVG polygon, from the lowest to the highest seed; empty for a single seed.
        title: what it stands for.
        jobs: that it comes from.
    """

    series: Series
    trains: bool
    points: str
    band: str
    title: str
    jobs: str


@dataclass(frozen=True)
class LinePlot:
    """Accuracies over epochs.

    Attributes:
        title: what it shows.
        description: where the lines end, in words.
        x_axis: epochs.
        y_axis: accuracies.
        lines: in the order of drawing, the last on top.
    """

    title: str
    description: str
    x_axis: Axis
    y_axis: Axis
    lines: tuple[Line, ...]
    width: float = WIDTH
    height: float = HEIGHT
    x_label: str = "epoch"


@dataclass(frozen=True)
class TargetCurves:
    """The plots of one target.

    Attributes:
        target: its name.
        plots: of search and final network.
    """

    target: str
    plots: tuple[LinePlot, ...]


def learning_methods(facts: Facts) -> tuple[str, ...]:
    """The methods whose curves are drawn."""
    return tuple(name for name in ("scratch", facts.choice, "mixture") if name is not None and name in facts.titles)


def learning_plots(facts: Facts) -> tuple[TargetCurves, ...]:
    """The plots of every target that has any."""
    targets = []
    for target in facts.targets:
        runs = {method: facts.runs_of(method, target) for method in learning_methods(facts)}
        plots = (_plot(facts, target, stage, title, runs) for stage, title in _STAGES)
        found = tuple(plot for plot in plots if plot is not None)
        if found:
            targets.append(TargetCurves(target, found))
    return tuple(targets)


def _plot(facts: Facts, target: str, stage: str, title: str, runs: dict[str, list[Values]]) -> LinePlot | None:
    found = []
    for method in reversed(runs):
        for kind, in_words in _KINDS:
            seeds = _seeds(facts, runs[method], stage, kind)
            if seeds.size:
                found.append((series_of(facts, method), in_words, seeds, facts.refer(runs[method])))
    if not found:
        return None
    longest = max(seeds.shape[1] for _, _, seeds, _ in found)
    x_axis = linear_axis([0, longest], _LEFT, WIDTH - _RIGHT, lambda epoch: f"{epoch:g}", num_ticks=5)
    highest = max(float(seeds.max()) for _, _, seeds, _ in found)
    y_axis = linear_axis([0.0, highest], HEIGHT - _BOTTOM, _TOP, threshold, num_ticks=5)
    lines = []
    for series, in_words, seeds, jobs in found:
        middle = seeds.mean(axis=0)
        trains = in_words == "training"
        low = _points(seeds.min(axis=0), x_axis, y_axis)
        high = _points(seeds.max(axis=0), x_axis, y_axis)
        band = " ".join([*low, *reversed(high)]) if len(seeds) > 1 and not trains else ""
        text = f"{series.title}, {in_words} accuracy: {percent(float(middle[-1]))} after {len(middle)} epochs"
        lines.append(Line(series, trains, " ".join(_points(middle, x_axis, y_axis)), band, text, jobs))
    ends = "; ".join(line.title for line in reversed(lines))
    return LinePlot(title, f"{target}, {title}. {ends}.", x_axis, y_axis, tuple(lines))


def _seeds(
    facts: Facts, runs: Sequence[Values], stage: str, kind: str
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Shape (seeds, epochs): as many epochs as all seeds got, none where a seed was not evaluated."""
    curves = []
    for run in runs:
        outcome = facts.outcomes.get(run["job"], {}).get("result", {})
        curve = outcome.get(stage, {}).get(kind, [])
        curves.append([np.nan if value is None else value for value in curve])
    length = min((len(curve) for curve in curves), default=0)
    seeds = np.array([curve[:length] for curve in curves], dtype=float).reshape(len(curves), length)
    return seeds[:, ~np.isnan(seeds).any(axis=0)]


def _points(
    values: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]], x_axis: Axis, y_axis: Axis
) -> list[str]:
    return [f"{x_axis.at(epoch):g},{y_axis.at(float(value)):g}" for epoch, value in enumerate(values, start=1)]
