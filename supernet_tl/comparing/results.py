"""What a measurement of distances gives back: pairs, the classes of two datasets, and the whole."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ot_select.arrays import FloatArray
from supernet_tl.comparing.datasets import ComparedDataset

SCHEMA = 1
_UNIT = "squared distances and their spread in embedding units squared; a distance is the root of a squared one"


@dataclass(frozen=True)
class PairDistance:
    """The distance between two datasets, over one or more draws of rows.

    Attributes:
        a: name of the one.
        b: name of the other.
        draws: the squared distance of every draw, in embedding units squared.
        converged: whether every draw did; a number that comes with ``False`` is not the distance.
        marginal_error: the largest of all draws.
        dual_gap: the largest of all draws, in embedding units squared.
    """

    a: str
    b: str
    draws: tuple[float, ...]
    converged: bool
    marginal_error: float
    dual_gap: float

    @property
    def squared(self) -> float:
        """Mean over draws of the squared distance, in embedding units squared."""
        return float(np.mean(self.draws))

    @property
    def spread(self) -> float:
        """Standard deviation over draws of the squared distance; 0 for a single draw."""
        return float(np.std(self.draws, ddof=1)) if len(self.draws) > 1 else 0.0

    @property
    def distance(self) -> float | None:
        """The root of ``squared``, in embedding units; None where a debiased value is negative."""
        return float(np.sqrt(self.squared)) if self.squared >= 0 else None

    @property
    def distance_spread(self) -> float | None:
        """What the spread moves the distance by, to first order; None where that is not defined."""
        return self.spread / (2 * self.distance) if self.distance else None

    def to_dict(self) -> dict[str, Any]:
        """The pair as plain JSON values."""
        return {
            "a": self.a,
            "b": self.b,
            "squared": self.squared,
            "spread": self.spread,
            "distance": self.distance,
            "distance_spread": self.distance_spread,
            "draws": list(self.draws),
            "converged": self.converged,
            "marginal_error": self.marginal_error,
            "dual_gap": self.dual_gap,
        }


@dataclass(frozen=True, eq=False)
class ClassComparison:
    """How the classes of two datasets lie to each other, in the first draw.

    Attributes:
        labels_a: classes of the one, in the order of their names.
        labels_b: classes of the other, likewise.
        label_distances: squared distances between classes, shape (k_a, k_b), in embedding units squared; None where
            the distance does not look at labels.
        coupling: mass moved between classes, shape (k_a, k_b), summing to 1; None where no rows were coupled.
    """

    labels_a: tuple[str, ...]
    labels_b: tuple[str, ...]
    label_distances: FloatArray | None
    coupling: FloatArray | None

    def to_dict(self) -> dict[str, Any]:
        """The classes as plain JSON values, with the nearest class of b for every class of a."""
        return {
            "labels_a": list(self.labels_a),
            "labels_b": list(self.labels_b),
            "label_distances": None if self.label_distances is None else self.label_distances.tolist(),
            "coupling": None if self.coupling is None else self.coupling.tolist(),
            "nearest": [self._nearest(row) for row in range(len(self.labels_a))],
        }

    def _nearest(self, row: int) -> dict[str, Any]:
        """The class of b at the least label distance, and the one that takes most of the mass."""
        by_distance = by_mass = None
        if self.label_distances is not None:
            best = int(np.argmin(self.label_distances[row]))
            squared = float(self.label_distances[row, best])
            by_distance = {
                "class": self.labels_b[best],
                "squared": squared,
                "distance": float(np.sqrt(max(squared, 0))),
            }
        if self.coupling is not None:
            best = int(np.argmax(self.coupling[row]))
            mass = float(self.coupling[row, best])
            share = mass / float(self.coupling[row].sum())
            by_mass = {"class": self.labels_b[best], "mass": mass, "share": share}
        return {"class": self.labels_a[row], "by_label_distance": by_distance, "by_mass": by_mass}


@dataclass(frozen=True, eq=False)
class Distances:
    """Distances between two or more datasets, all at the same number of rows.

    Attributes:
        distance: name of the distance.
        rows: of each dataset in each draw.
        seed: of the rows that were embedded and of the draws.
        datasets: in the order given.
        pairs: each two of them once, in the order of the upper triangle's rows.
        classes: of two datasets; None for more.
        output: the folder with the numbers and the page; None when none was asked for.
    """

    distance: str
    rows: int
    seed: int
    datasets: tuple[ComparedDataset, ...]
    pairs: tuple[PairDistance, ...]
    classes: ClassComparison | None
    output: Path | None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the datasets, in the order given."""
        return tuple(dataset.name for dataset in self.datasets)

    @property
    def squared(self) -> FloatArray:
        """Squared distances, shape (n, n), symmetric, 0 on the diagonal, in embedding units squared."""
        table = np.zeros((len(self.datasets), len(self.datasets)))
        table[np.triu_indices(len(self.datasets), k=1)] = [pair.squared for pair in self.pairs]
        return table + table.T

    def nearest(self, name: str) -> PairDistance:
        """The pair of a dataset with the one nearest to it; of equal ones the first given."""
        return min((pair for pair in self.pairs if name in (pair.a, pair.b)), key=lambda pair: pair.squared)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        neighbours = []
        for name in self.names:
            pair = self.nearest(name)
            other = pair.b if pair.a == name else pair.a
            neighbours.append({"name": name, "nearest": other, "squared": pair.squared, "distance": pair.distance})
        return {
            "schema_version": SCHEMA,
            "distance": self.distance,
            "unit": _UNIT,
            "rows": self.rows,
            "num_draws": max(len(pair.draws) for pair in self.pairs),
            "seed": self.seed,
            "embedder": self.datasets[0].embedder,
            "converged": all(pair.converged for pair in self.pairs),
            "datasets": [dataset.to_dict() for dataset in self.datasets],
            "pairs": [pair.to_dict() for pair in self.pairs],
            "nearest": neighbours,
            "classes": None if self.classes is None else self.classes.to_dict(),
        }

    def to_csv(self) -> str:
        """The pairs as CSV, a line each."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("a", "b", "distance", "squared", "spread", "num_draws", "converged"))
        for pair in self.pairs:
            root = "" if pair.distance is None else pair.distance
            writer.writerow((pair.a, pair.b, root, pair.squared, pair.spread, len(pair.draws), pair.converged))
        return text.getvalue()
