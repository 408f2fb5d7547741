"""A dataset as optimal transport sees it: points with labels and weights."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from ot_select.arrays import FloatArray, IntArray, read_only
from ot_select.errors import CloudError
from ot_select.tensors import ArrayLike

WEIGHT_SUM_TOLERANCE = 1e-6
_ROUNDING_OF_SUM = 4 * np.finfo(np.float64).eps


@dataclass(frozen=True, init=False, eq=False, repr=False)
class LabelledCloud:
    """Points in feature space, each with a label and a share of the mass.

    Features are kept as float64, labels as positions in ``classes``. Classes are sorted where their labels can be
    sorted, and stand in order of first appearance where they cannot (integers mixed with strings, say).

    Args:
        features: shape (n, d), an array or a tensor on any device, finite.
        labels: n labels of any hashable kind; numpy scalars and one-element tensors count as the value they hold.
        class_names: readable names: one for every class in class order, or a mapping from label to name. Without it
            a name is ``str(label)``.
        weights: shape (n,), the share of the mass that each row carries: above 0, of sum 1 to within 1e-6. Without
            it every row carries 1/n.

    Attributes:
        features: shape (n, d), float64, read-only.
        class_indices: shape (n,), positions in ``classes``, read-only.
        classes: the k distinct labels.
        class_names: their k names.
        weights: shape (n,), float64, divided by their sum, read-only.
        device: where the features came from, and where distances are computed unless they are told otherwise.

    Raises:
        CloudError: features are not a finite (n, d) table with n and d at least 1, or labels, names or weights do not
            fit it.
    """

    features: FloatArray
    class_indices: IntArray
    classes: tuple[Hashable, ...]
    class_names: tuple[str, ...]
    weights: FloatArray
    device: torch.device

    def __init__(
        self,
        features: ArrayLike,
        labels: ArrayLike | Iterable[Hashable],
        class_names: Mapping[Hashable, str] | Sequence[str] | None = None,
        weights: ArrayLike | None = None,
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
        self._fill(
            features=table,
            class_indices=indices,
            classes=classes,
            class_names=_names_of(classes, class_names),
            weights=_equal_weights(len(table)) if weights is None else _weight_vector(weights, len(table)),
            device=features.device if isinstance(features, torch.Tensor) else torch.device("cpu"),
        )

    def _fill(self, **fields: object) -> None:
        for name, value in fields.items():
            if isinstance(value, np.ndarray):
                read_only(value)
            object.__setattr__(self, name, value)

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

    @property
    def equally_weighted(self) -> bool:
        """Whether every row carries the same mass."""
        return bool(self.weights.min() == self.weights.max())

    def take(self, rows: IntArray, weights: FloatArray | None = None) -> "LabelledCloud":
        """The cloud of some of the rows, in the order given; classes without a row are left out.

        Args:
            rows: positions of rows, at least one.
            weights: of these rows, above 0, in place of their own. Either are divided by their sum.

        Raises:
            CloudError: there are no rows.
        """
        features = self.features[rows]
        if not len(features):
            raise CloudError("No rows were chosen, so there is no cloud. Give at least one row.")
        present, class_indices = np.unique(self.class_indices[rows], return_inverse=True)
        cloud = object.__new__(LabelledCloud)
        cloud._fill(
            features=features,
            class_indices=class_indices.astype(np.int64).ravel(),
            classes=tuple(self.classes[index] for index in present),
            class_names=tuple(self.class_names[index] for index in present),
            weights=shares_of_one(self.weights[rows] if weights is None else weights.copy()),
            device=self.device,
        )
        return cloud

    def __len__(self) -> int:
        return self.num_rows

    def __repr__(self) -> str:
        return f"LabelledCloud({self.num_rows} rows, {self.dimension} features, {self.num_classes} classes)"


def shares_of_one(weights: FloatArray) -> FloatArray:
    """Positive weights over their sum, bit for bit the same in any order and when done twice; equal ones are 1/n."""
    if weights.min() == weights.max():
        return _equal_weights(len(weights))
    total = math.fsum(weights)
    return weights if abs(total - 1.0) <= _ROUNDING_OF_SUM else weights / total


def spread_divisor(weights: FloatArray) -> float:
    """1 - sum p^2, the divisor of a weighted covariance, for weights p of sum 1; (n - 1) / n where they are equal.

    It is the sum of p_i (1 - p_i), where 1 - p_i is what the others carry. For the heaviest that must be summed: where
    it carries nearly everything, a difference from 1 has no digits left.
    """
    heaviest = int(np.argmax(weights))
    others = np.delete(weights, heaviest)
    return float(weights[heaviest] * others.sum() + others @ (1 - others))


def _equal_weights(num_rows: int) -> FloatArray:
    return np.full(num_rows, 1.0 / num_rows)


def _numbers(name: str, values: ArrayLike, wanted: str) -> FloatArray:
    """An own, contiguous float64 array."""
    if fault := _unfit(values):
        raise CloudError(f"The {name} are {fault}")
    try:
        if isinstance(values, torch.Tensor):
            return np.asarray(values.detach().to("cpu", torch.float64, copy=True).contiguous().numpy())
        if np.asarray(values).dtype.kind in "cMm":
            raise TypeError(f"they are {np.asarray(values).dtype}")
        return np.array(values, dtype=np.float64, order="C")
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise CloudError(f"The {name} cannot be read as real numbers ({error}). {wanted}") from error


def _unfit(values: object) -> str | None:
    """What is wrong with a container that NumPy would read as something else, and what to give."""
    if np.ma.is_masked(values):
        return "an array with masked entries, which have no value. Leave these rows out, or fill them."
    if not isinstance(values, torch.Tensor):
        return "sparse, but every entry is needed. Give .toarray()." if hasattr(values, "toarray") else None
    if values.is_meta:
        return "a meta tensor, which holds no numbers. Give one that was computed."
    if values.is_quantized:
        return "quantised. Give .dequantize()."
    if values.layout != torch.strided:
        return "sparse, but every entry is needed. Give .to_dense()."
    return "complex, but real numbers are needed. Give for instance .abs()." if values.is_complex() else None


def _feature_table(features: ArrayLike) -> FloatArray:
    """An own, contiguous float64 table; negative zeros become zeros, so that equal rows have equal bytes."""
    table = _numbers("features", features, "Give a table of shape (rows, features).")
    table += 0.0
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


def _weight_vector(weights: ArrayLike, num_rows: int) -> FloatArray:
    vector = _numbers("weights", weights, "Give one weight for every row.")
    if vector.shape != (num_rows,):
        raise CloudError(
            f"The weights have shape {vector.shape}, but there are {num_rows} feature rows. "
            "Give exactly one weight for every row."
        )
    allowed = np.isfinite(vector) & (vector > 0)
    if not allowed.all():
        row = int(np.argmin(allowed))
        raise CloudError(
            f"{int((~allowed).sum())} of {num_rows} weights are not finite numbers above 0, the first is "
            f"{float(vector[row])!r} of row {row}. Leave out rows that carry no mass."
        )
    with np.errstate(over="ignore"):
        total = float(vector.sum())
    if abs(total - 1.0) > WEIGHT_SUM_TOLERANCE:
        raise CloudError(
            f"The weights sum to {total:.9g}, but shares of the mass, which sum to 1, are needed. "
            "Give weights / weights.sum()."
        )
    return shares_of_one(vector)


def _label_list(labels: ArrayLike | Iterable[Hashable]) -> list[Hashable]:
    if isinstance(labels, Set | Mapping):
        raise CloudError(
            f"The labels are a {type(labels).__name__}, which has no row for each of its members. "
            "Give a sequence with one label a row."
        )
    if isinstance(labels, torch.Tensor | np.ndarray):
        if fault := _unfit(labels):
            raise CloudError(f"The labels are {fault}")
        if labels.ndim != 1:
            raise CloudError(
                f"The labels have shape {tuple(labels.shape)}, but one label a row, shape (rows,), is needed. "
                "Turn one-hot labels into class numbers with argmax first."
            )
        labels = list(labels) if isinstance(labels, np.ndarray) and labels.dtype.kind in "Mm" else labels.tolist()
    if not isinstance(labels, Iterable):
        raise CloudError(f"The labels are {labels!r}, but a sequence with one label a row is needed.")
    return [_label(row, label) for row, label in enumerate(labels)]


def _label(row: int, label: object) -> Hashable:
    """The label as a plain value that can name a class."""
    no_time = isinstance(label, np.datetime64 | np.timedelta64) and np.isnat(label)
    if isinstance(label, np.generic) or (isinstance(label, torch.Tensor) and label.numel() == 1):
        label = label.item() if not no_time else label
    try:
        hash(label)
        names_a_class = not isinstance(label, torch.Tensor) and not no_time and bool(label == label)
    except Exception:  # whatever the label's own methods raise
        names_a_class = False
    if not names_a_class:
        raise CloudError(
            f"The label of row {row} is {label!r}, which cannot name a class. "
            "Use labels that can be hashed and equal themselves: numbers, strings or tuples of these."
        )
    return label


def _class_order(values: Sequence[Hashable]) -> tuple[Hashable, ...]:
    try:
        seen = tuple(dict.fromkeys(values))
    except Exception as error:  # whatever the labels' own methods raise
        raise CloudError(
            f"Two labels cannot be told apart: comparing them raises {error!r}. "
            "Use labels that can be hashed and compared: numbers, strings or tuples of these."
        ) from error
    try:
        ordered = tuple(sorted(seen))  # type: ignore[type-var]  # what cannot be sorted is caught below
        # Sets sort without complaint though "<" means inclusion there: only a strict chain counts as sorted.
        return ordered if all(low < high for low, high in pairwise(ordered)) else seen  # type: ignore[operator]
    except Exception:  # labels without an order stand as they appear, whatever their "<" raises
        return seen


def _names_of(
    classes: tuple[Hashable, ...], class_names: Mapping[Hashable, str] | Sequence[str] | None
) -> tuple[str, ...]:
    if class_names is None:
        return tuple(str(label) for label in classes)
    if isinstance(class_names, Mapping):
        unnamed = [label for label in classes if label not in class_names]
        if unnamed:
            raise CloudError(f"class_names lacks the labels {unnamed[:5]!r}. Name every label that occurs.")
        names = tuple(class_names[label] for label in classes)
    elif isinstance(class_names, str) or not isinstance(class_names, Iterable):
        raise CloudError(
            f"class_names is {class_names!r}, but one name a class in class order, or a mapping from label to name, is "
            "needed."
        )
    else:
        names = tuple(class_names)
    if len(names) != len(classes):
        raise CloudError(
            f"There are {len(names)} class names for {len(classes)} classes that occur in the labels. "
            "Give one name a class in class order, or a mapping from label to name (it may hold further labels)."
        )
    for name in names:
        if not isinstance(name, str):
            raise CloudError(f"The class name {name!r} is no text. Give for instance {str(name)!r}.")
    return names
