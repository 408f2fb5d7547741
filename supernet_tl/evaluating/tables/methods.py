"""What is compared: each method, and the runs that stand for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from supernet_tl.evaluating.recipe import EvaluationRecipe
from supernet_tl.evaluating.tables.finished import Finished
from supernet_tl.evaluating.tables.numbers import mean_of
from supernet_tl.evaluating.tables.runs import PARTS, Run


@dataclass(frozen=True)
class Picked:
    """What stands for a method on one target with one seed.

    Attributes:
        runs: by part, those whose mean the method is; none where it has no such part.
        sources: by part, the single source; None where there is none or all are meant.
        jobs: names of the jobs that it follows from.
        looked_at: tags of the runs that a choice rests on, where they are too many to be named; None elsewhere.
    """

    runs: Mapping[str, tuple[Run, ...]]
    sources: Mapping[str, str | None]
    jobs: tuple[str, ...]
    looked_at: Mapping[str, Any] | None = None


Pick = Callable[[Finished, str, int], Picked | None]
"""Finds what stands for a method on a target with a seed; None where some of it is not finished."""


@dataclass(frozen=True)
class Method:
    """A method.

    Attributes:
        name: that tables find it by.
        title: that people read.
        kind: ``run`` is made by jobs of its own, ``derived`` is read from those of other methods, ``baseline`` is a
            network of another kind.
        explained: in one sentence.
        pick: see :data:`Pick`.
        single_source: whether it is a choice of one source, of which regret tells.
    """

    name: str
    title: str
    kind: Literal["run", "derived", "baseline"]
    explained: str
    pick: Pick
    single_source: bool = False

    def to_dict(self) -> dict[str, str]:
        """The method as plain JSON values."""
        return {"name": self.name, "title": self.title, "kind": self.kind, "explained": self.explained}


def methods_of(recipe: EvaluationRecipe) -> list[Method]:
    """The methods that a recipe has, in the order of tables."""
    return list(_methods(recipe))


def _methods(recipe: EvaluationRecipe) -> Iterator[Method]:
    arms, first = recipe.arms, recipe.select[0]
    every = "sources" in arms
    yield Method("scratch", "from scratch", "run", "A search from random weights.", partial(_one, arm="scratch"))
    if "scratch_twice" in arms:
        explained = "A search from random weights with twice the epochs."
        pick = partial(_one, arm="scratch_twice")
        yield Method("scratch_twice", "from scratch, twice the epochs", "run", explained, pick)
    for by in recipe.select:
        explained = f"A warm start from the source that selector {by} chooses; scratch's run where it chooses scratch."
        pick = partial(_chosen, by=by, every=every)
        yield Method(f"by {by}", f"source by {by}", "derived" if every else "run", explained, pick, True)
    if "mixture" in arms:
        explained = "A warm start from one supernet that was pretrained on all sources together."
        yield Method("mixture", "mixture of all sources", "run", explained, partial(_one, arm="mixture"))
    for name, title, told in (
        ("weights_only", "weights only", "weights, with a fresh architecture"),
        ("architecture_only", "architecture only", "architecture, with fresh weights"),
    ):
        if name in arms:
            explained = f"A warm start from the {told}, of the source that selector {first} chooses."
            yield Method(name, title, "run", explained, partial(_started, arm=name, by=first))
    if every:
        explained = (
            "The single source whose run came out best, found by trying all and looking at the accuracy that is "
            "reported, for supernet and final network apart: an upper bound, not a method."
        )
        yield Method("oracle", "oracle", "derived", explained, _oracle, True)
        explained = "The mean over all single sources: what a source drawn at random is expected to give."
        yield Method("random source", "random source", "derived", explained, _random, True)
        explained = (
            "The source with the best mean relative improvement on all other targets with the same seed, for supernet "
            "and final network apart; runs on the target itself are not looked at."
        )
        yield Method("fixed best source", "fixed best source", "derived", explained, _fixed_best, True)
    for schedule in recipe.schedules:
        explained = f"As the source by {first}, with the settings of schedule {schedule}."
        pick = partial(_started, arm="chosen", by=first, schedule=schedule)
        yield Method(f"by {first}, {schedule}", f"source by {first}, {schedule}", "run", explained, pick)
        if "mixture" in arms:
            explained = f"As the mixture, with the settings of schedule {schedule}."
            pick = partial(_one, arm="mixture", schedule=schedule)
            yield Method(f"mixture, {schedule}", f"mixture of all sources, {schedule}", "run", explained, pick)
    for name, title, told in (
        ("timm_parameters", "pretrained network, same parameters", "with no more parameters than"),
        ("timm_time", "pretrained network, same time", "in the time of search and training of"),
    ):
        if name in arms:
            explained = (
                f"A fine-tuned network of another kind, pretrained on ImageNet, {told} the final network of the warm "
                f"start from the source that selector {first} chooses; it has no supernet."
            )
            yield Method(name, title, "baseline", explained, partial(_one, arm=name))
    for schedule in recipe.schedules if "timm_time" in arms else ():
        explained = f"As the pretrained network in the same time, which is that of schedule {schedule}."
        pick = partial(_one, arm="timm_time", schedule=schedule)
        title = f"pretrained network, same time, {schedule}"
        yield Method(f"timm_time, {schedule}", title, "baseline", explained, pick)


def _one(finished: Finished, target: str, seed: int, *, arm: str, schedule: str | None = None) -> Picked | None:
    """The run of an arm that no selection stands before."""
    run = finished.run(target, seed, arm, schedule=schedule)
    return None if run is None else _single(run, None, (run.job.name,))


def _chosen(finished: Finished, target: str, seed: int, *, by: str, every: bool) -> Picked | None:
    """The run from the source that a selector chose, found among those from every source where there are."""
    if not every:
        return _started(finished, target, seed, arm="chosen", by=by)
    selection = finished.selection(target, seed, by)
    if selection is None:
        return None
    arm = "scratch" if selection.chosen is None else "source"
    run = finished.run(target, seed, arm, source=selection.chosen)
    return None if run is None else _single(run, selection.chosen, (run.job.name, selection.job.name))


def _started(
    finished: Finished, target: str, seed: int, *, arm: str, by: str, schedule: str | None = None
) -> Picked | None:
    """An arm's own run from a selector's choice; scratch's where that is scratch."""
    selection = finished.selection(target, seed, by)
    if selection is None:
        return None
    if selection.chosen is None:
        run = finished.run(target, seed, "scratch")
    else:
        run = finished.run(target, seed, arm, by=by, schedule=schedule)
    return None if run is None else _single(run, selection.chosen, (run.job.name, selection.job.name))


