"""The primitives: names an edge may hold, and the op modules they stand for.

All convolutions are free of bias; every batch normalisation has eps 1e-5 and momentum 0.1. In a supernet the
normalisations of the ops are not affine, and pools are followed by one, so that the outputs of the candidates are
comparable; a discrete network has affine normalisations and bare pools.

Source: DARTS (Liu et al. 2019, arXiv:1806.09055), section 3.1.1; ``noise`` from RobustDARTS (Zela et al. 2020,
arXiv:1909.09656), space S4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from darts.errors import ShapeError, SpaceError


class ReluConvBn(nn.Sequential):
    """ReLU, convolution, batch normalisation."""

    def __init__(self, in_channels: int, out_channels: int, *, affine: bool) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(out_channels, affine=affine),
        )


def _depthwise_separable(channels: int, kernel_size: int, stride: int, dilation: int, affine: bool) -> list[nn.Module]:
    padding = dilation * (kernel_size // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel_size, stride, padding, dilation, groups=channels, bias=False),
        nn.Conv2d(channels, channels, kernel_size=1, bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    ]


class SepConv(nn.Sequential):
    """Separable convolution, applied twice; the first application carries the stride."""

    def __init__(self, channels: int, kernel_size: int, stride: int, *, affine: bool) -> None:
        super().__init__(
            *_depthwise_separable(channels, kernel_size, stride, 1, affine),
            *_depthwise_separable(channels, kernel_size, 1, 1, affine),
        )


class DilConv(nn.Sequential):
    """Separable convolution with dilation 2, applied once."""

    def __init__(self, channels: int, kernel_size: int, stride: int, *, affine: bool) -> None:
        super().__init__(*_depthwise_separable(channels, kernel_size, stride, 2, affine))


class FactorizedReduce(nn.Module):
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
        if x.shape[-1] % 2 or x.shape[-2] % 2:
            raise ShapeError(
                f"a reduction halves a map of {x.shape[-2]}x{x.shape[-1]}, which is odd; "
                "choose an image size that every reduction can halve, such as a multiple of 4."
            )
        x = self.relu(x)
        return self.norm(torch.cat([self.conv_even(x), self.conv_odd(x[:, :, 1:, 1:])], dim=1))  # type: ignore[no-any-return]


class Zero(nn.Module):
    """The absent edge: zeros of the output's shape. The graph stays connected, so alpha gets the gradient 0."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, c, h, w) to zeros of (batch, c, ceil(h/stride), ceil(w/stride))."""
        return x[:, :, :: self.stride, :: self.stride] * 0.0


class Noise(nn.Module):
    """Fresh standard normal noise of the output's shape, whatever the input; random in evaluation mode too."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, c, h, w) to noise of (batch, c, ceil(h/stride), ceil(w/stride))."""
        return torch.randn_like(x[:, :, :: self.stride, :: self.stride])


def _pool(pool: nn.Module, channels: int, pool_norm: bool) -> nn.Module:
    return nn.Sequential(pool, nn.BatchNorm2d(channels, affine=False)) if pool_norm else pool


OpFactory = Callable[[int, int, bool, bool], nn.Module]
"""(channels, stride, affine, pool_norm) -> op."""

PRIMITIVES: Mapping[str, OpFactory] = {
    "none": lambda channels, stride, affine, pool_norm: Zero(stride),
    "noise": lambda channels, stride, affine, pool_norm: Noise(stride),
    "max_pool_3x3": lambda channels, stride, affine, pool_norm: _pool(
        nn.MaxPool2d(3, stride=stride, padding=1), channels, pool_norm
    ),
    "avg_pool_3x3": lambda channels, stride, affine, pool_norm: _pool(
        nn.AvgPool2d(3, stride=stride, padding=1, count_include_pad=False), channels, pool_norm
    ),
    "skip_connect": lambda channels, stride, affine, pool_norm: (
        nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine=affine)
    ),
    "sep_conv_3x3": lambda channels, stride, affine, pool_norm: SepConv(channels, 3, stride, affine=affine),
    "sep_conv_5x5": lambda channels, stride, affine, pool_norm: SepConv(channels, 5, stride, affine=affine),
    "dil_conv_3x3": lambda channels, stride, affine, pool_norm: DilConv(channels, 3, stride, affine=affine),
    "dil_conv_5x5": lambda channels, stride, affine, pool_norm: DilConv(channels, 5, stride, affine=affine),
}
"""Every primitive by name."""


def make_op(name: str, channels: int, stride: int, *, affine: bool, pool_norm: bool) -> nn.Module:
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
