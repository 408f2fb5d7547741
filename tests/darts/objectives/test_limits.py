from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import pytest
import torch

import darts
from darts.errors import LimitError
from tests.darts.objectives.alphas import random_alphas

SMALL = darts.SearchSpace.uniform("small", ("none", "skip_connect", "sep_conv_3x3"), num_nodes=2)


def table_of(unit: darts.Unit, space: darts.SearchSpace = SMALL) -> darts.CostTable:
    return darts.cost_table(unit, space, 4, 4, 3, (3, 16, 16))


def _strongest_within(limits: list[darts.Limit], *alphas: torch.Tensor) -> darts.Genotype:
    normal, reduction = (alpha.double().softmax(dim=-1) for alpha in alphas)
    return darts.strongest_within(limits, darts.MixingWeights(normal, reduction))


def all_cells(space: darts.SearchSpace, *, reduction: bool) -> Iterator[darts.genotype.CellGenotype]:
    """Every cell of a space, in no particular order within a node."""
    offered = dict(zip(space.edges, space.primitives(reduction=reduction), strict=True))
    nodes = []
    for target in range(2, 2 + space.num_nodes):
        sources = [source for source, node in space.edges if node == target]
        nodes.append(
            [
                ((first, a), (second, b))
                for a, b in combinations(sources, 2)
                for first, second in product(offered[a, target], offered[b, target])
                if "none" not in (first, second)
            ]
        )
    return (tuple(edge for node in cell for edge in node) for cell in product(*nodes))


def all_genotypes(space: darts.SearchSpace) -> list[darts.Genotype]:
    cells = [list(all_cells(space, reduction=reduction)) for reduction in (False, True)]
    return [darts.Genotype(*both) for both in product(*cells)]


def weight_of(genotype: darts.Genotype, space: darts.SearchSpace, alphas: tuple[torch.Tensor, torch.Tensor]) -> float:
    """Sum over the edges of the mixing weight of what they hold."""
    total = 0.0
    for reduction, alpha in zip((False, True), alphas, strict=True):
        weights = alpha.double().softmax(dim=-1)
        rows = {edge: row for row, edge in enumerate(space.edges)}
        for primitive, source, target in genotype.edges(reduction=reduction):
            row = rows[source, target]
            total += weights[row, space.primitives(reduction=reduction)[row].index(primitive)].item()
    return total


@pytest.mark.parametrize("units", [("parameters",), ("macs",), ("parameters", "macs")])
def test_no_other_architecture_within_the_limits_weighs_more(units: tuple[darts.Unit, ...]) -> None:
    """Against every architecture of a small space."""
    genotypes = all_genotypes(SMALL)
    tables = [table_of(unit) for unit in units]
    costs = [[table.of(genotype) for table in tables] for genotype in genotypes]
    for seed, share in product(range(3), (0.0, 0.2, 0.5)):
        alphas = random_alphas(SMALL, seed)
        ranges = [darts.cost_range(table) for table in tables]
        limits = [
            darts.Limit(table, int(least + share * (most - least)) + 1)
            for table, (least, most) in zip(tables, ranges, strict=True)
        ]
        within = [
            weight_of(genotype, SMALL, alphas)
            for genotype, cost in zip(genotypes, costs, strict=True)
            if all(one <= limit.most for one, limit in zip(cost, limits, strict=True))
        ]
        found = _strongest_within(limits, *alphas)
        found.check_in(SMALL)
        assert all(limit.table.of(found) <= limit.most for limit in limits)
        assert weight_of(found, SMALL, alphas) == pytest.approx(max(within))


def test_the_range_of_costs_is_that_of_all_architectures() -> None:
    for unit in ("parameters", "macs"):
        table = table_of(unit)
        costs = [table.of(genotype) for genotype in all_genotypes(SMALL)]
        assert darts.cost_range(table) == (min(costs), max(costs))


@pytest.mark.parametrize("space", darts.SPACES.values(), ids=list(darts.SPACES))
def test_an_architecture_that_is_within_the_limits_stays_as_it_is(space: darts.SearchSpace) -> None:
    table = table_of("parameters", space)
    for seed in range(3):
        alphas = random_alphas(space, seed)
        plain = darts.discretize(space, *alphas)
        assert _strongest_within([darts.Limit(table, table.of(plain))], *alphas) == plain


@pytest.mark.parametrize("space", darts.SPACES.values(), ids=list(darts.SPACES))
def test_the_least_limit_is_kept(space: darts.SearchSpace) -> None:
    tables = [table_of("parameters", space), table_of("macs", space)]
    alphas = random_alphas(space, 0)
    for table in tables:
        least, _ = darts.cost_range(table)
        assert table.of(_strongest_within([darts.Limit(table, least)], *alphas)) == least


def test_the_built_network_is_within_the_limits() -> None:
    limits = [darts.Limit(table_of(unit, darts.DARTS), 0) for unit in ("parameters", "macs")]
    limits = [darts.Limit(limit.table, sum(darts.cost_range(limit.table)) // 3) for limit in limits]
    genotype = _strongest_within(limits, *random_alphas(darts.DARTS, 2))
    net = darts.DiscreteNetwork(genotype, 4, 4, 3)
    assert darts.count_parameters(net) <= limits[0].most
    assert darts.count_macs(net, (3, 16, 16)) <= limits[1].most


def test_a_limit_that_no_architecture_keeps_is_refused_with_the_least_that_one_does() -> None:
    table = table_of("parameters")
    least, most = darts.cost_range(table)
    with pytest.raises(
        LimitError, match=f"has {least - 1:,} parameters or fewer: they have from {least:,} to {most:,}"
    ):
        darts.check_limits([darts.Limit(table, least - 1)])
    with pytest.raises(LimitError, match=f"Raise the limit to {least:,} or more"):
        _strongest_within([darts.Limit(table, least - 1)], *random_alphas(SMALL, 0))


def test_limits_that_contradict_each_other_are_refused() -> None:
    """Weights are swapped for costs that fall where the others rise."""
    params = table_of("parameters")
    dear = params.normal.max() + params.reduction.max()
    opposed = darts.CostTable(SMALL, "macs", 0, dear - params.normal, dear - params.reduction)
    limits = [darts.Limit(table, darts.cost_range(table)[0]) for table in (params, opposed)]
    with pytest.raises(LimitError, match="can be kept alone, but no network of space 'small' keeps both"):
        darts.check_limits(limits)


def test_limits_that_do_not_belong_together_are_refused() -> None:
    params = table_of("parameters")
    for limits in ([], [darts.Limit(params, 10**6)] * 2, [darts.Limit(params, 10**6), _limit_of(darts.S2)]):
        with pytest.raises(LimitError, match="expected one or two, each of another unit, in one search space"):
            _strongest_within(limits, *random_alphas(SMALL, 0))


def _limit_of(space: darts.SearchSpace) -> darts.Limit:
    return darts.Limit(table_of("macs", space), 10**9)
