from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import darts


@pytest.mark.parametrize("table", ["genotype_derivation", "genotype_ties"])
def test_genotypes_equal_those_of_the_reference_in_order_of_strength(
    table: str,
    reference: dict[str, Any],
    space_of: Callable[[str], darts.SearchSpace],
    genotype_of: Callable[[dict[str, Any]], darts.Genotype],
) -> None:
    # Oracle: the genotypes that the reference derives from the same alphas, ties included.
    for case in reference[table]:
        space = space_of(case["space"])
        found = darts.discretize(space, torch.tensor(case["alphas_normal"]), torch.tensor(case["alphas_reduce"]))
        assert found == genotype_of(case["genotype"]), case.get("case", case.get("numpy_seed"))
        found.check_in(space)


def test_none_takes_weight_but_is_never_chosen() -> None:
    alpha = torch.zeros(14, 3)
    alpha[:, 0] = 9.0  # 'none' dominates every edge ...
    alpha[1, 0], alpha[1, 2] = -9.0, 1.0  # ... but this one
    genotype = darts.discretize(darts.S3, alpha, alpha)
    assert genotype.normal[0] == ("sep_conv_3x3", 1)
    assert genotype.count("none") == 0


def test_alphas_of_another_space_are_refused() -> None:
    with pytest.raises(
        darts.ShapeError, match=r"normal_alpha has shape \(14, 7\), that of 's5'; space 's1' needs \(14, 2\): "
    ):
        darts.discretize(darts.S1, torch.zeros(14, 7), torch.zeros(14, 2))
    with pytest.raises(darts.ShapeError, match=r"reduction_alpha has shape \(5, 2\); .* or discretize in theirs"):
        darts.discretize(darts.S1, torch.zeros(14, 2), torch.zeros(5, 2))


def test_alphas_that_are_not_finite_are_refused() -> None:
    alpha = torch.zeros(14, 2)
    with pytest.raises(darts.ShapeError, match="reduction_alpha has entries that are not finite"):
        darts.discretize(darts.S1, alpha, alpha.log())
