"""One step of bilevel search for a training loop of one's own.

Source: DARTS (Liu et al. 2019, arXiv:1806.09055), algorithm 1; SmoothDARTS (Chen & Hsieh 2020, arXiv:2002.05283),
algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from darts.bilevel import add_penalties, assign_alpha_gradient, first_order_gradient, unrolled_gradient
from darts.errors import DartsError
from darts.gradients import Average, Batch, Criterion, LossGradient, loss_gradient
from darts.objectives.expected_cost import Penalty
from darts.supernet import MixingWeights, Supernet

Perturbation = Callable[[MixingWeights], MixingWeights]

Order = Literal["first", "unrolled"]
"""How the gradient of alpha sees the weights: held fixed, or after the step that they are about to take."""


class SearchStep(NamedTuple):
    """What one search step saw: detached scalars.

    Attributes:
        arch_loss: on this process's architecture batch.
        weight_loss: on this process's weight batch.
        gradient_norm: of the weights' gradient, a mean over all processes, before clipping.
    """

    arch_loss: Tensor
    weight_loss: Tensor
    gradient_norm: Tensor


def search_step(
    net: Supernet,
    criterion: Criterion,
    weight_batch: Batch,
    arch_batch: Batch,
    weight_optimizer: Optimizer,
    arch_optimizer: Optimizer,
    *,
    perturb: Perturbation | None = None,
    generator: torch.Generator | None = None,
    max_gradient_norm: float = 5.0,
    order: Order = "first",
    penalties: Sequence[Penalty] = (),
    num_micro_batches: int = 1,
    average: Average | None = None,
) -> SearchStep:
    """One step of bilevel search: alpha first, then (perturbed) the weights.

    Args:
        net: supernet in training mode.
        criterion: loss of both levels.
        weight_batch: images and labels of the weight half.
        arch_batch: images and labels of the architecture half.
        weight_optimizer: over ``net.weight_parameters()``.
        arch_optimizer: over ``net.arch_parameters()``.
        perturb: applied to the mixing weights of the weight step only, for example
            ``lambda mixing: perturb_random(mixing, radius, generator)``; the same in every process.
        generator: on the CPU, of mixing weights that are random (family ``drnas``), drawn anew for either half; the
            same in every process; the global one when absent.
        max_gradient_norm: the weight gradient is clipped to this norm; alphas are never clipped.
        order: of the gradient of alpha.
        penalties: on ``net.strengths()``, added to the architecture loss, for example
            ``darts.cost_penalty(darts.cost_table(...), weight)``.
        num_micro_batches: parts that each batch is taken in, to save memory; either optimizer steps once all the same.
        average: over processes, each of which has batches of its own, of one size; one process when absent.

    Raises:
        DartsError: an unknown order, or what :func:`darts.unrolled_gradient` raises.
    """
    if order == "first":
        gradient = first_order_gradient(
            net,
            criterion,
            *arch_batch,
            mixing=net.drawn_mixing_weights(generator),
            num_micro_batches=num_micro_batches,
            average=average,
        )
    elif order == "unrolled":
        gradient = unrolled_gradient(
            net,
            criterion,
            weight_batch,
            arch_batch,
            weight_optimizer,
            num_micro_batches=num_micro_batches,
            average=average,
        )
    else:
        raise DartsError(f"order is {order!r}; expected 'first' or 'unrolled'.")
    assign_alpha_gradient(net, add_penalties(net, gradient, penalties))
    arch_optimizer.step()

    mixing = net.drawn_mixing_weights(generator).detach()
    if perturb is not None:
        mixing = perturb(mixing)
    found, norm = weight_step(
        net,
        criterion,
        weight_batch,
        weight_optimizer,
        mixing,
        max_gradient_norm=max_gradient_norm,
        num_micro_batches=num_micro_batches,
        average=average,
    )
    return SearchStep(gradient.loss, found.loss, norm)


def weight_step(
    net: Supernet,
    criterion: Criterion,
    batch: Batch,
    optimizer: Optimizer,
    mixing: MixingWeights,
    *,
    max_gradient_norm: float = 5.0,
    num_micro_batches: int = 1,
    average: Average | None = None,
) -> tuple[LossGradient, Tensor]:
    """One step of the weights alone, with given mixing weights.

    Args:
        net: supernet in training mode.
        criterion: loss.
        batch: images and labels.
        optimizer: over ``net.weight_parameters()``.
        mixing: weights of the ops, taken as constants.
        max_gradient_norm: as of :func:`search_step`, like those that follow.
        num_micro_batches: likewise.
        average: likewise.

    Returns:
        The loss with its gradient, and the gradient's norm before clipping, a detached scalar.
    """
    weights = [weight for weight in net.weight_parameters() if weight.requires_grad]
    found = loss_gradient(
        lambda images: net(images, mixing=mixing),
        criterion,
        batch,
        weights,
        num_micro_batches=num_micro_batches,
        average=average,
    )
    for weight, slope in zip(weights, found.gradients, strict=True):
        weight.grad = slope
    norm = torch.nn.utils.clip_grad_norm_(weights, max_gradient_norm)
    optimizer.step()
    torch.clear_autocast_cache()  # casts of the weights as they were, where autocast is entered around several steps
    return found, norm.detach()
