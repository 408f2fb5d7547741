"""Oracle throughout: the stock PyTorch operation that each routine stands for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import darts
from darts import kernels

SIZES = [(8, 8), (12, 6), (7, 7), (5, 4), (3, 3), (1, 1), (2, 1)]


def _map(height: int, width: int, channels: int = 4, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, channels, height, width, generator=generator, dtype=dtype)
    return x.contiguous(memory_format=torch.channels_last).requires_grad_()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel_size", [3, 5])
def test_a_depthwise_convolution_and_both_its_gradients_are_the_stock_ones(
    kernel_size: int, stride: int, dilation: int, size: tuple[int, int]
) -> None:
    x = _map(*size)
    weight = torch.randn(4, 1, kernel_size, kernel_size, dtype=torch.float64).requires_grad_()
    found = kernels.depthwise_conv2d(x, weight, stride, dilation)
    expected = F.conv2d(x, weight, None, stride, dilation * (kernel_size // 2), dilation, groups=4)
    torch.testing.assert_close(found, expected)
    upstream = torch.randn_like(expected)
    torch.testing.assert_close(
        torch.autograd.grad(found, [x, weight], upstream), torch.autograd.grad(expected, [x, weight], upstream)
    )


def test_a_depthwise_convolution_is_exact_in_single_precision_too() -> None:
    # The kernels differ from those of double precision: this is the precision that networks are trained in.
    x, weight = _map(16, 16, 32, dtype=torch.float32), torch.randn(32, 1, 5, 5).requires_grad_()
    found, expected = kernels.depthwise_conv2d(x, weight, 1, 2), F.conv2d(x, weight, None, 1, 4, 2, groups=32)
    upstream = torch.randn_like(expected)
    for one, other in zip(
        torch.autograd.grad(found, [x, weight], upstream),
        torch.autograd.grad(expected, [x, weight], upstream),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_a_depthwise_convolution_has_second_derivatives(stride: int, dilation: int) -> None:
    # Oracle: finite differences of the first derivatives.
    x, weight = _map(4, 4, 2), torch.randn(2, 1, 5, 5, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradgradcheck(
        lambda x, weight: kernels.depthwise_conv2d(x, weight, stride, dilation), (x, weight)
    )


@pytest.mark.parametrize("channels", [2, 4, 8])
def test_a_halving_convolution_and_both_its_gradients_are_the_stock_ones(channels: int) -> None:
    x = _map(8, 6, channels)
    weight = torch.randn(3, channels, 1, 1, dtype=torch.float64).requires_grad_()
    found, expected = kernels.halving_conv2d(x, weight), F.conv2d(x, weight, stride=2)
    torch.testing.assert_close(found, expected)
    upstream = torch.randn_like(expected)
    torch.testing.assert_close(
        torch.autograd.grad(found, [x, weight], upstream), torch.autograd.grad(expected, [x, weight], upstream)
    )


def test_training_supernets_of_two_channels_leaves_the_heap_whole() -> None:
    # Oracle: the C library, which aborts a process whose heap was written to beyond its blocks.
    code = (
        "import torch, darts\n"
        "for _ in range(12):\n"
        "    net = darts.Supernet(darts.S5, 2, 2, 3)\n"
        "    net(torch.randn(2, 3, 8, 8)).sum().backward()\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("stride", [1, 2])
def test_an_average_pool_does_not_count_what_lies_beyond_the_border(stride: int, size: tuple[int, int]) -> None:
    x = _map(*size)
    found, expected = kernels.avg_pool_3x3(x, stride), F.avg_pool2d(x, 3, stride, 1, count_include_pad=False)
    torch.testing.assert_close(found, expected)
    upstream = torch.randn_like(expected)
    torch.testing.assert_close(torch.autograd.grad(found, x, upstream), torch.autograd.grad(expected, x, upstream))


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_concatenated_maps_get_gradients_that_are_dense_in_the_layout_of_the_whole(layout: torch.memory_format) -> None:
    maps = [_map(4, 4, channels, seed=channels) for channels in (2, 3)]
    whole = kernels.concatenate([x.contiguous(memory_format=layout) for x in maps])
    assert torch.equal(whole, torch.cat(maps, dim=1))
    upstream = torch.randn_like(whole)
    gradients = torch.autograd.grad(whole, maps, upstream)
    assert all(gradient.is_contiguous(memory_format=layout) for gradient in gradients)
    assert torch.equal(torch.cat(gradients, dim=1), upstream)


def test_under_autocast_the_stock_operations_run() -> None:
    x, weight = _map(4, 4, dtype=torch.float32), torch.randn(4, 1, 3, 3).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = kernels.depthwise_conv2d(x, weight, 1, 2)
        expected = F.conv2d(x, weight, None, 1, 2, 2, groups=4)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, expected)
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None


@pytest.mark.parametrize("space", [darts.S1, darts.S5], ids=lambda space: space.name)
def test_a_network_that_was_evaluated_in_inference_mode_can_be_trained_afterwards(space: darts.SearchSpace) -> None:
    net, images = darts.Supernet(space, 2, 2, 3), torch.randn(2, 3, 8, 8)
    with torch.inference_mode():
        net(images)
    net(images).sum().backward()
    assert net.normal_alpha.grad is not None


def _discrete_network() -> darts.DiscreteNetwork:
    genotype = darts.Genotype(
        normal=tuple((name, source) for _ in range(4) for name, source in (("dil_conv_5x5", 0), ("avg_pool_3x3", 1))),
        reduction=tuple(
            (name, source) for _ in range(4) for name, source in (("sep_conv_5x5", 0), ("dil_conv_3x3", 1))
        ),
    )
    return darts.DiscreteNetwork(genotype, num_classes=2, channels=2, num_cells=3).eval()


@pytest.mark.filterwarnings("ignore:.*torch.jit.*", "ignore:.*Converting a tensor.*")
def test_a_discrete_network_can_be_traced_and_saved(tmp_path: Path) -> None:
    net, images = _discrete_network(), torch.randn(2, 3, 8, 8)
    traced = torch.jit.trace(net, images)  # type: ignore[no-untyped-call]
    traced.save(tmp_path / "network.pt")
    torch.testing.assert_close(torch.jit.load(tmp_path / "network.pt")(images), net(images))  # type: ignore[no-untyped-call]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:FutureWarning")  # torch.func's own use
def test_networks_can_be_transformed_by_torch_func() -> None:
    # Oracle: a loop over the images.
    net, images = _discrete_network().double(), torch.randn(3, 3, 8, 8, dtype=torch.float64)
    mapped = torch.func.vmap(lambda image: net(image[None])[0])(images)
    torch.testing.assert_close(mapped, torch.cat([net(image[None]) for image in images]))
    assert torch.func.hessian(lambda x: net(x).sum())(images[:1, :, :4, :4]).shape == (1, 3, 4, 4, 1, 3, 4, 4)
