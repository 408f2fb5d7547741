from __future__ import annotations

import math

import pytest
import torch

import darts


@pytest.mark.parametrize("num_primitives", [2, 7])
def test_edges_that_prefer_nothing_have_the_logarithm_of_the_number_of_primitives(num_primitives: int) -> None:
    # Oracle: closed form, the entropy of the uniform distribution.
    uniform = torch.full((14, num_primitives), 1 / num_primitives)
    found = darts.mean_entropy(darts.MixingWeights(uniform, uniform))
    assert found.item() == pytest.approx(math.log(num_primitives))


def test_edges_that_have_decided_have_none() -> None:
    decided = torch.eye(3)
    assert darts.mean_entropy(darts.MixingWeights(decided, decided)).item() == 0


def test_every_edge_of_both_cell_types_counts_the_same() -> None:
    # Oracle: by hand. One edge of three is at p = (1/4, 3/4), the other two have decided.
    normal = torch.tensor([[0.25, 0.75], [1.0, 0.0]])
    reduction = torch.tensor([[0.0, 1.0]])
    expected = (0.25 * math.log(4) + 0.75 * math.log(4 / 3)) / 3
    assert darts.mean_entropy(darts.MixingWeights(normal, reduction)).item() == pytest.approx(expected)
