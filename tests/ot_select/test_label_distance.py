from collections.abc import Callable

import numpy as np
import pytest
from scipy import linalg  # type: ignore[import-untyped, unused-ignore]

from ot_select import ClassGaussian, LabelledCloud, class_gaussian, gaussian_label_distances
from ot_select.arrays import FloatArray


def squared_wasserstein(a: ClassGaussian, b: ClassGaussian) -> float:
    return float(gaussian_label_distances([a], [b])[0, 0])


def textbook(x: FloatArray, y: FloatArray) -> float:
    """Oracle: the formula with matrix square roots (SciPy), fit for full-rank covariances."""
    s, t = np.cov(x, rowvar=False), np.cov(y, rowvar=False)  # divisor n - 1
    root = linalg.sqrtm(s)
    cross = np.trace(linalg.sqrtm(root @ t @ root)).real
    return float(np.square(x.mean(0) - y.mean(0)).sum() + np.trace(s) + np.trace(t) - 2 * cross)


@pytest.mark.parametrize(("n", "m"), [(30, 50), (8, 200), (200, 9)])
def test_the_nuclear_norm_route_agrees_with_matrix_square_roots_where_these_work(n: int, m: int) -> None:
    generator = np.random.default_rng(n)
    x, y = (
        generator.standard_normal((n, 5)) * 2 + 1,
        generator.standard_normal((m, 5)) @ generator.standard_normal((5, 5)),
    )
    assert squared_wasserstein(class_gaussian(x), class_gaussian(y)) == pytest.approx(textbook(x, y), rel=1e-10)


def test_rank_deficient_classes_in_many_dimensions_get_the_closed_form_of_their_common_subspace() -> None:
    # Oracle: in one dimension W2^2 = (m - o)^2 + (s - t)^2; here that line is turned into 300 dimensions.
    generator = np.random.default_rng(1)
    direction = np.linalg.qr(generator.standard_normal((300, 1)))[0].T
    x, y = generator.standard_normal((6, 1)) * 3, generator.standard_normal((4, 1)) + 2
    expected = (x.mean() - y.mean()) ** 2 + (x.std(ddof=1) - y.std(ddof=1)) ** 2
    assert squared_wasserstein(class_gaussian(x @ direction), class_gaussian(y @ direction)) == pytest.approx(
        expected, rel=1e-12
    )


def test_a_class_of_one_row_has_no_spread() -> None:
    generator = np.random.default_rng(2)
    x, y = generator.standard_normal((1, 3)), generator.standard_normal((10, 3))
    # Oracle: against a point mass W2^2 = |m - x|^2 + tr T.
    expected = np.square(x[0] - y.mean(0)).sum() + np.trace(np.cov(y, rowvar=False))
    assert squared_wasserstein(class_gaussian(x), class_gaussian(y)) == pytest.approx(expected, rel=1e-12)
    assert squared_wasserstein(class_gaussian(x), class_gaussian(x + 2.0)) == pytest.approx(12.0, rel=1e-12)


def test_more_rows_than_features_are_reduced_to_as_many_rows_as_features_without_changing_the_covariance() -> None:
    rows = np.random.default_rng(3).standard_normal((500, 7))
    gaussian = class_gaussian(rows)
    assert gaussian.factor.shape == (7, 7)
    assert np.allclose(gaussian.factor.T @ gaussian.factor, np.cov(rows, rowvar=False), rtol=1e-12, atol=1e-12)


def test_rounding_never_makes_a_distance_negative() -> None:
    generator = np.random.default_rng(4)
    for _ in range(20):
        rows = generator.standard_normal((40, 60)) * 1e3
        nudged = class_gaussian(rows * (1 + 1e-15))
        assert squared_wasserstein(class_gaussian(rows), nudged) >= 0.0


def test_the_table_has_a_row_for_each_class_of_a_and_turns_with_the_order_of_arguments(
    make_cloud: Callable[..., LabelledCloud],
) -> None:
    def gaussians(cloud: LabelledCloud) -> list[ClassGaussian]:
        return [class_gaussian(cloud.features[cloud.class_indices == index]) for index in range(cloud.num_classes)]

    a, b = gaussians(make_cloud(5)), gaussians(make_cloud(6, counts=(9, 4)))
    table = gaussian_label_distances(a, b)
    assert table.shape == (3, 2)
    assert np.allclose(table, gaussian_label_distances(b, a).T, rtol=1e-12, atol=0)
