import numpy as np
import pytest

from ot_select import OptionError, entropic_coupling, exact_coupling
from ot_select.arrays import FloatArray


@pytest.fixture
def cost() -> FloatArray:
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((40, 3)), generator.standard_normal((30, 3)) + 1
    return np.asarray(np.square(x[:, None] - y).sum(axis=2))


def plain_sinkhorn(
    cost: FloatArray, eps: float, sweeps: int, a: FloatArray | None = None, b: FloatArray | None = None
) -> tuple[FloatArray, float]:
    """Oracle: the textbook iteration on the kernel, fit for large eps only, and the objective it minimises."""
    n, m = cost.shape
    a, b = np.full(n, 1 / n) if a is None else a, np.full(m, 1 / m) if b is None else b
    kernel = np.exp(-cost / eps) * np.outer(a, b)
    u, v = np.ones(n), np.ones(m)
    for _ in range(sweeps):
        u = a / (kernel @ v)
        v = b / (u @ kernel)
    plan = u[:, None] * kernel * v
    return plan, float((plan * cost).sum() + eps * (plan * np.log(plan / np.outer(a, b))).sum())


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


def test_the_coupling_under_weights_is_that_of_the_textbook_iteration(cost: FloatArray) -> None:
    generator = np.random.default_rng(1)
    a, b = generator.dirichlet(np.ones(40)), generator.dirichlet(np.ones(30))
    result = entropic_coupling(cost, regularisation=2.0, tolerance=1e-12, weights_a=a, weights_b=b)
    plan, value = plain_sinkhorn(cost, 2.0, 3000, a, b)
    assert result.converged
    assert np.allclose(result.plan, plan, rtol=1e-8, atol=1e-14)
    assert result.value == pytest.approx(value, rel=1e-10)
    assert 0 <= result.dual_gap + 1e-12 <= 1e-9


@pytest.mark.parametrize("weighted", [False, True])
def test_a_symmetric_problem_has_the_same_solution_in_far_fewer_sweeps(weighted: bool) -> None:
    generator = np.random.default_rng(2)
    points = generator.standard_normal((50, 3))
    cost = np.asarray(np.square(points[:, None] - points).sum(axis=2))
    weights = generator.dirichlet(np.full(50, 5.0)) if weighted else None
    result = entropic_coupling(
        cost, regularisation=0.5, tolerance=1e-10, weights_a=weights, weights_b=weights, symmetric=True
    )
    plan, value = plain_sinkhorn(cost, 0.5, 20_000, weights, weights)
    assert result.converged
    assert result.value == pytest.approx(value, rel=1e-9)
    assert np.allclose(result.plan, plan, atol=1e-8)
    assert np.allclose(result.plan, result.plan.T, rtol=1e-12, atol=0)
    assert result.num_iterations is not None
    assert result.num_iterations < 200


def test_too_few_sweeps_of_a_symmetric_problem_are_a_status(cost: FloatArray) -> None:
    square = cost[:30] + cost[:30].T
    result = entropic_coupling(square, regularisation=0.01, tolerance=1e-12, max_iterations=5, symmetric=True)
    assert not result.converged
    assert result.marginal_error > 1e-12


def test_a_table_that_refuses_writes_is_read_all_the_same(cost: FloatArray) -> None:
    expected = entropic_coupling(cost, regularisation=1.0).value
    cost.setflags(write=False)
    assert entropic_coupling(cost, regularisation=1.0).value == expected
    assert exact_coupling(cost[:, ::-1]).cost == pytest.approx(exact_coupling(cost).cost, rel=1e-12)
