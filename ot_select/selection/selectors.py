"""Ways to choose the source to start from: by distance, by probing, and the honest baselines.

A selector is a function from a question to a choice. Those of other packages are found by name, see
``ot_select.selection.plugins``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np

from ot_select.arrays import check_positive_int, check_seed
from ot_select.errors import OptionError, SelectorError
from ot_select.selection.ranker import rank
from ot_select.selection.ranking import Comparison, Ranking
from ot_select.sketches.sketch import Sketch

Kind = Literal["single", "mixture"]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A source that may be chosen.

    Attributes:
        sketch: of its data.
        num_rows: rows that it learnt from, which may be more than its sketch tells of.
        num_classes: that it learnt.
        kind: ``"single"``, or ``"mixture"`` of several datasets.
    """

    sketch: Sketch
    num_rows: int
    num_classes: int
    kind: Kind = "single"


class Ranker(Protocol):
    """Sources in the order of their distance to a target: :func:`ot_select.rank` with its options settled."""

    def __call__(self, target: Sketch, sources: Mapping[str, Sketch], /) -> Ranking[Comparison]:
        """The ranking, nearest first."""
        ...


@dataclass(frozen=True, kw_only=True)
class Question:
    """Which of these sources should a search on this target start from?

    Attributes:
        target: sketch of what is to be solved.
        candidates: what there is, by name.
        ranker: measures distances; of many sources it may return the nearest only.
        seed: of whatever is drawn.
        probe: trains for a short while from a candidate, or from scratch for None, and returns the validation
            accuracy, a fraction, or None where training diverged; absent where nothing may be trained.
        num_probes: how many candidates are worth probing.
        past_accuracies: mean over other targets of the accuracy (or improvement) after starting from a source, by
            candidate name; candidates that were never tried are missing.
    """

    target: Sketch
    candidates: Mapping[str, Candidate]
    ranker: Ranker = rank
    seed: int = 0
    probe: Callable[[str | None], float | None] | None = None
    num_probes: int = 3
    past_accuracies: Mapping[str, float] | None = None

    def of_kind(self, kind: Kind) -> dict[str, Candidate]:
        """The candidates of one kind.

        Raises:
            SelectorError: there are none.
        """
        found = {name: candidate for name, candidate in self.candidates.items() if candidate.kind == kind}
        if not found:
            raise SelectorError(
                f"There is no {kind} source among the {len(self.candidates)} candidates. "
                f"Pretrain a {kind} source first, or choose another selector."
            )
        return found

    def nearest(self, kind: Kind) -> Ranking[Comparison]:
        """The candidates of one kind by distance, nearest first."""
        return self.ranker(self.target, {name: candidate.sketch for name, candidate in self.of_kind(kind).items()})


@dataclass(frozen=True)
class Probe:
    """A short search that was made to decide.

    Attributes:
        name: of the candidate; None from scratch.
        accuracy: on the target's validation images, a fraction; None where training diverged.
    """

    name: str | None
    accuracy: float | None


@dataclass(frozen=True)
class Choice:
    """Where to start, with the evidence.

    Attributes:
        name: of the candidate; None for scratch.
        ranking: candidates in the selector's order, best first.
        reason: why this one, as a clause.
        probes: what was tried, if anything was.
    """

    name: str | None
    ranking: Ranking[Comparison] | Ranking[None]
    reason: str
    probes: tuple[Probe, ...] = ()


class Selector(Protocol):
    """A way to choose: a function of the question alone."""

    def __call__(self, question: Question, /) -> Choice:
        """Choose one of the candidates, or scratch."""
        ...


def nearest(question: Question) -> Choice:
    """The single source at the least distance."""
    ranking = question.nearest("single")
    compared = len(question.of_kind("single")) - len(ranking.left_out)
    return Choice(ranking.names[0], ranking, f"it is the nearest of {compared}")


def mixture(question: Question) -> Choice:
    """The nearest mixture of sources.

    Source: Singh & Vanschoren, arXiv:2407.20279 (algorithm 3, where there is one mixture).
    """
    ranking = question.nearest("mixture")
    compared = len(question.of_kind("mixture")) - len(ranking.left_out)
    return Choice(ranking.names[0], ranking, f"it is the nearest of {compared} mixtures")


def probe(question: Question) -> Choice:
    """The nearest few and scratch, each searched for a short while: the best validation accuracy wins.

    Of equal accuracies the nearer source wins, and any source before scratch. Distances alone cannot tell that no
    source helps; scratch among the probes can.

    Raises:
        SelectorError: nothing may be trained, every probe diverged, or one gave what is no accuracy.
    """
    if question.probe is None:
        raise SelectorError("Probing trains networks, but the question has no probe. Give one, or choose by 'nearest'.")
    ranking = question.nearest("single")
    tried: list[str | None] = [*ranking.names[: check_positive_int("num_probes", question.num_probes)], None]
    probes = tuple(Probe(name, _accuracy(name, question.probe(name))) for name in tried)
    best = max((one.accuracy for one in probes if one.accuracy is not None), default=None)
    if best is None:
        raise SelectorError(
            f"All {len(probes)} probes diverged, scratch among them. Lower the learning rate, or choose by 'nearest'."
        )
    winner, *equals = (one for one in probes if one.accuracy == best)
    reason = f"its probe had the best validation accuracy of {len(probes)}, {best:.4f}"
    if equals:
        reason = _tie(equals, best)
    if winner.name is None:
        reason = f"no probed source did better on validation than scratch, {best:.4f}: negative transfer was avoided"
    return Choice(winner.name, ranking, reason, probes)


