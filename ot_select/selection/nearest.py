"""The nearest sources by exact OTDD, found without measuring the distance to all of them.

A queue holds every source with the best lower bound known of its distance. The source with the smallest bound is taken
out and its next, dearer bound is computed, until the smallest number in the queue is a distance: nothing can beat it.

Source: Seidl & Kriegel 1998, "Optimal multi-step k-nearest neighbor search".
"""

import heapq
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from ot_select.arrays import FloatArray, check_positive_int
from ot_select.cloud import LabelledCloud
from ot_select.distances.otdd import OTDD, OTDDResult, Problem
from ot_select.errors import OptionError
from ot_select.selection.lower_bound import (
    Moments,
    class_bound,
    class_potentials,
    moment_bound,
    potential_bound,
    swept_potentials,
)
from ot_select.selection.source_index import SourceIndex

_PROBLEMS_KEPT = 8  # transport problems whose costs are kept between two bounds


class Stage(IntEnum):
    """What is known of a source, cheap to dear; the last is the distance itself."""

    SUMMARY = 0
    CLASSES = 1
    MOMENTS = 2
    CLASS_POTENTIALS = 3
    SWEPT_POTENTIALS = 4
    DISTANCE = 5


@dataclass(frozen=True)
class NearestSources:
    """The outcome of a search.

    Attributes:
        results: (name, one result for each draw) of the k nearest, nearest first.
        reached: how many sources got as far as each stage, ``Stage.DISTANCE`` being the distances measured.
    """

    results: tuple[tuple[str, tuple[OTDDResult, ...]], ...]
    reached: Mapping[Stage, int]


