"""Distances between datasets: of a pair with its evidence class by class, or of all pairs of several."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

import ot_select
import zoo_store
from ot_select.arrays import FloatArray, check_positive_int
from supernet_tl import adapters
from supernet_tl.compared_datasets import ComparedDataset, common_recipe, find_datasets, load_datasets
from supernet_tl.console import counted
from supernet_tl.control import Control, Source
from supernet_tl.files import write_whole
from supernet_tl.pair_log import PairLog
from supernet_tl.recipe import digest
from supernet_tl.run_folder import RunFolder, run_folder

SCHEMA = 1
_UNIT = "squared distances and their spread in embedding units squared; a distance is the root of a squared one"
_PAIR_LOG = "pairs.jsonl"


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
        measure: name of the distance.
        rows: of each dataset in each draw.
        seed: of the rows that were embedded and of the draws.
        datasets: in the order given.
        pairs: each two of them once, in the order of the upper triangle's rows.
        classes: of two datasets; None for more.
        output: the folder with the numbers and the page; None when none was asked for.
    """

    measure: str
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
            "measure": self.measure,
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


def distance(
    *datasets: Source,
    zoo: zoo_store.Zoo | str | os.PathLike[str] | None = None,
    measure: str | ot_select.DatasetDistance = "otdd",
    rows: int = 1000,
    draws: int = 3,
    seed: int = 0,
    embedder: str | None = None,
    embed_size: int | None = None,
    output: str | os.PathLike[str] | None = None,
    control: Control | None = None,
) -> Distances:
    """Measure the distances between datasets, each pair once, at equal rows.

    An exact distance grows as samples shrink. So every comparison takes the same number of rows of each dataset, as
    many as the smallest has and at most ``rows``, and a distance is the mean over several draws; a pair whose rows are
    all compared is drawn once. Of each dataset up to ``rows`` times ``draws`` rows are embedded to draw from, each
    class in proportion. An interrupted call with ``output`` goes on when it is made again.

    Args:
        *datasets: folders, Meta-Album folders, ``pocket:NAME``, image sets, embedding files; with a zoo also names and
            ids of its entries. Nothing but a zoo stands for all its entries.
        zoo: a zoo or its path.
        measure: a name that :func:`ot_select.parse_distance` knows, such as ``otdd``, or any symmetric distance of that
            protocol; one that keeps its coupling shows between two datasets which class goes to which.
        rows: of each dataset in a comparison, at most.
        draws: of rows, for every pair.
        seed: of everything random.
        embedder: what images are embedded with; that of embedding files and zoo entries when absent.
        embed_size: pixels a side that the embedder sees; likewise.
        output: a folder for the numbers and a page of pictures.
        control: device, overwriting, bad images.

    Raises:
        ComparisonError: fewer than two datasets, or features that cannot be compared.
        RunFolderError: ``output`` holds something else.
        DataError: images cannot be used.
    """
    control = control or Control()
    rows, seeds = check_positive_int("rows", rows), ot_select.draw_seeds(seed, draws)
    compare = ot_select.parse_distance(measure) if isinstance(measure, str) else measure
    found = find_datasets(datasets, None if zoo is None else adapters.open_zoo(zoo), control)
    recipe = common_recipe(found, {"embedder": embedder, "embed_size": embed_size, "seed": seed})
    settings = {
        "measure": compare.name,
        "rows": rows,
        "draws": draws,
        "seed": seed,
        "embedder": recipe.embedder,
        "embed_size": recipe.embed_size,
        "datasets": {item.name: item.content for item in found},
    }
    with ExitStack() as stack:
        run = None
        if output is not None:
            run = stack.enter_context(run_folder(Path(output), "distance", settings, overwrite=control.overwrite))
        loaded = load_datasets(found, recipe, rows * draws)
        compared = min(rows, *(dataset.num_rows for dataset in loaded))
        _say_what_limits(loaded, compared, rows, control)
        pairs, classes = _measure(loaded, compared, seeds, compare, run, control)
        result = Distances(
            measure=compare.name,
            rows=compared,
            seed=seed,
            datasets=tuple(loaded),
            pairs=tuple(pairs),
            classes=classes,
            output=None if run is None else run.path,
        )
        if run is not None:
            _write(result, run)
    return result


