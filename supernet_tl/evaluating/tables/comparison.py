"""Several evaluations on the same targets in one table: search methods and selection rules, numbers of shots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supernet_tl.errors import EvaluationError
from supernet_tl.evaluating.tables.layout import NOTHING, Block, Table, number
from supernet_tl.evaluating.tables.numbers import mean_of, spread_of

_ALL = "mean over targets"


@dataclass(frozen=True)
class Comparison:
    """Evaluations that are shown in one table.

    Attributes:
        title: of the section.
        explained: what is compared, in a sentence.
        summaries: by label, as :func:`supernet_tl.evaluating.tables.summary.summarise_evaluation` gives them.
        commands: by label, that make the evaluations.
    """

    title: str
    explained: str
    summaries: Mapping[str, Mapping[str, Any]]
    commands: Mapping[str, str]


def comparison_table(compared: Comparison) -> Table:
    """Every method of each evaluation that one run stands for; by target, and over all targets.

    Networks of another kind are among them.

    All rows of an evaluation rest on the same targets and seeds: those for which every row has a run.

    Raises:
        EvaluationError: some evaluations are of test images and others of validation images.
    """
    summaries = compared.summaries
    measures = {summary["measure"] for summary in summaries.values()}
    if len(measures) > 1:
        raise EvaluationError(
            f"{compared.title} compares evaluations of {' and of '.join(sorted(measures))} images; expected one kind."
        )
    (measure,) = measures
    targets = dict.fromkeys(run["target"] for summary in summaries.values() for run in summary["runs"])
    rows: dict[str, list[tuple[str, ...]]] = {name: [] for name in (_ALL, *targets)}
    for label, summary in summaries.items():
        for title, runs in _compared_runs(summary).items():
            for block, shown in rows.items():
                there = [run for run in runs if block in (_ALL, run["target"])]
                if there:
                    shown.append((label, title, *_cells(there, measure)))
    return Table(
        f"{compared.explained} Accuracy of {measure} images: means, and sample standard deviations over seeds. Epochs: "
        "until the supernet reaches the best validation accuracy of the same evaluation's search from scratch, where "
        "one that never does counts with all the epochs it ran. Seconds: of the CPU, for the whole job of search, "
        "selection of the architecture, final training and evaluation; none where a job was interrupted.",
        (
            "searched",
            "trained",
            "supernet's accuracy",
            "final network's accuracy",
            "RI, final network",
            "reach scratch's best",
            "epochs to it, at least",
            "parameters",
            "seconds",
            "runs",
        ),
        tuple(Block(title, tuple(shown)) for title, shown in rows.items() if shown),
    )


def _compared_runs(summary: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """By title of the method its runs, on the targets and seeds for which every method has one."""
    runs = {run["job"]: run for run in summary["runs"]}
    chosen = {f"by {selector}" for selector in summary["recipe"]["select"]}
    titles = {
        method["name"]: method["title"]
        for method in summary["methods"]
        if method["kind"] != "derived" or method["name"] in chosen
    }
    found: dict[str, dict[tuple[str, int], Mapping[str, Any]]] = {title: {} for title in titles.values()}
    for value in summary["values"]:
        if value["method"] in titles:
            own = [runs[job] for job in value["jobs"] if job in runs]  # scratch's is always there, and the last
            found[titles[value["method"]]][value["target"], value["seed"]] = own[0]
    common = set.intersection(*(set(by_key) for by_key in found.values()))
    return {title: [run for key, run in by_key.items() if key in common] for title, by_key in found.items()}


def _cells(runs: Sequence[Mapping[str, Any]], measure: str) -> Iterator[str]:
    score = f"{measure}_accuracy"
    yield _told(runs, _of_search(lambda run: run["supernet"][score]), 3, spread=True)
    yield _told(runs, lambda run: run["network"][score], 3, spread=True)
    yield _told(runs, lambda run: run["ri"]["network"], 4, spread=True)
    yield _told(runs, _of_search(lambda run: float(run["epochs_to_scratch_best"] is not None)), 2)
    yield _told(runs, _of_search(lambda run: run["epochs_to_scratch_best"] or run["epochs"]), 1)
    yield _told(runs, lambda run: run["network"]["num_parameters"], 0)
    timed = all(run["cpu_seconds"] is not None for run in runs)
    yield _told(runs, lambda run: run["cpu_seconds"], 0) if timed else NOTHING
    yield str(len(runs))


def _of_search(value: Callable[[Mapping[str, Any]], float | None]) -> Callable[[Mapping[str, Any]], float | None]:
    """The value of a run that searched; None of networks of another kind."""
    return lambda run: None if run["supernet"] is None else value(run)


def _told(
    runs: Sequence[Mapping[str, Any]],
    value: Callable[[Mapping[str, Any]], float | None],
    digits: int,
    *,
    spread: bool = False,
) -> str:
    """The mean over targets of means over seeds; with the spread over the seeds that all targets have."""
    targets = sorted({run["target"] for run in runs})
    mean = mean_of(mean_of(value(run) for run in runs if run["target"] == target) for target in targets)
    if not spread:
        return number(mean, digits)
    by_seed = ([run for run in runs if run["seed"] == seed] for seed in sorted({run["seed"] for run in runs}))
    whole = [found for found in by_seed if len(found) == len(targets)]
    return number(mean, digits, spread_of([mean_of(map(value, found)) for found in whole]))
