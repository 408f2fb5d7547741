"""What is kept of a dataset so that its images are never needed again at selection time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ot_select.arrays import FloatArray, IntArray, check_positive_int, check_seed, read_only
from ot_select.cloud import LabelledCloud
from ot_select.embedding.identity import EmbedderIdentity
from ot_select.errors import OptionError, SketchError
from ot_select.rows import canonical_blocks, draw_rows, stratified_sample
from ot_select.sketches.format import REMEDY, StoredSketch
from ot_select.sketches.gaussian_rows import GaussianRows, num_distinct
from ot_select.sketches.packed import Packed, PackedDtype
from ot_select.sketches.stored_rows import StoredRows

MIN_CLASS_ROWS = 10
"""Distinct rows that a class must have for :func:`sketch_gaussians` to speak of it."""


@dataclass(frozen=True, eq=False)
class Sketch:
    """Statistics of a whole dataset, and what clouds like it are drawn from.

    Attributes:
        class_names: k distinct names.
        class_counts: shape (k,), rows of each class in the whole dataset.
        means: shape (k, d), of each class over the whole dataset; float32, or float64 as earlier formats kept them.
        variances: as ``means``, per feature over the whole dataset (divisor n_c - 1; 0 for one row).
        embedder: who made the features; sketches are comparable only if these strings are equal.
        rows: a sample of the dataset's own rows, or the Gaussians that stand for them.

    Raises:
        SketchError: the parts do not fit together.
    """

    class_names: tuple[str, ...]
    class_counts: IntArray
    means: Packed
    variances: Packed
    embedder: str
    rows: StoredRows | GaussianRows

    def __post_init__(self) -> None:
        k, d = len(self.class_names), self.means.values.shape[1]
        shapes = {"class_counts": (k,), "class_means": (k, d), "class_variances": (k, d)}
        for name, array in self._statistics().items():
            if (found := array.shape) != (shape := shapes[name]):
                raise SketchError(
                    f"{name} has shape {found} in a sketch of {k} classes and {d} features, but {shape} is needed. "
                    f"{REMEDY}"
                )
        if 0 in (d, k):
            raise SketchError(
                f"The sketch has {d} features and {k} classes, but at least one of each is needed. {REMEDY}"
            )
        for name, packed in {"class_means": self.means, "class_variances": self.variances}.items():
            if not packed.is_finite:
                raise SketchError(f"{name} of the sketch holds NaN or infinity. {REMEDY}")
        if (self.variances.values < 0).any():
            raise SketchError(f"class_variances of the sketch holds negative values. {REMEDY}")
        if (self.class_counts < 1).any():
            raise SketchError(f"class_counts of the sketch has {self.class_counts.min()}, but 1 is needed. {REMEDY}")
        for name in (*self.class_names, self.embedder):
            if not _is_text(name):
                raise SketchError(
                    f"A class name or the embedder is {name!r}, but a sketch is stored with Unicode texts. Give the "
                    "cloud class_names, and the embedder a name, that can be written as UTF-8."
                )
        if len(set(self.class_names)) < k:
            raise SketchError(
                f"The {k} class names are not distinct: {sorted(self.class_names)[:10]}. "
                "Give the cloud class_names that tell its classes apart."
            )
        fault = next(self.rows.faults(self.class_counts, d), None)
        if fault is not None:
            raise SketchError(f"{fault} {REMEDY}")
        read_only(self.class_counts)

    @cached_property
    def class_means(self) -> FloatArray:
        """``means`` as float64."""
        return self.means.unpacked()

    @cached_property
    def class_variances(self) -> FloatArray:
        """``variances`` as float64."""
        return self.variances.unpacked()

    @property
    def num_rows(self) -> int:
        """Rows of the whole dataset."""
        return int(self.class_counts.sum())

    @property
    def num_sampled(self) -> int:
        """Rows of the cloud."""
        return self.rows.num_sampled

    @property
    def is_drawn(self) -> bool:
        """Whether even the cloud of all ``num_sampled`` rows depends on the seed: for Gaussians, not for rows."""
        return self.rows.is_drawn

    @property
    def dimension(self) -> int:
        """Number of features, d."""
        return int(self.class_means.shape[1])

    @property
    def mean(self) -> FloatArray:
        """Of the whole dataset, shape (d,)."""
        return np.asarray(np.average(self.class_means, axis=0, weights=self.class_counts))

    @property
    def variance(self) -> FloatArray:
        """Of every feature over the whole dataset, shape (d,), divisor n - 1 (0 for one row)."""
        within = (self.class_counts - 1) @ self.class_variances
        between = self.class_counts @ (self.class_means - self.mean) ** 2
        return np.asarray((within + between) / max(self.num_rows - 1, 1))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content, in hexadecimal: equal for equal sketches, wherever they are stored."""
        return self._stored().content_digest()

    def cloud(self, num_rows: int | None = None, seed: int = 0) -> LabelledCloud:
        """Labelled points whose labels are the class names: rows of the dataset, or rows drawn from its Gaussians.

        Equal content, numbers and seeds give equal clouds.

        Args:
            num_rows: at most so many, classes in proportion (see :func:`ot_select.draw_rows`); ``num_sampled`` with
                ``None``, and where it is more than that.
            seed: of the draw. A sample of rows that is taken whole does not depend on it, Gaussians always do.

        Raises:
            OptionError: ``num_rows`` or ``seed`` is out of range.
        """
        wanted = self.num_sampled if num_rows is None else check_positive_int("num_rows", num_rows)
        wanted, seed = min(wanted, self.num_sampled), check_seed(seed)
        features, indices = self.rows.draw(self.class_counts, self.class_means, self.class_variances, wanted, seed)
        return draw_rows(LabelledCloud(features, [self.class_names[index] for index in indices]), wanted, seed)

    def to_tensors(self) -> dict[str, torch.Tensor]:
        """Everything as tensors, names included (UTF-8 JSON in bytes), ready for safetensors."""
        return self._stored().to_tensors()

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor]) -> "Sketch":
        """The sketch that ``to_tensors`` wrote; tensors of other names are ignored.

        Raises:
            SketchError: a tensor is missing, has another shape or dtype, holds what no sketch can hold, or is not
                the one that was written.
        """
        stored = StoredSketch.from_tensors(tensors, {name: kind.layout for name, kind in _KINDS.items()})
        sketch = cls(
            class_names=stored.class_names,
            class_counts=stored.arrays["class_counts"],
            means=_restored(stored.arrays["class_means"], stored.facts.get("means_exponent")),
            variances=_restored(stored.arrays["class_variances"], stored.facts.get("variances_exponent")),
            embedder=stored.embedder,
            rows=_KINDS[stored.kind].restored(stored.arrays, stored.facts),
        )
        if stored.digest is not None and stored.digest != (found := stored.content_digest()):
            raise SketchError(
                f"The sketch has the digest {found}, but {stored.digest} was written: it has been changed. {REMEDY}"
            )
        return sketch

    def _stored(self) -> StoredSketch:
        return StoredSketch(
            kind=self.rows.kind,
            class_names=self.class_names,
            embedder=self.embedder,
            arrays={**self._statistics(), **self.rows.arrays()},
            facts={
                "means_exponent": self.means.exponent,
                "variances_exponent": self.variances.exponent,
                **self.rows.facts(),
            },
        )

    def _statistics(self) -> dict[str, npt.NDArray[Any]]:
        return {
            "class_counts": self.class_counts,
            "class_means": self.means.values,
            "class_variances": self.variances.values,
        }


