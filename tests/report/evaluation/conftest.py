"""Evaluations with made-up accuracies, put together as the schema of ``summary.json`` says."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, median, pstdev
from typing import Any

import numpy as np
import pytest
import torch

import darts
from supernet_tl.report.evaluation import write_evaluation_page

DATASETS = ("digits", "letters", "faces", "signs")
TITLES = {
    "scratch": "from scratch",
    "by nearest": "nearest by OTDD",
    "by random": "drawn at random",
    "mixture": "mixture of all sources",
    "weights_only": "weights only",
    "oracle": "best source (oracle)",
    "random source": "random source (expected)",
    "timm_parameters": "timm at equal size",
}
Evaluation = tuple[dict[str, Any], dict[str, dict[str, Any]]]
Builder = Callable[..., Evaluation]


def noise(*key: object) -> float:
    """A number from 0 to 1 that depends on the key alone."""
    return zlib.crc32(repr(key).encode()) / 2**32


def build_evaluation(
    datasets: Sequence[str] = DATASETS,
    seeds: Sequence[int] = (0, 1, 2),
    *,
    methods: Iterable[str] = tuple(TITLES),
    with_sources: bool = True,
    gain: float = 0.04,
    epochs: int = 6,
    missing: Sequence[Mapping[str, Any]] = (),
    without: Callable[[str, int, str], bool] = lambda target, seed, arm: False,
) -> Evaluation:
    """A summary with the outcomes behind it.

    Args:
        datasets: their names.
        seeds: of the targets' runs.
        methods: that the summary has.
        with_sources: whether there is a run from every single source.
        gain: accuracy that a warm start gains, more or less.
        epochs: of search and final training.
        missing: jobs without an outcome.
        without: whether the run of a target, seed and arm is missing.
    """
    made = _Made(tuple(datasets), tuple(seeds), tuple(methods), with_sources, gain, epochs, without)
    return made.summary(missing), made.outcomes


class _Made:
    def __init__(
        self,
        datasets: tuple[str, ...],
        seeds: tuple[int, ...],
        methods: tuple[str, ...],
        with_sources: bool,
        gain: float,
        epochs: int,
        without: Callable[[str, int, str], bool],
    ) -> None:
        self.datasets, self.seeds, self.methods, self.gain, self.epochs = datasets, seeds, methods, gain, epochs
        self.with_sources, self.without = with_sources, without
        self.outcomes: dict[str, dict[str, Any]] = {}
        self.runs: list[dict[str, Any]] = []
        self.values: list[dict[str, Any]] = []
        for target in datasets:
            for seed in seeds:
                self._of_target(target, seed)

    def _of_target(self, target: str, seed: int) -> None:
        sources = [name for name in self.datasets if name != target]
        nearest = min(sources, key=lambda source: self.distance(target, source))
        selection = self._job("select", {"target": target, "by": "nearest", "seed": seed}, {"chosen": nearest})
        runs: dict[str, dict[str, Any]] = {}
        level = 0.55 + 0.3 * noise(target) + 0.03 * noise(target, seed)

        def add(arm: str, accuracy: float, source: str | None = None, by: str | None = None) -> None:
            if not self.without(target, seed, arm):
                runs[f"{arm} {source}" if arm == "source" else arm] = self._run(target, seed, arm, accuracy, source, by)

        add("scratch", level)
        for source in sources if self.with_sources else ():
            add("source", level + self.gain * (2 * noise(target, source) - 0.4) + 0.01 * noise(seed, source), source)
        for arm, share in (("mixture", 0.8), ("weights_only", 0.3), ("timm_parameters", 2.0)):
            if arm in self.methods:
                add(arm, level + self.gain * share * (noise(target, arm) - 0.1))
        if not self.with_sources:
            add("chosen", level + self.gain * noise(target, nearest), by="nearest")
        for run in runs.values():
            base = runs.get("scratch")
            for part in ("supernet", "network"):
                if base is not None and run[part] is not None:
                    one, other = run[part]["test_accuracy"], base[part]["test_accuracy"]
                    run["ri"][part] = (one - other) / other
        self.runs += runs.values()
        singles = [run for name, run in runs.items() if name.startswith("source ")]
        by_nearest = runs.get(f"source {nearest}") or runs.get("chosen")
        found: dict[str, list[dict[str, Any]]] = {
            name: [runs[name]] for name in ("scratch", "mixture", "weights_only", "timm_parameters") if name in runs
        }
        if by_nearest:
            found["by nearest"] = [by_nearest]
        if singles:
            found["oracle"] = [max(singles, key=lambda run: float(run["network"]["test_accuracy"]))]
            found["by random"] = [singles[seed % len(singles)]]
            found["random source"] = singles
        of_scratch = [runs["scratch"]["job"]] if "scratch" in runs else []
        for method, of in found.items():
            if method in self.methods:
                names = [*(run["job"] for run in of), *of_scratch, *([selection] if method == "by nearest" else [])]
                self.values.append(self._value(method, target, seed, of, list(dict.fromkeys(names))))

    def _run(
        self, target: str, seed: int, arm: str, accuracy: float, source: str | None, by: str | None
    ) -> dict[str, Any]:
        kind = "baseline" if arm.startswith("timm") else "run"
        tags = {"target": target, "arm": arm, "source": source, "by": by, "schedule": None, "seed": seed}
        ramp = [accuracy * (1 - 0.8 * 0.6**epoch) for epoch in range(self.epochs)]
        curve = {
            "train_accuracy": [min(1.0, value * 1.08) for value in ramp],
            "validation_accuracy": ramp,
            "seconds": [1.5 * (epoch + 1) for epoch in range(self.epochs)],
        }
        result: dict[str, Any] = {"search": curve, "finetune": curve, "genotype": _genotype(f"{target} {arm} {source}")}
        name = self._job(kind, tags, {"curve": curve} if kind == "baseline" else result)
        scores = {
            "test_accuracy": accuracy,
            "test_balanced_accuracy": accuracy - 0.01,
            "test_macro_f1": accuracy - 0.02,
        }
        network = {**scores, "num_parameters": 26834, "macs": 1_227_008}
        supernet = {**scores, "test_accuracy": accuracy - 0.05, "best_validation_accuracy": accuracy - 0.04}
        return {
            "job": name,
            **tags,
            "start": None
            if arm in ("scratch", "timm_parameters")
            else source or ("mixture" if arm == "mixture" else by),
            "supernet": None if kind == "baseline" else supernet,
            "network": network,
            "ri": {"supernet": None, "network": None},
            "epochs_to_scratch_best": 3,
            "scratch_best_epoch": self.epochs,
            "epochs": self.epochs,
            "seconds": {"search": 61.5, "finetune": 12.25},
            "cpu_seconds": 130.0,
        }

    def _job(self, kind: str, tags: Mapping[str, Any], result: Mapping[str, Any]) -> str:
        told = "-".join(str(value) for value in tags.values() if value is not None)
        name = f"{kind}-{told}-{zlib.crc32(told.encode()):08x}"
        self.outcomes[name] = {"name": name, "kind": kind, "tags": dict(tags), "result": dict(result)}
        return name

    def _value(
        self, method: str, target: str, seed: int, runs: list[dict[str, Any]], jobs: list[str]
    ) -> dict[str, Any]:
        def over(part: str, *keys: str) -> float | None:
            numbers = [run[keys[0]][part] if len(keys) == 1 else run[part][keys[1]] for run in runs if run[part]]
            there = [number for number in numbers if number is not None]
            return mean(there) if there else None

        return {
            "method": method,
            "target": target,
            "seed": seed,
            "accuracy": {part: over(part, part, "test_accuracy") for part in ("supernet", "network")},
            "ri": {part: over(part, "ri") for part in ("supernet", "network")},
            "source": runs[0]["source"] or runs[0]["start"] if method.startswith("by ") else None,
            "regret": None,
            "hit": None,
            "epochs_to_scratch_best": 3,
            "epoch_share": 0.5,
            "jobs": jobs,
        }

    def distance(self, target: str, source: str) -> float:
        """The same both ways."""
        return 20 + 60 * noise(*sorted((target, source)))

    def summary(self, missing: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        parts = ("supernet", "network")
        seeds: tuple[int | str, ...] = (*self.seeds, "mean")
        finished = len(self.outcomes)
        arms = ["sources"] if self.with_sources else []
        recipe = {"datasets": [f"pocket:{name}" for name in self.datasets], "seeds": list(self.seeds), "arms": arms}
        summary = {
            "schema_version": 1,
            "created": "2026-03-04T05:06:07+00:00",
            "measure": "test",
            "recipe": recipe,
            "progress": {"planned": finished + len(missing), "finished": finished, "missing": list(missing)},
            "datasets": [
                {
                    "name": name,
                    "dataset": f"pocket:{name}",
                    "num_classes": 10,
                    "num_images": 400 + int(4000 * noise("size", name)),
                    "source_accuracy": 0.9,
                }
                for name in self.datasets
            ],
            "machines": [{"device": "cpu", "threads": 2, "num_jobs": finished}],
            "versions": {"supernet-tl": "0.1.0"},
            "cpu_seconds": 7200.0,
            "seconds": 4000.0,
            "methods": [
                {"name": name, "title": TITLES[name], "kind": "run", "explained": f"What {TITLES[name]} is."}
                for name in self.methods
            ],
            "runs": self.runs,
            "values": self.values,
            "table1": [self._line(target, part) for target in self.datasets for part in parts],
            "overall": [line for name in self.methods for part in parts if (line := self._overall(name, part))],
            "table2": [
                self._correlation(target, seed, part) for target in self.datasets for part in parts for seed in seeds
            ],
            "distances": self._distances(),
            "source_sizes": self._sizes(),
            "final_training": [
                {"method": name, "part": "network", "mean_seconds": 12.25 + index, "mean_epoch_seconds": 0.5}
                for index, name in enumerate(self.methods)
                if any(value["method"] == name for value in self.values)
            ],
        }
        plain: dict[str, Any] = json.loads(json.dumps(summary))
        return plain

    def _found(self, part: str, **wanted: str) -> list[dict[str, Any]]:
        return [
            value
            for value in self.values
            if value["ri"][part] is not None and all(value[key] == one for key, one in wanted.items())
        ]

    def _line(self, target: str, part: str) -> dict[str, Any]:
        cells = {}
        for method in self.methods:
            found = self._found(part, method=method, target=target)
            if found:
                numbers = [value["ri"][part] for value in found]
                jobs = sorted({job for value in found for job in value["jobs"]})
                spread = pstdev(numbers) if len(numbers) > 1 else None
                cells[method] = {"mean": mean(numbers), "spread": spread, "num_seeds": len(numbers), "jobs": jobs}
        return {"target": target, "part": part, "cells": cells}

    def _overall(self, method: str, part: str) -> dict[str, Any] | None:
        found = self._found(part, method=method)
        if not found:
            return None
        numbers = [value["ri"][part] for value in found]
        return {
            "method": method,
            "part": part,
            "mean_ri": mean(numbers),
            "spread_ri": pstdev(numbers) if len(self.seeds) > 1 else None,
            "median_ri": median(numbers),
            "num_targets": len({value["target"] for value in found}),
            "mean_accuracy": mean(value["accuracy"][part] for value in found),
            "negative_transfer_rate": mean(number < 0 for number in numbers),
            "mean_regret": 0.0123 if method.startswith("by ") else None,
            "hit_rate": 0.25 if method.startswith("by ") else None,
            "share_reached": None if method.startswith("timm") else 0.75,
            "mean_epoch_share": None if method.startswith("timm") else 0.5,
            "mean_epoch_share_bounded": None if method.startswith("timm") else 0.625,
        }

    def _correlation(self, target: str, seed: int | str, part: str) -> dict[str, Any]:
        defined = self.with_sources
        jobs = [
            run["job"]
            for run in self.runs
            if run["target"] == target and run["arm"] == "source" and seed in (run["seed"], "mean")
        ]
        values = {
            key: 2 * noise(target, seed, key) - 1 if defined else None
            for key in ("kendall", "weighted_kendall", "pearson")
        }
        why = {} if defined else {"why": "no run from each source"}
        return {
            "target": target,
            "seed": seed,
            "part": part,
            **values,
            "num_sources": len(self.datasets) - 1,
            "jobs": jobs,
            **why,
        }

    def _distances(self) -> dict[str, Any]:
        cells = []
        for target in self.datasets:
            for source in self.datasets:
                if source != target:
                    distance = self.distance(target, source)
                    job = next(
                        name
                        for name, one in self.outcomes.items()
                        if one["kind"] == "select" and one["tags"]["target"] == target
                    )
                    cells.append(
                        {"target": target, "source": source, "distance": distance, "squared": distance**2, "job": job}
                    )
        return {"distance": "otdd-exact", "names": list(self.datasets), "cells": cells}

    def _sizes(self) -> list[dict[str, Any]]:
        rows = []
        for source in self.datasets:
            runs = [run for run in self.runs if run["source"] == source]
            if runs:
                rows.append(
                    {
                        "source": source,
                        "num_images": 400 + int(4000 * noise("size", source)),
                        "mean_accuracy": mean(run["network"]["test_accuracy"] for run in runs),
                        "mean_ri": mean(run["ri"]["network"] or 0.0 for run in runs),
                        "jobs": [run["job"] for run in runs],
                    }
                )
        return rows


def _genotype(key: str) -> dict[str, Any]:
    generator = np.random.default_rng(zlib.crc32(key.encode()))
    space = darts.SPACES["s1"]
    alphas = generator.normal(size=(2, space.num_edges, space.num_primitives))
    return darts.discretize(space, torch.tensor(alphas[0]), torch.tensor(alphas[1])).to_dict()


@pytest.fixture(scope="session")
def build() -> Builder:
    """Makes an evaluation: :func:`build_evaluation`."""
    return build_evaluation


@pytest.fixture(scope="session")
def evaluation() -> Evaluation:
    """A complete evaluation of four datasets and three seeds."""
    return build_evaluation()


@pytest.fixture(scope="session")
def page_file(evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of it."""
    return write_evaluation_page(tmp_path_factory.mktemp("evaluation") / "index.html", *evaluation)
