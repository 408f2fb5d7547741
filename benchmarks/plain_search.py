"""SmoothDARTS as one would write it from the papers: what :mod:`darts` is tested and timed against.

Every edge has its own modules, every op its own ReLU, pool and batch normalisation, maps are NCHW, an edge computes
``sum(w * op(x))``, and every backward pass goes through everything, wanted or not. Of :mod:`darts` only the search
spaces are used; the names and shapes of the state equal those of ``darts.Supernet``, so that a state fits both.

Source: DARTS (Liu et al. 2019, arXiv:1806.09055) and SmoothDARTS (Chen & Hsieh 2020, arXiv:2002.05283).
"""

from __future__ import annotations

import copy
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from darts.space import SearchSpace

Batch = tuple[Tensor, Tensor]
"""Images (batch, channels, h, w) and labels (batch,)."""

Mixing = tuple[Tensor, Tensor]
"""Weights of the candidate ops in normal and in reduction cells, (num_edges, num_primitives) each."""

Method = Literal["plain", "random", "adversarial"]
"""What happens to the mixing weights in the weight step: nothing, SDARTS-RS or SDARTS-ADV."""

ATTACK_STEPS = 7
FINITE_DIFFERENCE_SCALE = 1e-2


class Zero(nn.Module):
    """The op ``none``: zeros that stay connected to the input."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, c, h, w) to zeros, subsampled by the stride."""
        return x[:, :, :: self.stride, :: self.stride] * 0


class Noise(nn.Module):
    """The op ``noise``: fresh standard normal numbers, whatever the input."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, c, h, w) to noise, subsampled by the stride."""
        return torch.randn_like(x[:, :, :: self.stride, :: self.stride])


class FactorizedReduce(nn.Module):
    """Halve the map by two 1x1 convolutions of stride 2, the second shifted by one pixel."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv_even = nn.Conv2d(in_channels, out_channels // 2, 1, stride=2, bias=False)
        self.conv_odd = nn.Conv2d(in_channels, out_channels // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(out_channels, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_channels, h, w) to (batch, out_channels, h/2, w/2)."""
        x = self.relu(x)
        return cast(Tensor, self.norm(torch.cat([self.conv_even(x), self.conv_odd(x[:, :, 1:, 1:])], dim=1)))


def relu_conv_bn(in_channels: int, out_channels: int) -> nn.Sequential:
    """What brings an input of a cell to the cell's channels."""
    conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(out_channels, affine=False))


def separable(channels: int, kernel_size: int, stride: int, dilation: int = 1) -> nn.Sequential:
    """ReLU, depthwise and pointwise convolution, batch normalisation."""
    padding = dilation * (kernel_size - 1) // 2
    depthwise = nn.Conv2d(
        channels, channels, kernel_size, stride, padding, dilation=dilation, groups=channels, bias=False
    )
    pointwise = nn.Conv2d(channels, channels, 1, bias=False)
    return nn.Sequential(nn.ReLU(), depthwise, pointwise, nn.BatchNorm2d(channels, affine=False))


def make_op(name: str, channels: int, stride: int) -> nn.Module:
    """The module of one primitive; ``sep_conv`` and ``dil_conv`` end in their kernel size."""
    if name == "none":
        return Zero(stride)
    if name == "noise":
        return Noise(stride)
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
    if name == "max_pool_3x3":
        return nn.Sequential(nn.MaxPool2d(3, stride, 1), nn.BatchNorm2d(channels, affine=False))
    if name == "avg_pool_3x3":
        pool = nn.AvgPool2d(3, stride, 1, count_include_pad=False)
        return nn.Sequential(pool, nn.BatchNorm2d(channels, affine=False))
    kernel_size = int(name[-1])
    if name.startswith("dil_conv"):
        return separable(channels, kernel_size, stride, dilation=2)
    return nn.Sequential(*separable(channels, kernel_size, stride), *separable(channels, kernel_size, 1))


class MixedOp(nn.Module):
    """One edge: all its candidate ops, and their weighted sum."""

    def __init__(self, primitives: tuple[str, ...], channels: int, stride: int) -> None:
        super().__init__()
        self.ops = nn.ModuleList(make_op(name, channels, stride) for name in primitives)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """Mix the candidates of ``x`` by ``weights``, shape (num_primitives,)."""
        return cast(Tensor, sum(weight * op(x) for weight, op in zip(weights, self.ops, strict=True)))


