"""The tables of results: relative improvement by target, everything over all targets, correlations, training times."""

from __future__ import annotations

from dataclasses import replace

from supernet_tl.report.evaluation.facts import PARTS, Facts, Part, Values
from supernet_tl.report.evaluation.table import Cell, Column, Row, Table, change_cell, number_cell
from supernet_tl.report.wording import NOTHING, duration, fixed, percent, whole


def improvement_tables(facts: Facts) -> tuple[Table, ...]:
    """Relative improvement, a row a target and a column a method; one table for each part of a run."""
    return tuple(_improvements(facts, part, name) for part, name in PARTS)


def _improvements(facts: Facts, part: Part, name: str) -> Table:
    lines = [line for line in facts.summary["table1"] if line["part"] == part]
    there = {method for line in lines for method in line["cells"]}
    methods = [method for method in facts.titles if method in there and method != "scratch"]
    rows = []
    for line in lines:
        cells = []
        for method in methods:
            found = line["cells"].get(method)
            if found is None:
                cells.append(Cell(NOTHING))
            else:
                origins = facts.refer([found, *facts.values(method, line["target"])])
                cells.append(_improvement(facts, found, origins))
        rows.append(Row(line["target"], tuple(cells)))
    columns = (Column("target", is_text=True), *_method_columns(facts, methods))
    return Table(f"Relative improvement of the {name} on every target", columns, tuple(rows), part)


def _improvement(facts: Facts, found: Values, jobs: str) -> Cell:
    cell = change_cell(found["mean"], jobs, spread=found["spread"])
    some = 0 < found["num_seeds"] < len(facts.seeds)
    told = f" ({found['num_seeds']} of {len(facts.seeds)})" if some else ""
    return replace(cell, text=cell.text + told, title=found.get("why") or "")


def _method_columns(facts: Facts, methods: list[str]) -> list[Column]:
    explained = {method["name"]: method["explained"] for method in facts.summary["methods"]}
    return [Column(facts.titles[method], explained[method]) for method in methods]


def overall_tables(facts: Facts) -> tuple[Table, ...]:
    """What every method does over all targets; one table for each part of a run."""
    return tuple(_overall(facts, part, name) for part, name in PARTS)


_OVERALL = (
    Column("method", is_text=True),
    Column("mean RI", "mean relative improvement over all targets ± its standard deviation over seeds"),
    Column("median RI", "median relative improvement"),
    Column("targets", "targets that the method has a value for"),
    Column("mean accuracy"),
    Column("negative transfer", "share of runs that came out below scratch"),
    Column("mean regret", "accuracy of the best single source minus this one's, in percentage points"),
    Column("hit@1", "how often the chosen source was the best single one"),
    Column("reach scratch's best", "share of runs whose supernet reached scratch's best validation accuracy"),
    Column("epoch share", "epochs to scratch's best over the epochs that scratch took, over the runs that reached it"),
    Column("epoch share, bounded", "the same, a run that never reached it counted with all of its epochs"),
)


def _overall(facts: Facts, part: Part, name: str) -> Table:
    rows = []
    for line in facts.summary["overall"]:
        if line["part"] != part:
            continue
        jobs = facts.refer(facts.values(line["method"]))
        cells = (
            change_cell(line["mean_ri"], jobs, spread=line["spread_ri"]),
            change_cell(line["median_ri"], jobs),
            number_cell(line["num_targets"], lambda count: whole(int(count)), jobs),
            number_cell(line["mean_accuracy"], percent, jobs),
            number_cell(line["negative_transfer_rate"], percent, jobs),
            number_cell(line["mean_regret"], _points, jobs),
            number_cell(line["hit_rate"], percent, jobs),
            number_cell(line["share_reached"], percent, jobs),
            number_cell(line["mean_epoch_share"], percent, jobs),
            number_cell(line["mean_epoch_share_bounded"], percent, jobs),
        )
        rows.append(Row(facts.titles.get(line["method"], line["method"]), cells))
    return Table(f"All methods over all targets, {name}", _OVERALL, tuple(rows), part)


def _points(value: float) -> str:
    return f"{fixed(100 * value, 1)} points"


_CORRELATIONS = (
    Column("target", is_text=True),
    Column("seed"),
    Column("Kendall's τ"),
    Column("weighted τ", "Kendall's τ in which the nearest sources weigh most"),
    Column("Pearson's r"),
    Column("sources"),
    Column("undefined because", is_text=True),
)


def correlation_tables(facts: Facts, *, every_seed: bool) -> tuple[Table, ...]:
    """How closeness by optimal transport goes with what the sources gave; one table for each part of a run.

    Args:
        facts: of the evaluation.
        every_seed: whether rows are of single seeds, not of their means.
    """
    return tuple(_correlations(facts, part, name, every_seed) for part, name in PARTS)


def _correlations(facts: Facts, part: Part, name: str, every_seed: bool) -> Table:
    lines = [
        line for line in facts.summary["table2"] if line["part"] == part and (line["seed"] != "mean") is every_seed
    ]
    rows = []
    for line in lines:
        jobs = facts.refer([line])
        values = (_correlation(line.get(key), jobs) for key in ("kendall", "weighted_kendall", "pearson"))
        seed = (Cell(str(line["seed"])),) if every_seed else ()
        count = number_cell(line["num_sources"], lambda count: whole(int(count)), jobs)
        rows.append(Row(line["target"], (*seed, *values, count, Cell(line.get("why") or ""))))
    columns: tuple[Column, ...] = _CORRELATIONS if every_seed else (_CORRELATIONS[0], *_CORRELATIONS[2:])
    if not any(line.get("why") for line in lines):
        columns = columns[:-1]
        rows = [Row(row.head, row.cells[:-1]) for row in rows]
    return Table(f"Correlation of closeness with accuracy, {name}", columns, tuple(rows), part)


def _correlation(value: float | None, jobs: str) -> Cell:
    cell = number_cell(value, lambda number: fixed(number, 2), jobs)
    return Cell(cell.text, cell.jobs, is_negative=cell.text.startswith("\u2212"))


def training_table(facts: Facts) -> Table:
    """How long final networks took to train, by method."""
    lines = [line for line in facts.summary["final_training"] if line["mean_seconds"] is not None]
    longest = max((line["mean_seconds"] for line in lines), default=0.0) or 1.0
    rows = []
    for line in lines:
        jobs = facts.refer([line] if "jobs" in line else facts.values(line["method"]))
        share = round(line["mean_seconds"] / longest, 3)
        whole_time = Cell(duration(line["mean_seconds"]), jobs, sort=round(line["mean_seconds"], 3), share=share)
        epoch = number_cell(line.get("mean_epoch_seconds"), duration, jobs, sort=True)
        rows.append(Row(facts.titles.get(line["method"], line["method"]), (whole_time, epoch)))
    columns = (Column("method", is_text=True), Column("mean training time"), Column("mean time an epoch"))
    return Table("Training time of the final networks", columns, tuple(rows))
