"""What is kept of a dataset so that its images are never needed again at selection time."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ot_select.arrays import FloatArray, IntArray, check_positive_int, check_seed, read_only
from ot_select.cloud import LabelledCloud
from ot_select.errors import SketchError
from ot_select.identity import EmbedderIdentity
from ot_select.rows import canonical_blocks, stratified_sample

SKETCH_FORMAT = 1

_TENSORS: dict[str, tuple[torch.dtype, int]] = {
    "features": (torch.float32, 2),
    "class_indices": (torch.int64, 1),
    "class_counts": (torch.int64, 1),
    "class_means": (torch.float64, 2),
    "class_variances": (torch.float64, 2),
    "meta": (torch.uint8, 1),
}


@dataclass(frozen=True, eq=False)
class Sketch:
    """An embedded sample of a dataset and statistics of the whole.

    Attributes:
        features: shape (m, d), float32, the sample.
        class_indices: shape (m,), positions in ``class_names``.
        class_names: k distinct names.
        class_counts: shape (k,), rows of each class in the whole dataset.
        class_means: shape (k, d), float64, over the whole dataset.
        class_variances: shape (k, d), float64, per feature over the whole dataset (divisor n_c - 1; 0 for one row).
        embedder: who made the features; sketches are comparable only if these strings are equal.

    Raises:
        SketchError: the parts do not fit together.
    """

    features: npt.NDArray[np.float32]
    class_indices: IntArray
    class_names: tuple[str, ...]
    class_counts: IntArray
    class_means: FloatArray
    class_variances: FloatArray
    embedder: str

    def __post_init__(self) -> None:
        m, d = self.features.shape
        k = len(self.class_names)
        expected = {
            "class_indices": (m,),
            "class_counts": (k,),
            "class_means": (k, d),
            "class_variances": (k, d),
        }
        for name, shape in expected.items():
            found = getattr(self, name).shape
            if found != shape:
                raise SketchError(
                    f"{name} has shape {found} in a sketch of {m} rows, {k} classes and {d} features, "
                    f"but {shape} is needed. {_REMEDY}"
                )
        if 0 in (m, d, k):
            raise SketchError(
                f"The sketch has {m} rows, {d} features and {k} classes, but at least one of each is needed. {_REMEDY}"
            )
        for name in ("features", "class_means", "class_variances"):
            if not np.isfinite(getattr(self, name)).all():
                raise SketchError(f"{name} of the sketch holds NaN or infinity. {_REMEDY}")
        if (self.class_variances < 0).any():
            raise SketchError(f"class_variances of the sketch holds negative values. {_REMEDY}")
        if self.class_indices.min() < 0 or self.class_indices.max() >= k:
            raise SketchError(
                f"class_indices run from {self.class_indices.min()} to {self.class_indices.max()} in a sketch of {k} "
                f"classes, but 0 to {k - 1} is needed. {_REMEDY}"
            )
        if (np.bincount(self.class_indices, minlength=k) > self.class_counts).any() or (self.class_counts < 1).any():
            raise SketchError(f"class_counts of the sketch are smaller than what the sample holds. {_REMEDY}")
        if len(set(self.class_names)) < k:
            raise SketchError(
                f"The {k} class names are not distinct: {sorted(self.class_names)[:10]}. "
                "Give the cloud class_names that tell its classes apart."
            )
        for name in (*expected, "features"):
            read_only(getattr(self, name))

    @property
    def num_rows(self) -> int:
        """Rows of the whole dataset."""
        return int(self.class_counts.sum())

    @property
    def num_sampled(self) -> int:
        """Rows of the sample, m."""
        return len(self.features)

    @property
    def dimension(self) -> int:
        """Number of features, d."""
        return int(self.features.shape[1])

    def cloud(self) -> LabelledCloud:
        """The sample as a labelled cloud whose labels are the class names."""
        return LabelledCloud(self.features, [self.class_names[index] for index in self.class_indices])

    def to_tensors(self) -> dict[str, torch.Tensor]:
        """Everything as tensors, names included (UTF-8 JSON in bytes), ready for safetensors."""
        meta = {"format": SKETCH_FORMAT, "class_names": list(self.class_names), "embedder": self.embedder}
        encoded = json.dumps(meta, ensure_ascii=False, sort_keys=True).encode()
        arrays = {name: getattr(self, name).copy() for name in _TENSORS if name != "meta"}
        arrays["meta"] = np.frombuffer(encoded, dtype=np.uint8).copy()
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor]) -> "Sketch":
        """The sketch that ``to_tensors`` wrote; tensors of other names are ignored.

        Raises:
            SketchError: a tensor is missing, has another shape or dtype, or holds what no sketch can hold.
        """
        missing = [name for name in _TENSORS if name not in tensors]
        if missing:
            raise SketchError(
                f"The sketch lacks {', '.join(missing)}; found {', '.join(sorted(tensors)) or 'nothing'}. {_REMEDY}"
            )
        arrays: dict[str, Any] = {}
        for name, (dtype, ndim) in _TENSORS.items():
            tensor = tensors[name]
            if tensor.dtype != dtype or tensor.ndim != ndim:
                raise SketchError(
                    f"{name} of the sketch is {tensor.dtype} with {tensor.ndim} dimension(s), but {dtype} with {ndim} "
                    f"is needed. {_REMEDY}"
                )
            arrays[name] = tensor.detach().cpu().numpy().copy()
        class_names, embedder = _read_meta(arrays.pop("meta").tobytes())
        return cls(class_names=class_names, embedder=embedder, **arrays)


_REMEDY = "Make the sketch again from the images."


def sketch(cloud: LabelledCloud, *, embedder: EmbedderIdentity | str, max_samples: int = 1000, seed: int = 0) -> Sketch:
    """What must be kept of a cloud to compare it later.

    Args:
        cloud: the embedded dataset, whole.
        embedder: who made its features.
        max_samples: rows to keep, a stratified sample without replacement (see ``otdd``); all rows where there are
            no more than that. Independent of row order and label names.
        seed: of the sample.

    Raises:
        OptionError: ``max_samples`` or ``seed`` is out of range.
        SketchError: class names are not distinct, features do not fit float32, or the embedder has another dimension.
    """
    max_samples, seed = check_positive_int("max_samples", max_samples), check_seed(seed)
    if isinstance(embedder, EmbedderIdentity) and embedder.dimension != cloud.dimension:
        raise SketchError(
            f"The cloud has {cloud.dimension} features, but the embedder {embedder.name} gives {embedder.dimension}. "
            "Name the embedder that made these features."
        )
    if not str(embedder):
        raise SketchError(
            "The embedder is an empty string. Name who made the features, for instance Embedder.identity."
        )
    blocks = canonical_blocks(cloud.features, cloud.class_indices)
    rows = np.concatenate(stratified_sample(blocks, max_samples, seed))
    if np.abs(cloud.features).max() > np.finfo(np.float32).max:
        raise SketchError(
            f"The largest feature is {np.abs(cloud.features).max():.3g}, beyond float32. Scale the features down."
        )
    by_class = {int(cloud.class_indices[block[0]]): cloud.features[block] for block in blocks}
    per_class = [by_class[index] for index in range(cloud.num_classes)]
    return Sketch(
        features=cloud.features[rows].astype(np.float32),
        class_indices=cloud.class_indices[rows],
        class_names=cloud.class_names,
        class_counts=cloud.class_counts,
        class_means=np.stack([table.mean(axis=0) for table in per_class]),
        class_variances=np.stack([_variance(table) for table in per_class]),
        embedder=str(embedder),
    )


def _variance(table: FloatArray) -> FloatArray:
    if len(table) == 1:
        return np.zeros(table.shape[1])
    return np.asarray(table.var(axis=0, ddof=1), dtype=np.float64)


def _read_meta(encoded: bytes) -> tuple[tuple[str, ...], str]:
    try:
        meta = json.loads(encoded.decode())
    except ValueError as error:
        raise SketchError(f"meta of the sketch is no UTF-8 JSON ({error}). {_REMEDY}") from error
    version = meta.get("format") if isinstance(meta, dict) else None
    if version != SKETCH_FORMAT:
        raise SketchError(
            f"The sketch has format {version!r}, but this version reads format {SKETCH_FORMAT}. "
            "Install the version that wrote it, or make the sketch again from the images."
        )
    names, embedder = meta.get("class_names"), meta.get("embedder")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or not isinstance(embedder, str):
        raise SketchError(f"meta of the sketch lacks a list of class names or the embedder. {_REMEDY}")
    return tuple(names), embedder
