"""What the tables for people show: which columns, in which order, with how many digits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supernet_tl.evaluating.tables.numbers import mean_of, spread_of
from supernet_tl.evaluating.tables.runs import PARTS

TITLES = {"supernet": "supernet", "network": "final network"}
"""What people call the parts."""

NOTHING = "—"


@dataclass(frozen=True)
class Block:
    """Rows of a table that belong together.

    Attributes:
        title: of the rows.
        rows: texts, one for each column.
    """

    title: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Table:
    """A table as texts.

    Attributes:
        caption: what it shows.
        header: a text for each column.
        blocks: with the rows; those without any are left out.
    """

    caption: str
    header: tuple[str, ...]
    blocks: tuple[Block, ...]


def number(value: float | None, digits: int = 3, spread: float | None = None) -> str:
    """A number with its spread, as tables show it; a dash where it is undefined."""
    if value is None:
        return NOTHING
    shown = f"{value:.{digits}f}"
    if float(shown) == 0:  # no minus before a zero
        shown = shown.removeprefix("-")
    return shown if spread is None else f"{shown} ± {spread:.{digits}f}"


def seeds_told(summary: Mapping[str, Any]) -> str:
    """How many seeds a spread is over, in words."""
    num_seeds = len(summary["recipe"]["seeds"])
    return "one seed" if num_seeds == 1 else f"mean ± sample standard deviation over {num_seeds} seeds"


def table1(summary: Mapping[str, Any]) -> Table:
    """Relative improvement by target and method, and the mean over targets."""
    methods = [method for method in summary["methods"] if method["name"] != "scratch"]
    overall = {(row["method"], row["part"]): row for row in summary["overall"]}

    def rows(part: str) -> Iterator[tuple[str, ...]]:
        own = [row for row in summary["table1"] if row["part"] == part]
        for row in own:
            cells = [row["cells"].get(method["name"], {}) for method in methods]
            yield row["target"], *(number(cell.get("mean"), 4, cell.get("spread")) for cell in cells)
        means = [overall.get((method["name"], part), {}) for method in methods]
        if own:
            yield "mean over targets", *(number(cell.get("mean_ri"), 4, cell.get("spread_ri")) for cell in means)

    return Table(
        f"Relative improvement of {summary['measure']} accuracy over training from scratch; {seeds_told(summary)}.",
        ("target", *(method["title"] for method in methods)),
        _blocks({part: tuple(rows(part)) for part in PARTS}),
    )


def overall_table(summary: Mapping[str, Any]) -> Table:
    """Every method over all targets."""
    titles = {method["name"]: method["title"] for method in summary["methods"]}

    def row(one: Mapping[str, Any]) -> tuple[str, ...]:
        return (
            titles[one["method"]],
            number(one["mean_ri"], 4, one["spread_ri"]),
            number(one["median_ri"], 4),
            *(number(one[name]) for name in ("mean_accuracy", "negative_transfer_rate", "mean_regret", "hit_rate")),
            str(one["num_values"]),
        )

    return Table(
        f"Every method over all targets; relative improvement (RI) of {summary['measure']} accuracy over scratch, "
        "spread over seeds of the mean over targets. Regret: what the accuracy falls short of the best source's.",
        ("method", "mean RI", "median RI", "accuracy", "negative transfers", "regret", "hits", "runs compared"),
        _blocks({part: tuple(row(one) for one in summary["overall"] if one["part"] == part) for part in PARTS}),
    )


def epochs_table(summary: Mapping[str, Any]) -> Table:
    """How early supernets reach scratch's best validation accuracy."""
    titles = {method["name"]: method["title"] for method in summary["methods"]}
    rows = tuple(
        (titles[row["method"]], str(row["num_searches"]), *(number(row[name]) for name in _EPOCHS))
        for row in summary["overall"]
        if row["part"] == "supernet" and row["num_searches"]
    )
    return Table(
        "Epochs until the supernet reaches the best validation accuracy of the search from scratch, as a share of the "
        "epochs that scratch took to it: of the searches that reach it, and of all, where one that never does counts "
        "with all the epochs it ran, so that its true share is at least that.",
        ("method", "searches", "share that reach it", "epoch share of those", "epoch share of all, at least"),
        _blocks({"supernet": rows}),
    )