def _tie(equals: list[Probe], accuracy: float) -> str:
    """Why the first of several probes that did equally well was taken."""
    sources = sum(one.name is not None for one in equals)
    others = [f"{sources} other source{'s' if sources > 1 else ''}"] if sources else []
    others += ["scratch"] if sources < len(equals) else []
    return (
        f"its probe did as well on validation as {' and '.join(others)} ({accuracy:.4f}), and on a tie the nearer "
        "source is taken"
    )


def random(question: Question) -> Choice:
    """Any single source, drawn by the seed: what any selection has to beat."""
    ranking = rank_randomly(question.of_kind("single"), question.seed)
    return Choice(ranking.names[0], ranking, f"it was drawn at random from {len(ranking)}")


def largest(question: Question) -> Choice:
    """The single source that learnt from the most rows; of equal ones the first by name."""
    candidates = question.of_kind("single")
    ordered = sorted(candidates, key=lambda name: (-candidates[name].num_rows, name))
    return _baseline("largest", ordered, f"it is the largest, with {candidates[ordered[0]].num_rows} images")


def same_classes(question: Question) -> Choice:
    """The single source whose number of classes is nearest the target's; of equal ones the largest, then by name."""
    candidates, wanted = question.of_kind("single"), len(question.target.class_names)

    def order(name: str) -> tuple[int, int, str]:
        return abs(candidates[name].num_classes - wanted), -candidates[name].num_rows, name

    ordered = sorted(candidates, key=order)
    found = candidates[ordered[0]].num_classes
    return _baseline("same-classes", ordered, f"its number of classes, {found}, is nearest the target's {wanted}")


def fixed_best(question: Question) -> Choice:
    """The single source that did best on average over other targets; of equal ones the first by name.

    Raises:
        SelectorError: there are no past accuracies, none of a candidate, or one is not finite.
    """
    candidates, past = question.of_kind("single"), question.past_accuracies
    if past is None:
        raise SelectorError(
            "The fixed best source is the one that did best on other targets, but there are no past accuracies. "
            "Give past_accuracies, a mean for each source."
        )
    wrong = [name for name, value in past.items() if not isfinite(value)]
    if wrong:
        raise SelectorError(
            f"The past accuracy of {wrong[0]!r} is {past[wrong[0]]!r}, but a finite number is needed. Leave sources "
            "that were never tried out of the table."
        )
    known = {name: past[name] for name in candidates if name in past}
    if not known:
        raise SelectorError(
            f"The past accuracies are of {', '.join(sorted(past)[:5]) or 'nothing'}, none of the {len(candidates)} "
            f"candidates ({', '.join(sorted(candidates)[:5])}). Name the sources as the candidates are named."
        )
    ordered = sorted(known, key=lambda name: (-known[name], name))
    untried = tuple((name, "there is no past accuracy of it") for name in sorted(set(candidates) - set(known)))
    reason = f"it was best on average over past targets, {known[ordered[0]]:.4g}"
    return _baseline("fixed-best", ordered, reason, untried)


SELECTORS: Mapping[str, Selector] = MappingProxyType(
    {
        "nearest": nearest,
        "probe": probe,
        "mixture": mixture,
        "random": random,
        "largest": largest,
        "same-classes": same_classes,
        "fixed-best": fixed_best,
    }
)
"""The selectors of this package by name."""


def rank_randomly(names: Iterable[str], seed: int = 0) -> Ranking[None]:
    """Sources in random order: what any selection has to beat.

    Args:
        names: of the sources; their order plays no part.
        seed: of the order.

    Raises:
        OptionError: there are no names.
    """
    ordered = sorted(set(names))
    if not ordered:
        raise OptionError("There are no sources to draw from. Add at least one pretrained source to the zoo first.")
    shuffled = np.random.default_rng(check_seed(seed)).permutation(len(ordered))
    return Ranking(
        method="random", entries=tuple((ordered[index], None) for index in shuffled), num_evaluated=0, rows_compared=0
    )


def _baseline(method: str, ordered: list[str], reason: str, left_out: tuple[tuple[str, str], ...] = ()) -> Choice:
    """The first of an order that no distance decided."""
    entries = tuple((name, None) for name in ordered)
    return Choice(ordered[0], Ranking(method, entries, num_evaluated=0, rows_compared=0, left_out=left_out), reason)


def _accuracy(name: str | None, accuracy: float | None) -> float | None:
    if accuracy is not None and not (isfinite(accuracy) and 0 <= accuracy <= 1):
        raise SelectorError(
            f"The probe of {name or 'scratch'} gave {accuracy!r}, but a fraction in [0, 1], or None where training "
            "diverged, is needed. Mend the probe."
        )
    return accuracy
