"""Bilevel search: gradients of alpha, and one step of the alternating descent.

Source: DARTS (Liu et al. 2019, arXiv:1806.09055), equations 3 and 4 and algorithm 1 with xi = 0 (first order), which
all published SmoothDARTS results use (Chen & Hsieh 2020, arXiv:2002.05283).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from darts.supernet import MixingWeights, Supernet

Criterion = Callable[[Tensor, Tensor], Tensor]
"""(logits (batch, classes), labels (batch,)) -> scalar loss."""

Perturbation = Callable[[MixingWeights], MixingWeights]


class AlphaGradient(NamedTuple):
    """Gradient of the architecture loss.

    Attributes:
        loss: the loss on the architecture batch, a detached scalar.
        logits: of the architecture batch, detached, shape (batch, num_classes).
        normal: gradient of ``normal_alpha``.
        reduction: gradient of ``reduction_alpha``.
    """

    loss: Tensor
    logits: Tensor
    normal: Tensor
    reduction: Tensor


class SearchStep(NamedTuple):
    """What one search step saw: detached scalars."""

    arch_loss: Tensor
    weight_loss: Tensor
    gradient_norm: Tensor


def first_order_gradient(net: Supernet, criterion: Criterion, images: Tensor, labels: Tensor) -> AlphaGradient:
    """Gradient of the loss in alpha with the weights held fixed; no weight gradient is formed.

    Args:
        net: in training mode; batch statistics are used and the running ones updated.
        criterion: loss.
        images: architecture batch, shape (batch, channels, h, w).
        labels: shape (batch,).
    """
    logits = net(images)
    loss = criterion(logits, labels)
    normal, reduction = torch.autograd.grad(loss, net.arch_parameters())
    return AlphaGradient(loss.detach(), logits.detach(), normal, reduction)


def assign_alpha_gradient(net: Supernet, gradient: AlphaGradient) -> None:
    """Put the gradient where the architecture optimizer looks for it."""
    net.normal_alpha.grad = gradient.normal
    net.reduction_alpha.grad = gradient.reduction


def search_step(
    net: Supernet,
    criterion: Criterion,
    weight_batch: tuple[Tensor, Tensor],
    arch_batch: tuple[Tensor, Tensor],
    weight_optimizer: Optimizer,
    arch_optimizer: Optimizer,
    *,
    perturb: Perturbation | None = None,
    max_gradient_norm: float = 5.0,
) -> SearchStep:
    """One step of first-order bilevel search: alpha first, then (perturbed) the weights.

    Args:
        net: supernet in training mode.
        criterion: loss of both levels.
        weight_batch: images and labels of the weight half.
        arch_batch: images and labels of the architecture half.
        weight_optimizer: over ``net.weight_parameters()``.
        arch_optimizer: over ``net.arch_parameters()``.
        perturb: applied to the mixing weights of the weight step only, for example
            ``lambda mixing: perturb_random(mixing, radius, generator)``.
        max_gradient_norm: the weight gradient is clipped to this norm; alphas are never clipped.
    """
    gradient = first_order_gradient(net, criterion, *arch_batch)
    assign_alpha_gradient(net, gradient)
    arch_optimizer.step()

    mixing = net.mixing_weights().detach()
    if perturb is not None:
        mixing = perturb(mixing)
    images, labels = weight_batch
    weight_optimizer.zero_grad(set_to_none=True)
    loss = criterion(net(images, mixing=mixing), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(net.weight_parameters(), max_gradient_norm)
    weight_optimizer.step()
    return SearchStep(gradient.loss, loss.detach(), norm.detach())
