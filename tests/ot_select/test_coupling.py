import numpy as np
import pytest
from scipy.optimize import linprog  # type: ignore[import-untyped, unused-ignore]

from ot_select import OptionError, exact_coupling
from ot_select.arrays import FloatArray


def linear_programme_cost(cost: FloatArray) -> float:
    """Oracle: the transport problem handed to SciPy's linear programming as it stands in the textbook."""
    n, m = cost.shape
    row_sums = np.kron(np.eye(n), np.ones(m))
    column_sums = np.kron(np.ones(n), np.eye(m))
    marginals = np.concatenate([np.full(n, 1 / n), np.full(m, 1 / m)])
    return float(linprog(cost.ravel(), A_eq=np.vstack([row_sums, column_sums]), b_eq=marginals).fun)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (7, 7), (9, 13), (20, 8)])
def test_the_exact_cost_is_that_of_the_linear_programme(shape: tuple[int, int]) -> None:
    cost = np.random.default_rng(shape[0]).random(shape)
    result = exact_coupling(cost)
    assert result.cost == pytest.approx(linear_programme_cost(cost), rel=1e-9)
    assert result.converged
    assert result.marginal_error < 1e-12
    assert abs(result.dual_gap) < 1e-12  # duality: the potentials certify the optimum


def test_a_run_cut_short_is_a_status_and_no_warning() -> None:
    cost = np.random.default_rng(0).random((60, 60))
    result = exact_coupling(cost, max_iterations=3)
    assert not result.converged
    assert result.marginal_error > 0.1  # and the marginals show how far it got


@pytest.mark.parametrize("cost", [np.zeros((0, 3)), np.zeros(3), np.array([[0.0, np.nan]])])
def test_a_cost_that_is_no_finite_table_gets_a_sentence(cost: FloatArray) -> None:
    with pytest.raises(OptionError, match=r"a finite table of shape \(n, m\) is needed"):
        exact_coupling(cost)
