"""Figures of a strip a target: what was reached lies along a common axis, one lane a series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from supernet_tl.report.evaluation.axes import Axis, linear_axis
from supernet_tl.report.evaluation.facts import Facts, Part, Values, mean
from supernet_tl.report.evaluation.series import SOURCES, Series, series_of
from supernet_tl.report.wording import percent, signed_percent

WIDTH = 780.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 142.0, 14.0, 22.0, 40.0
_LANE, _AIR = 9.0, 13.0
_LABEL_LETTERS = 19


@dataclass(frozen=True)
class Mark:
    """One mark.

    Attributes:
        series: that it belongs to.
        x: where it lies.
        y: where it lies.
        low: where its whisker begins; None without one.
        high: where its whisker ends.
        title: what it stands for.
        jobs: that it comes from.
    """

    series: Series
    x: float
    y: float
    low: float | None
    high: float | None
    title: str
    jobs: str


@dataclass(frozen=True)
class Strip:
    """One target.

    Attributes:
        name: of the target.
        label: the name, cut short where it is long.
        top: upper edge.
        bottom: lower edge.
        marks: in the order of drawing.
    """

    name: str
    label: str
    top: float
    bottom: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class StripChart:
    """A figure of strips.

    Attributes:
        part: that it shows; None where it shows but one.
        description: what it shows, in words.
        x_label: title of the axis.
        axis: of what was reached.
        zero: where neither better nor worse lies; None without.
        strips: from top to bottom.
        series: for the legend.
        height: of the drawing.
    """

    part: Part | None
    description: str
    x_label: str
    axis: Axis
    zero: float | None
    strips: tuple[Strip, ...]
    series: tuple[Series, ...]
    height: float
    width: float = WIDTH
    left: float = _LEFT
    top: float = _TOP

    @property
    def right(self) -> float:
        """Right edge of the strips."""
        return self.width - _RIGHT

    @property
    def bottom(self) -> float:
        """Lower edge of the strips."""
        return self.height - _BOTTOM


@dataclass(frozen=True)
class _Found:
    """A mark before it has a place."""

    series: Series
    name: str
    numbers: tuple[float, ...]
    jobs: str

    @property
    def value(self) -> float:
        return sum(self.numbers) / len(self.numbers)


def improvement_strips(facts: Facts, part: Part, part_name: str) -> StripChart | None:
    """Relative improvement on every target from every single source, with the methods' own; None without any."""
    methods = [name for name in (facts.choice, "mixture", "oracle") if name in facts.titles and name is not None]
    rows: dict[str, list[_Found]] = {}
    for target in facts.targets:
        scratch = {run["seed"]: run for run in facts.runs_of("scratch", target)}
        found = [
            _found(
                facts,
                SOURCES,
                source,
                [(run["ri"][part], [run, *([scratch[run["seed"]]] if run["seed"] in scratch else [])]) for run in runs],
            )
            for source, runs in facts.source_runs(target).items()
        ]
        for method in methods:
            series = series_of(facts, method)
            values = facts.values(method, target)
            found.append(_found(facts, series, series.title, [(value["ri"][part], [value]) for value in values]))
        rows[target] = [one for one in found if one is not None]
    return _chart(
        rows,
        signed_percent,
        part=part,
        x_label=f"relative improvement of the {part_name}'s {facts.accuracy_in_words} over scratch",
        with_zero=True,
    )


def accuracy_strips(facts: Facts) -> StripChart | None:
    """The final networks' accuracy on every target by scratch, the choice, the mixture and the timm models."""
    wanted = ("scratch", facts.choice, "mixture", "timm_parameters", "timm_time")
    rows: dict[str, list[_Found]] = {}
    for target in facts.targets:
        found = []
        for method in wanted:
            if method is not None and method in facts.titles:
                series = series_of(facts, method)
                values = [(value["accuracy"]["network"], [value]) for value in facts.values(method, target)]
                found.append(_found(facts, series, series.title, values))
        rows[target] = [one for one in found if one is not None]
    return _chart(rows, percent, part=None, x_label=f"{facts.accuracy_in_words} of the final network", with_zero=False)


def _found(
    facts: Facts, series: Series, name: str, values: Sequence[tuple[float | None, Sequence[Values]]]
) -> _Found | None:
    there = [(number, origins) for number, origins in values if number is not None]
    if mean(number for number, _ in there) is None:
        return None
    jobs = facts.refer(origin for _, origins in there for origin in origins)
    return _Found(series, name, tuple(number for number, _ in there), jobs)


def _chart(
    rows: dict[str, list[_Found]],
    wording: Callable[[float], str],
    *,
    part: Part | None,
    x_label: str,
    with_zero: bool,
) -> StripChart | None:
    rows = {target: found for target, found in rows.items() if found}
    if not rows:
        return None
    series = tuple(dict.fromkeys(one.series for found in rows.values() for one in found))
    numbers = [number for found in rows.values() for one in found for number in one.numbers]
    axis = linear_axis([*numbers, *([0.0] if with_zero else [])], _LEFT, WIDTH - _RIGHT, wording)
    height = _AIR + _LANE * len(series)
    strips = []
    for row, (target, found) in enumerate(rows.items()):
        top = _TOP + row * height
        marks = []
        for one in found:
            several = one.series is not SOURCES and len(one.numbers) > 1
            marks.append(
                Mark(
                    one.series,
                    axis.at(one.value),
                    round(top + _AIR / 2 + _LANE * (series.index(one.series) + 0.5), 1),
                    axis.at(min(one.numbers)) if several else None,
                    axis.at(max(one.numbers)) if several else None,
                    f"{target}, {one.name}: {wording(one.value)}{_seeds(one.numbers)}",
                    one.jobs,
                )
            )
        strips.append(Strip(target, shortened(target, _LABEL_LETTERS), top, top + height, tuple(marks)))
    return StripChart(
        part=part,
        description=f"{x_label}, a strip a target: "
        + "; ".join(_told(target, found, wording) for target, found in rows.items()),
        x_label=x_label,
        axis=axis,
        zero=axis.at(0.0) if with_zero else None,
        strips=tuple(strips),
        series=series,
        height=_TOP + height * len(rows) + _BOTTOM,
    )


def shortened(name: str, letters: int) -> str:
    """A name that fits, the middle left out of a long one."""
    return name if len(name) <= letters else f"{name[: letters - 6]}…{name[-5:]}"


def _seeds(numbers: Sequence[float]) -> str:
    return f" (mean of {len(numbers)} seeds)" if len(numbers) > 1 else ""


def _told(target: str, found: Sequence[_Found], wording: Callable[[float], str]) -> str:
    methods = [f"{one.name} {wording(one.value)}" for one in found if one.series is not SOURCES]
    num_sources = sum(one.series is SOURCES for one in found)
    return f"{target}: {', '.join([*methods, *([f'{num_sources} sources'] if num_sources else [])])}"