def table2(summary: Mapping[str, Any]) -> Table:
    """Correlations of closeness and accuracy by target, means over seeds, and the mean over targets."""

    def rows(part: str) -> Iterator[tuple[str, ...]]:
        own = [row for row in summary["table2"] if row["part"] == part and row["seed"] == "mean"]
        for row in own:
            yield row["target"], *(number(row[name]) for name in _COEFFICIENTS), str(row["num_sources"])
        if own:
            known = {name: [row[name] for row in own if row[name] is not None] for name in _COEFFICIENTS}
            means = (number(sum(values) / len(values)) if values else NOTHING for values in known.values())
            yield "mean over targets", *means, NOTHING

    return Table(
        f"Correlation over sources of closeness to the target and {summary['measure']} accuracy after a start from the "
        "source; means over seeds. Positive: nearer sources transfer better.",
        ("target", "Kendall", "weighted Kendall", "Pearson", "sources"),
        _blocks({part: tuple(rows(part)) for part in PARTS}),
    )


def final_training_table(summary: Mapping[str, Any]) -> Table:
    """How long final networks take to train, and how large they are."""
    titles = {method["name"]: method["title"] for method in summary["methods"]}
    rows = tuple(
        (
            titles[row["method"]],
            number(row["mean_seconds"], 1),
            number(row["mean_epoch_seconds"], 2),
            number(row["mean_share_of_scratch"]),
            number(row["mean_num_parameters"], 0),
        )
        for row in summary["final_training"]
    )
    return Table(
        "Training of the final networks: means over runs.",
        ("method", "seconds", "seconds an epoch", "seconds over scratch's", "parameters"),
        _blocks({"network": rows}),
    )


def schedules_table(summary: Mapping[str, Any]) -> Table:
    """Schedules of warm starts, from the chosen source and from the mixture."""
    first = summary["recipe"]["select"][0]
    overall = {(row["method"], row["part"]): row for row in summary["overall"]}

    def rows(start: str) -> Iterator[tuple[str, ...]]:
        for schedule in (None, *summary["recipe"]["schedules"]):
            name = start if schedule is None else f"{start}, {schedule}"
            supernet, network = (overall.get((name, part)) for part in PARTS)
            if supernet is not None and network is not None:
                yield (
                    schedule or "main",
                    *(number(row["mean_ri"], 4, row["spread_ri"]) for row in (supernet, network)),
                    number(supernet["share_reached"]),
                    number(supernet["mean_epoch_share_bounded"]),
                    number(supernet["mean_difference"], 4),
                    *(NOTHING if schedule is None else _paired(summary, name, start, part) for part in PARTS),
                )

    starts = {f"from the source by {first}": f"by {first}", "from the mixture of all sources": "mixture"}
    found = {title: tuple(rows(start)) for title, start in starts.items()}
    return Table(
        f"Schedules of warm starts, measured on {summary['measure']} images: relative improvement (RI) over scratch, "
        "share of searches that reach scratch's best validation accuracy, epochs to it as a share of scratch's (all "
        "searches; at least), the supernet's accuracy after the last epoch less scratch's; and the accuracies less "
        "those of the main schedule on the same targets and seeds, with the spread over seeds of means over targets.",
        (
            "schedule",
            "RI, supernet",
            "RI, final network",
            "share reaching it",
            "epoch share",
            "last epoch's difference",
            "supernet less main's",
            "final network less main's",
        ),
        _blocks(found),
    )


def _paired(summary: Mapping[str, Any], method: str, other: str, part: str) -> str:
    """By how much a method's accuracy is above another's on the same targets and seeds."""
    accuracies: dict[str, dict[int, dict[str, float]]] = {method: {}, other: {}}
    for value in summary["values"]:
        if value["method"] in accuracies and value["accuracy"][part] is not None:
            by_seed = accuracies[value["method"]].setdefault(value["seed"], {})
            by_seed[value["target"]] = value["accuracy"][part]
    means = []
    for seed, found in accuracies[method].items():
        others = accuracies[other].get(seed, {})
        means.append(mean_of(found[target] - others[target] for target in found if target in others))
    return number(mean_of(means), 4, spread_of(means))


_COEFFICIENTS = ("kendall", "weighted_kendall", "pearson")
_EPOCHS = ("share_reached", "mean_epoch_share", "mean_epoch_share_bounded")


def _blocks(rows: Mapping[str, Sequence[tuple[str, ...]]]) -> tuple[Block, ...]:
    return tuple(Block(TITLES.get(title, title), tuple(found)) for title, found in rows.items() if found)
