"""A sample of a dataset's own rows: what a sketch usually draws its clouds from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ot_select.arrays import FloatArray, IntArray, read_only
from ot_select.sketches.format import Layout
from ot_select.sketches.packed import Packed


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Rows of the dataset itself.

    Attributes:
        features: shape (m, d), in the precision that they are kept in.
        class_indices: shape (m,), positions in the sketch's ``class_names``.
    """

    kind: ClassVar = "rows"
    is_drawn: ClassVar = False
    layout: ClassVar = Layout(
        tensors={"features": (("float16", "float32"), 2), "class_indices": (("int64",), 1)}, facts=("exponent",)
    )

    features: Packed
    class_indices: IntArray

    def __post_init__(self) -> None:
        read_only(self.class_indices)

    @property
    def num_sampled(self) -> int:
        """Rows of the sample, m."""
        return len(self.features.values)

    def faults(self, counts: IntArray, dimension: int) -> Iterator[str]:
        """What does not fit a sketch of these class counts and features, a sentence each; the first one matters."""
        m, k = self.num_sampled, len(counts)
        if m == 0:
            yield "The sketch has 0 rows, but at least one is needed."
        if self.features.values.shape != (m, dimension):
            yield f"features has shape {self.features.values.shape}, but ({m}, {dimension}) is needed."
        if self.class_indices.shape != (m,):
            yield f"class_indices has shape {self.class_indices.shape} in a sketch of {m} rows, but ({m},) is needed."
        if not self.features.is_finite:
            yield "features of the sketch holds NaN or infinity, but finite numbers are needed."
        low, high = int(self.class_indices.min()), int(self.class_indices.max())
        if low < 0 or high >= k:
            yield f"class_indices run from {low} to {high} in a sketch of {k} classes, but 0 to {k - 1} is needed."
        if (np.bincount(self.class_indices, minlength=k) > counts).any():
            yield "class_counts of the sketch are smaller than what the sample holds."

    def draw(
        self, counts: IntArray, means: FloatArray, variances: FloatArray, num_rows: int, seed: int
    ) -> tuple[FloatArray, IntArray]:
        """Features, shape (m, d), and class indices, shape (m,), of the whole sample: the rest plays no part."""
        return self.features.unpacked(), self.class_indices

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What is stored as tensors."""
        return {"features": self.features.values, "class_indices": self.class_indices}

    def facts(self) -> dict[str, int]:
        """What is stored as plain numbers."""
        return {"exponent": self.features.exponent}

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]], facts: Mapping[str, int]) -> "StoredRows":
        """The sample that ``arrays`` and ``facts`` were taken from."""
        return cls(Packed(arrays["features"], facts["exponent"]), arrays["class_indices"])
