"""Rows drawn from one Gaussian for each class: what a sketch draws its clouds from when rows may not leave."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ot_select.arrays import FloatArray, IntArray
from ot_select.rows import class_shares
from ot_select.sketches.format import Layout
from ot_select.sketches.packed import Packed


@dataclass(frozen=True, eq=False)
class GaussianRows:
    """Gaussians that keep the leading directions of each class, and the spread of every feature exactly.

    The covariance of class c is ``F F^T + D``: F holds its leading principal directions, D is diagonal and holds what
    they leave of the variance of each feature.

    Attributes:
        factors: F of every class, shape (k, d, r); columns that a class does not use are 0.
        num_sampled: rows of a cloud.
    """

    kind: ClassVar = "gaussians"
    is_drawn: ClassVar = True
    layout: ClassVar = Layout(tensors={"class_factors": (("float32",), 3)}, facts=("exponent", "num_sampled"))

    factors: Packed
    num_sampled: int

    @classmethod
    def of(cls, tables: Sequence[FloatArray], rank: int, num_sampled: int) -> "GaussianRows":
        """The Gaussians of some classes.

        Args:
            tables: the rows of each class, shape (n_c, d).
            rank: directions to keep of a class; of m distinct rows at most (m - 1) // 2 are, half of the directions
                that m rows have where there are more features than rows.
            num_sampled: rows of a cloud.
        """
        dimension = tables[0].shape[1]
        ranks = [min(rank, (num_distinct(table) - 1) // 2, dimension) for table in tables]
        factors = np.zeros((len(tables), dimension, max(ranks)))
        for factor, table, kept in zip(factors, tables, ranks, strict=True):
            factor[:, :kept] = _leading_factor(table, kept)
        return cls(Packed.of(factors, "float32"), num_sampled)

    def faults(self, counts: IntArray, dimension: int) -> Iterator[str]:
        """What does not fit a sketch of these class counts and features, a sentence each; the first one matters."""
        shape = self.factors.values.shape
        if shape[:2] != (len(counts), dimension):
            yield f"class_factors has shape {shape}, but ({len(counts)}, {dimension}, rank) is needed."
        if not 1 <= self.num_sampled <= counts.sum():
            yield f"num_sampled of the sketch is {self.num_sampled}, but 1 to {counts.sum()} is needed."
        if not self.factors.is_finite:
            yield "class_factors of the sketch holds NaN or infinity, but finite numbers are needed."

    def draw(
        self, counts: IntArray, means: FloatArray, variances: FloatArray, num_rows: int, seed: int
    ) -> tuple[FloatArray, IntArray]:
        """Rows drawn from the Gaussians, each class in proportion to its count.

        They depend on the numbers of the classes and the seed, and neither on the order nor on the names of classes.

        Args:
            counts: shape (k,), rows of each class in the whole dataset.
            means: shape (k, d).
            variances: shape (k, d), of every feature.
            num_rows: to draw.
            seed: of the draw.

        Returns:
            Features, shape (num_rows, d), and class indices, shape (num_rows,).
        """
        factors = self.factors.unpacked()
        rests = np.sqrt(np.maximum(variances - (factors**2).sum(axis=2), 0.0))
        identities = [_identity(*parts) for parts in zip(counts, means, variances, factors, strict=True)]
        order = sorted(range(len(counts)), key=identities.__getitem__)
        sizes = class_shares(counts[order], num_rows, np.random.default_rng(seed))
        tables, indices = [], []
        for index, size in zip(order, sizes, strict=True):
            generator = np.random.default_rng([seed, identities[index]])
            along = generator.standard_normal((size, factors.shape[2])) @ factors[index].T
            tables.append(means[index] + along + generator.standard_normal((size, means.shape[1])) * rests[index])
            indices += [index] * int(size)
        return np.concatenate(tables), np.array(indices, dtype=np.int64)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What is stored as tensors."""
        return {"class_factors": self.factors.values}

    def facts(self) -> dict[str, int]:
        """What is stored as plain numbers."""
        return {"exponent": self.factors.exponent, "num_sampled": self.num_sampled}

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]], facts: Mapping[str, int]) -> "GaussianRows":
        """The Gaussians that ``arrays`` and ``facts`` were taken from."""
        return cls(Packed(arrays["class_factors"], facts["exponent"]), facts["num_sampled"])


def num_distinct(table: FloatArray) -> int:
    """How many rows differ from each other."""
    return len({row.tobytes() for row in table})


def _leading_factor(table: FloatArray, rank: int) -> FloatArray:
    """F, shape (d, rank), such that F F^T is the best approximation of the covariance (divisor n - 1) of that rank."""
    centred = (table - table.mean(axis=0)) / np.sqrt(max(len(table) - 1, 1))
    if len(table) <= table.shape[1]:  # the smaller of the two eigenproblems with the same spectrum
        factor = centred.T @ np.linalg.eigh(centred @ centred.T)[1][:, ::-1][:, :rank]
    else:
        values, vectors = np.linalg.eigh(centred.T @ centred)
        factor = (vectors * np.sqrt(np.maximum(values, 0.0)))[:, ::-1][:, :rank]
    strongest = np.take_along_axis(factor, np.abs(factor).argmax(axis=0)[None], axis=0)
    return np.asarray(factor * np.where(strongest < 0, -1.0, 1.0))


def _identity(count: np.int64, mean: FloatArray, variance: FloatArray, factor: FloatArray) -> int:
    """A number that stands for one class by content alone."""
    digest = hashlib.sha256(int(count).to_bytes(8, "little"))
    for part in (mean, variance, factor):
        digest.update(np.ascontiguousarray(part, dtype="<f8").data)
    return int.from_bytes(digest.digest(), "little")
