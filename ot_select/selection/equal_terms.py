"""Comparing sources of different sizes with one target on equal terms.

The distance between two samples of one and the same population is not 0: it has a floor, which grows as the samples
shrink (two samples of 1,000 rows of a 512-dimensional unit Gaussian with ten classes are about 1,600 apart, squared).
What a source has few rows of would therefore look far. There are two remedies:

- ``"rows"``: the same number of rows of every source, so that the same floor weighs on all, as far as their spreads are
  alike; a source of smaller spread has a smaller floor, and an advantage.
- ``"self_distances"``: every source at its own number of rows, less the mean of the two floors:
  d^2(T, S) - (floor(T) + floor(S)) / 2. It is 0 on average where both have one population, and may then be negative;
  elsewhere it lies below the distance of the populations, in high dimensions far below, but its order is theirs. Rows
  that target and source share make it too small: it is for sets that are samples of their own.

A floor f(n) is measured between two disjoint samples of n of a dataset's own rows. Where it has less than 2 n it is
measured between halves and brought to n along the power law through halves and quarters,
f(n) = f(h) min(1, f(h) / f(q))^log2(n / h). Against the true floor, on embeddings of real images at 8 rows a class and
more, that is right within 4% on average and within 12% for a single split, where f(h) alone is 18 to 29% too high; on
synthetic Gaussians of flat to steep spectra it is right within 6% at 300 rows and within 22% at 80. Comparing halves
instead, so that nothing need be extrapolated, is as good on average but leaves more of the floor at few rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import log2
from typing import Literal

import numpy as np

from ot_select.arrays import FloatArray, check_positive_int, check_seed
from ot_select.cloud import LabelledCloud
from ot_select.distances.protocol import DatasetDistance
from ot_select.errors import OptionError
from ot_select.rows import blocks_of, draw_rows
from ot_select.selection.ranking import Comparison
from ot_select.sketches.sketch import Sketch

Terms = Literal["rows", "self_distances"]

_ROWS_PER_CLASS = 8  # that extrapolating a floor takes: quarters of them have two rows a class
_HALVING = 0x4A1F  # keeps the halves of a dataset apart from its draws of rows


@dataclass(frozen=True)
class Comparer:
    """Compares one source after another with one target.

    Attributes:
        target: what all sources are compared with.
        distance: any distance of the protocol.
        rows: compare at most so many rows of either side.
        terms: ``"rows"`` (then no source may have fewer rows than that) or ``"self_distances"``.
        seeds: of the draws, one each.
    """

    target: Sketch
    distance: DatasetDistance
    rows: int
    terms: Terms
    seeds: Sequence[int]

    def seeds_of(self, source: Sketch) -> Sequence[int]:
        """Seeds of the draws that a source takes: one where nothing is drawn at random."""
        random = any(sketch.is_drawn or sketch.num_sampled > self.rows for sketch in (self.target, source))
        return self.seeds if random else self.seeds[:1]

    @cached_property
    def target_draws(self) -> list[LabelledCloud]:
        """Rows of the target, one draw for each seed."""
        return [self.target.cloud(self.rows, seed) for seed in self.seeds]

    def compare(self, source: Sketch, drawn: Callable[[], None] = lambda: None) -> Comparison:
        """The source's distance to the target, the mean over the draws.

        Args:
            source: of the target's embedder.
            drawn: called after every draw.
        """
        results = []
        for seed, target in zip(self.seeds_of(source), self.target_draws, strict=False):
            results.append(self.distance(target, source.cloud(self.rows, seed)))
            drawn()
        if self.terms == "rows":
            return Comparison.of_draws(results)
        ours, theirs = self._target_floors, self._floors(source)
        comparison = Comparison.of_draws(results, _values(ours), _values(theirs))
        return replace(
            comparison, converged=comparison.converged and all(floor.converged for floor in (*ours, *theirs))
        )

    @cached_property
    def _target_floors(self) -> "list[SelfDistance]":
        return self._floors(self.target)

    def _floors(self, sketch: Sketch) -> "list[SelfDistance]":
        num_rows = min(self.rows, sketch.num_sampled)
        return [self_distance(sketch.cloud(seed=seed), num_rows, self.distance, seed) for seed in self.seeds]


@dataclass(frozen=True)
class SelfDistance:
    """The distance between two samples of one population, and how it was found.

    Attributes:
        squared: in feature units squared.
        converged: whether everything that was measured did; a number that comes with ``False`` is not the distance.
        num_rows: of each of the two samples.
        rows_measured: of each of the two samples that were compared, on average; where that is less than ``num_rows``
            the value is extrapolated.
    """

    squared: float
    converged: bool
    num_rows: int
    rows_measured: float


def self_distance(cloud: LabelledCloud, num_rows: int, distance: DatasetDistance, seed: int = 0) -> SelfDistance:
    """The squared distance to expect between two samples of ``num_rows`` rows of the population that a cloud is of.

    A cloud of at least twice as many rows gives two disjoint samples, and what lies between them is measured. In a
    smaller one it is extrapolated from halves and quarters, which takes eight rows a class on average. Classes of very
    unequal size make it less certain (within 20% on synthetic sets whose classes have 2 to 45 rows), and a class of a
    single row, which only one of the samples can have, too large: by 13 to 20% where 4 of 20 classes are such, by 37 to
    63% where 29 of 30 are.

    Args:
        cloud: :func:`rows_for_floor` rows or more.
        num_rows: of each sample, at most as many as the cloud has.
        distance: any distance of the protocol whose values are not negative.
        seed: of the samples.

    Raises:
        OptionError: the cloud has too few rows, the distance is negative, or an option is out of range.
    """
    num_rows, seed = check_positive_int("num_rows", num_rows), check_seed(seed)
    needed = rows_for_floor(num_rows, cloud.num_classes)
    if cloud.num_rows < needed:
        raise OptionError(
            f"The cloud has {cloud.num_rows} rows of {cloud.num_classes} classes, but measuring its distance to itself "
            f"at {num_rows} rows takes {needed}. Measure at fewer rows, or compare at equal rows (terms='rows')."
        )
    halves = _halves(cloud, seed)
    one, other = (draw_rows(half, num_rows, seed) for half in halves)
    between = distance(one, other)
    if between.squared < 0:
        raise OptionError(
            f"The distance {distance.name} between two samples of a dataset is {between.squared:.6g}; a correction "
            "with self-distances needs one that is not negative. Use the exact distance, or terms='rows'."
        )
    if 2 * num_rows <= cloud.num_rows:
        return SelfDistance(between.squared, between.converged, num_rows, num_rows)
    quarters = [distance(*_halves(half, seed)) for half in halves]
    at_quarter = float(np.mean([result.squared for result in quarters]))
    decline = min(1.0, between.squared / at_quarter) if at_quarter > 0 else 1.0
    return SelfDistance(
        squared=float(between.squared * decline ** log2(2 * num_rows / cloud.num_rows)),
        converged=all(result.converged for result in (between, *quarters)),
        num_rows=num_rows,
        rows_measured=cloud.num_rows / 2,
    )


def rows_for_floor(num_rows: int, num_classes: int) -> int:
    """Rows that a self-distance at ``num_rows`` rows takes: twice as many, or eight a class to extrapolate from."""
    return min(2 * num_rows, max(num_rows, _ROWS_PER_CLASS * num_classes))


def _values(floors: "Sequence[SelfDistance]") -> FloatArray:
    return np.array([floor.squared for floor in floors])


def _halves(cloud: LabelledCloud, seed: int) -> tuple[LabelledCloud, LabelledCloud]:
    """Two disjoint halves with the same share of every class, as far as whole rows allow."""
    generator = np.random.default_rng([_HALVING, seed])
    order = np.concatenate([block[generator.permutation(len(block))] for block in blocks_of(cloud)])
    return cloud.take(order[0::2]), cloud.take(order[1::2])
