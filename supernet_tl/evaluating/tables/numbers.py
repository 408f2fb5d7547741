"""Means, spreads and relative improvements of numbers some of which may be undefined."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from ot_select.statistics import relative_improvement


def mean_of(values: Iterable[float | None]) -> float | None:
    """The mean of those that are defined; None where none is."""
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def whole_mean(values: Iterable[float | None]) -> float | None:
    """The mean of all; None where one is undefined, or there is none."""
    listed = list(values)
    return None if any(value is None for value in listed) else mean_of(listed)


def median_of(values: Iterable[float | None]) -> float | None:
    """The median of those that are defined; None where none is."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def spread_of(values: Sequence[float | None]) -> float | None:
    """The sample standard deviation of those that are defined; None for fewer than two."""
    known = [value for value in values if value is not None]
    return statistics.stdev(known) if len(known) > 1 else None


def improvement(accuracy: float | None, scratch: float | None) -> float | None:
    """The relative improvement over scratch; None where it is undefined, for which :func:`why_undefined` has words."""
    if accuracy is None or scratch is None or scratch == 0:
        return None
    return relative_improvement(accuracy, scratch)


def why_undefined(accuracy: float | None, scratch: float | None) -> str | None:
    """Why a relative improvement is undefined; None where it is not."""
    if scratch is None:
        return "the run from scratch has no accuracy"
    if accuracy is None:
        return "it has no accuracy"
    return "scratch's accuracy is 0, and nothing can be measured relative to 0" if scratch == 0 else None
