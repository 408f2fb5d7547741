"""Vectors of many sources in one place: what certified bounds and approximate distances to all of them need."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from ot_select.arrays import FloatArray, check_positive_int
from ot_select.cloud import LabelledCloud
from ot_select.errors import DimensionMismatchError, OptionError
from ot_select.selection.lower_bound import CLASS_SPECTRUM, Basis, Moments, moment_estimate, summary_bounds

DEFAULT_RANK: Final = 32
_BASIS_CLOUDS = 256  # clouds at most that the basis is drawn from,
_BASIS_ROWS = 1024  # and rows of them all
_APPROXIMATE_CANDIDATES = 256


class SourceIndex:
    """Moments of many clouds, in float32, some 4 (d + p^2 / 2 + k p) bytes each; the clouds themselves are not kept.

    Args:
        clouds: by name; each is asked for once, and a few once more for the basis, so that a mapping may make or load
            them as it is asked.
        rank: p, directions of the basis; more make tighter bounds and a larger index.

    Attributes:
        names: of the sources, in the order of all arrays.

    Raises:
        OptionError: there are no clouds, ``rank`` is no positive number, or features are out of range or of all
            proportion to each other.
        DimensionMismatchError: the clouds have different numbers of features.
    """

    def __init__(self, clouds: Mapping[str, LabelledCloud], *, rank: int = DEFAULT_RANK) -> None:
        if not clouds:
            raise OptionError("There are no clouds to index. Give at least one.")
        self.names: tuple[str, ...] = tuple(clouds)
        self.basis = Basis.of_rows(_sample(clouds), check_positive_int("rank", rank))
        self._positions = {name: position for position, name in enumerate(self.names)}
        count, dimension, p = len(self.names), len(self.basis.centre), self.basis.rank
        self._upper = np.triu_indices(p)
        self._summaries = np.empty((count, dimension + p + 1 + CLASS_SPECTRUM + 1), dtype=np.float32)
        self._roots = np.empty((count, len(self._upper[0])), dtype=np.float32)
        self._second_moments = np.empty(count)
        class_weights: list[FloatArray] = []
        class_vectors: list[npt.NDArray[np.float32]] = []
        for position, (name, cloud) in enumerate(clouds.items()):
            _check_dimension(name, cloud, dimension)
            moments = Moments.of(cloud, self.basis)
            self._summaries[position] = moments.summary
            self._roots[position] = moments.root[self._upper]
            self._second_moments[position] = moments.second_moment
            class_weights.append(moments.class_weights)
            class_vectors.append(moments.class_vectors.astype(np.float32))
        self._class_weights = np.concatenate(class_weights)
        self._class_vectors = np.concatenate(class_vectors)
        self._class_starts = np.cumsum([0, *map(len, class_weights)])

    def __len__(self) -> int:
        return len(self.names)

    @property
    def num_bytes(self) -> int:
        """Memory that the vectors take."""
        arrays = (self._summaries, self._roots, self._second_moments, self._class_weights, self._class_vectors)
        return sum(array.nbytes for array in arrays)

    def moments_of(self, cloud: LabelledCloud) -> Moments:
        """The moments of a target, seen from the basis of this index.

        Raises:
            DimensionMismatchError: the cloud has another number of features than the sources.
        """
        _check_dimension("the target", cloud, len(self.basis.centre))
        return Moments.of(cloud, self.basis)

    def moments(self, name: str) -> Moments:
        """The moments of a source, as kept."""
        position = self._positions[name]
        classes = slice(self._class_starts[position], self._class_starts[position + 1])
        root = np.zeros((self.basis.rank, self.basis.rank))
        root[self._upper] = self._roots[position]
        return Moments(
            summary=self._summaries[position].astype(np.float64),
            root=root + np.triu(root, 1).T,
            class_weights=self._class_weights[classes],
            class_vectors=self._class_vectors[classes].astype(np.float64),
            second_moment=float(self._second_moments[position]),
            unit=self.basis.unit,
        )

    def summary_bounds(self, target: Moments) -> FloatArray:
        """A certified lower bound of the squared distance to every source, shape (num_sources,)."""
        return np.concatenate(
            [summary_bounds(target, self._summaries[rows], self._second_moments[rows]) for rows in _chunks(len(self))]
        )

    def approximately_nearest(self, target: LabelledCloud, k: int) -> tuple[tuple[str, float], ...]:
        """The k sources that are nearest by the kept vectors alone, without certificate; no rows are looked at.

        Of the sources with the smallest bounds by summaries and roots, some hundred are ordered by
        :func:`ot_select.selection.lower_bound.moment_estimate`. The estimate leaves out what the finite size of samples
        adds to a distance: it orders sources, and is no distance.

        Args:
            target: of as many rows as the sources were indexed with.
            k: how many; fewer where there are fewer sources.

        Returns:
            Names and estimates in feature units squared, nearest first.
        """
        k = min(check_positive_int("k", k), len(self))
        moments = self.moments_of(target)
        root, multiplicity = moments.root[self._upper], np.where(self._upper[0] == self._upper[1], 1.0, 2.0)
        between_roots = [np.square(self._roots[rows] - root) @ multiplicity for rows in _chunks(len(self))]
        rough = self.summary_bounds(moments) + np.concatenate(between_roots) * self.basis.unit**2
        candidates = np.argsort(rough, kind="stable")[: max(k, _APPROXIMATE_CANDIDATES)]
        names = [self.names[position] for position in candidates]
        scored = sorted((moment_estimate(moments, self.moments(name)), name) for name in names)
        return tuple((name, score) for score, name in scored[:k])


def _sample(clouds: Mapping[str, LabelledCloud]) -> FloatArray:
    """Rows of clouds taken at equal steps, centred on nothing."""
    names = list(clouds)
    chosen = [names[index] for index in np.unique(np.linspace(0, len(names) - 1, _BASIS_CLOUDS).astype(int))]
    per_cloud = max(1, _BASIS_ROWS // len(chosen))
    rows, dimension = [], None
    for name in chosen:
        cloud = clouds[name]
        dimension = dimension or cloud.dimension
        _check_dimension(name, cloud, dimension)
        steps = np.unique(np.linspace(0, cloud.num_rows - 1, per_cloud).astype(int))
        rows.append(cloud.features[steps])
    return np.concatenate(rows)


def _check_dimension(name: str, cloud: LabelledCloud, dimension: int) -> None:
    if cloud.dimension != dimension:
        raise DimensionMismatchError(
            f"{name} has {cloud.dimension} features where {dimension} are expected. Embed all with the same embedder."
        )


def _chunks(count: int, size: int = 1024) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
