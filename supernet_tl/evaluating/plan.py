"""From a recipe to its jobs: a pure function, whose names do not depend on the machine or the order of work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from supernet_tl.evaluating.job import Job
from supernet_tl.evaluating.recipe import BASELINE_DEFAULTS, PARTS_OF_ARMS, EvaluationRecipe, called
from supernet_tl.evaluating.told_settings import FIRST_DEFAULTS, OF_WARM_STARTS, spelled_out, told
from supernet_tl.recipe import (
    FINAL_SETTINGS,
    FINE_TUNING_SETTINGS,
    NOT_OF_PRETRAINING,
    SELECTION_SETTINGS,
    Recipe,
    demanded_by_family,
)

_OF_SKETCH = (
    *("image_size", "in_channels", "test_frac", "validation_frac", "max_search_images", "shots", "seed"),
    *("sketch", "sketch_rank", "sketch_rows"),
)
"""Settings that a choice without probing depends on, beside those of selection."""


@dataclass(frozen=True)
class Plan:
    """The jobs of an evaluation, in an order in which each comes after those it needs.

    Attributes:
        recipe: that was planned.
        jobs: by name.
    """

    recipe: EvaluationRecipe
    jobs: Mapping[str, Job] = field(repr=False)

    def find(self, **tags: Any) -> list[Job]:
        """The jobs that have all these tags, in the plan's order."""
        return [job for job in self.jobs.values() if all(job.tags.get(key) == value for key, value in tags.items())]

    def counts(self) -> dict[str, int]:
        """How many jobs there are of each kind."""
        return dict(Counter(job.kind for job in self.jobs.values()))


def make_plan(recipe: EvaluationRecipe, fingerprints: Mapping[str, str] | None = None) -> Plan:
    """List the jobs of an evaluation; names do not depend on where its images are, if their fingerprints are given.

    Tags of a run are ``target``, ``seed``, ``arm`` (``scratch``, ``scratch_twice``, ``source``, ``mixture``,
    ``chosen``, ``weights_only``, ``architecture_only``), ``source`` (of arm ``source``), ``by`` (the selector whose
    choice it starts from) and ``schedule`` (null for the main one); those of a selection ``target``, ``seed`` and
    ``by``; of a pretraining ``source`` (null for a mixture), ``without`` (the target that a mixture leaves out) and
    ``seed``; of a baseline ``target``, ``seed``, ``arm``, and ``schedule`` where it has the time of one. Datasets are
    called as :func:`supernet_tl.evaluating.recipe.called` says.

    Args:
        recipe: of the evaluation.
        fingerprints: of the datasets, part of the names, so that changed images are other jobs; absent in a dry run.
    """
    jobs: dict[str, Job] = {}
    for job in _jobs(recipe, fingerprints or {}):
        jobs.setdefault(job.name, job)
    return Plan(recipe, jobs)


def _jobs(recipe: EvaluationRecipe, fingerprints: Mapping[str, str]) -> Iterator[Job]:
    maker = _Maker(recipe, fingerprints)
    for seed in recipe.seeds:
        for target in recipe.all_targets:
            yield from maker.of_target(target, seed)