_LARGEST_FEATURE = 1e150
_KINDS: dict[str, type[StoredRows] | type[GaussianRows]] = {kind.kind: kind for kind in (StoredRows, GaussianRows)}


def sketch(
    cloud: LabelledCloud,
    *,
    embedder: EmbedderIdentity | str,
    max_samples: int = 1000,
    seed: int = 0,
    dtype: PackedDtype = "float16",
) -> Sketch:
    """What must be kept of a cloud to compare it later: some of its rows, and statistics of all.

    Args:
        cloud: the embedded dataset, whole; every row weighs the same, for a sketch keeps no weights.
        embedder: who made its features.
        max_samples: rows to keep, a stratified sample without replacement (see ``otdd``); all rows where there are
            no more than that. Independent of row order and label names.
        seed: of the sample.
        dtype: of the rows kept, ``float16`` or ``float32``. On real embeddings ``float16`` changes the squared
            distance by less than 1e-5 of it.

    Raises:
        OptionError: ``max_samples``, ``seed`` or ``dtype`` is out of range.
        SketchError: rows weigh differently, class names are not distinct, or the embedder is unnamed or has another
            dimension.
    """
    max_samples, seed = check_positive_int("max_samples", max_samples), check_seed(seed)
    _check(cloud, embedder)
    blocks = canonical_blocks(cloud.features, cloud.class_indices)
    rows = np.concatenate(stratified_sample(blocks, max_samples, seed))
    kept = StoredRows(Packed.of(cloud.features[rows], dtype), cloud.class_indices[rows])
    return _sketch(cloud, _tables(cloud, blocks), embedder, kept)