class Cell(nn.Module):
    """A cell: two inputs, nodes that each sum all edges into them, and the concatenation of the nodes."""

    def __init__(
        self,
        space: SearchSpace,
        before_previous: int,
        previous: int,
        channels: int,
        *,
        reduction: bool,
        previous_reduces: bool,
    ) -> None:
        super().__init__()
        self.reduction = reduction
        self.num_nodes = space.num_nodes
        self.preprocess0 = (FactorizedReduce if previous_reduces else relu_conv_bn)(before_previous, channels)
        self.preprocess1 = relu_conv_bn(previous, channels)
        self.edges = nn.ModuleList(
            MixedOp(names, channels, stride=2 if reduction and source < 2 else 1)
            for names, (source, _) in zip(space.reduction if reduction else space.normal, space.edges, strict=True)
        )

    def forward(self, before_previous: Tensor, previous: Tensor, weights: Tensor) -> Tensor:
        """Compute the cell on the outputs of the two cells before it."""
        states = [self.preprocess0(before_previous), self.preprocess1(previous)]
        row = 0
        for _ in range(self.num_nodes):
            states.append(sum(self.edges[row + i](state, weights[row + i]) for i, state in enumerate(states)))
            row += len(states) - 1
        return torch.cat(states[2:], dim=1)


