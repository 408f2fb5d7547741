from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from ot_select.distances import nuclear_norm
from ot_select.distances.nuclear_norm import eigenvalue_route, nuclear_norms, singular_value_sums


def factors(seed: int, heights: Sequence[int], dimension: int = 12) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(height, dimension, generator=generator, dtype=torch.float64) for height in heights]


def one_by_one(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Oracle: NumPy's nuclear norm, a pair at a time."""
    return torch.tensor(
        [
            [float(np.linalg.norm((one @ other.T).numpy(), "nuc")) if len(one) and len(other) else 0.0 for other in b]
            for one in a
        ],
        dtype=torch.float64,
    )


@pytest.mark.parametrize("portion", [1, 200, 2**22])
def test_batches_of_padded_blocks_have_the_norms_of_the_single_blocks(
    portion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nuclear_norm, "_PORTION", portion)
    a, b = factors(0, [5, 12, 0, 9, 10, 1, 11]), factors(1, [12, 3, 10, 0, 9])
    found = nuclear_norms(a, b, torch.ones(7, 5, dtype=torch.bool))
    assert torch.allclose(found, one_by_one(a, b), rtol=1e-12, atol=0)


def test_only_the_pairs_asked_for_are_computed() -> None:
    a = factors(2, [4, 6, 12])
    wanted = torch.ones(3, 3, dtype=torch.bool).triu(1)
    found = nuclear_norms(a, a, wanted)
    assert torch.allclose(found, one_by_one(a, a) * wanted, rtol=1e-12, atol=0)
    assert nuclear_norms(a, a, torch.zeros(3, 3, dtype=torch.bool)).count_nonzero() == 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_both_routes_agree_on_blocks_of_full_rank(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(3)
    blocks = torch.randn(20, 30, 30, generator=generator, dtype=dtype)
    sums, error = eigenvalue_route(blocks)
    exact = torch.linalg.svdvals(blocks).sum(dim=1)
    tolerance = 1e-8 if dtype == torch.float64 else 1e-6
    assert torch.allclose(sums, exact, rtol=tolerance, atol=0)
    assert (error < tolerance * exact).all()


def test_the_error_bound_of_the_eigenvalue_route_holds_where_it_loses_digits() -> None:
    generator = torch.Generator().manual_seed(4)
    thin = torch.randn(20, 30, 10, generator=generator, dtype=torch.float64)
    blocks = thin @ torch.randn(20, 10, 30, generator=generator, dtype=torch.float64)  # rank 10: 20 values are 0
    sums, error = eigenvalue_route(blocks)
    exact = torch.linalg.svdvals(blocks).sum(dim=1)
    assert ((sums - exact).abs() <= error).all()
    assert ((sums - exact).abs() > 1e-9 * exact).any()  # it does lose digits
    assert torch.equal(singular_value_sums(blocks, full_height=True), exact)  # so the other route is taken


def test_a_block_in_doubt_changes_route_alone() -> None:
    generator = torch.Generator().manual_seed(5)
    blocks = torch.randn(3, 8, 8, generator=generator, dtype=torch.float64)
    blocks[1, 0] = blocks[1, 1]
    found = singular_value_sums(blocks, full_height=True)
    assert torch.allclose(found, torch.linalg.svdvals(blocks).sum(dim=1), rtol=1e-12, atol=0)
    assert torch.equal(found[[0, 2]], eigenvalue_route(blocks)[0][[0, 2]])
