"""What every dataset distance gives back, and what makes something a dataset distance."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ot_select.arrays import FloatArray, IntArray
from ot_select.cloud import LabelledCloud
from ot_select.errors import NegativeDistanceError, OptionError


@dataclass(frozen=True, eq=False, kw_only=True)
class DistanceResult:
    """A distance between two datasets and its evidence.

    Attributes:
        squared: the squared distance, in feature units squared.
        converged: whether every problem that was solved on the way met its own test of optimality; a number that
            comes with ``False`` is not the distance.
        marginal_error: the largest L1 marginal error of the couplings of rows; 0 where nothing was coupled. Couplings
            that lie behind label distances have a part in ``converged`` only.
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


def class_coupling(result: DistanceResult, cloud_a: LabelledCloud, cloud_b: LabelledCloud) -> FloatArray:
    """The mass that a coupling moves between classes: the coupling, summed over the rows of each class.

    Args:
        result: of a comparison that kept its coupling.
        cloud_a: the cloud that was compared as a.
        cloud_b: the cloud that was compared as b.

    Returns:
        Shape (k_a, k_b), rows in the order of ``result.labels_a``, columns in that of ``result.labels_b``; sums to 1.

    Raises:
        OptionError: the result holds no coupling, or speaks of rows or classes that the clouds do not have.
    """
    if result.coupling is None:
        raise OptionError(
            "The result holds no coupling, so there is no mass to sum over classes. Ask for the coupling when "
            "comparing (otdd: keep_coupling=True), and choose a distance that couples rows."
        )
    members_a = _membership(cloud_a, result.rows_a, result.labels_a, name="a")
    members_b = _membership(cloud_b, result.rows_b, result.labels_b, name="b")
    coupled: FloatArray = members_a @ result.coupling @ members_b.T
    return coupled


def _membership(cloud: LabelledCloud, rows: IntArray, labels: tuple[Hashable, ...], name: str) -> FloatArray:
    """Which of the rows belong to which of the labels, shape (k, n), ones and zeros."""
    position = {label: index for index, label in enumerate(labels)}
    inside = len(rows) == 0 or rows.max() < cloud.num_rows
    found = [position.get(cloud.classes[index]) for index in cloud.class_indices[rows]] if inside else [None]
    if None in found:
        raise OptionError(
            f"The result speaks of {len(rows)} rows and {len(labels)} classes that cloud {name}, {cloud!r}, does not "
            "have. Give the two clouds that were compared, in the same order."
        )
    members = np.zeros((len(labels), len(rows)))
    members[np.array(found), np.arange(len(rows))] = 1
    return members