def _single(run: Run, source: str | None, jobs: tuple[str, ...]) -> Picked:
    runs = {"supernet": (run,) if "supernet" in run.result else (), "network": (run,)}
    return Picked(runs, dict.fromkeys(PARTS, source), jobs)


def _oracle(finished: Finished, target: str, seed: int) -> Picked | None:
    """The best single source of each part; of equal ones the first in the recipe's order."""
    singles = finished.singles(target, seed)
    if singles is None:
        return None
    runs: dict[str, tuple[Run, ...]] = {}
    sources: dict[str, str | None] = {}
    for part in PARTS:
        known = {source: value for source, run in singles.items() if (value := run.accuracy[part]) is not None}
        best = max(known, key=known.__getitem__, default=None)
        runs[part], sources[part] = () if best is None else (singles[best],), best
    return Picked(runs, sources, tuple(run.job.name for run in singles.values()))


def _random(finished: Finished, target: str, seed: int) -> Picked | None:
    singles = finished.singles(target, seed)
    if singles is None:
        return None
    runs = tuple(singles.values())
    return Picked(dict.fromkeys(PARTS, runs), dict.fromkeys(PARTS), tuple(run.job.name for run in runs))


def _fixed_best(finished: Finished, target: str, seed: int) -> Picked | None:
    """Of equal sources the first in the recipe's order; those that no other target tells of are passed over."""
    others = [other for other in finished.targets if other != target]
    evidence = {}
    for other in others:
        singles = finished.singles(other, seed)
        if singles is None or finished.run(other, seed, "scratch") is None:
            return None
        evidence[other] = singles
    runs: dict[str, tuple[Run, ...]] = {}
    sources: dict[str, str | None] = {}
    for part in PARTS:
        means = {
            source: mean_of(singles[source].ri[part] for other, singles in evidence.items() if other != source)
            for source in finished.sources(target)
        }
        known = {source: value for source, value in means.items() if value is not None}
        if not known:
            return None
        best = max(known, key=known.__getitem__)
        run = finished.run(target, seed, "source", source=best)
        if run is None:
            return None
        runs[part], sources[part] = (run,), best
    jobs = tuple(dict.fromkeys(run.job.name for part in PARTS for run in runs[part]))
    looked_at = {"kind": "run", "arm": ["scratch", "source"], "seed": seed, "target": others}
    return Picked(runs, sources, jobs, looked_at)
