"""The primitives: names an edge may hold, and the op modules they stand for.

All convolutions are free of bias; every batch normalisation has eps 1e-5 and momentum 0.1. In a supernet the
normalisations of the ops are not affine, and pools are followed by one, so that the outputs of the ops are
comparable; a discrete network has affine normalisations and bare pools.

Source: DARTS (Liu et al. 2019, arXiv:1806.09055), section 3.1.1; ``noise`` from RobustDARTS (Zela et al. 2020,
arXiv:1909.09656), space S4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from darts import kernels
from darts.errors import ShapeError, SpaceError
from darts.shared import NodeSum, PoolKind, SharedState, add_normalised_pool, scaled_norm


class ReluConvBn(nn.Sequential):
    """ReLU, convolution, batch normalisation."""

    def __init__(self, in_channels: int, out_channels: int, *, affine: bool) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(out_channels, affine=affine),
        )

    def after_relu(self, x: Tensor) -> Tensor:
        """The output, where the ReLU has been applied already."""
        return cast(Tensor, self[2](self[1](x)))


class DepthwiseConv2d(nn.Conv2d):
    """A kernel for every channel, without bias, padded so that stride 1 keeps height and width."""

    def __init__(self, channels: int, kernel_size: int, stride: int = 1, dilation: int = 1) -> None:
        padding = dilation * (kernel_size // 2)
        super().__init__(channels, channels, kernel_size, stride, padding, dilation, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, h, w) to (batch, channels, ceil(h/stride), ceil(w/stride))."""
        return kernels.depthwise_conv2d(x, self.weight, self.stride[0], self.dilation[0])


