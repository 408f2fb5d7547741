"""What a reader wants first, in sentences that the numbers write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

from supernet_tl.report.evaluation.facts import Facts, Values
from supernet_tl.report.wording import NOTHING, duration, percent, signed_percent

_NAMES = {
    "by nearest": "the source nearest by optimal transport",
    "mixture": "the mixture of all sources",
    "oracle": "the best single source, known only afterwards,",
    "random source": "a source drawn at random",
}


@dataclass(frozen=True)
class Tile:
    """One method in brief.

    Attributes:
        title: of the method.
        network: mean relative improvement of the final network.
        supernet: of the supernet.
        jobs: that both come from.
        is_negative: whether the final network came out below scratch.
    """

    title: str
    network: str
    supernet: str
    jobs: str
    is_negative: bool


@dataclass(frozen=True)
class Headline:
    """The head of the page.

    Attributes:
        title: the outcome in a line.
        extent: what was evaluated, where and when, a phrase each.
        tiles: the methods that matter most.
        sentences: what they come to.
        missing: jobs without an outcome, as the summary lists them.
    """

    title: str
    extent: tuple[str, ...]
    tiles: tuple[Tile, ...]
    sentences: tuple[str, ...]
    missing: tuple[Values, ...]


def headline(facts: Facts) -> Headline:
    """Put the outcome into words."""
    methods = [name for name in (facts.choice, "mixture", "oracle", "random source") if name in facts.titles]
    tiles = (_tile(facts, name) for name in methods if name is not None)
    return Headline(
        title=_title(facts),
        extent=tuple(_extent(facts)),
        tiles=tuple(tile for tile in tiles if tile is not None),
        sentences=tuple(sentence for sentence in (_outcome(facts), _comparison(facts), _epochs(facts)) if sentence),
        missing=tuple(facts.summary["progress"]["missing"]),
    )


def _title(facts: Facts) -> str:
    title = f"Leave-one-out evaluation on {_counted(len(facts.summary['datasets']), 'dataset')}"
    found = facts.overall(facts.choice, "network")
    if found is None or found["mean_ri"] is None or facts.choice is None:
        return title
    change = signed_percent(found["mean_ri"])
    method = _named(facts, facts.choice)
    if change[0] not in "+\u2212":
        return f"{title}: {method} ends where scratch does"
    verb = "gains" if change[0] == "+" else "loses"
    return f"{title}: {method} {verb} {change[1:]} {'over' if change[0] == '+' else 'against'} scratch"


def _extent(facts: Facts) -> Iterator[str]:
    summary, progress = facts.summary, facts.summary["progress"]
    yield "datasets: " + ", ".join(dataset["name"] for dataset in summary["datasets"])
    yield f"{_counted(len(facts.seeds), 'seed')} ({', '.join(map(str, facts.seeds))})"
    for machine in summary["machines"]:
        threads = "" if machine.get("threads") is None else f" with {_counted(machine['threads'], 'thread')}"
        yield f"{_counted(machine['num_jobs'], 'job')} on {machine['device']}{threads}"
    yield f"{duration(summary['seconds'])} of work, {duration(summary['cpu_seconds'])} of processor time"
    yield f"{progress['finished']} of {_counted(progress['planned'], 'job')} finished"
    if summary["created"]:
        yield f"last finished {summary['created'][:10]}"


def _tile(facts: Facts, method: str) -> Tile | None:
    network, supernet = facts.overall(method, "network"), facts.overall(method, "supernet")
    if network is None and supernet is None:
        return None
    change = _ri(network)
    jobs = facts.refer(facts.values(method))
    return Tile(facts.titles[method], change, _ri(supernet), jobs, change.startswith("\u2212"))


def _outcome(facts: Facts) -> str:
    """What the choice does to accuracy, and how often for the worse."""
    network, supernet = facts.overall(facts.choice, "network"), facts.overall(facts.choice, "supernet")
    if facts.choice is None or network is None or network["mean_ri"] is None:
        return "No target has both a run from scratch and one from a chosen source yet, so nothing can be said of it."
    spread = network["spread_ri"]
    varies = "" if spread is None else f" ± {100 * spread:.1f} over seeds"
    sentence = (
        f"Against scratch, the mean relative improvement of {facts.accuracy_in_words} from "
        f"{_named(facts, facts.choice)} is {_ri(network)}{varies} for the final network and {_ri(supernet)} for the "
        f"supernet, over {_counted(network['num_targets'], 'target')}."
    )
    if network["negative_transfer_rate"] is not None:
        of_supernet = "" if supernet is None else f" ({percent(supernet['negative_transfer_rate'])} of the supernets)"
        sentence += (
            f" {percent(network['negative_transfer_rate'])} of the final networks{of_supernet} came out below scratch."
        )
    return sentence


def _comparison(facts: Facts) -> str:
    """How the choice stands among the other ways to start."""
    own = facts.overall(facts.choice, "network")
    others = {
        name: (found, facts.overall(name, "supernet"))
        for name in ("random source", "mixture", "oracle")
        if name in facts.titles and (found := facts.overall(name, "network")) and found["mean_ri"] is not None
    }
    if facts.choice is None or own is None or own["mean_ri"] is None or not others:
        return ""
    told = [
        f"{_named(facts, name)} gives {_ri(network)} (supernet {_ri(supernet)})"
        for name, (network, supernet) in others.items()
    ]
    sentence = f"For the final network {_listed(told)}."
    pairs = {name: _on_common_targets(facts, facts.choice, name) for name in others if name != "oracle"}
    verdicts = [
        f"{_compared(pair[0], pair[1])} {_named(facts, name)}{_over(pair[2], own['num_targets'])}"
        for name, pair in pairs.items()
        if pair is not None
    ]
    return sentence + (f" So the choice did {_listed(verdicts)}, by these means." if verdicts else "")


def _on_common_targets(facts: Facts, one: str, other: str) -> tuple[float, float, int] | None:
    """The mean improvements of two methods over the targets and seeds that both have, and the number of targets."""
    found = [
        {
            (value["target"], value["seed"]): value["ri"]["network"]
            for value in facts.values(name)
            if value["ri"]["network"] is not None
        }
        for name in (one, other)
    ]
    targets: dict[str, list[tuple[float, float]]] = {}
    for target, seed in sorted(found[0].keys() & found[1].keys()):
        targets.setdefault(target, []).append((found[0][target, seed], found[1][target, seed]))
    if not targets:
        return None
    means = [[fmean(side) for side in zip(*pairs, strict=True)] for pairs in targets.values()]
    first, second = (fmean(side) for side in zip(*means, strict=True))
    return first, second, len(targets)


def _over(num_targets: int, of: int) -> str:
    return "" if num_targets == of else f" (over the {_counted(num_targets, 'target')} that both have)"


def _epochs(facts: Facts) -> str:
    """How soon a warm supernet is where scratch was at its best."""
    told = []
    for name in (facts.choice, "mixture", "random source"):
        found = facts.overall(name, "supernet")
        if name is None or name not in facts.titles or found is None or found["share_reached"] is None:
            continue
        share = found["mean_epoch_share"]
        after = "" if share is None else f" (then after {percent(share)} of scratch's epochs)"
        told.append(f"{_named(facts, name)} in {percent(found['share_reached'])} of runs{after}")
    return (
        f"The best validation accuracy of the supernet from scratch was reached from {_listed(told)}." if told else ""
    )


def _named(facts: Facts, method: str) -> str:
    return _NAMES.get(method, f"“{facts.titles[method]}”")


def _compared(own: float, other: float) -> str:
    if signed_percent(own) == signed_percent(other):
        return "as well as"
    return "better than" if own > other else "worse than"


def _ri(line: Values | None) -> str:
    return NOTHING if line is None else signed_percent(line["mean_ri"])


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _listed(things: list[str]) -> str:
    return things[0] if len(things) == 1 else f"{', '.join(things[:-1])} and {things[-1]}"
