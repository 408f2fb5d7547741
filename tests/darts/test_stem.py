from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import darts
from benchmarks.plain_search import PlainSupernet

GenotypeOf = Callable[[dict[str, Any]], darts.Genotype]


def _imagenet_net(space: darts.SearchSpace = darts.S1, in_channels: int = 3) -> darts.Supernet:
    torch.manual_seed(0)
    return darts.Supernet(space, 5, 4, 3, in_channels, stem="imagenet")


def test_every_space_can_be_searched_behind_the_imagenet_stem(space: darts.SearchSpace) -> None:
    net = _imagenet_net(space)
    images, labels = torch.randn(2, 3, 32, 32), torch.tensor([0, 4])
    loss = F.cross_entropy(net(images), labels)
    gradients = dict(zip(dict(net.named_parameters()), torch.autograd.grad(loss, list(net.parameters())), strict=True))
    assert all(torch.isfinite(gradient).all() for gradient in gradients.values())
    assert all(gradients[f"stem.{layer}.weight"].abs().max() > 0 for layer in (0, 1, 3, 4))
    assert net.eval()(images[:1]).shape == (1, 5)


def test_the_imagenet_stem_quarters_the_image() -> None:
    assert _imagenet_net().stem(torch.randn(2, 3, 32, 48)).shape == (2, 12, 8, 12)


@pytest.mark.parametrize("in_channels", [1, 3])
def test_logits_and_gradients_behind_the_imagenet_stem_equal_those_of_the_plain_twin(in_channels: int) -> None:
    # Oracle: the plain, paper-like twin in the same state, in float64.
    net = _imagenet_net(darts.S5, in_channels).double()
    plain = PlainSupernet(darts.S5, 5, 4, 3, in_channels, stem="imagenet").double()
    plain.load_state_dict(net.state_dict())
    images, labels = torch.randn(2, in_channels, 32, 48, dtype=torch.float64), torch.tensor([0, 4])
    gradients = []
    for twin in (net, plain):
        logits = twin(images)
        parameters = dict(twin.named_parameters())
        found = torch.autograd.grad(F.cross_entropy(logits, labels), list(parameters.values()))
        gradients.append({"logits": logits, **dict(zip(parameters, found, strict=True))})
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-9, atol=1e-10)


def test_the_cells_are_the_same_whatever_the_stem() -> None:
    def cells(net: darts.Supernet) -> dict[str, torch.Size]:
        return {name: tensor.shape for name, tensor in net.state_dict().items() if not name.startswith("stem.")}

    assert cells(_imagenet_net()) == cells(darts.Supernet(darts.S1, 5, 4, 3))


def test_names_of_the_cifar_stems_tensors_are_those_of_stored_supernets() -> None:
    names = [name for name in darts.Supernet(darts.S1, 5, 4, 3).state_dict() if name.startswith("stem.")]
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    assert names == ["stem.0.weight", "stem.1.weight", "stem.1.bias", *(f"stem.1.{name}" for name in statistics)]


@pytest.mark.parametrize("in_channels", [1, 3])
def test_parameters_and_macs_of_the_stems_are_those_computed_by_hand(
    in_channels: int, reference: dict[str, Any]
) -> None:
    # Oracle: the reference's counts for 3 channels at 32x32, whose stem is replaced by hand. Width w = 3 x 16 = 48.
    case = next(
        case for case in reference["search_networks"] if (case["space"], case["C"], case["layers"]) == ("s1", 16, 8)
    )
    body_parameters = case["params"] - (3 * 9 * 48 + 2 * 48)
    body_macs = case["macs_per_image_32"] - 3 * 9 * 48 * 32 * 32
    cifar = darts.Supernet(darts.S1, case["classes"], in_channels=in_channels)
    assert sum(p.numel() for p in cifar.weight_parameters()) == body_parameters + in_channels * 9 * 48 + 2 * 48
    assert darts.count_macs(cifar, (in_channels, 32, 32)) == body_macs + in_channels * 9 * 48 * 32 * 32
    # 24 channels on maps of half the side, then 48 on maps of a quarter: those of 128x128 images are the cells' 32x32.
    imagenet = darts.Supernet(darts.S1, case["classes"], in_channels=in_channels, stem="imagenet")
    parameters = in_channels * 9 * 24 + 2 * 24 + 24 * 9 * 48 + 2 * 48
    assert sum(p.numel() for p in imagenet.weight_parameters()) == body_parameters + parameters
    macs = in_channels * 9 * 24 * 64 * 64 + 24 * 9 * 48 * 32 * 32
    assert darts.count_macs(imagenet, (in_channels, 128, 128)) == body_macs + macs