class PlainSupernet(nn.Module):
    """The search network of DARTS; a state of ``darts.Supernet`` of the same sizes loads into it.

    Args:
        space: which primitives each edge offers.
        num_classes: outputs of the classifier.
        channels: of each node of the first cells; doubled at a third and at two thirds of the depth.
        num_cells: cells stacked.
        in_channels: of the images.
        stem: ``cifar`` keeps the size of the images, ``imagenet`` halves it twice.
    """

    def __init__(
        self,
        space: SearchSpace,
        num_classes: int,
        channels: int = 16,
        num_cells: int = 8,
        in_channels: int = 3,
        stem: Literal["cifar", "imagenet"] = "cifar",
    ) -> None:
        super().__init__()
        width = 3 * channels
        if stem == "cifar":
            self.stem = nn.Sequential(nn.Conv2d(in_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        else:
            self.stem = nn.Sequential(
                nn.Conv2d(in_channels, width // 2, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width // 2),
                nn.ReLU(),
                nn.Conv2d(width // 2, width, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
            )
        self.cells = nn.ModuleList()
        before_previous = previous = width
        previous_reduces = False
        for index in range(num_cells):
            reduction = index in (num_cells // 3, 2 * num_cells // 3)
            channels = 2 * channels if reduction else channels
            self.cells.append(
                Cell(space, before_previous, previous, channels, reduction=reduction, previous_reduces=previous_reduces)
            )
            before_previous, previous, previous_reduces = previous, space.num_nodes * channels, reduction
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(previous, num_classes)
        self.normal_alpha = nn.Parameter(1e-3 * torch.randn(space.num_edges, space.num_primitives))
        self.reduction_alpha = nn.Parameter(1e-3 * torch.randn(space.num_edges, space.num_primitives))

    def arch_parameters(self) -> list[nn.Parameter]:
        """The alphas of normal and reduction cells."""
        return [self.normal_alpha, self.reduction_alpha]

    def weight_parameters(self) -> list[nn.Parameter]:
        """Every parameter but the alphas."""
        return [parameter for name, parameter in self.named_parameters() if not name.endswith("_alpha")]

    def mixing_weights(self) -> Mixing:
        """Softmax of the alphas over the primitives of each edge."""
        return self.normal_alpha.softmax(dim=-1), self.reduction_alpha.softmax(dim=-1)

    def forward(self, images: Tensor, mixing: Mixing | None = None) -> Tensor:
        """Class logits, (batch, num_classes), with these mixing weights or else the softmax of the alphas."""
        normal, reduction = self.mixing_weights() if mixing is None else mixing
        before_previous = previous = self.stem(images)
        for cell in self.cells:
            weights = reduction if cell.reduction else normal
            before_previous, previous = previous, cell(before_previous, previous, weights)
        return cast(Tensor, self.classifier(self.pool(previous).flatten(1)))


class PlainStep(NamedTuple):
    """What one step saw: losses, norm of the weight gradient before clipping, mixing weights of the weight step."""

    arch_loss: Tensor
    weight_loss: Tensor
    gradient_norm: Tensor
    mixing: Mixing


def loss_of(net: PlainSupernet, batch: Batch, mixing: Mixing | None = None) -> Tensor:
    """Cross-entropy on a batch, with a graph."""
    images, labels = batch
    return F.cross_entropy(net(images, mixing), labels)


def backward(loss: Tensor) -> None:
    """Fill the gradients of everything that the loss depends on."""
    loss.backward()  # type: ignore[no-untyped-call]


def unrolled_backward(net: PlainSupernet, weight_batch: Batch, arch_batch: Batch, optimizer: Optimizer) -> Tensor:
    """Second-order gradient of the alphas, left in their ``grad`` (DARTS, equations 7 and 8); the loss at w'."""
    group = optimizer.param_groups[0]
    weights = net.weight_parameters()
    gradients = torch.autograd.grad(loss_of(net, weight_batch), weights)
    ahead = copy.deepcopy(net)
    with torch.no_grad():
        for moved, weight, gradient in zip(ahead.weight_parameters(), weights, gradients, strict=True):
            velocity = optimizer.state.get(weight, {}).get("momentum_buffer")
            descent = gradient + group["weight_decay"] * weight
            if velocity is not None:
                descent = descent + group["momentum"] * velocity
            moved.copy_(weight - group["lr"] * descent)
    loss = loss_of(ahead, arch_batch)
    *direction, normal, reduction = torch.autograd.grad(loss, [*ahead.weight_parameters(), *ahead.arch_parameters()])

    scale = FINITE_DIFFERENCE_SCALE / float(torch.cat([part.flatten() for part in direction]).norm())
    sides = []
    for shift in (scale, -2 * scale):
        with torch.no_grad():
            for weight, part in zip(weights, direction, strict=True):
                weight.add_(part, alpha=shift)
        sides.append(torch.autograd.grad(loss_of(net, weight_batch), net.arch_parameters()))
    with torch.no_grad():
        for weight, part in zip(weights, direction, strict=True):
            weight.add_(part, alpha=scale)
    for alpha, outer, above, below in zip(net.arch_parameters(), (normal, reduction), *sides, strict=True):
        alpha.grad = outer - group["lr"] * (above - below) / (2 * scale)
    return loss.detach()


def to_simplex(rows: Tensor) -> Tensor:
    """Clamp to [0, 1] and divide by the row's sum; a row left empty becomes one-hot where it was largest."""
    clamped = rows.clamp(0, 1)
    empty = (clamped == 0).all(dim=-1)
    clamped[empty, rows[empty].argmax(dim=-1)] = 1
    return clamped / clamped.sum(dim=-1, keepdim=True)


def perturb_random(mixing: Mixing, radius: float, generator: torch.Generator | None) -> Mixing:
    """SDARTS-RS: uniform noise on every mixing weight, normal cells first."""
    device = mixing[0].device if generator is None else generator.device
    noise = [
        torch.empty_like(weights, device=device).uniform_(-radius, radius, generator=generator).to(weights.device)
        for weights in mixing
    ]
    return to_simplex(mixing[0] + noise[0]), to_simplex(mixing[1] + noise[1])


def perturb_adversarial(
    net: PlainSupernet,
    mixing: Mixing,
    batch: Batch,
    radius: float,
    random_start: bool,
    generator: torch.Generator | None,
) -> Mixing:
    """SDARTS-ADV: seven sign-gradient steps uphill, the network in evaluation mode, every one a full backward pass."""
    net.eval()
    with torch.no_grad():
        loss_before = loss_of(net, batch, mixing)
    moved = perturb_random(mixing, radius, generator) if random_start else mixing
    for _ in range(ATTACK_STEPS):
        normal, reduction = (weights.clone().requires_grad_() for weights in moved)
        backward(loss_of(net, batch, (normal, reduction)))
        with torch.no_grad():
            moved = (_climb(normal, mixing[0], radius), _climb(reduction, mixing[1], radius))
        net.zero_grad()
    with torch.no_grad():
        loss_after = loss_of(net, batch, moved)
    net.train()
    return mixing if loss_before > loss_after else moved


def _climb(weights: Tensor, centre: Tensor, radius: float) -> Tensor:
    step = 2 * radius / ATTACK_STEPS * cast(Tensor, weights.grad).sign()
    return to_simplex(centre + (weights + step - centre).clamp(-radius, radius))


def plain_step(
    net: PlainSupernet,
    weight_batch: Batch,
    arch_batch: Batch,
    weight_optimizer: Optimizer,
    arch_optimizer: Optimizer,
    *,
    method: Method = "plain",
    unrolled: bool = False,
    radius: float = 0.1,
    random_start: bool = True,
    generator: torch.Generator | None = None,
    max_gradient_norm: float = 5.0,
) -> PlainStep:
    """One step of the bilevel search: alphas, then the perturbation, then the weights.

    Args:
        net: in training mode.
        weight_batch: of the weight half; the attack sees it too.
        arch_batch: of the architecture half.
        weight_optimizer: SGD over ``net.weight_parameters()``, one parameter group.
        arch_optimizer: over ``net.arch_parameters()``.
        method: how the mixing weights of the weight step are perturbed.
        unrolled: second-order gradient of the alphas instead of first order.
        radius: of the perturbation.
        random_start: of the attack.
        generator: of the perturbation's noise; the global one when absent.
        max_gradient_norm: the weight gradient is clipped to it.
    """
    net.zero_grad()
    if unrolled:
        arch_loss = unrolled_backward(net, weight_batch, arch_batch, weight_optimizer)
    else:
        arch_loss = loss_of(net, arch_batch)
        backward(arch_loss)
    arch_optimizer.step()
    net.zero_grad()

    normal, reduction = net.mixing_weights()
    mixing = (normal.detach(), reduction.detach())
    if method == "random":
        mixing = perturb_random(mixing, radius, generator)
    elif method == "adversarial":
        mixing = perturb_adversarial(net, mixing, weight_batch, radius, random_start, generator)
    weight_loss = loss_of(net, weight_batch, mixing)
    backward(weight_loss)
    norm = nn.utils.clip_grad_norm_(net.weight_parameters(), max_gradient_norm)
    weight_optimizer.step()
    return PlainStep(arch_loss.detach(), weight_loss.detach(), norm, mixing)
