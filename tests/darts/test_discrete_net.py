from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

import darts
from darts.discrete_net import drop_path

Fill = Callable[[nn.Module], nn.Module]
Batch = Callable[[int, int, int], tuple[Tensor, Tensor]]
GenotypeOf = Callable[[dict[str, Any]], darts.Genotype]


def test_sizes_equal_those_of_the_reference(reference: dict[str, Any], genotype_of: GenotypeOf) -> None:
    # Oracle: counts taken of the reference's evaluation networks.
    for case in reference["eval_networks"]:
        net = darts.DiscreteNetwork(
            genotype_of(reference["genotypes"][case["genotype"]]),
            case["classes"],
            case["C"],
            case["layers"],
            auxiliary=case["auxiliary"],
        )
        assert darts.count_parameters(net, auxiliary=True) == case["params"]
        assert darts.count_parameters(net) == case["params_excluding_auxiliary"]
        if case["C"] <= 16:
            assert darts.count_macs(net, (3, 32, 32)) == case["macs_per_image_32_eval"]


def test_logits_equal_the_reference_in_float64(
    reference: dict[str, Any], genotype_of: GenotypeOf, fill: Fill, batch: Batch
) -> None:
    # Oracle: the reference's evaluation network with the same shape-only weights.
    for case in reference["numeric_eval_network_float64"]:
        genotype = genotype_of(reference["genotypes"][case["genotype"]])
        net = fill(darts.DiscreteNetwork(genotype, case["classes"], case["C"], case["layers"], auxiliary=True).double())
        images, _ = batch(case["batch"], case["classes"], 0)
        logits, auxiliary_logits = net(images)
        torch.testing.assert_close(logits.tolist(), case["logits_train"], rtol=0, atol=1e-10)
        torch.testing.assert_close(auxiliary_logits.tolist(), case["aux_logits_train"], rtol=0, atol=1e-10)
        with torch.no_grad():
            logits = net.eval()(images)
        torch.testing.assert_close(logits.tolist(), case["logits_eval_after_one_train_forward"], rtol=0, atol=1e-10)


def _one_hot(space: darts.SearchSpace, genotype: darts.Genotype) -> darts.MixingWeights:
    matrices = []
    for reduction in (False, True):
        weights = torch.zeros(space.num_edges, space.num_primitives, dtype=torch.float64)
        for primitive, source, target in genotype.edges(reduction=reduction):
            edge = space.edges.index((source, target))
            weights[edge, space.primitives(reduction=reduction)[edge].index(primitive)] = 1.0
        matrices.append(weights)
    return darts.MixingWeights(*matrices)


@pytest.mark.parametrize(
    ("name", "stem", "in_channels", "size"),
    [(name, "cifar", 3, 16) for name in ("s1", "s2", "s3", "s5", "darts")]
    + [("s1", "imagenet", 1, 64), ("s3", "imagenet", 3, 32), ("s2", "cifar", 1, 16)],
)
def test_an_inherited_network_gives_the_logits_of_the_one_hot_supernet(
    name: str, stem: darts.Stem, in_channels: int, size: int
) -> None:
    # Oracle: the supernet itself with mixing weights one on the kept ops and zero elsewhere.
    space = darts.SPACES[name]
    torch.manual_seed(3)
    net = darts.Supernet(space, 5, 4, 5, in_channels, stem=stem).double()
    images = torch.randn(6, in_channels, size, size, dtype=torch.float64)
    with torch.no_grad():
        for alpha in net.arch_parameters():
            alpha.normal_()
        for _ in range(30):
            net(images)  # running statistics of these images
    genotype = darts.discretize(space, net.normal_alpha, net.reduction_alpha)
    final = darts.DiscreteNetwork.from_supernet(net.eval(), genotype)
    assert (final.stem_name, final.in_channels) == (stem, in_channels)
    with torch.no_grad():
        expected = net(images, mixing=_one_hot(space, genotype))
        torch.testing.assert_close(final(images), expected, rtol=0, atol=1e-10)
        assert expected.std(dim=0).max() > 5e-3  # the logits depend on the images
    for train_mode in (final.train(), net.train()):
        assert train_mode.training
    torch.testing.assert_close(final(images), net(images, mixing=_one_hot(space, genotype)), rtol=0, atol=1e-10)


