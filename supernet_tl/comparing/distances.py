"""Distances between datasets: of a pair with its evidence class by class, or of all pairs of several."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import ot_select
import zoo_store
from ot_select.arrays import check_positive_int
from supernet_tl.comparing.datasets import ComparedDataset
from supernet_tl.comparing.names import common_recipe, find_datasets, load_datasets
from supernet_tl.comparing.pair_log import PairLog
from supernet_tl.comparing.results import ClassComparison, Distances, PairDistance
from supernet_tl.control import Control, Source
from supernet_tl.files import write_whole
from supernet_tl.recipe import Precision, digest
from supernet_tl.run_folder import RunFolder, run_folder
from supernet_tl.terminal.console import counted
from supernet_tl.zoos import open_zoo

_PAIR_LOG = "pairs.jsonl"


def distance(
    *datasets: Source,
    zoo: zoo_store.Zoo | str | os.PathLike[str] | None = None,
    distance: str | ot_select.DatasetDistance = "otdd",
    rows: int = 1000,
    draws: int = 3,
    seed: int = 0,
    embedder: str | None = None,
    embed_size: int | None = None,
    embed_precision: Precision | None = None,
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
        distance: a name that :func:`ot_select.parse_distance` knows, such as ``otdd``, or any symmetric distance of
            that protocol; one that keeps its coupling shows between two datasets which class goes to which.
        rows: of each dataset in a comparison, at most.
        draws: of rows, for every pair.
        seed: of everything random.
        embedder: what images are embedded with; that of embedding files and zoo entries when absent.
        embed_size: pixels a side that the embedder sees; likewise.
        embed_precision: of the embedder; likewise.
        output: a folder for the numbers and a page of pictures.
        control: device, overwriting, bad images.

    Raises:
        ComparisonError: fewer than two datasets, or features that cannot be compared.
        RunFolderError: ``output`` holds something else.
        DataError: images cannot be used.
    """
    control = control or Control()
    rows, seeds = check_positive_int("rows", rows), ot_select.draw_seeds(seed, draws)
    compare = ot_select.parse_distance(distance) if isinstance(distance, str) else distance
    found = find_datasets(datasets, None if zoo is None else open_zoo(zoo), control)
    recipe = common_recipe(
        found,
        {"embedder": embedder, "embed_size": embed_size, "embed_precision": embed_precision, "seed": seed},
    )
    settings = {
        "distance": compare.name,
        "rows": rows,
        "draws": draws,
        "seed": seed,
        "embedder": recipe.embedder,
        "embed_size": recipe.embed_size,
        "embed_precision": recipe.embed_precision,
        "datasets": {item.name: item.content for item in found},
    }
    with ExitStack() as stack:
        run = None
        if output is not None:
            run = stack.enter_context(run_folder(Path(output), "distance", settings, overwrite=control.overwrite))
            if run.continued:
                control.say(f"continuing the unfinished distances in {run.path}")
        loaded = load_datasets(found, recipe, rows * draws)
        compared = min(rows, *(dataset.num_rows for dataset in loaded))
        _say_what_limits(loaded, compared, rows, control)
        pairs, classes = _measure(loaded, compared, seeds, compare, run, control)
        result = Distances(
            distance=compare.name,
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
