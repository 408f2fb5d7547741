"""What every dataset distance gives back, and what makes something a dataset distance."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ot_select.arrays import FloatArray, IntArray
from ot_select.cloud import LabelledCloud
from ot_select.errors import NegativeDistanceError


@dataclass(frozen=True, eq=False, kw_only=True)
class DistanceResult:
    """A distance between two datasets and its evidence.

    Attributes:
        squared: the squared distance, in feature units squared.
        converged: whether every problem that was solved on the way met its own test of optimality; a number that
            comes with ``False`` is not the distance.
        marginal_error: the largest L1 marginal error of the couplings solved; 0 where nothing was coupled.
        dual_gap: the optimum lies no further than this from what was found, in feature units squared; 0 for a closed
            form.
        num_rows: rows compared of cloud a and of cloud b.
        labels_a: labels of cloud a's rows compared, in the class order of cloud a.
        labels_b: labels of cloud b's, likewise.
        label_distances: squared distances between classes, shape (k_a, k_b), rows in the order of ``labels_a``, columns
            in that of ``labels_b``, in feature units squared; ``None`` where the distance does not look at labels.
        rows_a: which rows of cloud a, shape (n,).
        rows_b: which rows of cloud b, shape (m,).
        coupling: the coupling of these rows, shape (n, m), if there is one and it was asked for.
    """

    squared: float
    converged: bool
    marginal_error: float
    dual_gap: float
    num_rows: tuple[int, int]
    labels_a: tuple[Hashable, ...]
    labels_b: tuple[Hashable, ...]
    rows_a: IntArray
    rows_b: IntArray
    label_distances: FloatArray | None = None
    coupling: FloatArray | None = None

    @property
    def distance(self) -> float:
        """The root of ``squared``, in feature units.

        Raises:
            NegativeDistanceError: the debiased entropic value is negative.
        """
        if self.squared < 0:
            raise NegativeDistanceError(
                f"The debiased entropic value is {self.squared:.6g}, which is negative and has no root: the clouds are "
                "closer than the regularisation can tell. Use .squared, or the exact distance (preset=None)."
            )
        return float(np.sqrt(self.squared))


class DatasetDistance(Protocol):
    """A distance between datasets: a value that is called with two clouds and compares all their rows.

    It holds its options and no data, so that one value serves any number of comparisons. Which rows are compared is
    the caller's choice (:func:`ot_select.draw_rows`).
    """

    @property
    def name(self) -> str:
        """One word that says which distance with which options this is; equal words mean equal numbers."""
        ...

    def __call__(self, cloud_a: LabelledCloud, cloud_b: LabelledCloud) -> DistanceResult:
        """The distance between two clouds of one feature space."""
        ...
