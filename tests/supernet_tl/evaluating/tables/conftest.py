"""A small evaluation whose numbers are chosen so that each statistic can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from supernet_tl.evaluating.job import Job
from supernet_tl.evaluating.outcomes import Failure
from supernet_tl.evaluating.plan import Plan, make_plan
from supernet_tl.evaluating.recipe import EvaluationRecipe
from supernet_tl.evaluating.tables.summary import summarise_evaluation

# Test accuracy of supernet and final network, by target, seed and start.
ACCURACIES: dict[tuple[str, int], dict[str, tuple[float, float]]] = {
    ("digits", 0): {"scratch": (0.50, 0.60), "faces": (0.60, 0.66), "50%_off": (0.45, 0.63), "mixture": (0.75, 0.72)},
    ("digits", 1): {"scratch": (0.40, 0.50), "faces": (0.50, 0.55), "50%_off": (0.44, 0.60), "mixture": (0.50, 0.65)},
    ("faces", 0): {"scratch": (0.80, 0.80), "digits": (0.72, 0.88), "50%_off": (0.88, 0.80), "mixture": (0.80, 0.84)},
    ("faces", 1): {"scratch": (0.80, 0.80), "digits": (0.80, 0.84), "50%_off": (0.76, 0.72), "mixture": (0.88, 0.84)},
    ("50%_off", 0): {"scratch": (0.50, 0.50), "digits": (0.55, 0.45), "faces": (0.50, 0.60), "mixture": (0.60, 0.55)},
    ("50%_off", 1): {"scratch": (0.50, 0.40), "digits": (0.60, 0.50), "faces": (0.45, 0.44), "mixture": (0.55, 0.50)},
}
# What the selector nearest chose; None is scratch.
CHOSEN: dict[tuple[str, int], str | None] = {
    ("digits", 0): "faces",
    ("digits", 1): "50%_off",
    ("faces", 0): "50%_off",
    ("faces", 1): "50%_off",
    ("50%_off", 0): None,
    ("50%_off", 1): "digits",
}
# Squared distances to the target.
SQUARED: dict[tuple[str, int], dict[str, float]] = {
    ("digits", 0): {"faces": 1.0, "50%_off": 4.0},
    ("digits", 1): {"50%_off": 4.0, "faces": 9.0},
    ("faces", 0): {"50%_off": 1.0, "digits": 9.0},
    ("faces", 1): {"50%_off": 1.0, "digits": 25.0},
    ("50%_off", 0): {"digits": -1.0, "faces": 16.0},
    ("50%_off", 1): {"digits": 4.0, "faces": 16.0},
}
# Validation accuracy of the supernet in every epoch, by start; that of all other starts is the last one.
CURVES: dict[str, list[float | None]] = {
    "scratch": [0.2, 0.4, 0.5, 0.7, 0.7],  # its best first in epoch 4
    "mixture": [0.7, 0.6, 0.8, 0.8, 0.8],  # reached in epoch 1: a quarter of scratch's
    "faces": [0.3, 0.69999949, 0.7, 0.7, 0.6],  # in epoch 3, not in 2: curves are rounded to six digits
    "digits": [0.1, None, 0.3, 0.3, 0.3],  # never
    "": [0.5, 0.8, 0.8, 0.8, 0.8],  # in epoch 2
}

_RECIPE = EvaluationRecipe(
    datasets=("pocket:digits", "pocket:faces", "made/50%_off"),
    seeds=(0, 1),
    arms=("sources", "mixture", "timm_time"),
    shared={"epochs": 5},
    schedules={"slow": {"weight_lr": 0.01}},
)


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation."""

    plan: Plan
    outcomes: dict[str, dict[str, Any]]

    def name(self, **tags: Any) -> str:
        """The name of the only job with these tags."""
        (job,) = self.plan.find(**tags)
        return job.name

    def summary(
        self, *, without: tuple[str, ...] = (), failures: Mapping[str, Failure] | None = None
    ) -> dict[str, Any]:
        """Of all outcomes but some."""
        there = {name: outcome for name, outcome in self.outcomes.items() if name not in without}
        return summarise_evaluation(self.plan, there, failures or {})


