"""A method's numbers for one target and one seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ot_select.statistics import hit_at_k, regret
from supernet_tl.evaluating.tables.finished import Finished
from supernet_tl.evaluating.tables.methods import Method, Picked
from supernet_tl.evaluating.tables.numbers import improvement, mean_of, whole_mean, why_undefined
from supernet_tl.evaluating.tables.runs import PARTS, Run


@dataclass(frozen=True)
class Value:
    """A method on one target with one seed.

    Attributes:
        method: its name.
        target: as tables call it.
        seed: of the run.
        accuracy: that is reported, by part; None where the method has no such part.
        ri: relative improvement over scratch of the same target and seed, by part; None where it is undefined.
        why: by part, why ``ri`` is undefined.
        difference: accuracy less that of scratch, by part; None where one of the two is missing.
        sources: by part, the source that was chosen; None where no single one was.
        regret: by part, what the accuracy falls short of the best that could have been chosen: the best single source,
            or scratch where scratch was chosen and is better. None where the method chooses no source, or not every
            source was tried.
        hit: by part, whether the choice was a best one; for a random source the probability that it is.
        epochs_to_best: mean epochs until the supernets reached scratch's best validation accuracy, of those that did;
            None where none did.
        scratch_best_epoch: epoch in which scratch reached it.
        num_runs: supernets that were searched.
        num_reached: those that reached it.
        bounded_share: mean of epochs to scratch's best over ``scratch_best_epoch``; a run that never reached it counts
            with all its epochs. None where no supernet was searched.
        jobs: names of those that it follows from, scratch's included; regret and hit also follow from the oracle's.
        looked_at: see :class:`supernet_tl.evaluating.tables.methods.Picked`.
        runs: those that stand for the method, by part.
    """

    method: str
    target: str
    seed: int
    accuracy: Mapping[str, float | None]
    ri: Mapping[str, float | None]
    why: Mapping[str, str]
    difference: Mapping[str, float | None]
    sources: Mapping[str, str | None]
    regret: Mapping[str, float | None] | None
    hit: Mapping[str, bool | float | None] | None
    epochs_to_best: float | None
    scratch_best_epoch: int | None
    num_runs: int
    num_reached: int
    bounded_share: float | None
    jobs: tuple[str, ...]
    looked_at: Mapping[str, Any] | None
    runs: Mapping[str, tuple[Run, ...]]

    @property
    def epoch_share(self) -> float | None:
        """Epochs to scratch's best over those that scratch took; None where it was never reached."""
        if self.epochs_to_best is None or self.scratch_best_epoch is None:
            return None
        return self.epochs_to_best / self.scratch_best_epoch

    def to_dict(self) -> dict[str, Any]:
        """The value as plain JSON values."""
        named = set(self.sources.values())
        return {
            "method": self.method,
            "target": self.target,
            "seed": self.seed,
            "accuracy": dict(self.accuracy),
            "ri": dict(self.ri),
            "why": dict(self.why),
            "difference": dict(self.difference),
            "source": named.pop() if len(named) == 1 else None,
            "sources": dict(self.sources),
            "regret": None if self.regret is None else dict(self.regret),
            "hit": None if self.hit is None else dict(self.hit),
            "epochs_to_scratch_best": self.epochs_to_best,
            "epoch_share": self.epoch_share,
            "epoch_share_bounded": self.bounded_share,
            "num_searches": self.num_runs,
            "num_reached": self.num_reached,
            "jobs": list(self.jobs),
            "looked_at": None if self.looked_at is None else dict(self.looked_at),
        }


def values_of(finished: Finished, methods: Iterable[Method]) -> list[Value]:
    """The values whose jobs are all finished, scratch's of the same target and seed among them."""
    found = []
    for method in methods:
        for target in finished.targets:
            for seed in finished.recipe.seeds:
                scratch = finished.run(target, seed, "scratch")
                picked = None if scratch is None else method.pick(finished, target, seed)
                if scratch is not None and picked is not None:
                    singles = finished.singles(target, seed) if method.single_source else None
                    found.append(_value(method, target, seed, picked, scratch, singles))
    return found


def _value(
    method: Method, target: str, seed: int, picked: Picked, scratch: Run, singles: Mapping[str, Run] | None
) -> Value:
    accuracy = {part: whole_mean(run.accuracy[part] for run in picked.runs[part]) for part in PARTS}
    searched = [run for run in picked.runs["supernet"] if run.searches]
    reached = [run.epochs_to_best for run in searched if run.epochs_to_best is not None]
    best = scratch.scratch_best
    shares = [
        (run.epochs if run.epochs_to_best is None else run.epochs_to_best) / best.epoch for run in searched if best
    ]
    whys = {part: why_undefined(accuracy[part], scratch.accuracy[part]) for part in PARTS if picked.runs[part]}
    regrets, hits = _choices(picked, singles)
    return Value(
        method=method.name,
        target=target,
        seed=seed,
        accuracy=accuracy,
        ri={part: improvement(accuracy[part], scratch.accuracy[part]) for part in PARTS},
        why={part: why for part, why in whys.items() if why is not None},
        difference={part: _less(accuracy[part], scratch.accuracy[part]) for part in PARTS},
        sources=picked.sources,
        regret=regrets,
        hit=hits,
        epochs_to_best=mean_of(reached),
        scratch_best_epoch=None if best is None else best.epoch,
        num_runs=len(searched),
        num_reached=len(reached),
        bounded_share=mean_of(shares),
        jobs=tuple(dict.fromkeys((*picked.jobs, scratch.job.name))),
        looked_at=picked.looked_at,
        runs=picked.runs,
    )


def _choices(
    picked: Picked, singles: Mapping[str, Run] | None
) -> tuple[dict[str, float | None] | None, dict[str, bool | float | None] | None]:
    """Regret and hit by part; None where they are not to be told."""
    if singles is None:
        return None, None
    regrets: dict[str, float | None] = {}
    hits: dict[str, bool | float | None] = {}
    for part in PARTS:
        others = [run.accuracy[part] for run in singles.values()]
        lists = [_known([run.accuracy[part], *others]) for run in picked.runs[part]]
        ranked = [one for one in lists if one is not None]
        whole = bool(ranked) and len(ranked) == len(lists)
        regrets[part] = mean_of(regret(one) for one in ranked) if whole else None
        found = [hit_at_k(one) for one in ranked]
        hits[part] = None if not whole else found[0] if len(found) == 1 else sum(found) / len(found)
    return regrets, hits


def _less(accuracy: float | None, scratch: float | None) -> float | None:
    return None if accuracy is None or scratch is None else accuracy - scratch


def _known(values: Sequence[float | None]) -> list[float] | None:
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None
