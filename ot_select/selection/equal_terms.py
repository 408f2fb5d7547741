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

A floor f(n) is measured between disjoint halves of a dataset's own rows. Where these have less than n rows it is
brought to n along the power law through halves and quarters, f(n) = f(h) min(1, f(h) / f(q))^log2(n / h). Against the
true floor, on embeddings of real images at 8 rows a class and more, that is right within 4% on average and within 12%
for a single split, where f(h) alone is 18 to 29% too high; on synthetic Gaussians of flat to steep spectra it is right
within 6% at 300 rows and within 22% at 80. Comparing halves instead, so that nothing need be extrapolated, is as good
on average but leaves more of the floor at few rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import log2
from typing import Literal

import numpy as np

from ot_select.arrays import FloatArray
from ot_select.cloud import LabelledCloud
from ot_select.distances.protocol import DatasetDistance, DistanceResult
from ot_select.errors import OptionError
from ot_select.rows import blocks_of, draw_rows
from ot_select.selection.ranking import Comparison

Terms = Literal["rows", "self_distances"]
ROWS_PER_CLASS = 8
"""Rows a class that measuring a floor takes: quarters of them have two rows of every class, hence a spread."""

_HALVING = 0x4A1F  # keeps the halves of a dataset apart from its draws of rows


@dataclass(frozen=True)
class Comparer:
    """Compares one source after another with one target.

    Attributes:
        target: the whole target.
        distance: any distance of the protocol.
        rows: compare at most so many rows of either side.
        terms: ``"rows"`` (then no source may have fewer rows than that) or ``"self_distances"``.
        seeds: of the draws, one each.
    """

    target: LabelledCloud
    distance: DatasetDistance
    rows: int
    terms: Terms
    seeds: Sequence[int]

    def draws_of(self, num_rows: int) -> Sequence[int]:
        """Seeds of the draws that a source of so many rows takes: one where nothing is drawn at random."""
        whole = self.target.num_rows <= self.rows and num_rows <= self.rows
        return self.seeds[:1] if whole and self.terms == "rows" else self.seeds

    def compare(self, source: LabelledCloud, drawn: Callable[[], None] = lambda: None) -> Comparison:
        """The source's distance to the target, the mean over the draws.

        Args:
            source: the whole source.
            drawn: called after every draw.
        """
        results: list[DistanceResult] = []
        for seed in self.draws_of(source.num_rows):
            if not results or max(source.num_rows, self.target.num_rows) > self.rows:
                results.append(
                    self.distance(draw_rows(self.target, self.rows, seed), draw_rows(source, self.rows, seed))
                )
            else:  # the whole of both, as before: only the halves of the self-distances differ
                results.append(results[0])
            drawn()
        if self.terms == "rows":
            return Comparison.of_draws(results)
        of_target, of_source = self._target_floors, self._floors(source)
        comparison = Comparison.of_draws(results, of_target.values, of_source.values)
        converged = comparison.converged and of_target.converged and of_source.converged
        return replace(comparison, converged=converged)

    @cached_property
    def _target_floors(self) -> "_Floors":
        return self._floors(self.target)

    def _floors(self, cloud: LabelledCloud) -> "_Floors":
        num_rows = min(self.rows, cloud.num_rows)
        noted = _Noted(self.distance)
        values = np.array([self_distance(cloud, num_rows, noted, seed) for seed in self.seeds])
        return _Floors(values, noted.converged)


@dataclass(frozen=True)
class _Floors:
    """Self-distances of one dataset, one a seed, and whether all that they were measured with converged."""

    values: FloatArray
    converged: bool


@dataclass
class _Noted:
    """A distance that notes whether everything it measured converged."""

    distance: DatasetDistance
    converged: bool = True

    @property
    def name(self) -> str:
        return self.distance.name

    def __call__(self, cloud_a: LabelledCloud, cloud_b: LabelledCloud) -> DistanceResult:
        result = self.distance(cloud_a, cloud_b)
        self.converged &= result.converged
        return result


def self_distance(cloud: LabelledCloud, num_rows: int, distance: DatasetDistance, seed: int = 0) -> float:
    """The squared distance to expect between two samples of ``num_rows`` rows of the population that a cloud is of.

    Args:
        cloud: at least eight rows a class on average; with 2 ``num_rows`` rows and more nothing is extrapolated.
        num_rows: of each sample, at most as many as the cloud has.
        distance: any distance of the protocol whose values are not negative.
        seed: of the halves.

    Returns:
        A value in feature units squared.

    Raises:
        OptionError: the cloud has too few rows, or the distance is negative.
    """
    needed = max(num_rows, ROWS_PER_CLASS * cloud.num_classes)
    if cloud.num_rows < needed:
        raise OptionError(
            f"The cloud has {cloud.num_rows} rows of {cloud.num_classes} classes, but measuring its distance to itself "
            f"at {num_rows} rows takes {needed}. Compare at equal rows (terms='rows') instead."
        )
    one, other = _halves(draw_rows(cloud, max(2 * num_rows, ROWS_PER_CLASS * cloud.num_classes), seed), seed)
    half, at_half = (one.num_rows + other.num_rows) / 2, distance(one, other).squared
    if at_half < 0:
        raise OptionError(
            f"The distance {distance.name} between two halves of a dataset is {at_half:.6g}; a correction with "
            "self-distances needs one that is not negative. Use the exact distance, or terms='rows'."
        )
    if half == num_rows or at_half == 0:
        return at_half
    pairs = [_halves(one, seed + 1), _halves(other, seed + 2)]
    at_quarter = float(np.mean([distance(*pair).squared for pair in pairs]))
    decline = min(1.0, at_half / at_quarter) if at_quarter > 0 else 1.0
    return float(at_half * decline ** log2(num_rows / half))


def _halves(cloud: LabelledCloud, seed: int) -> tuple[LabelledCloud, LabelledCloud]:
    """Two disjoint halves with the same share of every class, as far as whole rows allow."""
    generator = np.random.default_rng([_HALVING, seed])
    order = np.concatenate([block[generator.permutation(len(block))] for block in blocks_of(cloud)])
    return cloud.take(order[0::2]), cloud.take(order[1::2])
