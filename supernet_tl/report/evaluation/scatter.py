"""Figures of points in a plane, each with its name where there is room for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from supernet_tl.report.evaluation.axes import Axis, linear_axis, log_axis
from supernet_tl.report.evaluation.facts import Facts, Values, mean
from supernet_tl.report.evaluation.series import SOURCES, Series, series_of
from supernet_tl.report.evaluation.strips import shortened
from supernet_tl.report.wording import percent, signed_percent, threshold, whole

WIDTH, HEIGHT = 500.0, 400.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 14.0, 12.0, 48.0
_LETTER, _LINE = 6.4, 13.0
_LABEL_LETTERS = 20


@dataclass(frozen=True)
class Point:
    """One point.

    Attributes:
        x: where it lies.
        y: where it lies.
        name: of what it stands for.
        title: what it stands for, with its numbers.
        jobs: that it comes from.
        label: the name where there is room for it, else empty.
        label_x: where the label stands.
        label_y: its base line.
        anchor: which end of the label stands at ``label_x``, as SVG says it.
    """

    x: float
    y: float
    name: str
    title: str
    jobs: str
    label: str = ""
    label_x: float = 0.0
    label_y: float = 0.0
    anchor: str = "start"


@dataclass(frozen=True)
class Scatter:
    """A figure of points.

    Attributes:
        title: what it shows.
        description: its points in words.
        x_label: title of the horizontal axis.
        y_label: title of the vertical axis.
        x_axis: from left to right.
        y_axis: upwards.
        series: how its points look.
        points: all of them.
        diagonal: ends of the line on which both values are the same, as x1, y1, x2, y2; None without.
        zero: height of a change of nothing; None without.
    """

    title: str
    description: str
    x_label: str
    y_label: str
    x_axis: Axis
    y_axis: Axis
    series: Series
    points: tuple[Point, ...]
    diagonal: tuple[float, float, float, float] | None = None
    zero: float | None = None
    width: float = WIDTH
    height: float = HEIGHT


def choice_against_scratch(facts: Facts) -> Scatter | None:
    """The final network's accuracy from the chosen source over that from scratch; None without any."""
    if facts.choice is None:
        return None
    found = []
    for target in facts.targets:
        chosen = {value["seed"]: value for value in facts.values(facts.choice, target)}
        scratch = {value["seed"]: value for value in facts.values("scratch", target)}
        both = [(scratch[seed], chosen[seed]) for seed in scratch if seed in chosen]
        x, y = (mean(pair[side]["accuracy"]["network"] for pair in both) for side in (0, 1))
        if x is not None and y is not None:
            jobs = facts.refer(value for pair in both for value in pair)
            found.append((x, y, target, jobs))
    if not found:
        return None
    numbers = [number for x, y, _, _ in found for number in (x, y)]
    x_axis, y_axis = (linear_axis(numbers, *ends, threshold, num_ticks=5) for ends in _ENDS)
    series = series_of(facts, facts.choice)
    points = [
        Point(x_axis.at(x), y_axis.at(y), name, f"{name}: {percent(y)} {series.title}, {percent(x)} from scratch", jobs)
        for x, y, name, jobs in found
    ]
    num_better = sum(y > x for x, y, _, _ in found)
    title = f"{series.title[:1].upper()}{series.title[1:]} against scratch"
    return Scatter(
        title=title,
        description=f"{title}: better on {num_better} of {len(found)} targets. {_told(points)}",
        x_label="from scratch",
        y_label=series.title,
        x_axis=x_axis,
        y_axis=y_axis,
        series=series,
        points=_labelled(points),
        diagonal=(x_axis.start, y_axis.start, x_axis.end, y_axis.end),
    )


def over_source_size(facts: Facts) -> tuple[Scatter, ...]:
    """What a source gave on average over its number of images: accuracy, and relative improvement."""
    accuracy, improvement = "Accuracy against the source's size", "Relative improvement against the source's size"
    plots = (
        _over_size(facts, "mean_accuracy", accuracy, f"mean {facts.accuracy_in_words}", percent, threshold),
        _over_size(facts, "mean_ri", improvement, "mean relative improvement", signed_percent, signed_percent),
    )
    return tuple(plot for plot in plots if plot is not None)


def _over_size(
    facts: Facts, key: str, title: str, y_label: str, exact: Callable[[float], str], short: Callable[[float], str]
) -> Scatter | None:
    found: list[Values] = [
        row for row in facts.summary["source_sizes"] if row[key] is not None and row["num_images"] is not None
    ]
    if not found:
        return None
    x_axis = log_axis([row["num_images"] for row in found], *_ENDS[0], lambda number: whole(round(number)))
    y_axis = linear_axis([row[key] for row in found], *_ENDS[1], short, num_ticks=5)
    points = [
        Point(
            x_axis.at(row["num_images"]),
            y_axis.at(row[key]),
            row["source"],
            f"{row['source']}, {whole(row['num_images'])} images: {exact(row[key])}",
            facts.refer([row]),
        )
        for row in found
    ]
    return Scatter(
        title=title,
        description=f"{title}. {_told(points)}",
        x_label="images of the source",
        y_label=y_label,
        x_axis=x_axis,
        y_axis=y_axis,
        series=SOURCES,
        points=_labelled(points),
        zero=y_axis.at(0.0) if key == "mean_ri" and y_axis.low < 0 < y_axis.high else None,
    )


_ENDS = ((_LEFT, WIDTH - _RIGHT), (HEIGHT - _BOTTOM, _TOP))


def _told(points: Sequence[Point]) -> str:
    return "; ".join(point.title for point in points) + "."


def _labelled(points: Sequence[Point]) -> tuple[Point, ...]:
    """Points with their names beside them, each where it covers no other name and no point; else without."""
    taken = [(point.x - 5, point.y - 5, point.x + 5, point.y + 5) for point in points]
    placed = []
    for point in points:
        text = shortened(point.name, _LABEL_LETTERS)
        width = _LETTER * len(text)
        for x, y, anchor, left in (
            (point.x + 8, point.y + 4, "start", point.x + 8),
            (point.x - 8, point.y + 4, "end", point.x - 8 - width),
            (point.x, point.y - 8, "middle", point.x - width / 2),
            (point.x, point.y + 17, "middle", point.x - width / 2),
        ):
            box = (left, y - _LINE + 3, left + width, y + 3)
            inside = _LEFT + 2 <= box[0] and box[2] <= WIDTH and box[1] >= 0 and box[3] <= HEIGHT - _BOTTOM
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                point = replace(point, label=text, label_x=round(x, 1), label_y=round(y, 1), anchor=anchor)
                break
        placed.append(point)
    return tuple(placed)


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
