from __future__ import annotations

from typing import Any

import pytest
import torch

import darts
from darts.errors import GenotypeError, LimitError, ShapeError
from tests.darts.objectives.alphas import random_alphas

SIZES: dict[str, Any] = {"channels": 4, "num_cells": 5}
SHAPE = (3, 16, 24)


def table_of(unit: darts.Unit, space: darts.SearchSpace, stem: darts.Stem = "cifar") -> darts.CostTable:
    shape = SHAPE if stem == "cifar" else (1, 64, 48)
    return darts.cost_table(unit, space, 7, **SIZES, image_shape=shape, stem=stem)


def one_hot(alphas: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Alphas whose softmax is exactly one-hot, at the same primitives."""
    normal, reduction = (
        torch.zeros_like(alpha).scatter_(1, alpha.argmax(dim=1, keepdim=True), 1e4) for alpha in alphas
    )
    return normal, reduction


@pytest.mark.parametrize("space", darts.SPACES.values(), ids=list(darts.SPACES))
def test_a_table_tells_what_the_built_network_counts(space: darts.SearchSpace) -> None:
    params, macs = table_of("parameters", space), table_of("macs", space)
    for seed in range(3):
        genotype = darts.discretize(space, *random_alphas(space, seed))
        net = darts.DiscreteNetwork(genotype, 7, **SIZES)
        assert params.of(genotype) == darts.count_parameters(net)
        assert macs.of(genotype) == darts.count_macs(net, SHAPE)


def test_a_table_of_the_imagenet_stem_tells_it_too() -> None:
    genotype = darts.discretize(darts.S1, *random_alphas(darts.S1, 0))
    net = darts.DiscreteNetwork(genotype, 7, **SIZES, in_channels=1, stem="imagenet")
    assert table_of("parameters", darts.S1, "imagenet").of(genotype) == darts.count_parameters(net)
    assert table_of("macs", darts.S1, "imagenet").of(genotype) == darts.count_macs(net, (1, 64, 48))


def test_an_auxiliary_head_does_not_count() -> None:
    genotype = darts.discretize(darts.S1, *random_alphas(darts.S1, 0))
    net = darts.DiscreteNetwork(genotype, 7, **SIZES, auxiliary=True)
    assert table_of("parameters", darts.S1).of(genotype) == darts.count_parameters(net)


@pytest.mark.parametrize("unit", ["parameters", "macs"])
@pytest.mark.parametrize("space", darts.SPACES.values(), ids=list(darts.SPACES))
def test_with_one_hot_weights_the_expected_cost_is_that_of_the_discrete_network(
    space: darts.SearchSpace, unit: darts.Unit
) -> None:
    table = table_of(unit, space)
    for seed in range(5):
        alphas = one_hot(random_alphas(space, seed))
        mixing = darts.MixingWeights(*(alpha.softmax(dim=-1) for alpha in alphas))
        net = darts.DiscreteNetwork(darts.discretize(space, *alphas), 7, **SIZES)
        counted = darts.count_parameters(net) if unit == "parameters" else darts.count_macs(net, SHAPE)
        assert darts.expected_cost(table, mixing).item() == pytest.approx(counted, rel=1e-6)


def test_where_every_edge_is_none_the_expected_cost_is_that_of_what_discretize_takes() -> None:
    space = darts.DARTS
    alphas = torch.zeros(space.num_edges, space.num_primitives)
    alphas[:, space.normal[0].index("none")] = 1e4
    mixing = darts.MixingWeights(alphas.softmax(dim=-1), alphas.softmax(dim=-1))
    table = table_of("parameters", space)
    assert darts.expected_cost(table, mixing).item() == table.of(darts.discretize(space, alphas, alphas))


def test_the_expected_cost_is_the_mean_cost_of_primitives_drawn_by_the_mixing_weights() -> None:
    """An estimate from draws, on the edges that are kept; 'none' is drawn anew."""
    space = darts.S3
    table = table_of("parameters", space)
    alphas = random_alphas(space, 3)
    mixing = darts.MixingWeights(*(alpha.softmax(dim=-1) for alpha in alphas))
    genotype = darts.discretize(space, *alphas)
    rows = {edge: row for row, edge in enumerate(space.edges)}
    generator = torch.Generator().manual_seed(0)
    mean, variance = float(table.fixed), 0.0
    for reduction, weights, costs in ((False, mixing.normal, table.normal), (True, mixing.reduction, table.reduction)):
        for _, source, target in genotype.edges(reduction=reduction):
            row = rows[source, target]
            draws = weights[row].multinomial(20_000, replacement=True, generator=generator)
            drawn = costs[row][draws[draws != 0]].double()  # 'none' is the first of S3
            mean += drawn.mean().item()
            variance += drawn.var().item() / len(drawn)
    assert darts.expected_cost(table, mixing).item() == pytest.approx(mean, abs=4 * variance**0.5)


def test_the_gradient_of_the_expected_cost_is_that_of_finite_differences() -> None:
    space = darts.S5
    table = table_of("macs", space)
    alphas = [alpha.double().requires_grad_() for alpha in random_alphas(space, 1)]

    def cost(*values: torch.Tensor) -> torch.Tensor:
        return darts.expected_cost(table, darts.MixingWeights(*(value.softmax(dim=-1) for value in values))) / 1e6

    assert torch.autograd.gradcheck(cost, alphas)


def test_a_penalty_on_a_limit_is_the_share_above_it_and_nothing_below() -> None:
    space = darts.S2
    table = table_of("parameters", space)
    alphas = random_alphas(space, 0)
    mixing = darts.MixingWeights(*(alpha.softmax(dim=-1) for alpha in alphas))
    cost = darts.expected_cost(table, mixing).item()
    above = darts.limit_penalty(darts.Limit(table, int(cost / 2)), 3.0)(mixing).item()
    assert above == pytest.approx(3.0 * (cost / int(cost / 2) - 1))
    assert darts.limit_penalty(darts.Limit(table, int(2 * cost)), 3.0)(mixing).item() == 0


def test_a_penalty_without_a_limit_is_the_share_of_the_dearest_network() -> None:
    space = darts.S2
    table = table_of("macs", space)
    alphas = one_hot(random_alphas(space, 0))
    all_convolutions = torch.zeros_like(alphas[0]).index_fill_(1, torch.tensor([1]), 1e4)
    mixing = darts.MixingWeights(all_convolutions.softmax(dim=-1), all_convolutions.softmax(dim=-1))
    assert darts.cost_penalty(table, 2.0)(mixing).item() == pytest.approx(2.0)


def test_penalties_are_added_to_the_gradient_of_alpha_and_move_the_search_to_small_networks() -> None:
    torch.manual_seed(0)
    net = darts.Supernet(darts.S2, 3, channels=2, num_cells=3)
    table = darts.cost_table("parameters", net.space, 3, 2, 3, (3, 8, 8))
    before = darts.expected_cost(table, net.mixing_weights().detach()).item()
    weights = torch.optim.SGD(net.weight_parameters(), lr=0.01)
    alphas = torch.optim.Adam(net.arch_parameters(), lr=0.1)
    batch = torch.randn(4, 3, 8, 8), torch.arange(4) % 3
    for _ in range(20):
        darts.search_step(
            net,
            torch.nn.functional.cross_entropy,
            batch,
            batch,
            weights,
            alphas,
            penalties=[darts.cost_penalty(table, 100.0)],
        )
    least, _ = darts.cost_range(table)
    after = darts.expected_cost(table, net.mixing_weights().detach()).item()
    assert after - least < (before - least) / 2
    assert darts.discretize(net.space, net.normal_alpha, net.reduction_alpha).count("skip_connect") == 16


def test_what_is_no_cost_is_refused() -> None:
    with pytest.raises(LimitError, match="the unit of a cost is 'bytes'; expected one of 'parameters', 'macs'"):
        table_of("bytes", darts.S1)  # type: ignore[arg-type]
    table = table_of("parameters", darts.S1)
    with pytest.raises(LimitError, match="the weight of a cost is -1; expected a finite number, 0 or more"):
        darts.cost_penalty(table, -1)
    with pytest.raises(LimitError, match="the limit on parameters is 0; expected a positive number"):
        darts.limit_penalty(darts.Limit(table, 0), 1.0)
    other = torch.ones(14, 8) / 8
    with pytest.raises(ShapeError, match=r"mixing.normal has shape \(14, 8\), that of 'darts'; space 's1' needs"):
        darts.expected_cost(table, darts.MixingWeights(other, other))
    dilated = darts.Genotype(*((("dil_conv_3x3", 0), ("skip_connect", 1)) * 4 for _ in range(2)))
    with pytest.raises(GenotypeError, match="space 's2' does not offer 'dil_conv_3x3'"):
        table_of("parameters", darts.S2).of(dilated)