def sketch_gaussians(
    cloud: LabelledCloud,
    *,
    embedder: EmbedderIdentity | str,
    rank: int = 8,
    max_samples: int = 1000,
    min_class_rows: int = MIN_CLASS_ROWS,
) -> Sketch:
    """What is kept of a cloud whose rows may not leave: one Gaussian for each class, and no row.

    It tells how many rows each class has, their mean and the variance of every feature to seven digits, and the
    ``rank`` directions in which the class spreads most. That gives away what is particular to one row: a feature that
    is not 0 in a single row of its class, as is common behind a ReLU, can be read off, and a row that lies far from the
    rest can be rebuilt from the mean and the first direction (one 20 times as long as the others to 0.1%). Who has a
    row can tell, to a degree, whether it was among few: there is no differential privacy in this. Distances to such a
    sketch are distances to rows drawn from the Gaussians; to compare them among each other, sketch all datasets alike.

    Args:
        cloud: the embedded dataset, whole; every row weighs the same, for a sketch keeps no weights.
        embedder: who made its features.
        rank: directions kept of each class, 0 for none; of a class of m distinct rows at most (m - 1) // 2 are.
        max_samples: rows of the clouds drawn, and never more than the dataset has.
        min_class_rows: refuse classes with fewer distinct rows, for the mean of one row is that row, and mean and
            variance of two nearly tell both. Near copies count as distinct.

    Raises:
        OptionError: ``rank``, ``max_samples`` or ``min_class_rows`` is out of range.
        SketchError: a class has too few rows, rows weigh differently, class names are not distinct, or the embedder is
            unnamed or has another dimension.
    """
    max_samples = check_positive_int("max_samples", max_samples)
    min_class_rows = check_positive_int("min_class_rows", min_class_rows)
    if isinstance(rank, bool) or not isinstance(rank, int | np.integer) or rank < 0:
        raise OptionError(f"rank is {rank!r}, but a whole number of at least 0 is needed. Give for instance rank=8.")
    _check(cloud, embedder)
    tables = _tables(cloud, canonical_blocks(cloud.features, cloud.class_indices))
    counts = [num_distinct(table) for table in tables]
    small = [
        f"{name!r} ({count})" for name, count in zip(cloud.class_names, counts, strict=True) if count < min_class_rows
    ]
    if small:
        raise SketchError(
            f"{len(small)} classes have fewer than {min_class_rows} distinct rows: {', '.join(small[:5])}; their "
            "statistics would tell too much of single rows. Give more rows of them, leave them out, or accept it with "
            "min_class_rows=1."
        )
    kept = GaussianRows.of(tables, int(rank), min(max_samples, cloud.num_rows))
    return _sketch(cloud, tables, embedder, kept)


def _restored(values: npt.NDArray[Any], exponent: int | None) -> Packed:
    """Statistics as they were stored; formats 1 and 2 had no exponent of them."""
    return Packed(values, exponent or 0)


def _is_text(value: object) -> bool:
    """Whether a value is a text without surrogates, halves of characters that no encoding knows."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _check(cloud: LabelledCloud, embedder: EmbedderIdentity | str) -> None:
    if not isinstance(embedder, EmbedderIdentity | str):
        raise SketchError(
            f"The embedder is {embedder!r}, but who made the features is needed. Give Embedder.identity, or a text."
        )
    if not cloud.equally_weighted:
        raise SketchError(
            f"The rows of the cloud weigh from {cloud.weights.min():.3g} to {cloud.weights.max():.3g}, but a sketch "
            "keeps no weights: every row must weigh the same. Leave the weights out where that will do, or measure "
            "distances between the clouds themselves, which respect them."
        )
    if isinstance(embedder, EmbedderIdentity) and embedder.dimension != cloud.dimension:
        raise SketchError(
            f"The cloud has {cloud.dimension} features, but the embedder {embedder.name} gives {embedder.dimension}. "
            "Name the embedder that made these features."
        )
    if not str(embedder):
        raise SketchError(
            "The embedder is an empty string. Name who made the features, for instance Embedder.identity."
        )
    largest = np.abs(cloud.features).max()
    if largest > _LARGEST_FEATURE:
        raise SketchError(
            f"The largest feature is {largest:.3g}, whose square is beyond float64. Scale the features down."
        )


def _sketch(
    cloud: LabelledCloud,
    tables: Sequence[FloatArray],
    embedder: EmbedderIdentity | str,
    rows: StoredRows | GaussianRows,
) -> Sketch:
    return Sketch(
        class_names=cloud.class_names,
        class_counts=cloud.class_counts,
        means=Packed.of(np.stack([table.mean(axis=0) for table in tables]), "float32"),
        variances=Packed.of(np.stack([_variance(table) for table in tables]), "float32"),
        embedder=str(embedder),
        rows=rows,
    )


def _tables(cloud: LabelledCloud, blocks: Sequence[IntArray]) -> list[FloatArray]:
    """The rows of each class, classes in their own order, rows in that of their content."""
    by_class = {int(cloud.class_indices[block[0]]): cloud.features[block] for block in blocks}
    return [by_class[index] for index in range(cloud.num_classes)]


def _variance(table: FloatArray) -> FloatArray:
    if len(table) == 1:
        return np.zeros(table.shape[1])
    return np.asarray(table.var(axis=0, ddof=1), dtype=np.float64)
