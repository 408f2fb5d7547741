"""The few operations whose stock CPU kernels are slow in training, computed another way with the same result.

In training with float32 on a CPU, most of the time of the stock kernels goes into the backward of dilated and of 5x5
depthwise convolutions, for which there are no fast ones, and into average pooling. Everything here equals the stock
operation up to rounding. Elsewhere than on a CPU, under autocast, while a graph is traced for compilation or export,
and under the transforms of ``torch.func``, the stock operation itself is what runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_SAFE_CHANNELS = 8


def _transformed() -> bool:
    """Whether a graph is traced, or ``torch.func`` transforms the computation: both want stock operations only."""
    return (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        or torch._C._are_functorch_transforms_active()  # there is no public question for it
    )


def slow_on_stock_kernels(x: Tensor) -> bool:
    """Whether a map is processed where the operations of this module are faster than the stock ones."""
    return x.device.type == "cpu" and not torch.is_autocast_enabled("cpu") and not _transformed()


def in_fast_layout(images: Tensor) -> Tensor:
    """Images with channels last in memory where a CPU works on them: every map that follows keeps the layout."""
    return images.contiguous(memory_format=torch.channels_last) if slow_on_stock_kernels(images) else images


def concatenate(maps: Sequence[Tensor]) -> Tensor:
    """Concatenate maps along the channels; each gets a gradient of its own, dense in memory.

    The stock operation hands out slices of one gradient, on which the kernels that follow are slow.

    Args:
        maps: shapes (batch, channels of each, h, w).
    """
    return torch.cat(list(maps), dim=1) if _transformed() else _Concatenate.apply(*maps)


def depthwise_conv2d(x: Tensor, weight: Tensor, stride: int = 1, dilation: int = 1) -> Tensor:
    """Convolve every channel with its own odd kernel, padded so that stride 1 keeps height and width.

    Args:
        x: shape (batch, channels, h, w).
        weight: shape (channels, 1, k, k).
        stride: 1 or 2.
        dilation: 1 or 2.

    Returns:
        Shape (batch, channels, ceil(h / stride), ceil(w / stride)).
    """
    if not slow_on_stock_kernels(x):
        return _convolve(x, weight, stride, dilation)
    if stride == dilation == 2:  # such a kernel reads even rows and columns only
        x, stride, dilation = x[:, :, ::2, ::2], 1, 1
    return _DepthwiseConv2d.apply(x, weight, stride, dilation)  # type: ignore[no-any-return]


def avg_pool_3x3(x: Tensor, stride: int) -> Tensor:
    """Mean of each 3x3 window; positions beyond the border do not count.

    Args:
        x: shape (batch, channels, h, w).
        stride: 1 or 2.
    """
    if not slow_on_stock_kernels(x):
        return F.avg_pool2d(x, 3, stride, padding=1, count_include_pad=False)
    kernel = x.new_ones(x.shape[1], 1, 3, 3)
    counts = F.conv2d(x.new_ones(1, 1, *x.shape[2:]), kernel[:1], None, stride, padding=1)  # inside the border
    return depthwise_conv2d(x, kernel, stride) / counts


def halving_conv2d(x: Tensor, weight: Tensor) -> Tensor:
    """Convolve every second pixel of every second row with a 1x1 kernel.

    With fewer than 8 channels that come in, and channels last in memory, the backward of PyTorch 2.15's own strided
    operation writes beyond its memory on CPUs with AVX2; such pixels are picked first, and convolved without a stride.

    Args:
        x: shape (batch, channels, h, w).
        weight: shape (out_channels, channels, 1, 1).

    Returns:
        Shape (batch, out_channels, ceil(h / 2), ceil(w / 2)).
    """
    if slow_on_stock_kernels(x) and x.shape[1] < _SAFE_CHANNELS:
        return F.conv2d(x[:, :, ::2, ::2], weight)
    return F.conv2d(x, weight, stride=2)


def _convolve(x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    padding = dilation * (weight.shape[-1] // 2)
    return F.conv2d(x, weight, None, stride, (padding, padding), dilation, x.shape[1])  # one number cannot be traced


class _Concatenate(torch.autograd.Function):
    """Concatenation along the channels."""

    @staticmethod
    def forward(*maps: Tensor) -> Tensor:
        return torch.cat(maps, dim=1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.num_channels = [x.shape[1] for x in inputs]
        last = inputs[0].is_contiguous(memory_format=torch.channels_last)
        ctx.layout = torch.channels_last if last else torch.contiguous_format

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        return tuple(
            part.contiguous(memory_format=ctx.layout) for part in torch.split(gradient, ctx.num_channels, dim=1)
        )


class _DepthwiseConv2d(torch.autograd.Function):
    """Depthwise convolution whose gradients use kernels that are fast on a CPU."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
        return _convolve(x, weight, stride, dilation)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int, int], output: Tensor) -> None:
        x, weight, ctx.stride, ctx.dilation = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        for_x = for_weight = None
        if ctx.needs_input_grad[0]:
            for_x = _gradient_of_input(gradient, x, weight, ctx.stride, ctx.dilation)
        if ctx.needs_input_grad[1]:
            for_weight = _gradient_of_kernel(gradient, x, weight, ctx.stride, ctx.dilation)
        return for_x, for_weight, None, None


def _gradient_of_input(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    if stride == 1:  # the forward kernels are faster than the backward ones
        return _convolve(gradient, weight.flip(2, 3), stride, dilation)
    return _stock_backward(gradient, x, weight, stride, of_input=True)


def _gradient_of_kernel(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    if dilation == 2:  # each of the four parities of rows and columns is a map on which the kernel is not dilated
        return _gradient_of_kernel(_parities(gradient), _parities(x), weight, stride, 1)
    if weight.shape[-1] != 5 or stride != 1 or x.shape[-1] < 2:
        return _stock_backward(gradient, x, weight, stride)
    # There is a fast kernel for up to three columns: the inner three at once, and an outer one from the shifted map.
    left, right = (_stock_backward(gradient, F.pad(x, shift), weight[..., :1], stride) for shift in ((2, -2), (-2, 2)))
    return torch.cat([left, _stock_backward(gradient, x, weight[..., 1:4], stride), right], dim=-1)


def _parities(x: Tensor) -> Tensor:
    """The maps of even and odd rows and columns, (4 * batch, channels, h / 2, w / 2); odd sizes are filled with 0."""
    if x.shape[-1] % 2 or x.shape[-2] % 2:
        x = F.pad(x, (0, x.shape[-1] % 2, 0, x.shape[-2] % 2))
    batch, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(batch, height // 2, 2, width // 2, 2, channels)
    maps = rows.permute(2, 4, 0, 1, 3, 5).reshape(4 * batch, height // 2, width // 2, channels)
    return maps.permute(0, 3, 1, 2)


def _stock_backward(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, *, of_input: bool = False) -> Tensor:
    padding = [size // 2 for size in weight.shape[2:]]
    mask = [of_input, not of_input, False]
    found = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, [stride, stride], padding, [1, 1], False, [0, 0], x.shape[1], mask
    )
    return found[0] if of_input else found[1]  # type: ignore[no-any-return]