def make_evaluation(
    recipe: EvaluationRecipe = _RECIPE,
    accuracies: Mapping[tuple[str, int], Mapping[str, tuple[float | None, float | None]]] = ACCURACIES,
    squared: Mapping[tuple[str, int], Mapping[str, float]] = SQUARED,
    chosen: Mapping[tuple[str, int], str | None] = CHOSEN,
) -> Evaluation:
    """The evaluation of a recipe with some numbers."""
    plan = make_plan(recipe)
    makers: dict[str, Callable[[Job], dict[str, Any]]] = {
        "pretrain": _pretrained,
        "select": lambda job: _selected(job, squared, chosen),
        "run": lambda job: _ran(job, accuracies, chosen),
        "baseline": lambda job: _baseline(),
    }
    outcomes = {}
    for number, (name, job) in enumerate(plan.jobs.items()):
        outcomes[name] = {
            "name": name,
            **job.to_dict(),
            "result": makers[job.kind](job),
            "seconds": 30.0,
            "cpu_seconds": 1.5,
            "finished": f"2026-01-02T03:04:{number % 60:02}+00:00",
            "machine": {"device": "cpu", "threads": 2, "host": "here"},
            "versions": {"torch": "2.0"},
        }
    return Evaluation(plan, outcomes)


@pytest.fixture(name="make_evaluation")
def _make_evaluation() -> Callable[..., Evaluation]:
    return make_evaluation


@pytest.fixture(scope="session")
def evaluation() -> Evaluation:
    return make_evaluation()


@pytest.fixture(scope="session")
def recipe() -> EvaluationRecipe:
    return _RECIPE


def _pretrained(job: Job) -> dict[str, Any]:
    sources = job.spec["sources"]
    return {
        "entry": job.name[-12:] * 5,
        "metrics": {"validation_accuracy": 0.8, "test_accuracy": 0.9},
        "timings": {"search_seconds": 1.0},
        "genotype": {},
        "num_classes": 10,
        "num_images": [100 * (number + 1) for number, _ in enumerate(sources)],
    }


def _selected(
    job: Job, squared: Mapping[tuple[str, int], Mapping[str, float]], chosen: Mapping[tuple[str, int], str | None]
) -> dict[str, Any]:
    key = job.tags["target"], job.tags["seed"]
    source, distances = chosen[key], squared[key]
    return {
        "chosen": source,
        "chosen_job": None if source is None else job.spec["among"][source],
        "reason": "it is nearest",
        "distance": "otdd",
        "ranking": [{"source": source, "squared": value} for source, value in distances.items()],
        "left_out": {},
    }


def _ran(
    job: Job,
    accuracies: Mapping[tuple[str, int], Mapping[str, tuple[float | None, float | None]]],
    chosen: Mapping[tuple[str, int], str | None],
) -> dict[str, Any]:
    key, arm = (job.tags["target"], job.tags["seed"]), job.tags["arm"]
    source = job.tags["source"] if arm == "source" else chosen[key]
    start = {"scratch": "scratch", "scratch_twice": "scratch", "mixture": "mixture"}.get(arm, source or "scratch")
    supernet, network = accuracies[key][start]
    curve = CURVES.get(start, CURVES[""])
    tags = {"arm": "mixture", "without": key[0]} if start == "mixture" else {"source": start}
    return {
        "start": None if start == "scratch" else {"job": job.needs[0], "tags": tags},
        "supernet": {**_scores(supernet), "best_validation_accuracy": 0.7000004},
        "network": {**_scores(network), "num_parameters": 1000, "macs": 5000},
        "search": {"validation_accuracy": curve, "seconds": [1.0, 2.0, 3.0, 4.0, 5.0]},
        "epochs": {"planned": 5, "run": 5, "finetune": 10},
        "seconds": {"search": 5.0, "finetune": 20.0 if start == "scratch" else 18.0},
        "images": {"weight": 40, "architecture": 40, "validation": 20, "test": 25},
        "num_classes": 10,
    }


def _scores(test: float | None) -> dict[str, float | None]:
    """Accuracy on validation images is a tenth lower."""
    return {"validation_accuracy": None if test is None else test - 0.1, "test_accuracy": test}


def _baseline() -> dict[str, Any]:
    return {
        "network": {**_scores(0.5), "num_parameters": 900, "macs": 4000},
        "seconds": {"finetune": 23.0},
        "epochs": {"finetune": 7},
    }
