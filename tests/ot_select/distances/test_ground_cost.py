import pytest
import torch
from torch import Tensor

from ot_select.distances import ground_cost
from ot_select.distances.ground_cost import squared_distances

DTYPES = [torch.float64, torch.float32]


def by_differences(x: Tensor, y: Tensor) -> Tensor:
    """Oracle: the definition, in float64."""
    return (x.double()[:, None] - y.double()).square().sum(dim=2)


@pytest.fixture(params=DTYPES, ids=str)
def points(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor]:
    """Two tables that share points, and hold clusters that are tight against their distance from the origin."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 6, generator=generator, dtype=request.param)
    y = torch.randn(30, 6, generator=generator, dtype=request.param)
    near = 1e3 + 1e-2 * torch.randn(10, 6, generator=generator, dtype=request.param)
    return torch.cat([x, near[:5]]), torch.cat([y, x[:7], near])


def test_every_entry_is_good_to_a_few_hundred_roundings(points: tuple[Tensor, Tensor]) -> None:
    x, y = points
    tolerance = 500 * torch.finfo(x.dtype).eps
    assert torch.allclose(squared_distances(x, y).double(), by_differences(x, y), rtol=tolerance, atol=0)


def test_equal_points_are_at_distance_zero_to_the_last_bit_and_nothing_is_negative(
    points: tuple[Tensor, Tensor],
) -> None:
    x, y = points
    table = squared_distances(x, y)
    assert torch.equal(table == 0, by_differences(x, y) == 0)
    assert int((table == 0).sum()) == 7 + 5
    assert (table >= 0).all()


def test_computing_in_portions_changes_nothing(points: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = points
    expected = squared_distances(x, y)
    monkeypatch.setattr(ground_cost, "_CHUNK", 13)
    assert torch.equal(squared_distances(x, y), expected)


def test_a_single_point_that_lies_at_the_origin_is_at_distance_zero_from_itself() -> None:
    origin = torch.zeros(1, 3)
    assert squared_distances(origin, origin).item() == 0.0
