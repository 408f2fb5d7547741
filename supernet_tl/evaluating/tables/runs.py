"""Every finished run and baseline as a flat row, measured against scratch of the same target and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supernet_tl.evaluating.job import Job
from supernet_tl.evaluating.plan import Plan
from supernet_tl.evaluating.tables.numbers import improvement

PARTS = ("supernet", "network")
"""What is measured: the supernet after its search, and the final network."""

_NETWORK = ("validation_accuracy", "test_accuracy", "test_balanced_accuracy", "test_macro_f1")
_SUPERNET = ("best_validation_accuracy", *_NETWORK)
_SIZES = ("num_parameters", "macs")
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Best:
    """The highest validation accuracy of a search from scratch.

    Attributes:
        accuracy: a fraction, as its curve keeps it.
        epoch: that reached it first, counted from 1.
    """

    accuracy: float
    epoch: int


@dataclass(frozen=True)
class Run:
    """A finished run or baseline.

    Attributes:
        job: that it is the outcome of.
        result: as the outcome has it.
        cpu_seconds: of the whole job; None where it was stopped and continued, for then they are of its last part.
        accuracy: that is reported, by part; None where the part has none.
        ri: relative improvement over scratch, by part; None where it is undefined or scratch is not finished.
        scratch_best: of the same target and seed; None where scratch is not finished.
        epochs_to_best: epochs until the supernet reached ``scratch_best``, counted from 1; None where it never did.
        seconds_to_best: likewise, of the search.
    """

    job: Job
    result: Mapping[str, Any]
    cpu_seconds: float | None
    accuracy: Mapping[str, float | None]
    ri: Mapping[str, float | None]
    scratch_best: Best | None
    epochs_to_best: int | None
    seconds_to_best: float | None

    @property
    def epochs(self) -> int:
        """Epochs of the search; of fine-tuning where there is no search."""
        epochs = self.result["epochs"]
        return int(epochs["run"] if "run" in epochs else epochs["finetune"])

    @property
    def searches(self) -> bool:
        """Whether there is a supernet whose epochs can be compared with scratch's."""
        return "search" in self.result and self.scratch_best is not None

    @property
    def start(self) -> str | None:
        """What it started from: a source, or ``mixture``; None for scratch and for networks of another kind."""
        start = self.result.get("start")
        if start is None:
            return None
        return "mixture" if start["tags"].get("arm") == "mixture" else str(start["tags"]["source"])

    def to_dict(self) -> dict[str, Any]:
        """The row as plain JSON values."""
        tags, supernet = self.job.tags, self.result.get("supernet")
        best = self.scratch_best
        return {
            "job": self.job.name,
            **{name: tags.get(name) for name in ("target", "seed", "arm", "source", "by", "schedule")},
            "start": self.start,
            "supernet": None if supernet is None else {name: supernet.get(name) for name in _SUPERNET},
            "network": {name: self.result["network"].get(name) for name in (*_NETWORK, *_SIZES)},
            "ri": dict(self.ri),
            "epochs_to_scratch_best": self.epochs_to_best,
            "seconds_to_scratch_best": self.seconds_to_best,
            "scratch_best_epoch": None if best is None else best.epoch,
            "epochs": self.epochs,
            "finetune_epochs": self.result["epochs"].get("finetune"),
            "seconds": dict(self.result["seconds"]),
            "cpu_seconds": self.cpu_seconds,
        }


def read_runs(plan: Plan, outcomes: Mapping[str, Mapping[str, Any]]) -> list[Run]:
    """The finished runs and baselines, in the plan's order.

    Args:
        plan: of the evaluation.
        outcomes: by job name.
    """
    score = "test_accuracy" if plan.recipe.measure == "test" else "validation_accuracy"
    jobs = [job for job in plan.jobs.values() if job.kind in ("run", "baseline") and job.name in outcomes]
    scratches = {
        (job.tags["target"], job.tags["seed"]): outcomes[job.name]["result"]
        for job in jobs
        if job.tags["arm"] == "scratch"
    }
    return [_run(job, outcomes[job.name], scratches.get((job.tags["target"], job.tags["seed"])), score) for job in jobs]


def _run(job: Job, outcome: Mapping[str, Any], scratch: Mapping[str, Any] | None, score: str) -> Run:
    result = outcome["result"]
    accuracy = _accuracies(result, score)
    base: Mapping[str, float | None] = {} if scratch is None else _accuracies(scratch, score)
    best = None if scratch is None else best_of(scratch["search"]["validation_accuracy"])
    reached = None
    if best is not None and "search" in result:
        reached = first_reaching(result["search"]["validation_accuracy"], best.accuracy)
    return Run(
        job=job,
        result=result,
        cpu_seconds=None if _was_continued(outcome) else outcome.get("cpu_seconds"),
        accuracy=accuracy,
        ri={part: improvement(accuracy[part], base.get(part)) for part in PARTS},
        scratch_best=best,
        epochs_to_best=reached,
        seconds_to_best=None if reached is None else result["search"]["seconds"][reached - 1],
    )


def _was_continued(outcome: Mapping[str, Any]) -> bool:
    """Whether the stages took longer than the job: theirs are counted on after a stop, the job's are not."""
    stages: Mapping[str, float] = outcome["result"]["seconds"]
    return sum(stages.values()) > float(outcome["seconds"])


def best_of(curve: Sequence[float | None]) -> Best | None:
    """The highest value of a curve and the first epoch that has it; None where the curve has no values."""
    known = [value for value in curve if value is not None]
    return Best(max(known), curve.index(max(known)) + 1) if known else None


def first_reaching(curve: Sequence[float | None], accuracy: float) -> int | None:
    """The first epoch, counted from 1, whose value is at least so high; both are rounded as curves are."""
    for epoch, value in enumerate(curve, 1):
        if value is not None and value >= accuracy - _TOLERANCE:
            return epoch
    return None


def _accuracies(result: Mapping[str, Any], score: str) -> dict[str, float | None]:
    return {part: (result.get(part) or {}).get(score) for part in PARTS}
