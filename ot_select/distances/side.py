"""Two clouds made ready for comparison: rows in canonical order, on one device, in one precision."""

from collections.abc import Hashable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from ot_select.arrays import FloatArray, IntArray
from ot_select.cloud import LabelledCloud, shares_of_one
from ot_select.distances.unit import Unit
from ot_select.errors import CloudError, DimensionMismatchError
from ot_select.rows import canonical_blocks


@dataclass(frozen=True, eq=False)
class Side:
    """The rows of one cloud that are compared, class by class.

    Classes stand in canonical order, as rows do, so that the names of labels do not touch a digit.

    Attributes:
        rows: which rows of the cloud, in canonical order, shape (n,).
        unit: of the features, the same for both sides; no coordinate is larger.
        features: shape (n, d), the middle between both weighted means subtracted.
        weights: shape (n,), of sum 1.
        class_positions: shape (n,), the class of each row.
        class_rows: the rows of each of the k classes.
        conditional_weights: of the rows within each class, of sum 1.
        keys: equal for classes whose rows and conditional weights are equal to the last bit.
        labels: of the classes, in the class order of the cloud.
        class_order: shape (k,), which class each of ``labels`` belongs to.
    """

    rows: IntArray
    unit: Unit
    features: Tensor
    weights: FloatArray
    class_positions: IntArray
    class_rows: tuple[slice, ...]
    conditional_weights: tuple[FloatArray, ...]
    keys: tuple[bytes, ...]
    labels: tuple[Hashable, ...]
    class_order: IntArray

    def same_points(self, other: "Side") -> bool:
        """Whether rows, weights and classes, but for their labels, are equal to the last bit."""
        return self is other or (
            self.keys == other.keys
            and np.array_equal(self.weights, other.weights)
            and torch.equal(self.features, other.features)
        )


def two_sides(
    cloud_a: LabelledCloud, cloud_b: LabelledCloud, *, device: torch.device, dtype: torch.dtype, drop_singletons: bool
) -> tuple[Side, Side]:
    """Both clouds made ready; they have passed :func:`check_clouds`.

    Raises:
        CloudError: ``drop_singletons`` leaves a cloud without rows.
    """
    unit = Unit.of(cloud_a.features, cloud_b.features)
    a = _Ordered.of(cloud_a, unit, drop_singletons, "a")
    b = _Ordered.of(cloud_b, unit, drop_singletons, "b")
    middle = (a.weights @ a.table + b.weights @ b.table) / 2
    centred_a, centred_b = a.table - middle, b.table - middle
    finer = Unit.of(centred_a, centred_b)

    def side(cloud: LabelledCloud, ordered: _Ordered, centred: FloatArray) -> Side:
        features = torch.as_tensor(finer.measure(centred), device=device, dtype=dtype)
        return _side(cloud, ordered, features, Unit(unit.exponent + finer.exponent))

    return side(cloud_a, a, centred_a), side(cloud_b, b, centred_b)


def check_clouds(cloud_a: LabelledCloud, cloud_b: LabelledCloud) -> None:
    """Refuse what is no cloud, and clouds of different feature spaces.

    Raises:
        CloudError: one of them is no :class:`LabelledCloud`.
        DimensionMismatchError: the clouds have different numbers of features.
    """
    for name, cloud in (("a", cloud_a), ("b", cloud_b)):
        if not isinstance(cloud, LabelledCloud):
            raise CloudError(
                f"Cloud {name} is of type {type(cloud).__name__}, but a LabelledCloud is needed. "
                "Give LabelledCloud(features, labels)."
            )
    if cloud_a.dimension != cloud_b.dimension:
        raise DimensionMismatchError(
            f"Cloud a has {cloud_a.dimension} features and cloud b has {cloud_b.dimension}, but distances need one "
            "feature space. Embed both with the same embedder."
        )


@dataclass(frozen=True, eq=False)
class _Ordered:
    """Rows of a cloud in canonical order: numbers class by class, features in some unit, weights."""

    blocks: list[IntArray]
    table: FloatArray
    weights: FloatArray

    @classmethod
    def of(cls, cloud: LabelledCloud, unit: Unit, drop_singletons: bool, name: str) -> "_Ordered":
        features = unit.measure(cloud.features)
        blocks = canonical_blocks(features, cloud.class_indices, None if cloud.equally_weighted else cloud.weights)
        blocks = [block for block in blocks if len(block) > 1 or not drop_singletons]
        if not blocks:
            raise CloudError(
                f"Every class of cloud {name} has a single row among the rows compared, so drop_singletons=True leaves "
                "nothing. Compare more rows, or keep singletons."
            )
        rows = np.concatenate(blocks)
        return cls(blocks, features[rows], shares_of_one(cloud.weights[rows]))


def _side(cloud: LabelledCloud, ordered: _Ordered, features: Tensor, unit: Unit) -> Side:
    sizes = [len(block) for block in ordered.blocks]
    class_rows = [slice(end - size, end) for end, size in zip(np.cumsum(sizes).tolist(), sizes, strict=True)]
    conditional = [shares_of_one(ordered.weights[part]) for part in class_rows]
    classes = np.array([cloud.class_indices[block[0]] for block in ordered.blocks])
    return Side(
        rows=np.concatenate(ordered.blocks),
        unit=unit,
        features=features,
        weights=ordered.weights,
        class_positions=np.repeat(np.arange(len(sizes)), sizes),
        class_rows=tuple(class_rows),
        conditional_weights=tuple(conditional),
        keys=tuple(_key(ordered.table[part], shares) for part, shares in zip(class_rows, conditional, strict=True)),
        labels=tuple(cloud.classes[index] for index in np.sort(classes)),
        class_order=np.argsort(classes),
    )


def _key(rows: FloatArray, weights: FloatArray) -> bytes:
    return blake2b(rows.tobytes() + weights.tobytes(), digest_size=16).digest()
