"""Every method over all targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ot_select.statistics import negative_transfer_rate
from supernet_tl.evaluating.tables.methods import Method
from supernet_tl.evaluating.tables.numbers import mean_of, median_of, spread_of
from supernet_tl.evaluating.tables.runs import PARTS
from supernet_tl.evaluating.tables.values import Value


def overall_of(values: Sequence[Value], methods: Sequence[Method]) -> list[dict[str, Any]]:
    """A row for every method and part that has values.

    Every target weighs the same, however many of its seeds are finished: means are over targets of means over seeds.
    ``spread_ri`` is over seeds, of the mean over targets, from seeds in which all the method's targets are there; null
    where fewer than two are. The rate of negative transfers is over the runs that stand for the method, so that of a
    random source is the probability of one. Epochs are those of the supernets' searches; both parts' rows have them.

    Args:
        values: of all methods.
        methods: in the order of the table.
    """
    rows = []
    for method in methods:
        own = [value for value in values if value.method == method.name]
        for part in PARTS:
            there = [value for value in own if value.runs[part]]
            if there:
                rows.append({"method": method.name, "part": part, **_numbers(there, part), **epochs_of(there)})
    return rows


def epochs_of(values: Sequence[Value]) -> dict[str, Any]:
    """How often and how early the supernets reached scratch's best validation accuracy.

    ``mean_epoch_share`` is over the runs that reached it, ``mean_epoch_share_bounded`` over all, where one that never
    did counts with the epochs it ran, so that its true share is at least that.
    """
    num_runs, num_reached = sum(value.num_runs for value in values), sum(value.num_reached for value in values)
    shares = [(value.epoch_share, value.num_reached) for value in values if value.epoch_share is not None]
    bounded = [(value.bounded_share, value.num_runs) for value in values if value.bounded_share is not None]
    return {
        "num_searches": num_runs,
        "num_reached": num_reached,
        "share_reached": num_reached / num_runs if num_runs else None,
        "mean_epoch_share": _weighted(shares),
        "mean_epoch_share_bounded": _weighted(bounded),
    }


def _numbers(values: Sequence[Value], part: str) -> dict[str, Any]:
    improvements = [value.ri[part] for value in values]
    known = [one for one in improvements if one is not None]
    of_runs = [ri for value in values for run in value.runs[part] if (ri := run.ri[part]) is not None]
    by_target = _by_target(values, lambda value: value.ri[part])
    regrets = _by_target(values, lambda value: None if value.regret is None else value.regret[part])
    hits = _by_target(values, lambda value: None if value.hit is None else value.hit[part])
    return {
        "mean_ri": mean_of(by_target),
        "spread_ri": spread_of(_by_seed(values, part)),
        "median_ri": median_of(by_target),
        "num_targets": sum(one is not None for one in by_target),
        "num_values": len(known),
        "num_undefined": len(improvements) - len(known),
        "mean_accuracy": mean_of(_by_target(values, lambda value: value.accuracy[part])),
        "mean_difference": mean_of(_by_target(values, lambda value: value.difference[part])),
        "negative_transfer_rate": negative_transfer_rate(of_runs) if of_runs else None,
        "mean_regret": mean_of(regrets),
        "hit_rate": mean_of(hits),
    }


def _by_target(values: Sequence[Value], number: Callable[[Value], float | None]) -> list[float | None]:
    """The mean over seeds for every target."""
    targets = dict.fromkeys(value.target for value in values)
    return [mean_of(number(value) for value in values if value.target == target) for target in targets]


def _by_seed(values: Sequence[Value], part: str) -> list[float | None]:
    """The mean over targets for every seed in which none of them is missing."""
    known = {(value.target, value.seed): ri for value in values if (ri := value.ri[part]) is not None}
    targets = {target for target, _ in known}
    seeds = sorted({seed for _, seed in known})
    whole = [seed for seed in seeds if all((target, seed) in known for target in targets)]
    return [mean_of(known[target, seed] for target in targets) for seed in whole]


def _weighted(pairs: Sequence[tuple[float, int]]) -> float | None:
    total = sum(weight for _, weight in pairs)
    return sum(number * weight for number, weight in pairs) / total if total else None