def test_inheriting_leaves_the_supernet_alone(small_net: darts.Supernet) -> None:
    genotype = darts.discretize(small_net.space, small_net.normal_alpha, small_net.reduction_alpha)
    final = darts.DiscreteNetwork.from_supernet(small_net, genotype)
    before = small_net.classifier.weight.clone()
    with torch.no_grad():
        for parameter in final.parameters():
            parameter.zero_()
    assert torch.equal(small_net.classifier.weight, before)


def test_a_genotype_of_another_space_cannot_inherit(small_net: darts.Supernet) -> None:
    alpha = torch.zeros(14, 2)
    with pytest.raises(darts.GenotypeError, match=r"space 's1' does not offer 'sep_conv_3x3' there"):
        darts.DiscreteNetwork.from_supernet(
            small_net, darts.discretize(darts.S2, alpha + torch.tensor([0.0, 1.0]), alpha)
        )


def _skips() -> darts.Genotype:
    alpha = torch.tensor([[1.0, 0.0]]).repeat(14, 1)
    return darts.discretize(darts.S2, alpha, alpha)


@pytest.mark.parametrize(
    ("stem", "sizes"),
    [
        ("cifar", [(4, 4), (8, 8), (12, 20), (28, 28), (32, 32), (64, 64)]),
        ("imagenet", [(16, 16), (32, 48), (112, 112), (128, 128)]),
    ],
)
def test_auxiliary_logits_come_in_training_mode_only_and_from_maps_of_any_size(
    stem: darts.Stem, sizes: list[tuple[int, int]]
) -> None:
    net = darts.DiscreteNetwork(_skips(), 5, channels=4, num_cells=3, auxiliary=True, stem=stem)
    for size in sizes:
        images = torch.randn(2, 3, *size)
        logits, auxiliary_logits = net.train()(images)
        assert logits.shape == auxiliary_logits.shape == (2, 5)
        assert cast(Tensor, net.eval()(images)).shape == (2, 5)
        assert cast(Tensor, net(images[:1])).shape == (1, 5)


def test_the_auxiliary_head_cannot_be_trained_on_one_image_and_says_so_before_anything_changes() -> None:
    net = darts.DiscreteNetwork(_skips(), 5, channels=4, num_cells=3, auxiliary=True)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with pytest.raises(darts.ShapeError, match=r"1 image .* auxiliary head, .*give 2 or more images, or .*auxiliary=F"):
        net(torch.randn(1, 3, 8, 8))
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert darts.DiscreteNetwork(_skips(), 5, channels=4, num_cells=3)(torch.randn(1, 3, 8, 8)).shape == (1, 5)


def test_images_that_do_not_fit_are_refused() -> None:
    net = darts.DiscreteNetwork(_skips(), 5, channels=4, num_cells=3, stem="imagenet")
    with pytest.raises(darts.ShapeError, match="with the imagenet stem both sides must be multiples of 16"):
        net(torch.randn(2, 3, 32, 40))
    with pytest.raises(darts.ShapeError, match="1 image of 16x16 leaves one value a channel in the last map"):
        net(torch.randn(1, 3, 16, 16))
    assert cast(Tensor, net.eval()(torch.randn(1, 3, 16, 16))).shape == (1, 5)


def test_drop_path_keeps_the_expectation_and_drops_whole_samples() -> None:
    torch.manual_seed(0)
    dropped = drop_path(torch.ones(20000, 2, 1, 1), 0.25)
    assert sorted(set(dropped.flatten().tolist())) == pytest.approx([0.0, 1 / 0.75])
    assert torch.equal(dropped[:, 0], dropped[:, 1])
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.02)  # 4 standard errors are 0.016


def test_drop_path_acts_in_training_mode_only_and_spares_identities() -> None:
    torch.manual_seed(0)
    images = torch.randn(8, 3, 16, 16)
    net = darts.DiscreteNetwork(_skips(), 5, channels=4, num_cells=3)
    with torch.no_grad():
        expected = net.train()(images)
        net.drop_path_prob = 0.5
        assert not torch.allclose(net.train()(images), expected)  # strided skips of the reduction cells are dropped
        evaluated = net.eval()(images)
        net.drop_path_prob = 0.0
        assert torch.equal(net.eval()(images), evaluated)
        normal = net.cells[0].train()
        states = torch.randn(2, 12, 16, 16), torch.randn(2, 12, 16, 16)
        assert torch.equal(normal(*states, 0.9), normal(*states, 0.0))  # all identities
