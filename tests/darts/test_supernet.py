from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import darts

Fill = Callable[[nn.Module], nn.Module]
Batch = Callable[[int, int, int], tuple[Tensor, Tensor]]


def test_sizes_equal_those_of_the_reference(
    space: darts.SearchSpace, reference: dict[str, Any], reference_name: Callable[[darts.SearchSpace], str]
) -> None:
    # Oracle: counts taken of the reference's networks (its alphas are no parameters).
    cases = [case for case in reference["search_networks"] if case["space"] == reference_name(space)]
    assert cases
    for case in cases:
        net = darts.Supernet(space, case["classes"], case["C"], case["layers"])
        assert sum(parameter.numel() for parameter in net.weight_parameters()) == case["params"]
        assert len(net.weight_parameters()) == case["n_param_tensors"]
        assert sum(buffer.numel() for buffer in net.buffers()) == case["buffers_numel"]
        assert sum(isinstance(module, nn.Conv2d) for module in net.modules()) == case["n_conv"]
        assert sum(isinstance(module, nn.BatchNorm2d) for module in net.modules()) == case["n_bn"]
        assert list(net.normal_alpha.shape) == case["alpha_shape"]
        assert darts.count_macs(net, (3, 32, 32)) == case["macs_per_image_32"]


def test_cells_give_maps_of_the_shapes_of_the_reference(reference: dict[str, Any]) -> None:
    net = darts.Supernet(darts.S1, 10)
    shapes: list[list[int]] = []
    for cell in net.cells:
        cell.register_forward_hook(lambda module, inputs, output: shapes.append(list(output.shape)))
    net(torch.zeros(2, 3, 32, 32))
    assert shapes == reference["s1_search_cell_output_shapes_C16_L8_batch2"][1:]


def test_forward_and_alpha_gradients_equal_the_reference_in_float64(
    reference: dict[str, Any], fill: Fill, batch: Batch, space_of: Callable[[str], darts.SearchSpace]
) -> None:
    # Oracle: the reference's float64 forward with the same shape-only weights.
    for case in reference["numeric_forward_float64"]["cases"]:
        net = cast(
            darts.Supernet,
            fill(darts.Supernet(space_of(case["space"]), case["classes"], case["C"], case["layers"]).double()),
        )
        images, labels = batch(case["batch"], case["classes"], 0)
        gradient = darts.first_order_gradient(net, F.cross_entropy, images, labels)
        torch.testing.assert_close(gradient.logits.tolist(), case["logits_train"], rtol=0, atol=1e-10)
        assert gradient.loss.item() == pytest.approx(case["loss_train"], abs=1e-10)
        torch.testing.assert_close(gradient.normal.tolist(), case["grad_alpha_normal"], rtol=0, atol=1e-10)
        torch.testing.assert_close(gradient.reduction.tolist(), case["grad_alpha_reduce"], rtol=0, atol=1e-10)
        with torch.no_grad():
            logits = net.eval()(images)
        torch.testing.assert_close(logits.tolist(), case["logits_eval_after_one_train_forward"], rtol=0, atol=1e-10)


def test_alphas_are_in_the_state_but_not_among_the_weights(small_net: darts.Supernet) -> None:
    weights, alphas = small_net.weight_parameters(), small_net.arch_parameters()
    assert {"normal_alpha", "reduction_alpha"} <= set(small_net.state_dict())
    assert not {id(parameter) for parameter in weights} & {id(parameter) for parameter in alphas}
    assert len(weights) + len(alphas) == len(list(small_net.parameters()))


def test_forward_mixes_by_the_softmax_of_alpha_unless_told_otherwise(small_net: darts.Supernet) -> None:
    images = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    small_net.eval()
    mixing = small_net.mixing_weights()
    torch.testing.assert_close(mixing.normal.sum(dim=-1), torch.ones(14, dtype=torch.float64))
    assert torch.equal(small_net(images), small_net(images, mixing=mixing))
    other = darts.MixingWeights(mixing.normal.flip(-1), mixing.reduction)
    assert not torch.allclose(small_net(images), small_net(images, mixing=other))


