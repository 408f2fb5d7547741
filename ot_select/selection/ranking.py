"""The outcome of a selection: sources in order, with the evidence for it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from ot_select.arrays import FloatArray
from ot_select.distances.protocol import DistanceResult
from ot_select.errors import NegativeDistanceError, OptionError

RANKING_FORMAT = 2
_READABLE = (1, 2)  # 1 had neither terms nor floors nor sources left out


@dataclass(frozen=True)
class Comparison:
    """One source compared with the target, over one or more seeded draws of rows.

    Attributes:
        squared: mean over draws of the squared distance, in feature units squared; less the mean of the two floors
            where there are floors, and then perhaps negative.
        spread: standard deviation over draws, in the same unit; 0 for a single draw.
        draws: the value of every draw.
        rows: rows of the target and of the source in every draw.
        converged: whether every draw did.
        marginal_error: the largest of all draws.
        labels_target: classes of the target in the first draw.
        labels_source: classes of the source in the first draw.
        label_distances: of the first draw, a row for each class of the target, in feature units squared; None where
            the distance does not look at labels.
        floors: self-distances of target and source at the rows compared, squared, means over the draws; None where
            nothing was corrected.
    """

    squared: float
    spread: float
    draws: tuple[float, ...]
    rows: tuple[int, int]
    converged: bool
    marginal_error: float
    labels_target: tuple[str, ...]
    labels_source: tuple[str, ...]
    label_distances: tuple[tuple[float, ...], ...] | None
    floors: tuple[float, float] | None = None

    @classmethod
    def of_draws(
        cls,
        results: Sequence[DistanceResult],
        target_floors: FloatArray | None = None,
        source_floors: FloatArray | None = None,
    ) -> "Comparison":
        """The comparison that several draws make up.

        Args:
            results: of the draws, at least one; a single one may stand for all draws where only the floors differ.
            target_floors: self-distances of the target, shape (num_draws,); none where nothing is corrected.
            source_floors: of the source, likewise.
        """
        values, floors = np.array([result.squared for result in results]), None
        if target_floors is not None and source_floors is not None:
            values = values - (target_floors + source_floors) / 2
            floors = (float(target_floors.mean()), float(source_floors.mean()))
        first = results[0]
        apart = values - values[0]  # so that equal draws have exactly their own mean, and no spread
        table = first.label_distances
        return cls(
            squared=float(values[0] + apart.mean()),
            spread=float(apart.std(ddof=1)) if len(values) > 1 else 0.0,
            draws=tuple(values.tolist()),
            rows=first.num_rows,
            converged=all(result.converged for result in results),
            marginal_error=max(result.marginal_error for result in results),
            labels_target=tuple(map(str, first.labels_a)),
            labels_source=tuple(map(str, first.labels_b)),
            label_distances=None if table is None else tuple(map(tuple, table.tolist())),
            floors=floors,
        )

    @property
    def distance(self) -> float:
        """The root of ``squared``, in feature units.

        Raises:
            NegativeDistanceError: a debiased entropic mean, or one corrected with self-distances, is negative.
        """
        if self.squared < 0 and self.floors is not None:
            raise NegativeDistanceError(
                f"The mean over draws is {self.squared:.6g} after the self-distances were taken off, which is negative "
                "and has no root: the sets are closer than samples of this size can tell. Use .squared, or rank with "
                "terms='rows'."
            )
        if self.squared < 0:
            raise NegativeDistanceError(
                f"The mean over draws is {self.squared:.6g}, which is negative and has no root. "
                "Use .squared, or rank with the exact distance (preset=None)."
            )
        return float(np.sqrt(self.squared))

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain data for JSON."""
        return {
            "squared": self.squared,
            "spread": self.spread,
            "draws": list(self.draws),
            "rows": list(self.rows),
            "converged": self.converged,
            "marginal_error": self.marginal_error,
            "labels_target": list(self.labels_target),
            "labels_source": list(self.labels_source),
            "label_distances": None if self.label_distances is None else [list(row) for row in self.label_distances],
            "floors": None if self.floors is None else list(self.floors),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Comparison":
        """The comparison that ``to_dict`` wrote."""
        target_rows, source_rows = data["rows"]
        table, floors = data["label_distances"], data.get("floors")
        return cls(
            squared=float(data["squared"]),
            spread=float(data["spread"]),
            draws=tuple(float(value) for value in data["draws"]),
            rows=(int(target_rows), int(source_rows)),
            converged=bool(data["converged"]),
            marginal_error=float(data["marginal_error"]),
            labels_target=tuple(data["labels_target"]),
            labels_source=tuple(data["labels_source"]),
            label_distances=None if table is None else tuple(tuple(float(value) for value in row) for row in table),
            floors=None if floors is None else (float(floors[0]), float(floors[1])),
        )


ResultT_co = TypeVar("ResultT_co", bound=Comparison | None, covariant=True)


@dataclass(frozen=True)
class Ranking(Generic[ResultT_co]):
    """Sources, best first. Iterates over (name, result).

    A result is a ``Comparison``, or ``None`` where the method compares nothing.

    Attributes:
        method: how the order came about, such as ``"nearest"`` or ``"random"``.
        entries: (name, result) pairs, best first.
        num_evaluated: sources whose distance was computed.
        rows_compared: rows of the target in each comparison, and on the terms ``"rows"`` of the source too; 0 where
            nothing was compared.
        terms: on which sources of different sizes were compared: ``"rows"`` or ``"self_distances"`` (see
            ``ot_select.selection.equal_terms``); None where nothing was.
        distance: name of the distance; None where nothing was compared.
        left_out: sources that could not be compared on these terms, by name, with the reason as a clause.
    """

    method: str
    entries: tuple[tuple[str, ResultT_co], ...]
    num_evaluated: int
    rows_compared: int
    terms: str | None = None
    distance: str | None = None
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sources, best first."""
        return tuple(name for name, _ in self.entries)

    def __iter__(self) -> Iterator[tuple[str, ResultT_co]]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, position: int) -> tuple[str, ResultT_co]:
        return self.entries[position]

    def to_dict(self) -> dict[str, Any]:
        """The ranking as plain data for JSON."""
        return {
            "format": RANKING_FORMAT,
            "method": self.method,
            "num_evaluated": self.num_evaluated,
            "rows_compared": self.rows_compared,
            "terms": self.terms,
            "distance": self.distance,
            "left_out": [list(pair) for pair in self.left_out],
            "entries": [
                {"name": name, "result": None if result is None else result.to_dict()} for name, result in self.entries
            ],
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> "Ranking[Comparison | None]":
        """The ranking that ``to_dict`` wrote.

        Raises:
            OptionError: the data is no ranking of a known format.
        """
        if data.get("format") not in _READABLE:
            raise OptionError(
                f"The ranking has format {data.get('format')!r}, but this version reads formats 1 to {RANKING_FORMAT}. "
                "Rank again, or install the version that wrote it."
            )
        try:
            return Ranking(
                method=str(data["method"]),
                entries=tuple(
                    (str(entry["name"]), None if entry["result"] is None else Comparison.from_dict(entry["result"]))
                    for entry in data["entries"]
                ),
                num_evaluated=int(data["num_evaluated"]),
                rows_compared=int(data["rows_compared"]),
                terms=data.get("terms"),
                distance=data.get("distance"),
                left_out=tuple((str(name), str(reason)) for name, reason in data.get("left_out", ())),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise OptionError(
                f"The ranking is damaged ({type(error).__name__}: {error}); what Ranking.to_dict wrote is needed. "
                "Rank again."
            ) from error
