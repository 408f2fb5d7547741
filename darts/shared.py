"""What the edges of a supernet's cell share: work on one source state, and the sum that becomes a node.

Edges that leave the same state begin with the same ReLU and the same pools, and edges that enter the same node end in
one sum. Both are computed once here, whatever the number of edges; the result is that of per-edge modules.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from darts import kernels

PoolKind = Literal["max", "avg"]


class Normalised(NamedTuple):
    """A map normalised over its batch.

    Attributes:
        values: shape (batch, channels, h, w).
        mean: of the batch, shape (channels,).
        variance: of the batch, unbiased, shape (channels,).
    """

    values: Tensor
    mean: Tensor
    variance: Tensor


class SharedState:
    """A state of a cell, and what several edges that leave it compute from it: each when first asked for.

    Args:
        x: shape (batch, channels, h, w).
    """

    def __init__(self, x: Tensor) -> None:
        self.x = x
        self._relu: Tensor | None = None
        self._pooled: dict[tuple[PoolKind, int], Tensor] = {}
        self._normalised: dict[tuple[PoolKind, int, float], Normalised] = {}

    @property
    def relu(self) -> Tensor:
        """The state after a ReLU."""
        if self._relu is None:  # not a cached_property, whose lock torch.compile does not follow
            self._relu = self.x.relu()
        return self._relu

    def pooled(self, kind: PoolKind, stride: int) -> Tensor:
        """The state after a 3x3 pool."""
        if (kind, stride) not in self._pooled:
            self._pooled[kind, stride] = (
                F.max_pool2d(self.x, 3, stride, padding=1) if kind == "max" else kernels.avg_pool_3x3(self.x, stride)
            )
        return self._pooled[kind, stride]

    def normalised_pool(self, kind: PoolKind, stride: int, eps: float) -> Normalised:
        """The pooled state normalised over the batch, with the statistics."""
        key = (kind, stride, eps)
        if key not in self._normalised:
            pooled = self.pooled(kind, stride)
            dtype = torch.promote_types(pooled.dtype, torch.float32)  # statistics of half precision are not
            mean, variance = (pooled.new_zeros(pooled.shape[1], dtype=dtype) for _ in range(2))
            values = F.batch_norm(pooled, mean, variance, training=True, momentum=1.0, eps=eps)
            self._normalised[key] = Normalised(values, mean, variance)
        return self._normalised[key]


class NodeSum:
    """The sum of a node's incoming edges as it grows; it is updated in place."""

    def __init__(self) -> None:
        self._sum: Tensor | None = None

    def add(self, term: Tensor) -> None:
        """Add a map (batch, channels, h, w) that nobody else uses: it may be overwritten."""
        self._sum = term if self._sum is None else self._sum.add_(term)

    def add_scaled(self, weight: Tensor, term: Tensor) -> None:
        """Add ``weight * term``, ``weight`` a scalar; others may use the term."""
        self._sum = weight * term if self._sum is None else self._sum.addcmul_(weight, term)

    def total(self) -> Tensor:
        """The node."""
        assert self._sum is not None, "every edge of a search space offers a primitive other than 'none'"
        return self._sum


def scaled_norm(norm: nn.Module, x: Tensor, weight: Tensor) -> Tensor:
    """``weight * norm(x)``, with the weight folded into the scale of a batch normalisation that has none.

    Args:
        norm: a normalisation without scale and shift.
        x: shape (batch, channels, h, w).
        weight: scalar.
    """
    running = _running_statistics(norm)
    if running is None:
        return cast(Tensor, weight * norm(x))
    if norm.training:
        running.num_batches.add_(1)
    scale = weight.repeat(x.shape[1])  # not expanded: the CPU kernel's backward reads it as contiguous
    return F.batch_norm(
        x, running.mean, running.variance, scale, None, norm.training, momentum=running.momentum, eps=running.eps
    )


def add_normalised_pool(
    node: NodeSum, state: SharedState, kind: PoolKind, stride: int, norm: nn.Module, weight: Tensor
) -> None:
    """Add ``weight * norm(pool(state))``: pool and batch statistics are the state's, running ones the norm's own.

    Args:
        node: gets the term.
        state: the state.
        kind: of the pool.
        stride: of the pool.
        norm: a normalisation without scale and shift.
        weight: scalar.
    """
    running = _running_statistics(norm)
    if running is None or not norm.training:
        node.add(scaled_norm(norm, state.pooled(kind, stride), weight))
        return
    shared = state.normalised_pool(kind, stride, running.eps)
    with torch.no_grad():
        running.num_batches.add_(1)
        running.mean.lerp_(shared.mean.to(running.mean.dtype), running.momentum)
        running.variance.lerp_(shared.variance.to(running.variance.dtype), running.momentum)
    node.add_scaled(weight, shared.values)


class _Running(NamedTuple):
    mean: Tensor
    variance: Tensor
    num_batches: Tensor
    momentum: float
    eps: float


def _running_statistics(norm: nn.Module) -> _Running | None:
    """Those of a batch normalisation as primitives make it; None for other modules, such as its synchronised kind."""
    if type(norm) is not nn.BatchNorm2d or norm.affine or norm.momentum is None:
        return None
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return None
    return _Running(norm.running_mean, norm.running_var, norm.num_batches_tracked, norm.momentum, norm.eps)
