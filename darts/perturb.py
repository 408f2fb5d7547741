"""SmoothDARTS: perturbations of the mixing weights in the weight step.

Source: SmoothDARTS (Chen & Hsieh 2020, arXiv:2002.05283): random (section 4.1, equation 5), adversarial (equation 6).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from darts.gradients import Average, Criterion, Forward, loss_gradient, mean_loss
from darts.modes import evaluating, frozen
from darts.supernet import MixingWeights, Supernet

MIN_RADIUS = 0.03
"""The radius that the schedule starts from."""


def perturbation_radius(epoch: int, num_epochs: int, max_radius: float = 0.3) -> float:
    """Radius of the perturbation in an epoch: linear from 0.03 towards ``max_radius``, which it never reaches.

    Args:
        epoch: counted from 0.
        num_epochs: of the whole search.
        max_radius: in units of mixing weight.
    """
    return MIN_RADIUS + (max_radius - MIN_RADIUS) * epoch / num_epochs


def clamp_and_normalise(perturbed: Tensor) -> Tensor:
    """Bring perturbed rows back to the simplex: clamp to [0, 1], divide by the row's sum.

    A row that clamping empties becomes one-hot at its largest entry (the first of equals). This is not the Euclidean
    projection, and the result may lie outside the box of the perturbation: both as in the reference.

    Args:
        perturbed: shape (num_edges, num_primitives).
    """
    clamped = perturbed.clamp(0.0, 1.0)
    empty = clamped.sum(dim=-1, keepdim=True) == 0
    one_hot = F.one_hot(perturbed.argmax(dim=-1), perturbed.shape[-1]).to(perturbed.dtype)
    clamped = torch.where(empty, one_hot, clamped)
    return clamped / clamped.sum(dim=-1, keepdim=True)


def _add_noise(weights: Tensor, radius: float, generator: torch.Generator | None) -> Tensor:
    device = generator.device if generator is not None else weights.device
    uniform = torch.rand(weights.shape, generator=generator, dtype=weights.dtype, device=device).to(weights.device)
    return clamp_and_normalise(weights + radius * (2 * uniform - 1))


def perturb_random(mixing: MixingWeights, radius: float, generator: torch.Generator | None = None) -> MixingWeights:
    """SDARTS-RS: add independent uniform noise to every mixing weight, then return to the simplex.

    Args:
        mixing: points on the simplex; taken as constants.
        radius: noise is uniform in [-radius, radius].
        generator: of the noise, drawn for the normal cells first; the global one when absent.
    """
    mixing = mixing.detach()
    normal = _add_noise(mixing.normal, radius, generator)
    return MixingWeights(normal, _add_noise(mixing.reduction, radius, generator))


def perturb_adversarial(
    net: Supernet,
    mixing: MixingWeights,
    images: Tensor,
    labels: Tensor,
    radius: float,
    num_steps: int = 7,
    random_start: bool = True,
    generator: torch.Generator | None = None,
    *,
    criterion: Criterion = F.cross_entropy,
    num_micro_batches: int = 1,
    average: Average | None = None,
) -> MixingWeights:
    """SDARTS-ADV: move the mixing weights uphill in the loss by projected sign-gradient steps.

    Batch normalisations use their running statistics during the attack, and nothing of the network changes: no weight
    gradient is formed, no statistic updated. Where the attack ends at a lower loss than it began, the unperturbed
    weights are returned.

    Args:
        net: the supernet; its mode is restored.
        mixing: points on the simplex; taken as constants.
        images: the batch of the weight step, shape (batch, channels, h, w).
        labels: shape (batch,).
        radius: of the box around ``mixing`` that each step is clamped to before it returns to the simplex.
        num_steps: gradient steps, each of size ``2 * radius / num_steps``.
        random_start: begin from :func:`perturb_random` instead of from ``mixing``.
        generator: of the random start; the global one when absent. Equal in every process.
        criterion: loss.
        num_micro_batches: parts that the batch is taken in, to save memory.
        average: over processes, so that all take the same steps; one process when absent.
    """
    mixing = mixing.detach()

    def forward(weights: MixingWeights) -> Forward:
        return lambda first_map: net.classify(first_map, weights)

    with evaluating(net), frozen(net.parameters()):
        batch = net.first_map(images), labels
        loss_before = mean_loss(forward(mixing), criterion, batch, num_micro_batches=num_micro_batches)
        moved = perturb_random(mixing, radius, generator) if random_start else mixing
        for _ in range(num_steps):
            moved = MixingWeights(*(weights.clone().requires_grad_() for weights in moved))
            found = loss_gradient(
                forward(moved), criterion, batch, moved, num_micro_batches=num_micro_batches, average=average
            )
            moved = MixingWeights(
                *(
                    _ascend(weights.detach(), gradient, centre, radius, 2 * radius / num_steps)
                    for weights, gradient, centre in zip(moved, found.gradients, mixing, strict=True)
                )
            )
        loss_after = mean_loss(forward(moved), criterion, batch, num_micro_batches=num_micro_batches)
    if average is not None:
        loss_before, loss_after = average((loss_before, loss_after))
    return MixingWeights(
        *(torch.where(loss_before > loss_after, start, end) for start, end in zip(mixing, moved, strict=True))
    )


def _ascend(weights: Tensor, gradient: Tensor, centre: Tensor, radius: float, step: float) -> Tensor:
    offset = (weights + step * gradient.sign() - centre).clamp(-radius, radius)
    return clamp_and_normalise(centre + offset)