def test_the_alpha_gradient_is_the_slope_of_the_loss(small_net: darts.Supernet) -> None:
    # Oracle: central finite differences, with running statistics so that only alpha moves.
    small_net.eval()
    images, labels = torch.randn(4, 3, 8, 8, dtype=torch.float64), torch.tensor([0, 1, 2, 3])
    with torch.no_grad():
        small_net.normal_alpha.normal_()
    gradient = darts.first_order_gradient(small_net, F.cross_entropy, images, labels)
    direction = torch.randn_like(small_net.normal_alpha)
    losses = []
    for sign in (1.0, -1.0):
        with torch.no_grad():
            small_net.normal_alpha.add_(direction, alpha=sign * 1e-6)
            losses.append(F.cross_entropy(small_net(images), labels).item())
            small_net.normal_alpha.sub_(direction, alpha=sign * 1e-6)
    slope = (losses[0] - losses[1]) / 2e-6
    assert (gradient.normal * direction).sum().item() == pytest.approx(slope, rel=1e-6)


def test_initial_alphas_follow_the_generator() -> None:
    nets = [darts.Supernet(darts.S2, 3, 4, 3, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(nets[0].normal_alpha, nets[1].normal_alpha)
    assert not torch.equal(nets[0].normal_alpha, nets[2].normal_alpha)


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((2, 3, 30, 32), "30x32; with the cifar stem both sides must be multiples of 4.* height 28 or 32 and width 32"),
        ((2, 3, 2, 33), "Resize to height 4 and width 32 or 36"),
        ((2, 3, 0, 8), "images are 0x8.*Resize to height 4 and width 8"),
        ((1, 3, 4, 4), "1 image of 4x4 leaves one value a channel .*give 2 or more images, or images of 8x8"),
        ((2, 1, 32, 32), r"images have shape \(2, 1, 32, 32\); expected \(batch, 3, height, width\)"),
        ((3, 32, 32), "expected"),
    ],
)
def test_images_that_do_not_fit_are_refused(shape: tuple[int, ...], sentence: str, small_net: darts.Supernet) -> None:
    with pytest.raises(darts.ShapeError, match=sentence):
        small_net(torch.zeros(shape, dtype=torch.float64))


@pytest.mark.parametrize(
    ("channels", "num_cells", "sentence"),
    [(5, 5, "channels=5; expected a positive even number"), (8, 2, "num_cells=2; expected at least 3")],
)
def test_sizes_that_cannot_be_built_are_refused(channels: int, num_cells: int, sentence: str) -> None:
    with pytest.raises(darts.ShapeError, match=sentence):
        darts.Supernet(darts.S1, 5, channels, num_cells)


def test_images_without_a_channel_are_refused() -> None:
    with pytest.raises(darts.ShapeError, match="in_channels=0; expected at least 1"):
        darts.Supernet(darts.S1, 5, 4, 3, in_channels=0)


def test_noise_is_random_in_evaluation_mode_and_does_not_see_its_input() -> None:
    op = darts.PRIMITIVES["noise"](4, 2, False, True).eval()
    x = torch.full((2, 4, 8, 8), float("nan"))
    assert op(x).shape == (2, 4, 4, 4)
    assert torch.isfinite(op(x)).all()
    assert not torch.equal(op(x), op(x))


@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
def test_a_supernet_like_another_differs_in_its_classes_alone(stem: darts.Stem) -> None:
    source = darts.Supernet(darts.S2, 7, channels=4, num_cells=3, in_channels=1, stem=stem)
    net = source.like(5, torch.Generator().manual_seed(3))
    # oracle: the shapes of the source's state
    shapes = {name: tensor.shape for name, tensor in net.state_dict().items()}
    wanted = {name: tensor.shape for name, tensor in source.state_dict().items()}
    assert {name for name in wanted if shapes[name] != wanted[name]} == {"classifier.weight", "classifier.bias"}
    assert shapes.keys() == wanted.keys()
    assert (net.num_classes, net.space, net.stem_name, net.in_channels) == (5, darts.S2, stem, 1)
    assert not torch.equal(net.normal_alpha, source.normal_alpha)
    again = source.like(5, torch.Generator().manual_seed(3))
    assert torch.equal(net.normal_alpha, again.normal_alpha)
    assert darts.warm_start(net, source.state_dict()).unused == ("classifier.bias", "classifier.weight")


@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
@pytest.mark.parametrize("name", ["s1", "s2", "s3", "s4", "s5", "darts"])
def test_the_shapes_of_a_state_are_told_without_making_it(name: str, stem: darts.Stem) -> None:
    sizes: dict[str, Any] = {"num_classes": 7, "channels": 6, "num_cells": 5, "in_channels": 1, "stem": stem}
    made = darts.Supernet(darts.SPACES[name], **sizes)

    # Oracle: the tensors of a supernet that was made.
    expected = {key: tuple(tensor.shape) for key, tensor in made.state_dict().items()}
    assert darts.Supernet.state_shapes(darts.SPACES[name], **sizes) == expected