def _say_what_limits(datasets: Sequence[ComparedDataset], compared: int, rows: int, control: Control) -> None:
    if compared < rows and len({dataset.num_rows for dataset in datasets}) > 1:
        smallest = min(datasets, key=lambda dataset: dataset.num_rows)
        control.say(f"compared at {compared} rows each, for {smallest.name} has no more")
    for dataset in datasets:
        if dataset.num_classes > compared:
            control.say(
                f"note: {dataset.name} has {dataset.num_classes} classes, so {compared} rows leave some of them out"
            )


def _measure(
    datasets: Sequence[ComparedDataset],
    rows: int,
    seeds: Sequence[int],
    compare: ot_select.DatasetDistance,
    run: RunFolder | None,
    control: Control,
) -> tuple[list[PairDistance], ClassComparison | None]:
    """Every pair; of two datasets also their classes."""
    total = len(datasets) * (len(datasets) - 1) // 2
    with counted("measuring distances", quiet=control.quiet) as progress:
        if len(datasets) == 2:
            if isinstance(compare, ot_select.OTDD):
                compare = replace(compare, keep_coupling=True)
            pair, classes = _compare(datasets[0], datasets[1], rows, seeds, compare, progress)
            return [pair], classes
        log = None if run is None else PairLog(run.path / _PAIR_LOG)
        digests = {dataset.name: dataset.digest() for dataset in datasets}
        pairs = []
        for a, b in combinations(datasets, 2):
            key = digest([compare.name, rows, list(seeds), digests[a.name], digests[b.name]])
            kept = None if log is None else log.get(key)
            if kept is None:
                kept = _evidence(_compare(a, b, rows, seeds, compare)[0])
                if log is not None:
                    log.add(key, kept)
            pairs.append(PairDistance(a.name, b.name, **{**kept, "draws": tuple(kept["draws"])}))
            progress(len(pairs), total)
        return pairs, None


def _evidence(pair: PairDistance) -> dict[str, Any]:
    """What is kept of a pair, whatever its datasets are called."""
    return {
        "draws": list(pair.draws),
        "converged": pair.converged,
        "marginal_error": pair.marginal_error,
        "dual_gap": pair.dual_gap,
    }


def _compare(
    a: ComparedDataset,
    b: ComparedDataset,
    rows: int,
    seeds: Sequence[int],
    compare: ot_select.DatasetDistance,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[PairDistance, ClassComparison]:
    """One pair over its draws, and the classes of the first draw."""
    cloud_a, cloud_b = a.cloud(), b.cloud()
    if a.num_rows == b.num_rows == rows:
        seeds = seeds[:1]
    classes: list[ClassComparison] = []
    results = []
    for seed in seeds:
        rows_a, rows_b = (ot_select.draw_rows(cloud, rows, seed) for cloud in (cloud_a, cloud_b))
        found = compare(rows_a, rows_b)
        if not classes:
            classes.append(_classes(found, rows_a, rows_b))
        results.append((found.squared, found.converged, found.marginal_error, found.dual_gap))
        if progress is not None:
            progress(len(results), len(seeds))
    squared, converged, marginal_errors, dual_gaps = zip(*results, strict=True)
    return PairDistance(a.name, b.name, squared, all(converged), max(marginal_errors), max(dual_gaps)), classes[0]


def _classes(
    found: ot_select.DistanceResult, a: ot_select.LabelledCloud, b: ot_select.LabelledCloud
) -> ClassComparison:
    return ClassComparison(
        labels_a=tuple(map(str, found.labels_a)),
        labels_b=tuple(map(str, found.labels_b)),
        label_distances=found.label_distances,
        coupling=None if found.coupling is None else ot_select.class_coupling(found, a, b),
    )


def _write(result: Distances, run: RunFolder) -> None:
    """The numbers, the page, and the mark that this is all."""
    from supernet_tl.report.class_pictures import write_pair_page
    from supernet_tl.report.heat_map import write_distances_page

    values = result.to_dict()
    if result.classes is not None:
        run.write_json("distance.json", values)
        write_pair_page(run.path / "distance.html", values, [dataset.thumbnails for dataset in result.datasets])
    else:
        run.write_json("distances.json", values)
        write_whole(run.path / "distances.csv", result.to_csv().encode())
        write_distances_page(run.path / "distances.html", values)
    run.finish()