def _separable(channels: int, kernel_size: int, stride: int, dilation: int, affine: bool) -> list[nn.Module]:
    return [
        nn.ReLU(),
        DepthwiseConv2d(channels, kernel_size, stride, dilation),
        nn.Conv2d(channels, channels, kernel_size=1, bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    ]


class Op(nn.Module):
    """What a primitive stands for. On its own it maps a state to a term of a node; a supernet mixes it in."""

    def mix(self, state: SharedState, weight: Tensor, node: NodeSum) -> None:
        """Add ``weight * self(state.x)`` to a node, sharing with other edges what can be shared.

        Args:
            state: of (batch, channels, h, w).
            weight: mixing weight, a scalar.
            node: gets the term.
        """
        node.add_scaled(weight, self(state.x))


class SeparableConv(nn.Sequential, Op):
    """Separable convolutions with their ReLUs and normalisations."""

    def mix(self, state: SharedState, weight: Tensor, node: NodeSum) -> None:
        """As :meth:`Op.mix`; the first ReLU is the state's, and the weight the last normalisation's scale."""
        _, *layers, norm = self
        x = state.relu
        for layer in layers:
            x = layer(x)
        node.add(scaled_norm(norm, x, weight))


class SepConv(SeparableConv):
    """Separable convolution, applied twice; the first application carries the stride."""

    def __init__(self, channels: int, kernel_size: int, stride: int, *, affine: bool) -> None:
        super().__init__(
            *_separable(channels, kernel_size, stride, 1, affine), *_separable(channels, kernel_size, 1, 1, affine)
        )


class DilConv(SeparableConv):
    """Separable convolution with dilation 2, applied once."""

    def __init__(self, channels: int, kernel_size: int, stride: int, *, affine: bool) -> None:
        super().__init__(*_separable(channels, kernel_size, stride, 2, affine))


class FactorizedReduce(Op):
    """Halve height and width without losing pixels: two 1x1 convolutions of stride 2, one of them shifted by a pixel.

    Raises:
        ShapeError: an odd number of output channels, or (at the call) a map of odd height or width.
    """

    def __init__(self, in_channels: int, out_channels: int, *, affine: bool) -> None:
        super().__init__()
        if out_channels % 2:
            raise ShapeError(f"a factorized reduction gives an even number of channels; {out_channels} were asked for.")
        self.relu = nn.ReLU()
        self.conv_even = nn.Conv2d(in_channels, out_channels // 2, kernel_size=1, stride=2, bias=False)
        self.conv_odd = nn.Conv2d(in_channels, out_channels // 2, kernel_size=1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(out_channels, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_channels, h, w) to (batch, out_channels, h/2, w/2)."""
        return self.after_relu(self.relu(x))

    def after_relu(self, x: Tensor) -> Tensor:
        """The output, where the ReLU has been applied already."""
        return cast(Tensor, self.norm(self._halved(x)))

    def mix(self, state: SharedState, weight: Tensor, node: NodeSum) -> None:
        """As :meth:`Op.mix`; the ReLU is the state's, and the weight the normalisation's scale."""
        node.add(scaled_norm(self.norm, self._halved(state.relu), weight))

    def _halved(self, x: Tensor) -> Tensor:
        if x.shape[-1] % 2 or x.shape[-2] % 2:
            raise ShapeError(
                f"a reduction halves a map of {x.shape[-2]}x{x.shape[-1]}, which is odd; "
                "choose an image size that every reduction can halve, such as a multiple of 4."
            )
        even = kernels.halving_conv2d(x, self.conv_even.weight)
        return torch.cat([even, kernels.halving_conv2d(x[:, :, 1:, 1:], self.conv_odd.weight)], dim=1)


class Identity(nn.Identity, Op):
    """The skip connection of stride 1."""


class Zero(Op):
    """The absent edge: zeros of the output's shape."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, c, h, w) to zeros of (batch, c, ceil(h/stride), ceil(w/stride))."""
        return x[:, :, :: self.stride, :: self.stride] * 0.0

    def mix(self, state: SharedState, weight: Tensor, node: NodeSum) -> None:
        """Add nothing: the loss does not depend on the weight, whose gradient is 0."""


class Noise(Op):
    """Fresh standard normal noise of the output's shape, whatever the input; random in evaluation mode too."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, c, h, w) to noise of (batch, c, ceil(h/stride), ceil(w/stride))."""
        return torch.randn_like(x[:, :, :: self.stride, :: self.stride])


class Pool(nn.Sequential, Op):
    """A 3x3 pool, in a supernet followed by a batch normalisation; what lies beyond the border does not count.

    Args:
        kind: ``max`` or ``avg``.
        channels: of input and output.
        stride: 1 or 2.
        norm: whether the normalisation follows.
    """

    def __init__(self, kind: PoolKind, channels: int, stride: int, *, norm: bool) -> None:
        pool = (
            nn.MaxPool2d(3, stride=stride, padding=1)
            if kind == "max"
            else nn.AvgPool2d(3, stride=stride, padding=1, count_include_pad=False)
        )
        super().__init__(pool, *([nn.BatchNorm2d(channels, affine=False)] if norm else []))
        self.kind = kind
        self.stride = stride

    def mix(self, state: SharedState, weight: Tensor, node: NodeSum) -> None:
        """As :meth:`Op.mix`; the pool is the state's, and so are the statistics of the batch."""
        add_normalised_pool(node, state, self.kind, self.stride, self[1], weight)


OpFactory = Callable[[int, int, bool, bool], Op]
"""(channels, stride, affine, pool_norm) -> op."""

PRIMITIVES: Mapping[str, OpFactory] = {
    "none": lambda channels, stride, affine, pool_norm: Zero(stride),
    "noise": lambda channels, stride, affine, pool_norm: Noise(stride),
    "max_pool_3x3": lambda channels, stride, affine, pool_norm: Pool("max", channels, stride, norm=pool_norm),
    "avg_pool_3x3": lambda channels, stride, affine, pool_norm: Pool("avg", channels, stride, norm=pool_norm),
    "skip_connect": lambda channels, stride, affine, pool_norm: (
        Identity() if stride == 1 else FactorizedReduce(channels, channels, affine=affine)
    ),
    "sep_conv_3x3": lambda channels, stride, affine, pool_norm: SepConv(channels, 3, stride, affine=affine),
    "sep_conv_5x5": lambda channels, stride, affine, pool_norm: SepConv(channels, 5, stride, affine=affine),
    "dil_conv_3x3": lambda channels, stride, affine, pool_norm: DilConv(channels, 3, stride, affine=affine),
    "dil_conv_5x5": lambda channels, stride, affine, pool_norm: DilConv(channels, 5, stride, affine=affine),
}
"""Every primitive by name."""


def make_op(name: str, channels: int, stride: int, *, affine: bool, pool_norm: bool) -> Op:
    """Build the op of a primitive.

    Args:
        name: a key of :data:`PRIMITIVES`.
        channels: of input and output.
        stride: 1, or 2 for edges that leave the inputs of a reduction cell.
        affine: whether batch normalisations learn a scale and a shift.
        pool_norm: whether pools are followed by a batch normalisation (never affine).

    Raises:
        SpaceError: the primitive is unknown.
    """
    if name not in PRIMITIVES:
        raise SpaceError(f"unknown primitive {name!r}; known are {sorted(PRIMITIVES)}.")
    return PRIMITIVES[name](channels, stride, affine, pool_norm)
