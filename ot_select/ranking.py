"""The outcome of a selection: sources in order, with the evidence for it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from ot_select.errors import NegativeDistanceError, OptionError

RANKING_FORMAT = 1


@dataclass(frozen=True)
class Comparison:
    """One source compared with the target, over one or more seeded draws of rows.

    Attributes:
        squared: mean over draws of the squared OTDD, in feature units squared.
        spread: standard deviation over draws, in the same unit; 0 for a single draw.
        draws: the value of every draw.
        rows: rows of the target and of the source in every draw.
        converged: whether every draw did.
        marginal_error: the largest of all draws.
        labels_target: classes of the target in the first draw.
        labels_source: classes of the source in the first draw.
        label_distances: of the first draw, a row for each class of the target, in feature units squared.
    """

    squared: float
    spread: float
    draws: tuple[float, ...]
    rows: tuple[int, int]
    converged: bool
    marginal_error: float
    labels_target: tuple[str, ...]
    labels_source: tuple[str, ...]
    label_distances: tuple[tuple[float, ...], ...]

    @property
    def distance(self) -> float:
        """The root of ``squared``, in feature units.

        Raises:
            NegativeDistanceError: a debiased entropic mean is negative.
        """
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
            "label_distances": [list(row) for row in self.label_distances],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Comparison":
        """The comparison that ``to_dict`` wrote."""
        target_rows, source_rows = data["rows"]
        return cls(
            squared=float(data["squared"]),
            spread=float(data["spread"]),
            draws=tuple(float(value) for value in data["draws"]),
            rows=(int(target_rows), int(source_rows)),
            converged=bool(data["converged"]),
            marginal_error=float(data["marginal_error"]),
            labels_target=tuple(data["labels_target"]),
            labels_source=tuple(data["labels_source"]),
            label_distances=tuple(tuple(float(value) for value in row) for row in data["label_distances"]),
        )


ResultT_co = TypeVar("ResultT_co", bound=Comparison | None, covariant=True)


@dataclass(frozen=True)
class Ranking(Generic[ResultT_co]):
    """Sources, best first. Iterates over (name, result).

    A result is a ``Comparison``, or ``None`` where the method compares nothing.

    Attributes:
        method: how the order came about, ``"nearest"`` or ``"random"``.
        entries: (name, result) pairs, best first.
        num_evaluated: sources whose distance was computed.
        rows_compared: rows of target and source in each comparison; 0 where nothing was compared.
    """

    method: str
    entries: tuple[tuple[str, ResultT_co], ...]
    num_evaluated: int
    rows_compared: int

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
        if data.get("format") != RANKING_FORMAT:
            raise OptionError(
                f"The ranking has format {data.get('format')!r}, but this version reads format {RANKING_FORMAT}. "
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
            )
        except (KeyError, TypeError, ValueError) as error:
            raise OptionError(
                f"The ranking is damaged ({type(error).__name__}: {error}); what Ranking.to_dict wrote is needed. "
                "Rank again."
            ) from error