def nearest_sources(
    target: Sequence[LabelledCloud],
    sources: Callable[[str], Sequence[LabelledCloud]],
    indexes: Sequence[SourceIndex],
    k: int,
    *,
    distance: OTDD | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NearestSources:
    """The k sources with the smallest mean of the squared exact OTDD over draws of rows, the same as by measuring all.

    Args:
        target: draws of rows of the target.
        sources: gives a source's draws by name, each to be compared with the target's draw in the same place.
        indexes: one for each draw, of the same sources.
        k: how many, at most the number of sources.
        distance: that is ordered by: exact, with Gaussian label distances (:func:`has_bounds`); ``OTDD()`` by default.
        progress: called whenever one more is certain, with the number found so far and ``k``.

    Returns:
        The k nearest, equal distances ordered by name.

    Raises:
        OptionError: there are less than k sources, draws and indexes do not fit together, or the distance has no
            bounds.
    """
    search = _Search(target, sources, indexes, _bounded(distance))
    names = indexes[0].names
    if check_positive_int("k", k) > len(names):
        raise OptionError(f"k is {k}, but there are {len(names)} sources. Ask for at most so many.")
    found: list[tuple[str, tuple[OTDDResult, ...]]] = []
    while len(found) < k:
        bound, measured, name = heapq.heappop(search.queue)
        if measured:
            found.append((name, search.results[name]))
            if progress is not None:
                progress(len(found), k)
        else:
            search.refine(name, bound)
    return NearestSources(tuple(found), dict(search.reached))


def has_bounds(distance: object) -> bool:
    """Whether the lower bounds are those of this distance: the exact OTDD with Gaussian label distances."""
    return (
        isinstance(distance, OTDD)
        and (distance.outer, distance.inner, distance.precision) == ("exact", "gaussian", "float64")
        and distance.max_iterations is None
        and not distance.drop_singletons
    )


def _bounded(distance: OTDD | None) -> OTDD:
    if distance is not None and not has_bounds(distance):
        raise OptionError(
            f"The search for the nearest sources has no bounds for the distance {distance.name!r}, only for the exact "
            "OTDD with Gaussian label distances in float64. Give OTDD(), or measure all sources with rank."
        )
    return distance or OTDD()


class _Search:
    """The queue, and how one source moves on from bound to bound."""

    def __init__(
        self,
        target: Sequence[LabelledCloud],
        sources: Callable[[str], Sequence[LabelledCloud]],
        indexes: Sequence[SourceIndex],
        distance: OTDD,
    ) -> None:
        if not target or len(target) != len(indexes) or any(index.names != indexes[0].names for index in indexes):
            raise OptionError(
                f"There are {len(target)} draws of the target and {len(indexes)} indexes of "
                f"{', '.join(str(len(index)) for index in indexes) or 'no'} sources, but an index of the same sources, "
                "in one order, is needed for each draw."
            )
        self._distance = distance
        self._target = target
        self._sources = sources
        self._indexes = indexes
        self._moments = [index.moments_of(cloud) for index, cloud in zip(indexes, target, strict=True)]
        self._problems: OrderedDict[str, list[Problem]] = OrderedDict()
        names = indexes[0].names
        bounds = np.mean([index.summary_bounds(of) for index, of in zip(indexes, self._moments, strict=True)], axis=0)
        self._stage = dict.fromkeys(names, Stage.SUMMARY)
        self.reached = {stage: len(names) if stage is Stage.SUMMARY else 0 for stage in Stage}
        self.results: dict[str, tuple[OTDDResult, ...]] = {}
        # At equal numbers a bound comes before a distance: what it stands for may be as near, and sooner by name.
        self.queue: list[tuple[float, bool, str]] = [
            (float(bound), False, name) for name, bound in zip(names, bounds, strict=True)
        ]
        heapq.heapify(self.queue)

    def refine(self, name: str, bound: float) -> None:
        """Take a source to its next stage and put it back."""
        stage = Stage(self._stage[name] + 1)
        self._stage[name] = stage
        self.reached[stage] += 1
        if stage is Stage.DISTANCE:
            self.results[name] = tuple(self._distance.solve(problem) for problem in self._problems_of(name))
            self._problems.pop(name, None)
            exact = float(np.mean([result.squared for result in self.results[name]]))
            heapq.heappush(self.queue, (exact, True, name))
            return
        if stage in _BY_MOMENTS:
            pairs = zip(self._moments, (index.moments(name) for index in self._indexes), strict=True)
            values = [_BY_MOMENTS[stage](ours, theirs) for ours, theirs in pairs]
        else:
            values = [_BY_COST[stage](problem) for problem in self._problems_of(name)]
        heapq.heappush(self.queue, (max(bound, float(np.mean(values))), False, name))

    def _problems_of(self, name: str) -> list[Problem]:
        problems = self._problems.pop(name, None)
        if problems is None:
            draws = self._sources(name)
            if len(draws) != len(self._target):
                raise OptionError(
                    f"There are {len(draws)} draws of {name!r} and {len(self._target)} of the target. Give as many."
                )
            problems = [self._distance.problem(*pair) for pair in zip(self._target, draws, strict=True)]
        self._problems[name] = problems
        while len(self._problems) > _PROBLEMS_KEPT:
            self._problems.popitem(last=False)
        return problems


def _by_class_potentials(problem: Problem) -> float:
    bound = potential_bound(_cost(problem), _class_potentials(problem), (problem.a.weights, problem.b.weights))
    return problem.unit.squares(bound).item()


def _by_swept_potentials(problem: Problem) -> float:
    cost, weights = _cost(problem), (problem.a.weights, problem.b.weights)
    bound = potential_bound(cost, swept_potentials(cost, _class_potentials(problem), weights), weights)
    return problem.unit.squares(bound).item()


def _class_potentials(problem: Problem) -> FloatArray:
    return class_potentials(_cost(problem), problem.a, problem.b)


def _cost(problem: Problem) -> FloatArray:
    return np.asarray(problem.cost.cpu().numpy(), dtype=np.float64)


_BY_MOMENTS: Mapping[Stage, Callable[[Moments, Moments], float]] = {
    Stage.CLASSES: class_bound,
    Stage.MOMENTS: moment_bound,
}
_BY_COST: Mapping[Stage, Callable[[Problem], float]] = {
    Stage.CLASS_POTENTIALS: _by_class_potentials,
    Stage.SWEPT_POTENTIALS: _by_swept_potentials,
}
