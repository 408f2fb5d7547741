from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import linalg  # type: ignore[import-untyped, unused-ignore]

from ot_select import (
    ClassGaussian,
    LabelledCloud,
    OptionError,
    class_gaussian,
    exact_coupling,
    gaussian_label_distances,
)
from ot_select.arrays import FloatArray
from ot_select.distances.label_distance import Inner, label_distances
from ot_select.distances.side import Side, two_sides


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


@pytest.mark.parametrize("exponent", [-300, -100, 100, 300])
def test_gaussians_of_any_magnitude_are_at_the_scaled_distance_to_the_last_bit(exponent: int) -> None:
    generator = np.random.default_rng(5)
    x, y = generator.standard_normal((30, 4)), generator.standard_normal((3, 4)) + 1
    small = [class_gaussian(np.ldexp(rows, exponent)) for rows in (x, y)]
    expected = squared_wasserstein(class_gaussian(x), class_gaussian(y))
    assert squared_wasserstein(*small) == np.ldexp(expected, 2 * exponent)


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


@pytest.mark.parametrize(
    ("rows", "weights", "sentence"),
    [
        (np.ones((0, 3)), None, r"The rows have shape \(0, 3\).*at least one of each"),
        (np.ones(3), None, r"The rows have shape \(3,\)"),
        (np.full((2, 3), np.nan), None, "6 entries that are not finite"),
        (np.ones((3, 3)), np.ones(3), "weights sums to 3, but shares of the mass"),
    ],
)
def test_rows_that_are_no_class_get_a_sentence(rows: FloatArray, weights: FloatArray | None, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        class_gaussian(rows, weights)


def test_gaussians_that_cannot_be_compared_get_a_sentence() -> None:
    plane, line = class_gaussian(np.eye(2)), class_gaussian(np.ones((2, 1)))
    with pytest.raises(OptionError, match="There are 0 and 1 Gaussians of 2 features"):
        gaussian_label_distances([], [plane])
    with pytest.raises(OptionError, match="Gaussians of 1 and 2 features"):
        gaussian_label_distances([line], [plane])


def test_the_mean_and_covariance_of_a_weighted_class_are_those_of_numpy() -> None:
    generator = np.random.default_rng(7)
    rows, weights = generator.standard_normal((9, 4)), generator.dirichlet(np.ones(9))
    gaussian = class_gaussian(rows, weights)
    # Oracle: NumPy, whose divisor for weights that are no counts is likewise sum w - sum w^2 / sum w.
    assert np.allclose(gaussian.mean, np.average(rows, axis=0, weights=weights), rtol=1e-13, atol=0)
    covariance = np.cov(rows, rowvar=False, aweights=weights)
    assert np.allclose(gaussian.factor.T @ gaussian.factor, covariance, rtol=1e-12, atol=1e-14)


# Whole tables between prepared clouds.


def sides(a: LabelledCloud, b: LabelledCloud, dtype: torch.dtype = torch.float64) -> tuple[Side, Side]:
    return two_sides(a, b, device=torch.device("cpu"), dtype=dtype, drop_singletons=False)


def table(a: LabelledCloud, b: LabelledCloud, inner: Inner, dtype: torch.dtype = torch.float64) -> FloatArray:
    """Distances between the classes in the class orders of the clouds."""
    one, other = sides(a, b, dtype)
    found, converged = label_distances(one, other, inner)
    assert converged
    return one.unit.squares(found.numpy())[np.ix_(one.class_order, other.class_order)]


def weighted(cloud: LabelledCloud, seed: int = 0) -> LabelledCloud:
    return cloud.take(np.arange(len(cloud)), np.random.default_rng(seed).random(len(cloud)) + 0.2)


def classes_of(cloud: LabelledCloud) -> list[tuple[FloatArray, FloatArray]]:
    """Rows and conditional weights of each class."""
    masks = [cloud.class_indices == index for index in range(cloud.num_classes)]
    return [(cloud.features[mask], cloud.weights[mask] / cloud.weights[mask].sum()) for mask in masks]


@pytest.fixture(params=[False, True], ids=["equal weights", "weights"])
def clouds(
    request: pytest.FixtureRequest, make_cloud: Callable[..., LabelledCloud]
) -> tuple[LabelledCloud, LabelledCloud]:
    """Classes of more rows than features, of fewer, and of one."""
    a, b = make_cloud(5, counts=(12, 3, 1)), make_cloud(6, counts=(9, 4, 1, 7))
    return (weighted(a), weighted(b, seed=1)) if request.param else (a, b)


def test_gaussian_tables_hold_the_distances_of_the_single_classes(
    clouds: tuple[LabelledCloud, LabelledCloud],
) -> None:
    one, other = ([class_gaussian(*rows_and_weights) for rows_and_weights in classes_of(cloud)] for cloud in clouds)
    assert np.allclose(table(*clouds, "gaussian"), gaussian_label_distances(one, other), rtol=1e-11, atol=1e-13)


def test_diagonal_tables_hold_the_closed_form_of_independent_features(
    clouds: tuple[LabelledCloud, LabelledCloud],
) -> None:
    def mean_and_deviations(rows: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        variances = np.diag(np.cov(rows, rowvar=False, aweights=weights)) if len(rows) > 1 else np.zeros(rows.shape[1])
        return np.average(rows, axis=0, weights=weights), np.sqrt(variances)

    # Oracle: the one-dimensional (m - o)^2 + (s - t)^2, summed over features.
    a, b = ([mean_and_deviations(*part) for part in classes_of(cloud)] for cloud in clouds)
    expected = [[np.square(m - o).sum() + np.square(s - t).sum() for o, t in b] for m, s in a]
    assert np.allclose(table(*clouds, "diagonal"), expected, rtol=1e-11, atol=0)


def test_tables_of_means_hold_squared_distances_between_means(clouds: tuple[LabelledCloud, LabelledCloud]) -> None:
    a, b = ([np.average(rows, axis=0, weights=weights) for rows, weights in classes_of(cloud)] for cloud in clouds)
    expected = [[np.square(m - o).sum() for o in b] for m in a]
    assert np.allclose(table(*clouds, "means"), expected, rtol=1e-11, atol=0)


def test_exact_tables_hold_the_transport_cost_between_class_samples(
    clouds: tuple[LabelledCloud, LabelledCloud],
) -> None:
    # Oracle: the exact coupling, itself held to a linear programme, on squared differences written out.
    expected = [
        [
            exact_coupling(np.square(x[:, None] - y).sum(axis=2), weights_a=p, weights_b=q).cost
            for y, q in classes_of(clouds[1])
        ]
        for x, p in classes_of(clouds[0])
    ]
    assert np.allclose(table(*clouds, "exact"), expected, rtol=1e-11, atol=0)


@pytest.mark.parametrize("inner", ["gaussian", "diagonal", "means", "exact"])
def test_a_table_within_one_cloud_is_symmetric_with_zeros_on_its_diagonal(
    clouds: tuple[LabelledCloud, LabelledCloud], inner: Inner
) -> None:
    side, twin = sides(clouds[0], clouds[0])
    within, _ = label_distances(side, side, inner)
    assert torch.equal(within, within.T)
    assert (within >= 0).all()
    assert within.diag().tolist() == [0.0] * 3
    across, _ = label_distances(side, twin, inner)  # the same numbers without knowing that both sides are one
    assert torch.allclose(within, across, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("inner", ["gaussian", "diagonal", "means", "exact"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_classes_that_are_equal_to_the_last_bit_are_at_distance_zero_in_whatever_company(
    make_cloud: Callable[..., LabelledCloud], inner: Inner, dtype: torch.dtype
) -> None:
    a = make_cloud(7, counts=(6, 9))
    shared = a.features[a.class_indices == 1]
    b = LabelledCloud(np.concatenate([shared[::-1], make_cloud(8).features]), ["twin"] * 9 + ["x"] * 25)
    found = table(a, b, inner, dtype)
    assert found[1, 0] == 0.0
    assert int((found == 0).sum()) == 1


def test_constant_classes_and_duplicate_points_have_no_spread() -> None:
    a = LabelledCloud(np.array([[1.0, 2.0]] * 4 + [[0.0, 0.0]] * 3), [0] * 4 + [1] * 3)
    b = LabelledCloud(np.array([[1.0, 2.0], [4.0, 6.0], [4.0, 6.0]]), [0, 1, 1])
    # Oracle: between point masses every distance is |x - y|^2.
    for inner in ("gaussian", "diagonal", "means", "exact"):
        assert np.allclose(table(a, b, inner), [[0.0, 25.0], [5.0, 52.0]], rtol=1e-12, atol=1e-12)
