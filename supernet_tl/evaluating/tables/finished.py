"""What is finished of an evaluation, found by what people call it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from supernet_tl.evaluating.job import Job
from supernet_tl.evaluating.plan import Plan
from supernet_tl.evaluating.recipe import EvaluationRecipe, called
from supernet_tl.evaluating.tables.runs import Run, read_runs

_RunKey = tuple[str, int, str, str | None, str | None, str | None]


@dataclass(frozen=True)
class Selection:
    """A finished selection.

    Attributes:
        job: that it is the outcome of.
        result: as the outcome has it.
    """

    job: Job
    result: Mapping[str, Any]

    @property
    def chosen(self) -> str | None:
        """The source; None for scratch."""
        chosen: str | None = self.result["chosen"]
        return chosen

    @property
    def squared(self) -> dict[str, float]:
        """Squared distance to the target of every source that was ranked."""
        return {row["source"]: float(row["squared"]) for row in self.result["ranking"]}


class Finished:
    """The finished part of an evaluation.

    Args:
        plan: of the evaluation.
        outcomes: by job name; those of other plans are passed over.
    """

    def __init__(self, plan: Plan, outcomes: Mapping[str, Mapping[str, Any]]) -> None:
        self.recipe: EvaluationRecipe = plan.recipe
        self.plan = plan
        self.runs = read_runs(plan, outcomes)
        self.outcomes = {name: outcomes[name] for name in plan.jobs if name in outcomes}
        self._runs = {_key(run.job.tags): run for run in self.runs}
        self._selections = {
            (job.tags["target"], job.tags["seed"], job.tags["by"]): Selection(job, outcomes[job.name]["result"])
            for job in plan.jobs.values()
            if job.kind == "select" and job.name in outcomes
        }
        self._sources = {
            called(target): tuple(map(called, self.recipe.sources_of(target))) for target in self.recipe.datasets
        }
        self.targets = tuple(map(called, self.recipe.all_targets))

    def run(
        self,
        target: str,
        seed: int,
        arm: str,
        *,
        source: str | None = None,
        by: str | None = None,
        schedule: str | None = None,
    ) -> Run | None:
        """A run or baseline; None where it is not finished or not planned."""
        return self._runs.get((target, seed, arm, source, by, schedule))

    def selection(self, target: str, seed: int, by: str) -> Selection | None:
        """A selector's choice; None where it is not finished."""
        return self._selections.get((target, seed, by))

    def ranking(self, target: str, seed: int) -> Selection | None:
        """The selection that distances are read from: by ``nearest``, else by the recipe's first selector."""
        by = "nearest" if "nearest" in self.recipe.select else self.recipe.select[0]
        return self.selection(target, seed, by)

    def sources(self, target: str) -> tuple[str, ...]:
        """The sources of a target, in the recipe's order."""
        return self._sources[target]

    def singles(self, target: str, seed: int) -> dict[str, Run] | None:
        """The run from every single source; None where one is not finished or not planned."""
        found = {source: self.run(target, seed, "source", source=source) for source in self.sources(target)}
        whole = {source: run for source, run in found.items() if run is not None}
        return whole if len(whole) == len(found) else None


def _key(tags: Mapping[str, Any]) -> _RunKey:
    return tags["target"], tags["seed"], tags["arm"], tags.get("source"), tags.get("by"), tags.get("schedule")
