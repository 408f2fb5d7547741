"""The gradient of a batch's loss, taken in parts so that memory shrinks, and averaged over processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from darts.errors import BatchError

Batch = tuple[Tensor, Tensor]
"""Images (batch, channels, h, w) and labels (batch,)."""

Forward = Callable[[Tensor], Tensor]
"""Images (batch, channels, h, w) -> logits (batch, classes)."""

Criterion = Callable[[Tensor, Tensor], Tensor]
"""(logits (batch, classes), labels (batch,)) -> scalar loss, a mean over the batch."""

Average = Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]]
"""Tensors of this process -> their means over all processes; every process calls it in the same order."""


class LossGradient(NamedTuple):
    """A loss and its gradient.

    Attributes:
        loss: mean over this process's batch, a detached scalar.
        logits: of this process's batch, detached, shape (batch, num_classes).
        gradients: one for each tensor asked for; means over all processes.
    """

    loss: Tensor
    logits: Tensor
    gradients: tuple[Tensor, ...]


def micro_batches(batch: Batch, num_micro_batches: int) -> Iterator[tuple[Batch, float]]:
    """Parts of a batch whose sizes differ by at most one, each with its share of the batch's images.

    A mean over the batch is the sum of the parts' means times their shares.

    Args:
        batch: images and labels.
        num_micro_batches: how many parts.

    Raises:
        BatchError: fewer than one part, or more parts than images.
    """
    images, labels = batch
    if not 1 <= num_micro_batches <= len(labels):
        raise BatchError(
            f"a batch of {len(labels)} images was to be cut into {num_micro_batches} micro-batches; expected from 1 to "
            "as many as there are images. Lower num_micro_batches or take larger batches."
        )
    parts = zip(images.tensor_split(num_micro_batches), labels.tensor_split(num_micro_batches), strict=True)
    return (((part, part_labels), len(part_labels) / len(labels)) for part, part_labels in parts)


def loss_gradient(
    forward: Forward,
    criterion: Criterion,
    batch: Batch,
    inputs: Sequence[Tensor],
    *,
    num_micro_batches: int = 1,
    average: Average | None = None,
) -> LossGradient:
    """Gradient of a batch's loss in some tensors; no other gradient is formed, and no ``.grad`` is written.

    Batch normalisations in training mode normalise each micro-batch by itself; all else is as with the whole batch.

    Args:
        forward: the network.
        criterion: loss.
        batch: images and labels.
        inputs: leaves that the loss depends on.
        num_micro_batches: parts that the batch is taken in.
        average: over processes; one process when absent.
    """
    losses: list[Tensor] = []
    logits: list[Tensor] = []
    total: tuple[Tensor, ...] = ()
    for (images, labels), share in micro_batches(batch, num_micro_batches):
        outputs = forward(images)
        loss = criterion(outputs, labels)
        part = torch.autograd.grad(loss, inputs, grad_outputs=torch.full_like(loss, share))
        total = tuple(sum_ + gradient for sum_, gradient in zip(total, part, strict=True)) if total else part
        losses.append(share * loss.detach())
        logits.append(outputs.detach())
    return LossGradient(
        loss=torch.stack(losses).sum(),
        logits=torch.cat(logits),
        gradients=total if average is None else average(total),
    )


@torch.no_grad()
def mean_loss(forward: Forward, criterion: Criterion, batch: Batch, *, num_micro_batches: int = 1) -> Tensor:
    """Loss of this process's batch, a scalar; arguments as :func:`loss_gradient`."""
    losses = [
        share * criterion(forward(images), labels)
        for (images, labels), share in micro_batches(batch, num_micro_batches)
    ]
    return torch.stack(losses).sum()
