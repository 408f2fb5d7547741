"""The cells that were found on a target, from scratch and warm, side by side."""

from __future__ import annotations

from dataclasses import dataclass

import darts
from supernet_tl.report.cell_layout import CellDrawing, cell_drawing
from supernet_tl.report.evaluation.facts import Facts, Values
from supernet_tl.report.evaluation.series import Series, series_of


@dataclass(frozen=True)
class FoundCells:
    """Both cells of one run.

    Attributes:
        series: of the method.
        start: what the run began from, for people.
        normal: the normal cell.
        reduction: the reduction cell.
        num_skip_connections: in both.
        jobs: that they come from.
    """

    series: Series
    start: str
    normal: CellDrawing
    reduction: CellDrawing
    num_skip_connections: int
    jobs: str


@dataclass(frozen=True)
class TargetCells:
    """The cells found on one target.

    Attributes:
        target: its name.
        seed: of the runs.
        sides: from scratch, and warm.
        note: why there is only one of them; empty where there are two.
    """

    target: str
    seed: int
    sides: tuple[FoundCells, ...]
    note: str


def found_cells(facts: Facts) -> tuple[TargetCells, ...]:
    """The cells of every target's first seed that has a finished run from scratch."""
    return tuple(cells for target in facts.targets if (cells := _of_target(facts, target)) is not None)


def _of_target(facts: Facts, target: str) -> TargetCells | None:
    warm_method = facts.choice or "mixture"
    scratch = _by_seed(facts, "scratch", target)
    warm = _by_seed(facts, warm_method, target)
    if not scratch:
        return None
    seed = next((seed for seed in scratch if seed in warm), next(iter(scratch)))
    sides = [_cells(facts, "scratch", scratch[seed], "from scratch")]
    note = "" if seed in warm else "There is no finished warm run to set beside it."
    if seed in warm:
        if warm[seed]["job"] == scratch[seed]["job"]:
            note = "The choice was to start from scratch, so both are the same run."
        else:
            sides.append(_cells(facts, warm_method, warm[seed], f"from {warm[seed]['start']}"))
    return TargetCells(target, seed, tuple(sides), note)


def _by_seed(facts: Facts, method: str, target: str) -> dict[int, Values]:
    return {run["seed"]: run for run in facts.runs_of(method, target) if "genotype" in _result(facts, run)}


def _cells(facts: Facts, method: str, run: Values, start: str) -> FoundCells:
    genotype = darts.Genotype.from_dict(_result(facts, run)["genotype"])
    return FoundCells(
        series=series_of(facts, method),
        start=start,
        normal=cell_drawing(genotype, reduction=False),
        reduction=cell_drawing(genotype, reduction=True),
        num_skip_connections=genotype.count("skip_connect"),
        jobs=facts.refer([run]),
    )


def _result(facts: Facts, run: Values) -> Values:
    result: Values = facts.outcomes.get(run["job"], {}).get("result", {})
    return result
