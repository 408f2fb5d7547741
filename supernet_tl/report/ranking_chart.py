"""The ranking as bars: lengths in percent of the chart's width, nearest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10, sqrt

from supernet_tl.report.run_record import RankedSource, RankingRecord


@dataclass(frozen=True)
class Bar:
    """One source.

    Attributes:
        name: of the source.
        chosen: whether the run started from it.
        value: the distance in the chart's unit.
        low: the smallest of the draws.
        high: the largest of the draws.
        start_percent: where the bar begins.
        length_percent: how long it is.
        low_percent: where the whisker begins.
        high_percent: where the whisker ends.
        converged: whether the number can be trusted.
    """

    name: str
    chosen: bool
    value: float
    low: float
    high: float
    start_percent: float
    length_percent: float
    low_percent: float
    high_percent: float
    converged: bool


@dataclass(frozen=True)
class RankingChart:
    """Bars with what must be said about them.

    Attributes:
        bars: nearest first.
        quantity: what the lengths are, in words.
        decimals: with which every distance is written.
        num_draws: the most draws behind a bar.
        record: rows compared, strategy, exclusions.
    """

    bars: tuple[Bar, ...]
    quantity: str
    decimals: int
    num_draws: int
    record: RankingRecord


def ranking_chart(record: RankingRecord) -> RankingChart:
    """Bars of the distances; of squared distances where one of them is negative and so has no root."""
    rooted = all(row.distance is not None and min(row.draws, default=0.0) >= 0 for row in record.rows)
    measure = "OTDD" if record.distance.startswith("otdd") else record.distance
    quantity = f"{measure} in embedding units" if rooted else f"squared {measure} in embedding units squared"
    names = Counter(row.name for row in record.rows)
    values = [_values(row, rooted) for row in record.rows]
    low = min([0.0, *(value for triple in values for value in triple)])
    span = max([0.0, *(value for triple in values for value in triple)]) - low or 1.0

    def percent(value: float) -> float:
        return round(100 * (value - low) / span, 3)

    bars = tuple(
        Bar(
            name=row.name if names[row.name] == 1 else f"{row.name} ({row.entry[:12]})",
            chosen=row.chosen,
            value=value,
            low=smallest,
            high=largest,
            start_percent=percent(min(value, 0.0)),
            length_percent=percent(max(value, 0.0)) - percent(min(value, 0.0)),
            low_percent=percent(smallest),
            high_percent=percent(largest),
            converged=row.converged,
        )
        for row, (value, smallest, largest) in zip(record.rows, values, strict=True)
    )
    return RankingChart(
        bars, quantity, _decimals(values), max((len(row.draws) for row in record.rows), default=0), record
    )


def _decimals(values: Sequence[tuple[float, float, float]]) -> int:
    """So many that the largest distance shows four significant digits, and at most six."""
    largest = max((abs(value) for value, _, _ in values), default=0.0)
    return 0 if largest == 0 else min(6, max(0, 3 - floor(log10(largest))))


def _values(row: RankedSource, rooted: bool) -> tuple[float, float, float]:
    """Mean, smallest and largest draw."""
    value = row.distance if rooted and row.distance is not None else row.squared
    draws = row.draws or (row.squared,)
    ends = (min(draws), max(draws))
    smallest, largest = (sqrt(end) for end in ends) if rooted else ends
    return value, smallest, largest
