"""Every run, and every other job that something on the page comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supernet_tl.report.evaluation.facts import Facts, Values
from supernet_tl.report.evaluation.table import Cell, Column, Row, Table, change_cell, number_cell
from supernet_tl.report.wording import NOTHING, duration, operations, percent, whole

_RUNS = (
    Column("no.", "number of the job on this page"),
    Column("target", is_text=True),
    Column("seed"),
    Column("arm", is_text=True),
    Column("source, selector, schedule", is_text=True),
    Column("started from", is_text=True),
    Column("RI, final network"),
    Column("RI, supernet"),
    Column("final network"),
    Column("balanced", "balanced accuracy of the final network"),
    Column("macro-F1", "of the final network"),
    Column("supernet"),
    Column("supernet, best validation"),
    Column("epochs to scratch's best"),
    Column("epochs"),
    Column("search"),
    Column("final training"),
    Column("parameters"),
    Column("MACs"),
    Column("job", is_text=True),
)


def runs_table(facts: Facts) -> Table:
    """One row a run or baseline."""
    return Table("Every run", _RUNS, tuple(_run(facts, run) for run in facts.summary["runs"]))


def _run(facts: Facts, run: Values) -> Row:
    network, supernet, ri = run["network"] or {}, run["supernet"] or {}, run["ri"] or {}
    of_network = facts.accuracy
    measure = facts.summary["measure"]
    details = [str(run[key]) for key in ("source", "by", "schedule") if run.get(key) is not None]
    seconds, epochs = run.get("seconds") or {}, run.get("epochs")
    planned = epochs.get("run") if isinstance(epochs, Mapping) else epochs
    cells = (
        Cell(run["target"]),
        Cell(str(run["seed"])),
        Cell(run["arm"]),
        Cell(", ".join(details) or NOTHING),
        Cell(run["start"] or NOTHING),
        change_cell(ri.get("network")),
        change_cell(ri.get("supernet")),
        number_cell(network.get(of_network), percent),
        number_cell(network.get(f"{measure}_balanced_accuracy"), percent),
        number_cell(network.get(f"{measure}_macro_f1"), percent),
        number_cell(supernet.get(of_network), percent),
        number_cell(supernet.get("best_validation_accuracy"), percent),
        number_cell(run.get("epochs_to_scratch_best"), _count),
        number_cell(planned, _count),
        number_cell(seconds.get("search"), duration, sort=True),
        number_cell(seconds.get("finetune"), duration, sort=True),
        number_cell(network.get("num_parameters"), _count),
        number_cell(network.get("macs"), lambda count: operations(int(count)), sort=True),
        Cell(run["job"]),
    )
    number = facts.jobs.number(run["job"])
    return Row(str(number), cells, run["job"], number)


def _count(number: float) -> str:
    return whole(int(number))


_OTHERS = (
    Column("no.", "number of the job on this page"),
    Column("kind", is_text=True),
    Column("about", is_text=True),
    Column("outcome", is_text=True),
    Column("job", is_text=True),
)


def other_jobs_table(facts: Facts) -> Table:
    """The jobs that are no run and that tables and figures come from; to be made after all of those."""
    rows = []
    for name in facts.jobs.names[len(facts.summary["runs"]) :]:
        outcome = facts.outcomes.get(name, {})
        tags = {key: value for key, value in outcome.get("tags", {}).items() if value is not None}
        about = ", ".join(f"{key} {value}" for key, value in tags.items())
        kind, result = outcome.get("kind", NOTHING), outcome.get("result", {})
        cells = (Cell(kind), Cell(about or NOTHING), Cell(_outcome(kind, result)), Cell(name))
        number = facts.jobs.number(name)
        rows.append(Row(str(number), cells, name, number))
    return Table("Selections and pretrainings behind the numbers", _OTHERS, tuple(rows))


def _outcome(kind: str, result: Mapping[str, Any]) -> str:
    if kind == "select" and result:
        return f"chose {result.get('chosen') or 'to start from scratch'}"
    metrics = result.get("metrics") or {}
    if kind == "pretrain" and metrics.get("validation_accuracy") is not None:
        return f"{percent(metrics['validation_accuracy'])} validation accuracy"
    return NOTHING
