"""The Bures-Wasserstein distance: two whole datasets as two Gaussians, labels set aside."""

from dataclasses import dataclass

import numpy as np
import torch

from ot_select.cloud import LabelledCloud
from ot_select.distances.device import DTYPES, Precision, check_precision, compute_device
from ot_select.distances.label_distance import label_distances
from ot_select.distances.protocol import DistanceResult
from ot_select.distances.side import check_clouds, two_sides


@dataclass(frozen=True)
class BuresWasserstein:
    """The squared 2-Wasserstein distance between two datasets taken as one Gaussian each; a :class:`DatasetDistance`.

    Means and covariances respect weights; the divisor of a covariance is n - 1 where weights are equal, and
    1 - sum w^2 in general. A closed form: nothing is coupled, and labels play no part.

    Attributes:
        precision: what ``"float32"`` costs is said of :class:`OTDD`.
        device: where to compute; ``None`` for the device that both clouds came from.

    Raises:
        OptionError: the precision is unknown.

    Source: Gelbrich 1990, Mathematische Nachrichten 147 (the closed form).
    """

    precision: Precision = "float64"
    device: str | torch.device | None = None

    def __post_init__(self) -> None:
        check_precision(self.precision)

    @property
    def name(self) -> str:
        """One word for the distance; where it computes is no part of it."""
        return "bures" if self.precision == "float64" else f"bures-{self.precision}"

    def __call__(self, cloud_a: LabelledCloud, cloud_b: LabelledCloud) -> DistanceResult:
        """The distance between all rows of two clouds.

        Args:
            cloud_a: n rows, d features.
            cloud_b: m rows, the same d features.

        Raises:
            DimensionMismatchError: the clouds have different numbers of features.
            OptionError: the device cannot be used, none was named and the clouds came from different ones, or the
                squared distance does not fit float64.
        """
        check_clouds(cloud_a, cloud_b)
        a, b = two_sides(
            _one_class(cloud_a),
            _one_class(cloud_b),
            device=compute_device(self.device, cloud_a.device, cloud_b.device),
            dtype=DTYPES[self.precision],
            drop_singletons=False,
        )
        table, _ = label_distances(a, b, "gaussian")
        return DistanceResult(
            squared=a.unit.fitting_squares(table.cpu().double().numpy()).item(),
            converged=True,
            marginal_error=0.0,
            dual_gap=0.0,
            num_rows=(cloud_a.num_rows, cloud_b.num_rows),
            labels_a=cloud_a.classes,
            labels_b=cloud_b.classes,
            rows_a=a.rows,
            rows_b=b.rows,
        )


def _one_class(cloud: LabelledCloud) -> LabelledCloud:
    return LabelledCloud(cloud.features, np.zeros(cloud.num_rows, dtype=np.int64), weights=cloud.weights)
