"""Class-to-class distances as the published implementation computes them, in our own plain code.

One (d, d) covariance per class and its root; for every pair of classes one more root, of S^1/2 T S^1/2, by
``torch.linalg.eigh`` in a Python loop. This is the slow side of :mod:`benchmarks.otdd` and its oracle: it shares no
code with ``ot_select``.

Source: Alvarez-Melis & Fusi 2020, arXiv:2002.02866.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class PlainClass:
    """Mean, shape (d,), and covariance, shape (d, d), of a class; divisor n_c - 1."""

    mean: Tensor
    covariance: Tensor


def class_statistics(features: Tensor, class_indices: Tensor, num_classes: int) -> list[PlainClass]:
    """Statistics of every class.

    Args:
        features: shape (n, d).
        class_indices: shape (n,), each of 0..num_classes-1 at least twice.
        num_classes: k.
    """
    classes = []
    for index in range(num_classes):
        rows = features[class_indices == index]
        classes.append(PlainClass(rows.mean(dim=0), torch.cov(rows.T)))
    return classes


def matrix_root(matrix: Tensor) -> Tensor:
    """The root of a symmetric positive semi-definite matrix; eigenvalues that are rounding count as 0."""
    values, vectors = torch.linalg.eigh(matrix)
    floor = values.max() * len(values) * torch.finfo(values.dtype).eps
    roots = torch.where(values > floor, values, 0.0).sqrt()
    root: Tensor = (vectors * roots) @ vectors.T
    return root


def squared_wasserstein(a: PlainClass, root_a: Tensor, b: PlainClass) -> Tensor:
    """Squared 2-Wasserstein distance between two classes as Gaussians; one matrix root.

    Args:
        a: one class.
        root_a: the root of its covariance.
        b: the other.
    """
    cross = matrix_root(root_a @ b.covariance @ root_a).trace()
    return (a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * cross


def label_distances(a: Sequence[PlainClass], roots_a: Sequence[Tensor], b: Sequence[PlainClass]) -> Tensor:
    """The table of all pairs, shape (k_a, k_b); within one dataset (``a is b``) pairs i < j, mirrored."""
    table = torch.zeros(len(a), len(b), dtype=roots_a[0].dtype, device=roots_a[0].device)
    for i, (one, root) in enumerate(zip(a, roots_a, strict=True)):
        for j, other in enumerate(b):
            if a is not b or i < j:
                table[i, j] = squared_wasserstein(one, root, other)
    return table + table.T if a is b else table
