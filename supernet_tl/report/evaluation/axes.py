"""Scales with round numbers beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil, floor, log10

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Tick:
    """A number beside an axis.

    Attributes:
        place: of the number, in the drawing's units.
        text: the number.
    """

    place: float
    text: str


@dataclass(frozen=True)
class Axis:
    """From values to places in a drawing.

    Attributes:
        low: value at the start.
        high: value at the end; more than ``low``.
        start: place of ``low``.
        end: place of ``high``; less than ``start`` on an axis that grows upwards.
        ticks: numbers between.
        logarithmic: whether equal ratios of values are equally far apart.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[Tick, ...]
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """The place of a value, inside the drawing even where the value is not."""
        return _place(value, self.low, self.high, self.start, self.end, self.logarithmic)


def linear_axis(
    values: Iterable[float], start: float, end: float, wording: Callable[[float], str], *, num_ticks: int = 6
) -> Axis:
    """An axis that holds all values between round numbers."""
    there = list(values) or [0.0, 1.0]
    low, high = min(there), max(there)
    step = _step((high - low or max(abs(high), 1.0) / 10) / num_ticks)
    low, high = floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step
    high = low + step if high <= low else high
    marks = [low + index * step for index in range(round((high - low) / step) + 1)]
    ticks = tuple(Tick(_place(mark, low, high, start, end, False), wording(round(mark, 10))) for mark in marks)
    return Axis(low, high, start, end, ticks)


def log_axis(values: Iterable[float], start: float, end: float, wording: Callable[[float], str]) -> Axis:
    """An axis of positive values over which equal ratios are equally far apart."""
    there = [value for value in values if value > 0] or [1.0, 10.0]
    low, high = min(there) / 1.15, max(there) * 1.15
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    factors = (1, 2, 5) if log10(high / low) < 3 else (1,)
    marks = [factor * 10.0**decade for decade in decades for factor in factors]
    ticks = tuple(
        Tick(_place(mark, low, high, start, end, True), wording(mark)) for mark in marks if low <= mark <= high
    )
    return Axis(low, high, start, end, ticks, logarithmic=True)


def _step(least: float) -> float:
    """The next round number."""
    power = 10.0 ** floor(log10(least))
    return next(step * power for step in _STEPS if step * power >= least * (1 - 1e-9))


def _place(value: float, low: float, high: float, start: float, end: float, logarithmic: bool) -> float:
    value = min(max(value, low), high)
    share = log10(value / low) / log10(high / low) if logarithmic else (value - low) / (high - low)
    return round(start + share * (end - start), 1)
