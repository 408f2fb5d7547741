"""An evaluation's summary and outcomes, as tables and figures look them up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from supernet_tl.report.evaluation.jobs import JobIndex

Part = Literal["network", "supernet"]
PARTS: tuple[tuple[Part, str], ...] = (("network", "final network"), ("supernet", "supernet"))
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Facts:
    """What is known of an evaluation.

    Attributes:
        summary: the content of its ``summary.json``.
        outcomes: of its jobs, by name.
        jobs: numbers of the jobs that the page tells of; the runs come first.
    """

    summary: Values
    outcomes: Mapping[str, Values] = field(repr=False)
    jobs: JobIndex = field(repr=False)

    @classmethod
    def of(cls, summary: Values, outcomes: Mapping[str, Values]) -> Facts:
        """Number the runs in the order of their table."""
        return cls(summary, outcomes, JobIndex(run["job"] for run in summary["runs"]))

    @property
    def accuracy(self) -> str:
        """Name of the accuracy that everything is measured by."""
        return f"{self.summary['measure']}_accuracy"

    @property
    def accuracy_in_words(self) -> str:
        """The same for people."""
        return f"{self.summary['measure']} accuracy"

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of splits and training on the targets."""
        return tuple(self.summary["recipe"]["seeds"])

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """Datasets that anything is known of as targets, in the order of the datasets."""
        found = {run["target"] for run in self.summary["runs"]} | {row["target"] for row in self.summary["table1"]}
        known = [dataset["name"] for dataset in self.summary["datasets"]]
        return (*(name for name in known if name in found), *sorted(found - set(known)))

    @cached_property
    def titles(self) -> dict[str, str]:
        """How the page calls each method, by name, in the order of the tables."""
        return {method["name"]: method["title"] for method in self.summary["methods"]}

    @property
    def choice(self) -> str | None:
        """The method that is the choice by optimal transport; else the first selector's; None without any."""
        selectors = [name for name in self.titles if name.startswith("by ") and ", " not in name]
        return "by nearest" if "by nearest" in selectors else selectors[0] if selectors else None

    def overall(self, method: str | None, part: Part) -> Values | None:
        """A method's line of the table over all targets; None where there is none."""
        lines = (line for line in self.summary["overall"] if (line["method"], line["part"]) == (method, part))
        return next(lines, None)

    def values(self, method: str, target: str | None = None) -> list[Values]:
        """A method's values, one a target and seed."""
        return [
            value
            for value in self.summary["values"]
            if value["method"] == method and (target is None or value["target"] == target)
        ]

    def source_runs(self, target: str) -> dict[str, list[Values]]:
        """Runs on a target from each single source, by source."""
        found: dict[str, list[Values]] = {}
        for run in self._runs:
            if run["target"] == target and run["arm"] == "source":
                found.setdefault(run["source"], []).append(run)
        return found

    def runs_of(self, method: str, target: str) -> list[Values]:
        """The runs on a target whose numbers are a method's, one a seed; none of a mean over several runs."""
        runs = {run["job"]: run for run in self._runs if run["target"] == target}
        arm, _, schedule = method.partition(", ")  # as methods with a schedule are called
        if arm in _ARMS:
            return [run for run in runs.values() if (run["arm"], run["schedule"]) == (arm, schedule or None)]
        found = []
        for value in self.values(method, target):
            wanted = ("source", value["source"]) if value["source"] is not None else ("scratch", None)
            own = [run for run in runs.values() if run["seed"] == value["seed"]]
            named = [run for run in own if run["job"] in value["jobs"]]
            matching = [run for run in named if run["arm"] == "chosen"] or [
                run for run in named if (run["arm"], run["source"]) == wanted
            ]
            found += matching[:1]
        return found

    def refer(self, things: Iterable[Values]) -> str:
        """The jobs that several values come from, or were chosen by looking at, as text that the page understands."""
        return self.jobs.refer(name for thing in things for name in (*jobs_of(thing), *self._looked_at(thing)))

    def _looked_at(self, values: Values) -> list[str]:
        """Names of the runs that a choice rests on, where the summary describes them and does not name them."""
        wanted = values.get("looked_at")
        if wanted is None:
            return []
        return [
            run["job"]
            for run in self._runs
            if run["arm"] in wanted["arm"] and run["seed"] == wanted["seed"] and run["target"] in wanted["target"]
        ]

    @property
    def _runs(self) -> Sequence[Values]:
        return self.summary["runs"]  # type: ignore[no-any-return]


_ARMS = frozenset(
    {
        *("scratch", "scratch_twice", "mixture", "weights_only", "architecture_only"),
        *("timm_parameters", "timm_time"),
    }
)


def jobs_of(values: Values) -> tuple[str, ...]:
    """Names of the jobs that a value comes from."""
    if "jobs" in values:
        return tuple(values["jobs"])
    return () if values.get("job") is None else (values["job"],)


def mean(numbers: Iterable[float | None]) -> float | None:
    """The mean of those that are there; None where none is."""
    there = [number for number in numbers if number is not None]
    return sum(there) / len(there) if there else None
