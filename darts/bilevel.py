"""The gradient of alpha in bilevel search: first order, or unrolled by one step of the weights.

Source: DARTS (Liu et al. 2019, arXiv:1806.09055), equations 3 to 8. All published SmoothDARTS results (Chen & Hsieh
2020, arXiv:2002.05283) are of first order, xi = 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.utils import get_total_norm
from torch.optim import SGD, Optimizer

from darts.errors import DartsError, OptimizerError
from darts.gradients import Average, Batch, Criterion, Forward, LossGradient, loss_gradient
from darts.modes import frozen
from darts.objectives.expected_cost import Penalty
from darts.supernet import MixingWeights, Supernet

DIFFERENCE_NORM = 1e-2
"""How far the finite difference of the unrolled gradient moves the weights to either side, as a norm."""


class AlphaGradient(NamedTuple):
    """Gradient of the architecture loss.

    Attributes:
        loss: the loss on this process's architecture batch, a detached scalar.
        logits: of this process's architecture batch, detached, shape (batch, num_classes).
        gradients: one for each of the supernet's ``arch_parameters()``; means over all processes.
    """

    loss: Tensor
    logits: Tensor
    gradients: tuple[Tensor, ...]

    @property
    def normal(self) -> Tensor:
        """Gradient of ``normal_alpha``."""
        return self.gradients[0]

    @property
    def reduction(self) -> Tensor:
        """Gradient of ``reduction_alpha``."""
        return self.gradients[1]


def first_order_gradient(
    net: Supernet,
    criterion: Criterion,
    images: Tensor,
    labels: Tensor,
    *,
    mixing: MixingWeights | None = None,
    num_micro_batches: int = 1,
    average: Average | None = None,
) -> AlphaGradient:
    """Gradient of the loss in the architecture parameters with the weights held fixed; no weight gradient is formed.

    Args:
        net: in training mode; batch statistics are used and the running ones updated.
        criterion: loss.
        images: architecture batch, shape (batch, channels, h, w).
        labels: shape (batch,).
        mixing: weights of the ops, differentiable in the alphas; ``net.drawn_mixing_weights()`` when absent. All parts
            of the batch and all processes see the same.
        num_micro_batches: parts that the batch is taken in, to save memory.
        average: over processes; one process when absent.
    """
    mixing = net.drawn_mixing_weights() if mixing is None else mixing
    points = MixingWeights(*(weights.detach().requires_grad_() for weights in mixing))
    alphas, betas = net.arch_parameters()[:2], net.arch_parameters()[2:]
    with frozen(net.weight_parameters()):
        found = loss_gradient(
            lambda seen: net(seen, mixing=points),
            criterion,
            (images, labels),
            [*points, *betas],
            num_micro_batches=num_micro_batches,
            average=average,
        )
    slopes = torch.autograd.grad(mixing, alphas, grad_outputs=found.gradients[: len(points)])
    return AlphaGradient(found.loss, found.logits, (*slopes, *found.gradients[len(points) :]))


def unrolled_gradient(
    net: Supernet,
    criterion: Criterion,
    weight_batch: Batch,
    arch_batch: Batch,
    weight_optimizer: Optimizer,
    *,
    num_micro_batches: int = 1,
    average: Average | None = None,
) -> AlphaGradient:
    """Gradient in alpha of the architecture loss after the step that the weights would take on the weight batch.

    With w' = w - eta (momentum b + grad_w L_train(w, alpha) + decay w), b the optimizer's momentum buffer, it is
    grad_alpha L_arch(w', alpha) less grad_alpha of grad_w L_train(w, alpha) times u = eta grad_w' L_arch(w', alpha),
    the latter by central differences of grad_alpha L_train at w plus and minus 0.01 u / ||u||. Four forward and
    backward passes; the weights are never written to. The passes on the weight batch update the running statistics of
    batch normalisations, the one at w' does not. Ops that draw noise draw the same on both sides of the difference.

    Args:
        net: in training mode.
        criterion: loss of both levels.
        weight_batch: images and labels of the weight half.
        arch_batch: images and labels of the architecture half.
        weight_optimizer: plain SGD over the weights; rate, momentum and decay are read from each of its groups. Weights
            that it does not hold stay where they are.
        num_micro_batches: parts that each batch is taken in, to save memory.
        average: over processes; one process when absent.

    Raises:
        DartsError: the supernet's mixing weights are random, which the differences would have to draw alike.
        OptimizerError: not SGD, or SGD with Nesterov momentum, dampening or ``maximize``, or with none of the weights.

    Source: DARTS, equations 7 and 8.
    """
    if net.family.dirichlet:
        raise DartsError(
            f"the supernet is of family {net.family.name!r}, whose mixing weights are random, and the unrolled "
            'gradient is of given ones; expected order="first".'
        )
    held = _held_weights(net, weight_optimizer)
    alphas = net.arch_parameters()

    def gradient(forward: Forward, batch: Batch, inputs: Sequence[Tensor]) -> LossGradient:
        return loss_gradient(forward, criterion, batch, inputs, num_micro_batches=num_micro_batches, average=average)

    def at(tensors: Mapping[str, Tensor]) -> Forward:
        return lambda images: functional_call(net, dict(tensors), (images,))

    descent = gradient(net, weight_batch, [one.weight for one in held]).gradients
    stepped = {one.name: one.after_step(slope) for one, slope in zip(held, descent, strict=True)}
    statistics = {name: buffer.clone() for name, buffer in net.named_buffers()}
    ahead = gradient(at({**stepped, **statistics}), arch_batch, [*alphas, *stepped.values()])
    direct, slopes = ahead.gradients[: len(alphas)], ahead.gradients[len(alphas) :]

    direction = [one.rate * slope for one, slope in zip(held, slopes, strict=True)]
    norm = get_total_norm(direction)
    unit = DIFFERENCE_NORM / norm.clamp_min(torch.finfo(norm.dtype).tiny)

    def alpha_gradients(sign: int) -> tuple[Tensor, ...]:
        with torch.no_grad():
            moved = {one.name: one.weight + sign * unit * towards for one, towards in zip(held, direction, strict=True)}
        with frozen(net.weight_parameters()):
            return gradient(at(moved), weight_batch, alphas).gradients

    with torch.random.fork_rng(devices={alpha.device for alpha in alphas if alpha.is_cuda}):
        above = alpha_gradients(+1)
    below = alpha_gradients(-1)
    found = tuple(
        first - (up - down) * (norm / (2 * DIFFERENCE_NORM))
        for first, up, down in zip(direct, above, below, strict=True)
    )
    return AlphaGradient(ahead.loss, ahead.logits, found)


def add_penalties(net: Supernet, gradient: AlphaGradient, penalties: Sequence[Penalty]) -> AlphaGradient:
    """The gradient of the architecture loss with penalties on the mixing weights added; the loss stays without them.

    Args:
        net: whose alphas the gradient is of.
        gradient: without the penalties.
        penalties: scalar functions of ``net.strengths()``; the same in every process.
    """
    if not penalties:
        return gradient
    strengths = net.strengths()
    total = torch.stack([penalty(strengths) for penalty in penalties]).sum()
    slopes = torch.autograd.grad(total, net.arch_parameters(), materialize_grads=True)
    both = zip(gradient.gradients, slopes, strict=True)
    return gradient._replace(gradients=tuple(found + slope for found, slope in both))


def assign_alpha_gradient(net: Supernet, gradient: AlphaGradient) -> None:
    """Put the gradient where the architecture optimizer looks for it."""
    for parameter, slope in zip(net.arch_parameters(), gradient.gradients, strict=True):
        parameter.grad = slope


class _HeldWeight(NamedTuple):
    """A weight and how its optimizer moves it."""

    name: str
    weight: Tensor
    rate: float
    momentum: float
    decay: float
    buffer: Tensor | None

    @torch.no_grad()
    def after_step(self, slope: Tensor) -> Tensor:
        """The weight that the optimizer's step would give, as a leaf."""
        towards = slope + self.decay * self.weight
        if self.buffer is not None:
            towards = self.momentum * self.buffer + towards
        return (self.weight - self.rate * towards).requires_grad_()


def _held_weights(net: Supernet, optimizer: Optimizer) -> list[_HeldWeight]:
    if not isinstance(optimizer, SGD):
        raise OptimizerError(
            f"the weight optimizer is {type(optimizer).__name__}, whose step the unrolled gradient cannot follow; "
            'expected torch.optim.SGD. Take that, or order="first".'
        )
    unknown = sorted({name for group in optimizer.param_groups for name in _NOT_FOLLOWED if group[name]})
    if unknown:
        raise OptimizerError(
            f"the weight optimizer is SGD with {' and '.join(unknown)}, which the unrolled gradient does not follow; "
            'expected rate, momentum and weight decay only. Leave the rest out, or take order="first".'
        )
    groups = {parameter: group for group in optimizer.param_groups for parameter in group["params"]}
    held = [
        _HeldWeight(
            name,
            weight,
            groups[weight]["lr"],
            groups[weight]["momentum"],
            groups[weight]["weight_decay"],
            optimizer.state.get(weight, {}).get("momentum_buffer"),
        )
        for name, weight in net.named_weight_parameters()
        if weight in groups and weight.requires_grad
    ]
    if not held:
        raise OptimizerError(
            "the weight optimizer holds none of the supernet's weights; expected it over net.weight_parameters(). "
            "Build it after the network has its final parameters."
        )
    return held


_NOT_FOLLOWED = ("nesterov", "dampening", "maximize")
