"""What a plan will cost, from step times that are measured on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

import torch

import darts
from supernet_tl import adapters
from supernet_tl.control import Control
from supernet_tl.data.album.lookup import find
from supernet_tl.errors import SupernetTLError
from supernet_tl.evaluating.job import Job
from supernet_tl.evaluating.plan import Plan
from supernet_tl.evaluating.told_settings import recipe_of
from supernet_tl.recipe import Recipe
from supernet_tl.spaces import find_space
from supernet_tl.step_times import StepTimes

_UNKNOWN = 800, 20  # a Meta-Album Micro set
_HALVES = 2
_OPENML = "openml:"


@dataclass
class _Kind:
    jobs: int = 0
    steps: int = 0
    hours: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """The cost of a plan.

    Attributes:
        device: that step times were measured on.
        on_gpu: whether it is a GPU.
        kinds: jobs, training steps and hours by kind of job.
        measured: seconds of one step, by what was trained.
        notes: what a person should know, in sentences without a full stop.
    """

    device: str
    on_gpu: bool
    kinds: Mapping[str, _Kind]
    measured: Mapping[str, float]
    notes: Sequence[str] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """The cost as plain JSON values; hours are those of one job after another."""
        return {
            "device": self.device,
            "on_gpu": self.on_gpu,
            "kinds": {name: asdict(kind) for name, kind in self.kinds.items()},
            "steps": sum(kind.steps for kind in self.kinds.values()),
            "hours": sum(kind.hours for kind in self.kinds.values()),
            "measured": dict(self.measured),
            "notes": list(self.notes),
        }


def estimate(plan: Plan, control: Control) -> Estimate:
    """Measure a step of each network that the plan trains, and multiply.

    Datasets are not downloaded for it: those of OpenML have the sizes of Meta-Album's table, others are opened.
    """
    meter = _Meter(control)
    kinds: dict[str, _Kind] = {}
    for job in plan.jobs.values():
        kind = kinds.setdefault(job.kind, _Kind())
        kind.jobs += 1
        for steps, seconds in meter.of(job):
            kind.steps += steps
            kind.hours += steps * seconds / 3600
    device = adapters.torch_device(control.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type}, one process"
    return Estimate(name, device.type == "cuda", kinds, meter.times.measured, tuple(dict.fromkeys(meter.notes)))


class _Meter:
    def __init__(self, control: Control) -> None:
        self.control = control
        self.times = StepTimes(control.device)
        self.notes: list[str] = []
        self.size_of = cache(self._size_of)

    def of(self, job: Job) -> list[tuple[int, float]]:
        """Steps and seconds a step of each stage of a job."""
        recipe = recipe_of(job.spec["settings"])
        if job.kind == "pretrain":
            images = sum(self._search_images(dataset, recipe) for dataset in job.spec["sources"])
            return [self._searching(recipe, images, recipe.epochs)]
        images = self._search_images(job.spec["target"], recipe)
        if job.kind == "select":
            if job.spec["select"] != "probe":
                return []
            num_probes = min(recipe.probe_candidates, len(job.spec["among"])) + 1  # scratch too
            return [self._searching(recipe, images, recipe.probe_epochs)] * num_probes
        if job.kind == "run":
            batch = recipe.finetune_batch_size or recipe.batch_size
            steps = recipe.finetune_epochs * max(1, images // batch)
            stages = [self._searching(recipe, images, recipe.epochs), (steps, self.times.final_step(recipe, batch))]
            return [*stages, *self._choosing(recipe, images)]
        self.notes.append("baselines are counted with no steps of their own; the timed one takes what a transfer takes")
        return []

    def _choosing(self, recipe: Recipe, images: int) -> list[tuple[int, float]]:
        """Tuning between the decisions of perturbation-based selection, at half a search step each."""
        if recipe.eigenvalue_ratio is not None:
            self.notes.append("the guard's eigenvalues are not counted: some 42 gradients in double precision each")
        if recipe.discretization == "magnitude":
            return []
        self.notes.append("the passes that judge ops in perturbation-based selection are not counted, its tuning is")
        rounds = darts.num_decisions(find_space(recipe.space)) - 1
        steps, seconds = self._searching(recipe, images, rounds * recipe.projection_epochs)
        return [(steps, seconds / 2)]

    def _searching(self, recipe: Recipe, images: int, epochs: int) -> tuple[int, float]:
        return epochs * max(1, images // _HALVES // recipe.batch_size), self.times.search_step(recipe)

    def _search_images(self, dataset: str, recipe: Recipe) -> int:
        num_images, num_classes = self.size_of(dataset)
        found = round(num_images * (1 - recipe.test_frac - recipe.validation_frac))
        caps = [recipe.max_search_images, None if recipe.shots is None else recipe.shots * num_classes]
        return min([found, *(cap for cap in caps if cap is not None)])

    def _size_of(self, dataset: str) -> tuple[int, int]:
        try:
            if dataset.startswith(_OPENML):
                version = find(dataset.removeprefix(_OPENML))
                return self._known(dataset, version.num_images, version.num_classes)
            images = self.control.open(dataset)
        except (SupernetTLError, ValueError) as error:
            self.notes.append(
                f"{dataset} cannot be opened ({error}); counted as {_UNKNOWN[0]} images in {_UNKNOWN[1]} classes"
            )
            return _UNKNOWN
        return len(images), len(images.class_names)

    def _known(self, dataset: str, num_images: int | None, num_classes: int | None) -> tuple[int, int]:
        """The sizes of the table; nothing is asked of a network for those that it does not tell."""
        if num_images is not None and num_classes is not None:
            return num_images, num_classes
        self.notes.append(
            f"Meta-Album's table does not tell how large {dataset} is; counted as {_UNKNOWN[0]} images in "
            f"{_UNKNOWN[1]} classes"
        )
        return _UNKNOWN
