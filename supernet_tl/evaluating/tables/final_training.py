"""How long the final networks take to train, and how large they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from supernet_tl.evaluating.tables.finished import Finished
from supernet_tl.evaluating.tables.methods import Method
from supernet_tl.evaluating.tables.numbers import mean_of
from supernet_tl.evaluating.tables.runs import Run
from supernet_tl.evaluating.tables.values import Value


def final_training_of(finished: Finished, values: Sequence[Value], methods: Sequence[Method]) -> list[dict[str, Any]]:
    """A row for every method that has values; means over the runs that stand for it.

    ``mean_share_of_scratch`` is the mean of a run's seconds over those of scratch on the same target and seed; times
    are of whatever machine a job was done on.
    """
    rows = []
    for method in methods:
        runs = [run for value in values if value.method == method.name for run in value.runs["network"]]
        if runs:
            rows.append(
                {
                    "method": method.name,
                    "part": "network",
                    "num_runs": len(runs),
                    "mean_seconds": mean_of(map(_seconds, runs)),
                    "mean_epoch_seconds": mean_of(map(_epoch_seconds, runs)),
                    "mean_share_of_scratch": mean_of(_share(finished, run) for run in runs),
                    "mean_num_parameters": mean_of(run.result["network"]["num_parameters"] for run in runs),
                    "mean_macs": mean_of(run.result["network"]["macs"] for run in runs),
                }
            )
    return rows


def _seconds(run: Run) -> float:
    return float(run.result["seconds"]["finetune"])


def _epoch_seconds(run: Run) -> float | None:
    return _over(_seconds(run), run.result["epochs"]["finetune"])


def _share(finished: Finished, run: Run) -> float | None:
    scratch = finished.run(run.job.tags["target"], run.job.tags["seed"], "scratch")
    return None if scratch is None else _over(_seconds(run), _seconds(scratch))


def _over(seconds: float, whole: float) -> float | None:
    return seconds / whole if whole else None