@dataclass(frozen=True)
class _Maker:
    recipe: EvaluationRecipe
    fingerprints: Mapping[str, str]
    pretrainings: dict[tuple[tuple[str, ...], int], Job] = field(default_factory=dict)
    """Those made so far: most are needed for many targets and seeds."""

    def of_target(self, target: str, seed: int) -> Iterator[Job]:
        recipe, arms = self.recipe, self.recipe.arms
        sources = recipe.sources_of(target)
        singles = {source: self._pretrain([source], seed) for source in sources}
        yield from singles.values()
        selections = {by: self._select(target, seed, by, singles) for by in recipe.select}
        yield from selections.values()
        scratch = recipe.target_recipe(target, seed, warm=False)
        from_scratch = self._run(target, seed, scratch, {"from": "scratch"}, arm="scratch")
        yield from_scratch
        if "scratch_twice" in arms:
            twice = scratch.replace(epochs=2 * scratch.epochs)
            yield self._run(target, seed, twice, {"from": "scratch"}, arm="scratch_twice")
        warm = recipe.target_recipe(target, seed, warm=True)
        runs: dict[str, Job] = {}
        if "sources" in arms:
            for source, pretrained in singles.items():
                start = {"from": "pretrained", "job": pretrained.name}
                runs[source] = self._run(target, seed, warm, start, arm="source", source=called(source))
            yield from runs.values()
        chosen = dict[str, Job]()
        for by, selection in selections.items():
            if not runs:
                chosen[by] = self._run(target, seed, warm, _selected(selection), arm="chosen", by=by)
                yield chosen[by]
        first = selections[recipe.select[0]]
        if "mixture" in arms:
            mixture = self._pretrain(sources, seed, without=target)
            yield mixture
            mixed = {"from": "pretrained", "job": mixture.name}
            yield self._run(target, seed, warm, mixed, arm="mixture")
        for arm, parts in PARTS_OF_ARMS.items():
            if arm in arms:
                part = warm.replace(warm_parts=parts)
                yield self._run(target, seed, part, _selected(first), arm=arm, by=recipe.select[0])
        for schedule in recipe.schedules:
            other = recipe.target_recipe(target, seed, warm=True, schedule=schedule)
            tags = {"by": recipe.select[0], "schedule": schedule}
            scheduled = self._run(target, seed, other, _selected(first), arm="chosen", **tags)
            yield scheduled
            if "mixture" in arms:
                yield self._run(target, seed, other, mixed, arm="mixture", schedule=schedule)
            if "timm_time" in arms:
                yield self._baseline("timm_time", target, seed, scratch, first, {}, scheduled, schedule)
        for arm in ("timm_parameters", "timm_time"):
            if arm in arms:
                instead = chosen.get(recipe.select[0], from_scratch)
                yield self._baseline(arm, target, seed, scratch, first, runs, instead)

    def _pretrain(self, sources: Sequence[str], seed: int, without: str | None = None) -> Job:
        key = tuple(sources), seed if self.recipe.pretraining_seed is None else self.recipe.pretraining_seed
        if key not in self.pretrainings:
            self.pretrainings[key] = self._new_pretrain(sources, seed, without)
        return self.pretrainings[key]

    def _new_pretrain(self, sources: Sequence[str], seed: int, without: str | None) -> Job:
        recipe = self.recipe.pretraining_recipe(sources, seed)
        spec = {
            "sources": list(sources),
            "fingerprints": self._fingerprints(sources),
            "settings": told(recipe, NOT_OF_PRETRAINING),
        }
        tags = {
            "source": called(sources[0]) if without is None else None,
            "without": None if without is None else called(without),
            "seed": recipe.seed,
        }
        return Job("pretrain", spec, {"arm": "mixture", **tags} if without is not None else tags)

    def _select(self, target: str, seed: int, by: str, singles: Mapping[str, Job]) -> Job:
        probing = by == "probe"
        recipe = self.recipe.target_recipe(target, seed, warm=probing)
        recipe = recipe.replace(num_ranked=max(recipe.num_ranked, len(singles)))  # tables read every distance
        leave_out = _not_of_probes(recipe) if probing else set(FIRST_DEFAULTS) - SELECTION_SETTINGS - set(_OF_SKETCH)
        if recipe.family != FIRST_DEFAULTS["family"]:  # which demands nothing, and needs no PyTorch to know it
            leave_out -= demanded_by_family(recipe.family)
        spec = {
            "target": target,
            "fingerprints": self._fingerprints([target]),
            "select": by,
            "among": {called(source): job.name for source, job in singles.items()},
            "settings": told(spelled_out(recipe) if probing else recipe, leave_out),
        }
        needs = tuple(job.name for job in singles.values())
        return Job("select", spec, {"target": called(target), "by": by, "seed": seed}, needs)

    def _run(
        self,
        target: str,
        seed: int,
        recipe: Recipe,
        start: Mapping[str, Any],
        *,
        arm: str,
        source: str | None = None,
        by: str | None = None,
        schedule: str | None = None,
    ) -> Job:
        warm = start["from"] != "scratch"
        leave_out = (*SELECTION_SETTINGS, *(() if warm else OF_WARM_STARTS))
        spec = {
            "target": target,
            "fingerprints": self._fingerprints([target]),
            "start": dict(start),
            "settings": told(spelled_out(recipe) if warm else recipe, leave_out),
            "measure": self.recipe.measure,
        }
        tags = {"target": called(target), "arm": arm, "source": source, "by": by, "schedule": schedule, "seed": seed}
        needs = (start["job"],) if warm else ()
        return Job("run", spec, tags, needs)

    def _baseline(
        self,
        arm: str,
        target: str,
        seed: int,
        recipe: Recipe,
        selection: Job,
        runs: Mapping[str, Job],
        other: Job,
        schedule: str | None = None,
    ) -> Job:
        """``other`` is compared with where the selection chooses none of ``runs``; it may be of a schedule."""
        spec = {
            "target": target,
            "fingerprints": self._fingerprints([target]),
            "arm": arm,
            "selection": selection.name,
            "like": {called(source): job.name for source, job in runs.items()},
            "else_like": other.name,
            "baseline": {**BASELINE_DEFAULTS, "image_size": recipe.embed_size, **self.recipe.baseline},
            "settings": told(recipe, (*SELECTION_SETTINGS, *OF_WARM_STARTS)),
            "measure": self.recipe.measure,
        }
        tags = {"target": called(target), "arm": arm, "seed": seed}
        if schedule is not None:
            tags["schedule"] = schedule
        return Job("baseline", spec, tags, (selection.name, *(job.name for job in runs.values()), other.name))

    def _fingerprints(self, datasets: Sequence[str]) -> list[str | None]:
        return [self.fingerprints.get(dataset) for dataset in datasets]


def _selected(selection: Job) -> dict[str, Any]:
    return {"from": "selected", "job": selection.name}


def _not_of_probes(recipe: Recipe) -> set[str]:
    """Settings that a probe does not look at; whose sizes its limits and penalties are about it does."""
    kept = set() if recipe.objective.is_off else {"final"}
    return {*FINE_TUNING_SETTINGS, *FINAL_SETTINGS} - kept
