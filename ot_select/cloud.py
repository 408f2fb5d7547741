"""A dataset as optimal transport sees it: points with labels."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from ot_select.arrays import ArrayLike, FloatArray, IntArray, read_only
from ot_select.errors import CloudError


@dataclass(frozen=True, init=False, eq=False, repr=False)
class LabelledCloud:
    """Points in feature space, each with a label.

    Features are kept as float64, labels as positions in ``classes``. Classes are sorted where their labels can be
    sorted, and stand in order of first appearance where they cannot (integers mixed with strings, say).

    Args:
        features: shape (n, d), an array or a tensor, finite.
        labels: n labels of any hashable kind; numpy scalars and one-element tensors count as the value they hold.
        class_names: readable names: one for every class in class order, or a mapping from label to name. Without it
            a name is ``str(label)``.

    Attributes:
        features: shape (n, d), float64, read-only.
        class_indices: shape (n,), positions in ``classes``, read-only.
        classes: the k distinct labels.
        class_names: their k names.

    Raises:
        CloudError: features are not a finite (n, d) table with n and d at least 1, or labels or names do not fit it.
    """

    features: FloatArray
    class_indices: IntArray
    classes: tuple[Hashable, ...]
    class_names: tuple[str, ...]

    def __init__(
        self,
        features: ArrayLike,
        labels: ArrayLike | Iterable[Hashable],
        class_names: Mapping[Hashable, str] | Sequence[str] | None = None,
    ) -> None:
        table = _feature_table(features)
        values = _label_list(labels)
        if len(values) != len(table):
            raise CloudError(
                f"There are {len(table)} feature rows but {len(values)} labels. Give exactly one label for every row."
            )
        classes = _class_order(values)
        position = {label: index for index, label in enumerate(classes)}
        indices = np.fromiter((position[value] for value in values), dtype=np.int64, count=len(values))
        read_only(table)
        read_only(indices)
        object.__setattr__(self, "features", table)
        object.__setattr__(self, "class_indices", indices)
        object.__setattr__(self, "classes", classes)
        object.__setattr__(self, "class_names", _names_of(classes, class_names))

    @property
    def num_rows(self) -> int:
        """The number of points, n."""
        return len(self.features)

    @property
    def num_classes(self) -> int:
        """The number of classes that have at least one point, k."""
        return len(self.classes)

    @property
    def dimension(self) -> int:
        """The number of features of a point, d."""
        return int(self.features.shape[1])

    @property
    def class_counts(self) -> IntArray:
        """Points in each class, shape (k,), in class order."""
        return np.bincount(self.class_indices, minlength=self.num_classes).astype(np.int64)

    def take(self, rows: IntArray) -> "LabelledCloud":
        """The cloud of some of the rows, in the order given; classes without a row are left out.

        Args:
            rows: positions of rows, at least one.
        """
        names = dict(zip(self.classes, self.class_names, strict=True))
        return LabelledCloud(self.features[rows], [self.classes[index] for index in self.class_indices[rows]], names)

    def __len__(self) -> int:
        return self.num_rows

    def __repr__(self) -> str:
        return f"LabelledCloud({self.num_rows} rows, {self.dimension} features, {self.num_classes} classes)"


def _feature_table(features: ArrayLike) -> FloatArray:
    """An own, contiguous float64 table; negative zeros become zeros, so that equal rows have equal bytes."""
    if isinstance(features, torch.Tensor):
        features = features.detach().to(device="cpu", dtype=torch.float64).numpy()
    try:
        table = np.array(features, dtype=np.float64, order="C") + 0.0
    except (TypeError, ValueError) as error:
        raise CloudError(
            f"The features cannot be read as numbers ({error}). Give a table of shape (rows, features)."
        ) from error
    if table.ndim != 2:
        raise CloudError(
            f"The features have shape {table.shape}, but a table of shape (rows, features) is needed. "
            "Flatten each point to one row first."
        )
    if 0 in table.shape:
        raise CloudError(
            f"The features have shape {table.shape}, so there is nothing to compare. "
            "Give at least one row and one feature."
        )
    finite = np.isfinite(table).all(axis=1)
    if not finite.all():
        raise CloudError(
            f"{int((~finite).sum())} of {len(table)} feature rows hold NaN or infinity, the first is row "
            f"{int(np.argmin(finite))}. Remove or repair these rows."
        )
    return table


def _label_list(labels: ArrayLike | Iterable[Hashable]) -> list[Hashable]:
    if isinstance(labels, torch.Tensor | np.ndarray):
        if labels.ndim != 1:
            raise CloudError(
                f"The labels have shape {tuple(labels.shape)}, but one label a row, shape (rows,), is needed. "
                "Turn one-hot labels into class numbers with argmax first."
            )
        labels = labels.tolist()
    if not isinstance(labels, Iterable):
        raise CloudError(f"The labels are {labels!r}, but a sequence with one label a row is needed.")
    return [_label(row, label) for row, label in enumerate(labels)]


def _label(row: int, label: object) -> Hashable:
    """The label as a plain value that can name a class."""
    if isinstance(label, np.generic) or (isinstance(label, torch.Tensor) and label.numel() == 1):
        label = label.item()
    try:
        hash(label)
        names_a_class = not isinstance(label, torch.Tensor) and label == label
    except TypeError:
        names_a_class = False
    if not names_a_class:
        raise CloudError(
            f"The label of row {row} is {label!r}, which cannot name a class. "
            "Use labels that can be hashed and equal themselves: numbers, strings or tuples of these."
        )
    return label


def _class_order(values: Sequence[Hashable]) -> tuple[Hashable, ...]:
    seen = tuple(dict.fromkeys(values))
    try:
        ordered = tuple(sorted(seen))  # type: ignore[type-var]  # what cannot be sorted is caught below
    except TypeError:
        return seen
    # Sets sort without complaint though "<" means inclusion there: only a strict chain counts as sorted.
    return ordered if all(low < high for low, high in pairwise(ordered)) else seen  # type: ignore[operator]


def _names_of(
    classes: tuple[Hashable, ...], class_names: Mapping[Hashable, str] | Sequence[str] | None
) -> tuple[str, ...]:
    if class_names is None:
        return tuple(str(label) for label in classes)
    if isinstance(class_names, Mapping):
        unnamed = [label for label in classes if label not in class_names]
        if unnamed:
            raise CloudError(f"class_names lacks the labels {unnamed[:5]!r}. Name every label that occurs.")
        return tuple(class_names[label] for label in classes)
    if len(class_names) != len(classes):
        raise CloudError(
            f"There are {len(class_names)} class names for {len(classes)} classes that occur in the labels. "
            "Give one name a class in class order, or a mapping from label to name (it may hold further labels)."
        )
    return tuple(class_names)
