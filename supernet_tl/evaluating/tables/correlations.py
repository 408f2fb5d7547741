"""The paper's Table 2, whether nearer sources transfer better, and the distances it rests on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ot_select.errors import OptionError
from ot_select.statistics import kendall, pearson, weighted_kendall
from supernet_tl.evaluating.tables.finished import Finished, Selection
from supernet_tl.evaluating.tables.numbers import mean_of, whole_mean
from supernet_tl.evaluating.tables.runs import PARTS, Run

COEFFICIENTS: Mapping[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "kendall": kendall,
    "weighted_kendall": weighted_kendall,
    "pearson": pearson,
}
_NEGATIVE = "a squared distance is negative after debiasing and has no root, so pearson is undefined"


def table2_of(finished: Finished) -> list[dict[str, Any]]:
    """Correlations of closeness with accuracy over the single sources, by target, seed and part, then means over seeds.

    Kendall's coefficients are of squared distances, which order sources as distances do and exist where debiasing
    leaves a negative one; Pearson's is of distances. ``why`` tells what is undefined. A target and seed one of whose
    ranked sources has no finished run is left out.
    """
    rows = []
    for target in finished.targets:
        for part in PARTS:
            own = [row for seed in finished.recipe.seeds if (row := _row(finished, target, seed, part)) is not None]
            rows += [*own, *([_mean(own)] if own else [])]
    return rows


def distances_of(finished: Finished) -> dict[str, Any]:
    """Distances from every target to every source: means over the seeds that are finished.

    A ``distance`` is null where the squared one of a seed is negative.
    """
    cells, names = [], set()
    for target in finished.targets:
        found = [one for seed in finished.recipe.seeds if (one := finished.ranking(target, seed)) is not None]
        names |= {str(one.result["distance"]) for one in found}
        for source in finished.sources(target):
            rows = {one.job.name: one.squared[source] for one in found if source in one.squared}
            if rows:
                cells.append(
                    {
                        "target": target,
                        "source": source,
                        "distance": whole_mean(map(root, rows.values())),
                        "squared": mean_of(rows.values()),
                        "num_seeds": len(rows),
                        "job": next(iter(rows)),
                        "jobs": list(rows),
                    }
                )
    everything = [*finished.targets, *(source for target in finished.targets for source in finished.sources(target))]
    return {"distance": ", ".join(sorted(names)) or None, "names": list(dict.fromkeys(everything)), "cells": cells}


def root(squared: float) -> float | None:
    """The distance of a squared one; None where that is negative."""
    return math.sqrt(squared) if squared >= 0 else None


def _row(finished: Finished, target: str, seed: int, part: str) -> dict[str, Any] | None:
    ranking = finished.ranking(target, seed)
    if ranking is None:
        return None
    found = {source: finished.run(target, seed, "source", source=source) for source in ranking.squared}
    runs = {source: run for source, run in found.items() if run is not None}
    if not runs or len(runs) < len(found):
        return None
    values, whys = _coefficients(ranking, runs, part)
    return {
        "target": target,
        "seed": seed,
        "part": part,
        **values,
        "num_sources": len(runs),
        "why": "; ".join(whys) or None,
        "jobs": [ranking.job.name, *(run.job.name for run in runs.values())],
    }


def _coefficients(
    ranking: Selection, runs: Mapping[str, Run], part: str
) -> tuple[dict[str, float | None], Sequence[str]]:
    accuracies = [value for run in runs.values() if (value := run.accuracy[part]) is not None]
    if len(accuracies) < len(runs):
        return dict.fromkeys(COEFFICIENTS), ["a run has no accuracy"]
    squared = [ranking.squared[source] for source in runs]
    roots = [one for one in map(root, squared) if one is not None]
    values: dict[str, float | None] = {}
    whys: dict[str, None] = {}
    for name, coefficient in COEFFICIENTS.items():
        values[name] = None
        if name == "pearson" and len(roots) < len(squared):
            whys[_NEGATIVE] = None
            continue
        try:
            values[name] = coefficient(roots if name == "pearson" else squared, accuracies)
        except OptionError:
            whys[_why(squared, accuracies)] = None
    return values, list(whys)


def _why(squared: Sequence[float], accuracies: Sequence[float]) -> str:
    if len(accuracies) < 2:
        return "there is only one source"
    equal = "accuracies" if len(set(accuracies)) == 1 else "distances"
    return f"all {len(accuracies)} {equal} are equal, so nothing can be correlated with them"


def _mean(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean over the seeds in which a coefficient is defined."""
    whys = [f"seed {row['seed']}: {row['why']}" for row in rows if row["why"]]
    return {
        "target": rows[0]["target"],
        "seed": "mean",
        "part": rows[0]["part"],
        **{name: mean_of(row[name] for row in rows) for name in COEFFICIENTS},
        "num_sources": min(row["num_sources"] for row in rows),
        "why": "; ".join(whys) or None,
        "jobs": [job for row in rows for job in row["jobs"]],
    }