def test_a_discrete_network_has_the_same_stem_as_a_supernet(reference: dict[str, Any], genotype_of: GenotypeOf) -> None:
    genotype = genotype_of(reference["genotypes"]["DARTS_V2"])
    net = darts.DiscreteNetwork(genotype, 5, 4, 3, in_channels=1, stem="imagenet")
    stem = _imagenet_net(in_channels=1).stem
    assert {name: tensor.shape for name, tensor in net.stem.state_dict().items()} == {
        name: tensor.shape for name, tensor in stem.state_dict().items()
    }
    assert cast(Tensor, net(torch.randn(2, 1, 32, 32))).shape == (2, 5)


@pytest.mark.parametrize(("height", "width", "in_channels"), [(28, 28, 1), (28, 28, 3), (12, 20, 3), (4, 8, 1)])
def test_any_multiple_of_4_is_searched_with_the_cifar_stem_square_or_not(
    height: int, width: int, in_channels: int
) -> None:
    torch.manual_seed(0)
    net = darts.Supernet(darts.S5, 5, 2, 3, in_channels)
    maps: list[torch.Size] = []
    net.cells[-1].register_forward_hook(lambda module, inputs, output: maps.append(output.shape))
    loss = F.cross_entropy(net(torch.randn(2, in_channels, height, width)), torch.tensor([0, 1]))
    assert maps[0][-2:] == (height // 4, width // 4)
    assert all(gradient.abs().max() > 0 for gradient in torch.autograd.grad(loss, net.arch_parameters()))


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        (
            (2, 3, 100, 128),
            "100x128; with the imagenet stem both sides must be multiples of 16, .*height 96 or 112 and",
        ),
        ((2, 3, 8, 32), "Resize to height 16 and width 32"),
        ((1, 3, 16, 16), "1 image of 16x16 leaves one value a channel .*2 or more images, or images of 32x32"),
        ((2, 1, 32, 32), r"images have shape \(2, 1, 32, 32\); expected \(batch, 3, height, width\)"),
    ],
)
def test_images_that_the_imagenet_stem_cannot_take_are_refused(shape: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(darts.ShapeError, match=sentence):
        _imagenet_net()(torch.zeros(shape))


def test_the_smallest_image_is_trained_on_in_pairs_and_evaluated_alone() -> None:
    net = _imagenet_net()
    assert net(torch.randn(2, 3, 16, 16)).shape == (2, 5)
    assert net(torch.randn(1, 3, 16, 32)).shape == (1, 5)
    assert net.eval()(torch.randn(1, 3, 16, 16)).shape == (1, 5)


def test_an_unknown_stem_is_refused_with_the_known_ones() -> None:
    stem, alpha = cast(darts.Stem, "resnet"), torch.zeros(14, 2)
    with pytest.raises(darts.ShapeError, match="the stem is 'resnet'; expected one of 'cifar', 'imagenet'"):
        darts.Supernet(darts.S1, 5, 4, 3, stem=stem)
    with pytest.raises(darts.ShapeError, match="the stem is 'resnet'; expected one of 'cifar', 'imagenet'"):
        darts.DiscreteNetwork(darts.discretize(darts.S2, alpha, alpha), 5, 4, 3, stem=stem)


def test_sizes_are_multiples_of_what_stem_and_reductions_divide_by() -> None:
    assert (darts.size_multiple("cifar"), darts.size_multiple("imagenet")) == (4, 16)
