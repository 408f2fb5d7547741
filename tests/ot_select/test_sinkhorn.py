import numpy as np
import pytest

from ot_select import OptionError, entropic_coupling, exact_coupling
from ot_select.arrays import FloatArray


@pytest.fixture
def cost() -> FloatArray:
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((40, 3)), generator.standard_normal((30, 3)) + 1
    return np.asarray(np.square(x[:, None] - y).sum(axis=2))


def plain_sinkhorn(cost: FloatArray, eps: float, sweeps: int) -> tuple[FloatArray, float]:
    """Oracle: the textbook iteration on the kernel, fit for large eps only, and the objective it minimises."""
    n, m = cost.shape
    kernel = np.exp(-cost / eps) / (n * m)
    u, v = np.ones(n), np.ones(m)
    for _ in range(sweeps):
        u = 1 / n / (kernel @ v)
        v = 1 / m / (u @ kernel)
    plan = u[:, None] * kernel * v
    return plan, float((plan * cost).sum() + eps * (plan * np.log(plan * n * m)).sum())


@pytest.mark.parametrize("eps", [1.0, 5.0])
def test_the_coupling_is_that_of_the_textbook_iteration(cost: FloatArray, eps: float) -> None:
    result = entropic_coupling(cost, regularisation=eps, tolerance=1e-12)
    plan, value = plain_sinkhorn(cost, eps, sweeps=3000)
    assert result.converged
    assert np.allclose(result.plan, plan, rtol=1e-8, atol=1e-14)
    assert result.value == pytest.approx(value, rel=1e-10)
    assert result.cost == pytest.approx(float((plan * cost).sum()), rel=1e-10)


def test_the_entropic_cost_approaches_the_exact_cost_as_regularisation_vanishes(cost: FloatArray) -> None:
    exact = exact_coupling(cost).cost  # oracle: network simplex
    gaps = [entropic_coupling(cost, regularisation=eps, tolerance=1e-6).cost - exact for eps in (1.0, 0.1, 0.01)]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] == pytest.approx(0.0, abs=1e-3 * exact)


@pytest.mark.parametrize("eps", [1.0, 0.05, 0.002])
def test_the_dual_gap_bounds_the_error_of_the_value(cost: FloatArray, eps: float) -> None:
    rough = entropic_coupling(cost, regularisation=eps, tolerance=1e-2)
    fine = entropic_coupling(cost, regularisation=eps, tolerance=1e-8)  # oracle: the same problem solved much further
    assert fine.converged
    assert rough.marginal_error <= 1e-2
    assert 0 <= fine.value + 1e-9 - rough.value
    assert fine.value - rough.value <= rough.dual_gap


def test_costs_far_beyond_the_range_of_the_exponential_are_no_obstacle(cost: FloatArray) -> None:
    shifted = entropic_coupling(1e4 + 100 * cost, regularisation=0.1)
    assert shifted.converged
    # oracle: at this ratio of cost to eps the entropic cost is the exact one to a part in a thousand
    assert shifted.cost == pytest.approx(1e4 + 100 * exact_coupling(cost).cost, rel=1e-3)


def test_too_few_sweeps_are_a_status(cost: FloatArray) -> None:
    result = entropic_coupling(cost, regularisation=0.01, tolerance=1e-9, max_iterations=5)
    assert not result.converged
    assert result.marginal_error > 1e-9
    assert result.num_iterations is not None


@pytest.mark.parametrize("option", [{"regularisation": 0.0}, {"regularisation": 1.0, "tolerance": float("nan")}])
def test_options_out_of_range_get_a_sentence(cost: FloatArray, option: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="a finite number above 0 is needed"):
        entropic_coupling(cost, **option)  # type: ignore[arg-type]
