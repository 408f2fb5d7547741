from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog  # type: ignore[import-untyped, unused-ignore]

from ot_select import OptionError, exact_coupling
from ot_select.arrays import FloatArray
from ot_select.distances import network_simplex


def linear_programme_cost(cost: FloatArray, a: FloatArray | None = None, b: FloatArray | None = None) -> float:
    """Oracle: the transport problem handed to SciPy's linear programming as it stands in the textbook."""
    n, m = cost.shape
    a, b = np.full(n, 1 / n) if a is None else a, np.full(m, 1 / m) if b is None else b
    row_sums = np.kron(np.eye(n), np.ones(m))
    column_sums = np.kron(np.ones(n), np.eye(m))
    marginals = np.concatenate([a, b])
    return float(linprog(cost.ravel(), A_eq=np.vstack([row_sums, column_sums]), b_eq=marginals).fun)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (7, 7), (9, 13), (20, 8)])
def test_the_exact_cost_is_that_of_the_linear_programme(shape: tuple[int, int]) -> None:
    cost = np.random.default_rng(shape[0]).random(shape)
    result = exact_coupling(cost)
    assert result.cost == pytest.approx(linear_programme_cost(cost), rel=1e-9)
    assert result.converged
    assert result.marginal_error < 1e-12
    assert abs(result.dual_gap) < 1e-12  # duality: the potentials certify the optimum


@pytest.mark.parametrize("exponent", [-1000, -54, -20, 300, 1000])
def test_the_magnitude_of_the_cost_does_not_matter(exponent: int) -> None:
    cost = np.random.default_rng(1).random((30, 40))
    expected, found = exact_coupling(cost), exact_coupling(np.ldexp(cost, exponent))
    assert found.converged
    assert found.cost == np.ldexp(expected.cost, exponent)
    assert np.array_equal(found.plan, expected.plan)
    assert found.dual_gap == np.ldexp(expected.dual_gap, exponent)


def test_a_plan_that_the_dual_solution_does_not_certify_is_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    # the simplex by itself stops early at costs far below 1, and takes that for the optimum
    monkeypatch.setattr(network_simplex, "_EXPONENT", -54)
    cost = np.random.default_rng(2).random((30, 30))
    result = exact_coupling(cost)
    optimum = linear_programme_cost(cost)
    assert result.cost > 1.1 * optimum
    assert not result.converged
    assert result.dual_gap >= result.cost - optimum


def test_a_run_cut_short_is_a_status_and_no_warning() -> None:
    cost = np.random.default_rng(0).random((60, 60))
    result = exact_coupling(cost, max_iterations=3)
    assert not result.converged
    assert result.marginal_error > 0.1  # and the marginals show how far it got


@pytest.mark.parametrize("cost", [np.zeros((0, 3)), np.zeros(3), np.array([[0.0, np.nan]])])
def test_a_cost_that_is_no_finite_table_gets_a_sentence(cost: FloatArray) -> None:
    with pytest.raises(OptionError, match=r"a finite table of shape \(n, m\) is needed"):
        exact_coupling(cost)


@pytest.mark.parametrize("cost", ["x", None, [[1, 2], [3]], np.ones((2, 2)) * 1j], ids=str)
def test_a_cost_that_is_no_table_of_numbers_gets_a_sentence(cost: Any) -> None:
    with pytest.raises(OptionError, match="costs cannot be read as real numbers"):
        exact_coupling(cost)


def test_the_exact_cost_under_weights_is_that_of_the_linear_programme() -> None:
    generator = np.random.default_rng(3)
    cost = generator.random((9, 14))
    a, b = generator.dirichlet(np.ones(9)), generator.dirichlet(np.ones(14))
    result = exact_coupling(cost, weights_a=a, weights_b=b)
    assert result.cost == pytest.approx(linear_programme_cost(cost, a, b), rel=1e-9)
    assert np.allclose(result.plan.sum(axis=1), a, atol=1e-12)
    assert np.allclose(result.plan.sum(axis=0), b, atol=1e-12)
    assert result.marginal_error < 1e-12
    assert abs(result.dual_gap) < 1e-12


def test_a_point_of_weight_k_over_n_counts_as_k_points() -> None:
    generator = np.random.default_rng(4)
    cost, times = generator.random((6, 5)), np.array([1, 3, 2, 1, 4, 1])
    weighted = exact_coupling(cost, weights_a=times / times.sum())
    assert weighted.cost == pytest.approx(exact_coupling(np.repeat(cost, times, axis=0)).cost, rel=1e-12)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ([0.5, 0.5], r"weights_a has shape \(2,\) and 0 entries that are not finite.* 3 such numbers are needed"),
        ([0.5, 0.5, 0.0], r"1 entries that are not finite numbers above 0"),
        (["a", "b", "c"], "weights_a cannot be read as numbers"),
        ([0.5, 0.5, 0.5], r"weights_a sums to 1\.5, but shares of the mass.*Give weights_a / weights_a\.sum\(\)"),
    ],
)
def test_weights_that_do_not_fit_get_a_sentence(weights: list[Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        exact_coupling(np.ones((3, 2)), weights_a=np.array(weights))
