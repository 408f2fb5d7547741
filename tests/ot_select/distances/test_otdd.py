from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from scipy.optimize import linprog  # type: ignore[import-untyped, unused-ignore]
from scipy.spatial.distance import cdist  # type: ignore[import-untyped, unused-ignore]

from ot_select import (
    OTDD,
    BuresWasserstein,
    CloudError,
    DatasetDistance,
    DimensionMismatchError,
    LabelledCloud,
    NegativeDistanceError,
    OptionError,
    OTSelectError,
    draw_rows,
    otdd,
)
from ot_select.arrays import FloatArray, IntArray
from ot_select.distances.device import Precision
from ot_select.distances.label_distance import Inner
from ot_select.distances.otdd import Outer
from tests.ot_select.conftest import FIXTURES

Maker = Callable[..., LabelledCloud]
Reference = Callable[[str], Any]  # a pair of clouds .a, .b and its .numbers, see conftest

# What the published implementation could be run on; A8_reorder is a shuffle of A8.
REFERENCE_PAIRS = ["A2|B2", "A8|B8", "A64|B64", "A512|B512", "A8|A8", "A8|A8_reorder", "A8|A8_shift", "A8|A8_relabel"]
SINGLETON_PAIR = "A8|S8_last"


def shuffled(cloud: LabelledCloud, seed: int = 0) -> LabelledCloud:
    order = np.random.default_rng(seed).permutation(len(cloud))
    labels = [cloud.classes[i] for i in cloud.class_indices[order]]
    return LabelledCloud(cloud.features[order], labels, weights=cloud.weights[order])


def weighted(cloud: LabelledCloud, seed: int = 0) -> LabelledCloud:
    weights = np.random.default_rng(seed).random(len(cloud)) + 0.2
    return LabelledCloud(cloud.features, cloud.class_indices, weights=weights / weights.sum())


def linear_programme(cost: FloatArray, a: FloatArray, b: FloatArray) -> float:
    """Oracle: the least cost of a coupling with weights a and b, by SciPy's linear programming."""
    n, m = cost.shape
    constraints = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    return float(linprog(cost.ravel(), A_eq=constraints, b_eq=np.concatenate([a, b])).fun)


def ground_cost(a: LabelledCloud, b: LabelledCloud, label_distances: FloatArray) -> FloatArray:
    """|x - x'|^2 + W^2(y, y') as the definition has it."""
    return np.asarray(
        cdist(a.features, b.features, "sqeuclidean") + label_distances[np.ix_(a.class_indices, b.class_indices)]
    )


def relabelled(cloud: LabelledCloud, names: dict[Hashable, Hashable]) -> LabelledCloud:
    labels = [names[cloud.classes[i]] for i in cloud.class_indices]
    return LabelledCloud(cloud.features, labels, weights=cloud.weights)


# Oracle of this part: an independent float64 computation, stored as halves of squared distances.


@pytest.mark.parametrize("key", [*REFERENCE_PAIRS, SINGLETON_PAIR])
def test_exact_values_and_label_distances_agree_with_the_independent_numbers(reference: Reference, key: str) -> None:
    pair = reference(key)
    result = otdd(pair.a, pair.b, drop_singletons=True)
    numbers = pair.numbers
    scale = numbers["cost_mean"]
    assert result.squared / 2 == pytest.approx(numbers["outer_exact_emd"], rel=1e-8, abs=1e-12 * scale)
    assert np.allclose(result.label_distances, numbers["label_W2sq_12"], rtol=1e-8, atol=1e-12 * scale)
    assert result.converged


@pytest.mark.parametrize("key", [*REFERENCE_PAIRS, SINGLETON_PAIR])
def test_the_paper_preset_agrees_with_the_converged_divergence_at_its_eps(reference: Reference, key: str) -> None:
    pair = reference(key)
    result = otdd(pair.a, pair.b, preset="paper", drop_singletons=True)
    expected = pair.numbers["entropic_eps0.1"]["sinkhorn_divergence"]
    assert result.squared / 2 == pytest.approx(expected, rel=1e-5, abs=1e-8)
    assert result.converged
    assert result.marginal_error <= 1e-3
    assert result.dual_gap >= 0


@pytest.mark.parametrize("key", [*REFERENCE_PAIRS, SINGLETON_PAIR])
@pytest.mark.parametrize("level", ["entropic_eps0.1", "entropic_eps_rel"])
def test_converged_entropic_values_agree_with_the_independent_numbers(
    reference: Reference, key: str, level: str
) -> None:
    pair = reference(key)
    numbers = pair.numbers[level]
    distance = OTDD("entropic", regularisation=2 * numbers["eps"], tolerance=1e-5, drop_singletons=True)
    between = distance(pair.a, pair.b)
    debiased = replace(distance, outer="debiased")(pair.a, pair.b)
    assert between.converged
    assert debiased.converged
    assert between.squared / 2 == pytest.approx(numbers["OT_eps"], rel=1e-6)
    # the independent numbers are themselves converged to the marginal errors stored beside them
    scale = numbers["OT_eps"]
    assert debiased.squared / 2 == pytest.approx(numbers["sinkhorn_divergence"], rel=1e-6, abs=1e-8 * scale)


# Oracle of this part: the published implementation in double precision, whose Sinkhorn stops up to 3 % early.


@pytest.mark.parametrize("key", [*REFERENCE_PAIRS, SINGLETON_PAIR])
def test_the_paper_preset_is_within_three_percent_of_the_published_implementation(
    reference: Reference, key: str
) -> None:
    pair = reference(key)
    found = otdd(pair.a, pair.b, preset="paper", drop_singletons=True).squared / 2
    assert found == pytest.approx(pair.published["debiased_entreg0.1_double"], rel=0.03, abs=1e-8)


@pytest.mark.parametrize("key", [*REFERENCE_PAIRS, SINGLETON_PAIR])
def test_exact_distances_between_classes_agree_with_the_published_ones(reference: Reference, key: str) -> None:
    pair = reference(key)
    result = OTDD(inner="exact", drop_singletons=True)(pair.a, pair.b)
    published = pair.published_inner_exact  # its label distances are single precision
    scale = pair.numbers["cost_mean"]
    assert np.allclose(result.label_distances, published["label_12_inner_emd"], rtol=1e-6, atol=1e-6 * scale)
    assert result.squared / 2 == pytest.approx(published["outer_exact_emd_inner_emd"], rel=1e-6, abs=1e-6 * scale)


@pytest.mark.parametrize("key", ["A2|B2", "A8|B8"])
def test_diagonal_distances_between_classes_agree_with_the_published_ones(reference: Reference, key: str) -> None:
    pair = reference(key)
    published = pair.published_variants["diagonal_cov"]
    result = replace(OTDD.paper(), inner="diagonal")(pair.a, pair.b)
    assert np.allclose(result.label_distances, published["label_12"], rtol=1e-8, atol=0)
    assert result.squared / 2 == pytest.approx(published["distance"], rel=0.03)


@pytest.mark.parametrize("key", ["A2|B2", "A8|B8"])
def test_distances_between_means_are_the_published_ones_squared(reference: Reference, key: str) -> None:
    pair = reference(key)  # the published ones lack the square that their place in the cost asks for
    published = np.array(pair.published_variants["means_only"]["label_12"])
    assert np.allclose(OTDD(inner="means")(pair.a, pair.b).label_distances, published**2, rtol=1e-8, atol=0)


def test_labels_that_say_something_else_about_the_same_points_are_a_distance_away(reference: Reference) -> None:
    original = reference("A8|A8").a
    with np.load(FIXTURES / "otdd_reference.npz") as archive:
        scrambled = LabelledCloud(original.features, archive["A8_scramble_Y"])
    # Oracle: the independent computation, to its six decimals.
    assert OTDD()(original, scrambled).squared / 2 == pytest.approx(21.819721, abs=1e-6)
    assert OTDD.paper()(original, scrambled).squared / 2 == pytest.approx(21.819653, rel=1e-5)


def test_a_singleton_class_is_kept_by_default_and_weighs_in(reference: Reference) -> None:
    pair = reference(SINGLETON_PAIR)
    kept = otdd(pair.a, pair.b)
    dropped = otdd(pair.a, pair.b, drop_singletons=True)
    assert kept.num_rows == (150, 81)
    assert dropped.num_rows == (150, 80)
    assert kept.labels_b == (0, 1, 2, 3)
    assert dropped.labels_b == (0, 1, 2)
    assert np.allclose(kept.label_distances[:, :3], dropped.label_distances, rtol=1e-12, atol=0)
    assert kept.squared != dropped.squared


# Oracle of this part: SciPy's linear programming on a cost written down from the definition.


def test_the_squared_distance_is_the_linear_programme_of_the_definition(make_cloud: Maker) -> None:
    a, b = make_cloud(1, counts=(6, 4)), make_cloud(2, counts=(5, 1, 7))
    result = otdd(a, b)
    expected = linear_programme(ground_cost(a, b, result.label_distances), a.weights, b.weights)
    assert result.squared == pytest.approx(expected, rel=1e-9)
    assert result.distance == pytest.approx(np.sqrt(expected), rel=1e-9)
    assert result.dual_gap == pytest.approx(0.0, abs=1e-9)


def test_the_coupling_kept_on_request_couples_the_rows_named_at_the_cost_returned(make_cloud: Maker) -> None:
    a, b = make_cloud(1), make_cloud(2)
    result = otdd(a, b, max_samples=11, seed=5, keep_coupling=True)
    assert otdd(a, b).coupling is None
    assert result.coupling is not None
    between_rows = cdist(a.features[result.rows_a], b.features[result.rows_b], "sqeuclidean")
    classes = np.ix_(a.class_indices[result.rows_a], b.class_indices[result.rows_b])
    assert (result.coupling * (between_rows + result.label_distances[classes])).sum() == pytest.approx(result.squared)
    assert np.allclose(result.coupling.sum(axis=1), 1 / 11)


# Properties of a distance.


@pytest.mark.parametrize("preset", [None, "paper"])
@pytest.mark.parametrize("max_samples", [None, 20])
def test_a_cloud_is_at_distance_zero_from_itself_shuffled_and_relabelled(
    make_cloud: Maker, preset: str | None, max_samples: int | None
) -> None:
    cloud = make_cloud(3, counts=(30, 20, 10, 1), dimension=40)
    copy = relabelled(shuffled(cloud), {0: "z", 1: "q", 2: "a", 3: "m"})
    mean_cost = float(cdist(cloud.features, cloud.features, "sqeuclidean").mean())
    for other in (cloud, copy):
        result = otdd(cloud, other, max_samples=max_samples, preset=preset)  # type: ignore[arg-type]
        assert result.squared == pytest.approx(0.0, abs=1e-9 * mean_cost)


def test_the_label_distance_of_equal_classes_is_zero_to_the_last_bit(make_cloud: Maker) -> None:
    cloud = make_cloud(4, counts=(50, 7), dimension=20)
    assert np.diag(otdd(cloud, shuffled(cloud)).label_distances).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("preset", [None, "paper"])
def test_the_distance_is_symmetric(make_cloud: Maker, preset: str | None) -> None:
    a, b = make_cloud(5, counts=(20, 15)), make_cloud(6)
    forth = otdd(a, b, max_samples=18, preset=preset)  # type: ignore[arg-type]
    back = otdd(b, a, max_samples=18, preset=preset)  # type: ignore[arg-type]
    # Sinkhorn stops at a tolerance, and from the other side at another point: to within the gaps it certifies
    tolerance = forth.squared * 1e-12 if preset is None else forth.dual_gap
    assert back.squared == pytest.approx(forth.squared, abs=tolerance)
    assert np.allclose(back.label_distances, forth.label_distances.T, rtol=1e-12, atol=0)
    assert np.array_equal(back.rows_a, forth.rows_b)


@pytest.mark.parametrize("max_samples", [None, 15])
def test_neither_row_order_nor_label_names_change_the_distance(make_cloud: Maker, max_samples: int | None) -> None:
    a, b = make_cloud(7), make_cloud(8)
    expected = otdd(a, b, max_samples=max_samples).squared
    renamed = relabelled(shuffled(a, seed=9), {0: "cat", 1: "ant", 2: "bee"})
    assert otdd(renamed, shuffled(b), max_samples=max_samples).squared == expected  # to the last bit


@pytest.mark.parametrize("preset", [None, "paper"])
def test_a_shift_by_t_with_the_same_labels_is_twice_the_square_of_t(reference: Reference, preset: str | None) -> None:
    # Oracle: |t|^2 from the points and |t|^2 from the class means; |t|^2 is 15.3125 for this pair
    pair = reference("A8|A8_shift")
    result = otdd(pair.a, pair.b, preset=preset)  # type: ignore[arg-type]
    assert result.squared == pytest.approx(2 * 15.3125, rel=1e-8 if preset is None else 1e-6)


def test_label_distances_stand_in_the_class_order_of_the_clouds(make_cloud: Maker) -> None:
    a, b = make_cloud(9), make_cloud(10)
    renamed = relabelled(a, {0: "c", 1: "a", 2: "b"})
    plain, turned = otdd(a, b), otdd(renamed, b)
    assert plain.labels_a == (0, 1, 2)
    assert turned.labels_a == ("a", "b", "c")
    assert np.array_equal(turned.label_distances, plain.label_distances[[1, 2, 0]])


def test_class_statistics_come_from_the_rows_that_are_coupled(make_cloud: Maker) -> None:
    a, b = make_cloud(11, counts=(40, 30)), make_cloud(12, counts=(25, 25))
    sampled = otdd(a, b, max_samples=16, seed=2)

    def part(cloud: LabelledCloud, rows: IntArray) -> LabelledCloud:
        return LabelledCloud(cloud.features[rows], cloud.class_indices[rows])

    # Oracle: the same computation on clouds that consist of these rows alone
    alone = otdd(part(a, sampled.rows_a), part(b, sampled.rows_b))
    assert sampled.num_rows == (16, 16)
    assert sampled.squared == pytest.approx(alone.squared, rel=1e-12)
    assert np.allclose(sampled.label_distances, alone.label_distances, rtol=1e-12, atol=0)


def test_the_seed_decides_the_rows(make_cloud: Maker) -> None:
    a, b = make_cloud(13, counts=(60, 60)), make_cloud(14, counts=(60, 60))
    values = [otdd(a, b, max_samples=20, seed=seed).squared for seed in (0, 0, 1)]
    assert values[0] == values[1] != values[2]


def test_the_paper_preset_compares_a_thousand_rows_unless_told_otherwise(make_cloud: Maker) -> None:
    a, b = make_cloud(15, counts=(1100, 30), dimension=2), make_cloud(16, dimension=2)
    assert otdd(a, b, preset="paper").num_rows == (1000, 25)
    assert otdd(a, b, preset="paper", max_samples=50).num_rows == (50, 25)
    assert otdd(a, b).num_rows == (1130, 25)


# Weights.


@pytest.mark.parametrize("inner", ["gaussian", "diagonal", "means", "exact"])
def test_the_squared_distance_under_weights_is_the_linear_programme_of_the_definition(
    make_cloud: Maker, inner: Inner
) -> None:
    a, b = weighted(make_cloud(1, counts=(6, 4))), weighted(make_cloud(2, counts=(5, 1, 7)), seed=1)
    result = OTDD(inner=inner, keep_coupling=True)(a, b)
    expected = linear_programme(ground_cost(a, b, result.label_distances), a.weights, b.weights)
    assert result.squared == pytest.approx(expected, rel=1e-9)
    assert result.coupling is not None
    assert np.allclose(result.coupling.sum(axis=1), a.weights[result.rows_a], atol=1e-12)
    assert np.allclose(result.coupling.sum(axis=0), b.weights[result.rows_b], atol=1e-12)


@pytest.mark.parametrize("inner", ["means", "exact"])  # Gaussians differ: weights that count copies ask for no divisor
def test_a_row_of_weight_k_over_n_counts_as_k_rows(make_cloud: Maker, inner: Inner) -> None:
    a, b = make_cloud(3, counts=(5, 4)), make_cloud(4, counts=(6, 3))
    times = np.random.default_rng(0).integers(1, 5, len(a))
    heavy = LabelledCloud(a.features, a.class_indices, weights=times / times.sum())
    copies = a.take(np.repeat(np.arange(len(a)), times))
    distance = OTDD(inner=inner)
    assert distance(heavy, b).squared == pytest.approx(distance(copies, b).squared, rel=1e-10)


def test_weights_that_are_all_equal_change_nothing(make_cloud: Maker) -> None:
    a, b = make_cloud(5), make_cloud(6)
    same = LabelledCloud(a.features, a.class_indices, weights=np.full(len(a), 1 / len(a)))
    assert otdd(same, b, max_samples=12).squared == otdd(a, b, max_samples=12).squared


@pytest.mark.parametrize("preset", [None, "paper"])
@pytest.mark.parametrize("max_samples", [None, 14])
def test_a_weighted_cloud_is_at_distance_zero_from_itself_shuffled_and_relabelled(
    make_cloud: Maker, preset: str | None, max_samples: int | None
) -> None:
    cloud = weighted(make_cloud(7, counts=(12, 9, 4), dimension=20))
    copy = relabelled(shuffled(cloud), {0: "z", 1: "q", 2: "a"})
    result = otdd(cloud, copy, max_samples=max_samples, preset=preset)  # type: ignore[arg-type]
    assert result.squared == pytest.approx(0.0, abs=1e-9)
    assert result.converged


def test_a_sample_of_a_weighted_cloud_is_compared_as_the_cloud_that_draw_rows_gives(make_cloud: Maker) -> None:
    a, b = weighted(make_cloud(8, counts=(30, 20))), make_cloud(9)
    expected = OTDD()(draw_rows(a, 15, seed=3), draw_rows(b, 15, seed=3))
    found = otdd(a, b, max_samples=15, seed=3)
    assert found.squared == expected.squared
    drawn = {tuple(row) for row in draw_rows(a, 15, seed=3).features}
    assert {tuple(row) for row in a.features[found.rows_a]} == drawn


# The distance as a value.


def test_it_is_a_frozen_value_that_serves_any_number_of_comparisons(make_cloud: Maker) -> None:
    distance: DatasetDistance = OTDD()
    a, b = make_cloud(1), make_cloud(2)
    assert distance(a, b).squared == otdd(a, b).squared == distance(a, b).squared
    assert OTDD.paper()(a, b).squared == otdd(a, b, preset="paper").squared
    assert len({OTDD(), OTDD("exact", "gaussian"), OTDD.paper()}) == 2


@pytest.mark.parametrize(
    ("distance", "name"),
    [
        (OTDD(), "otdd"),
        (OTDD.paper(), "otdd-paper"),
        (OTDD("debiased", regularisation=0.2, tolerance=1e-3), "otdd-paper"),
        (OTDD("debiased", regularisation=0.2, tolerance=1e-4), "otdd-debiased-eps0.2-tol0.0001"),
        (OTDD("entropic", "means", regularisation=5), "otdd-entropic-eps5-tol0.001-means"),
        (OTDD(inner="exact", max_iterations=7, drop_singletons=True), "otdd-exact-max7-no-singletons"),
        (OTDD(precision="float32", device="cpu", keep_coupling=True), "otdd-float32"),
    ],
)
def test_the_name_says_what_changes_numbers(distance: OTDD, name: str) -> None:
    assert distance.name == name


@pytest.mark.parametrize("inner", ["gaussian", "diagonal", "means", "exact"])
def test_entropic_and_debiased_values_approach_the_exact_one_as_regularisation_vanishes(
    make_cloud: Maker, inner: Inner
) -> None:
    a, b = make_cloud(10), make_cloud(11)
    exact = OTDD(inner=inner)(a, b).squared  # oracle: network simplex
    outers: tuple[Outer, ...] = ("entropic", "debiased")
    for outer in outers:
        gaps = [abs(OTDD(outer, inner, regularisation=eps)(a, b).squared - exact) for eps in (10.0, 1.0, 0.01)]
        assert gaps[0] > gaps[1] > gaps[2]
        assert gaps[2] < 1e-3 * exact


def test_the_entropic_value_is_positive_between_equal_clouds_and_the_debiased_one_zero(make_cloud: Maker) -> None:
    cloud = make_cloud(12)
    assert OTDD("entropic", regularisation=1.0)(cloud, shuffled(cloud)).squared > 0.1
    assert OTDD("debiased", regularisation=1.0)(cloud, shuffled(cloud)).squared == pytest.approx(0.0, abs=1e-12)


def test_the_debiased_distance_between_copies_is_zero_to_the_last_bit(make_cloud: Maker) -> None:
    # by rounding alone, a third of these would be off, and some negative
    for seed in range(12):
        cloud = weighted(make_cloud(seed, counts=(4, 2, 1)), seed)
        for copy in (cloud, relabelled(shuffled(cloud, seed), {0: "z", 1: "q", 2: "a"})):
            result = OTDD.paper()(cloud, copy)
            assert result.squared == result.distance == result.dual_gap == 0.0
            assert result.converged


def test_same_points_of_other_classes_or_weights_are_no_copies(make_cloud: Maker) -> None:
    cloud = make_cloud(1, counts=(4, 4))
    assert OTDD.paper()(cloud, weighted(cloud)).squared > 1e-3
    assert OTDD.paper()(cloud, LabelledCloud(cloud.features, np.arange(8) % 2)).squared > 1e-3


@pytest.mark.parametrize("outer", ["entropic", "debiased"])
def test_the_optimum_lies_within_the_dual_gap(make_cloud: Maker, outer: Outer) -> None:
    a, b = make_cloud(13), make_cloud(14)
    rough = OTDD(outer, regularisation=1.0, tolerance=0.05)(a, b)
    fine = OTDD(outer, regularisation=1.0, tolerance=1e-9)(a, b)  # oracle: the same problem solved much further
    assert fine.converged
    assert 0 < abs(fine.squared - rough.squared) <= rough.dual_gap


@pytest.mark.parametrize(
    "distance",
    [OTDD(max_iterations=2), OTDD("debiased", regularisation=0.01, tolerance=1e-9, max_iterations=4)],
    ids=["exact", "debiased"],
)
def test_a_solver_that_stops_early_is_a_status(make_cloud: Maker, distance: OTDD) -> None:
    result = distance(make_cloud(15), make_cloud(16))
    assert not result.converged
    assert result.marginal_error > 1e-9


def test_a_self_distance_that_stops_early_is_a_status_of_the_debiased_value(make_cloud: Maker) -> None:
    # A point against a cloud is coupled in one sweep, while the cloud against itself takes more.
    cloud, point = make_cloud(15), LabelledCloud(np.zeros((1, 4)), ["p"])
    distance = OTDD("entropic", regularisation=1.0, tolerance=1e-6, max_iterations=3)
    assert distance(cloud, point).converged
    for pair in ((cloud, point), (point, cloud)):
        result = replace(distance, outer="debiased")(*pair)
        assert not result.converged
        assert result.marginal_error > 1e-6


def test_label_distances_that_stopped_early_are_a_status_of_the_whole(make_cloud: Maker) -> None:
    a, b = make_cloud(15), make_cloud(16)
    problem = OTDD(inner="exact").problem(a, b)
    assert OTDD(inner="exact").solve(problem).converged
    assert not OTDD(inner="exact").solve(replace(problem, converged=False)).converged
    assert not OTDD(inner="exact", max_iterations=2).problem(a, b).converged


def test_a_cloud_against_itself_takes_tens_of_sweeps(make_cloud: Maker) -> None:
    # going to and fro as between different clouds, it would take thousands
    cloud = make_cloud(17, counts=(30, 30))
    distance = OTDD("entropic", regularisation=0.05, tolerance=1e-6, max_iterations=400)
    assert distance(cloud, shuffled(cloud)).converged


@pytest.mark.parametrize("distance", [OTDD(), OTDD.paper(), OTDD(inner="diagonal"), OTDD(inner="exact")])
def test_single_precision_moves_the_value_by_less_than_a_millionth_of_the_mean_cost(
    make_cloud: Maker, distance: OTDD
) -> None:
    # far from the origin, where single precision would be lost without a point in the middle subtracted
    a, b = make_cloud(17, dimension=30, shift=1e4), make_cloud(18, dimension=30, shift=1e4)
    mean_cost = float(cdist(a.features, b.features, "sqeuclidean").mean())
    single, double = replace(distance, precision="float32")(a, b), distance(a, b)
    assert single.squared == pytest.approx(double.squared, abs=1e-6 * mean_cost)
    assert np.allclose(single.label_distances, double.label_distances, rtol=0, atol=1e-6 * mean_cost)
    assert single.label_distances.dtype == np.float64
    assert replace(distance, precision="float32")(a, shuffled(a)).squared == 0.0


def test_a_light_outlier_far_away_does_not_cost_single_precision_its_digits() -> None:
    generator = np.random.default_rng(0)
    rows, weights = generator.standard_normal((50, 8)), np.ones(50)
    rows[0], weights[0] = rows[0] * 1e6, 5e-8
    a = LabelledCloud(rows, np.arange(50) % 3, weights=weights / weights.sum())
    b = LabelledCloud(generator.standard_normal((50, 8)), np.arange(50) % 3)
    mean_cost = a.weights @ cdist(a.features, b.features, "sqeuclidean") @ b.weights
    for double, single in ((OTDD(), OTDD(precision="float32")), (BuresWasserstein(), BuresWasserstein("float32"))):
        assert single(a, b).squared == pytest.approx(double(a, b).squared, abs=1e-6 * mean_cost)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("distance", [OTDD(), OTDD.paper(), OTDD(inner="diagonal"), OTDD(inner="exact")])
def test_a_gpu_gives_the_numbers_of_the_cpu(make_cloud: Maker, distance: OTDD) -> None:
    a, b = make_cloud(19, counts=(40, 9, 1)), make_cloud(20)
    there = replace(distance, device="cuda")(a, b)
    here = distance(a, b)
    assert there.squared == pytest.approx(here.squared, rel=1e-9)
    assert np.allclose(there.label_distances, here.label_distances, rtol=1e-9, atol=1e-9)
    assert isinstance(there.label_distances, np.ndarray)


# Features of any magnitude.


def scaled(cloud: LabelledCloud, factor: float) -> LabelledCloud:
    return LabelledCloud(cloud.features * factor, cloud.class_indices, weights=cloud.weights)


def of_scale(factor: float, precision: Precision) -> list[DatasetDistance]:
    """Distances that see the same in clouds scaled by the factor."""
    return [
        *(OTDD(inner=inner, precision=precision) for inner in get_args(Inner)),
        OTDD("debiased", regularisation=0.2 * factor**2, precision=precision),
        BuresWasserstein(precision=precision),
    ]


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("exponent", [-300, -100, -27, 100, 300])
def test_clouds_scaled_by_a_power_of_two_are_at_the_scaled_distance_to_the_last_bit(
    make_cloud: Maker, exponent: int, precision: Precision
) -> None:
    a, b = weighted(make_cloud(1)), make_cloud(2)
    whole = LabelledCloud(np.round(b.features), b.class_indices)  # few digits, so that the exponent orders the rows
    factor = 2.0**exponent
    for other in (b, whole):
        for before, after in zip(of_scale(1.0, precision), of_scale(factor, precision), strict=True):
            expected, found = before(a, other), after(scaled(a, factor), scaled(other, factor))
            assert found.converged
            assert found.squared == expected.squared * factor**2
            assert found.dual_gap == expected.dual_gap * factor**2
            if expected.label_distances is not None:
                assert found.label_distances is not None
                assert np.array_equal(found.label_distances, expected.label_distances * factor**2)


@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-12), ("float32", 1e-6)])
@pytest.mark.parametrize("factor", [1e-150, 1e-81, 1e-30, 1e-8, 1e19, 1e30, 1e77, 1e150])
def test_clouds_of_any_magnitude_are_at_the_scaled_distance(
    make_cloud: Maker, factor: float, precision: Precision, tolerance: float
) -> None:
    a, b = make_cloud(3), make_cloud(4, counts=(9, 1))
    for before, after in zip(of_scale(1.0, "float64"), of_scale(factor, precision), strict=True):
        expected = before(a, b).squared
        assert after(scaled(a, factor), scaled(b, factor)).squared / factor**2 == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("light", [1e-8, 1e-15, 1e-16, 1e-17, 1e-30, 1e-200])
def test_a_class_that_is_nearly_all_one_row_keeps_its_spread(light: float, precision: Precision) -> None:
    # Oracle: two points of weights p and q at distance t have variance pq t^2 / (1 - p^2 - q^2) = t^2 / 2, whatever p.
    heavy_and_light = LabelledCloud([[0.0, 0.0], [3.0, 0.0]], ["a", "a"], weights=np.array([1.0, light]))
    point = LabelledCloud([[0.0, 0.0]], ["b"])
    for distance in (OTDD(precision=precision), OTDD(inner="diagonal", precision=precision)):
        result = distance(heavy_and_light, point)
        assert result.converged
        assert result.label_distances[0, 0] == pytest.approx(4.5, rel=1e-6)
    assert BuresWasserstein(precision=precision)(heavy_and_light, point).squared == pytest.approx(4.5, rel=1e-6)


# Unusual clouds are clouds.


def test_clouds_of_one_class_are_compared_by_points_and_one_label_distance(make_cloud: Maker) -> None:
    a, b = make_cloud(21, counts=(7,)), make_cloud(22, counts=(9,))
    result = OTDD()(a, b)
    points = linear_programme(cdist(a.features, b.features, "sqeuclidean"), a.weights, b.weights)
    assert result.label_distances.shape == (1, 1)
    assert result.squared == pytest.approx(points + result.label_distances[0, 0], rel=1e-9)


@pytest.mark.parametrize("distance", [OTDD(), OTDD.paper()])
def test_clouds_without_any_spread_are_points(distance: OTDD) -> None:
    a = LabelledCloud(np.full((5, 3), 0.1), [0, 0, 0, 1, 1])
    b = LabelledCloud(np.full((4, 3), 2.1), ["x", "x", "y", "z"])
    # Oracle: 3 x 2^2 between the points and as much between the class means.
    assert distance(a, b).squared == pytest.approx(24.0, rel=1e-12)
    assert distance(a, a).squared == pytest.approx(0.0, abs=1e-12)


# What cannot be computed gets a sentence.


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"outer": "sinkhorn"}, "outer is 'sinkhorn', but one of 'exact', 'entropic', 'debiased' is needed"),
        ({"inner": "median"}, "inner is 'median', but one of 'gaussian', 'exact', 'diagonal', 'means' is needed"),
        ({"regularisation": 0.1}, r"regularisation is 0\.1, but the exact coupling has none.*outer='entropic'"),
        ({"tolerance": 0.1}, r"tolerance is 0\.1, but the exact coupling has none"),
        ({"outer": "entropic"}, "outer='entropic' needs a regularisation in feature units squared"),
        ({"outer": "debiased", "regularisation": 0}, "regularisation is 0, but a finite number above 0"),
        ({"outer": "debiased", "regularisation": 1, "tolerance": -1}, "tolerance is -1, but a finite number above 0"),
        ({"max_iterations": 0}, "max_iterations is 0, but a whole number of at least 1"),
        ({"precision": "half"}, "precision is 'half', but one of 'float64', 'float32' is needed"),
    ],
)
def test_options_that_are_unknown_or_do_not_fit_together_get_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        OTDD(**options)


def test_a_device_that_is_not_there_gets_a_sentence(make_cloud: Maker) -> None:
    with pytest.raises(OptionError, match="device is 'abacus', which cannot compute in float64 here"):
        otdd(make_cloud(1), make_cloud(2), device="abacus")


def test_features_whose_squares_leave_the_range_of_floats_get_a_sentence(make_cloud: Maker) -> None:
    for scale in (1e200, 1e-200):
        a, b = scaled(make_cloud(1), scale), scaled(make_cloud(2), scale)
        for distance in (OTDD(inner="means"), BuresWasserstein()):
            with pytest.raises(OptionError, match=r"The squared distance is .* does not fit float64.*np\.ldexp"):
                distance(a, b)


def test_a_regularisation_out_of_all_proportion_to_the_features_gets_a_sentence(make_cloud: Maker) -> None:
    with pytest.raises(OptionError, match=r"regularisation is 0\.2, but features differ by about 2\*\*.*rescale"):
        OTDD.paper()(scaled(make_cloud(1), 1e170), make_cloud(2))


def test_a_negative_debiased_value_has_no_root(make_cloud: Maker) -> None:
    result = replace(otdd(make_cloud(1), make_cloud(2), preset="paper"), squared=-0.25)
    with pytest.raises(NegativeDistanceError, match=r"is -0\.25, which is negative and has no root.*preset=None"):
        _ = result.distance


def test_what_is_no_cloud_is_told_how_to_become_one(make_cloud: Maker) -> None:
    cloud, table = make_cloud(1), make_cloud(1).features
    for compare in (otdd, OTDD(), BuresWasserstein()):
        with pytest.raises(CloudError, match=r"Cloud a is of type ndarray.*Give LabelledCloud\(features, labels\)"):
            compare(table, cloud)  # type: ignore[arg-type]
        with pytest.raises(CloudError, match="Cloud b is of type NoneType"):
            compare(cloud, None)  # type: ignore[arg-type]


def test_clouds_of_different_dimension_are_refused(make_cloud: Maker) -> None:
    with pytest.raises(DimensionMismatchError, match=r"4 features and cloud b has 5.*same embedder"):
        otdd(make_cloud(1), make_cloud(2, dimension=5))


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"max_samples": 0}, "max_samples is 0, but a whole number of at least 1"),
        ({"max_samples": 2.5}, "max_samples is 2.5"),
        ({"max_samples": 3, "seed": -1}, "seed is -1, but a whole number of at least 0"),
        ({"seed": "x"}, "seed is 'x', but a whole number of at least 0"),
        ({"preset": ["paper"]}, r"no preset \['paper'\]; the presets are 'paper'"),
        ({"precision": ["float32"]}, r"precision is \['float32'\], but one of 'float64'"),
        ({"drop_singletons": "no"}, "drop_singletons is 'no', but True or False is needed"),
        ({"keep_coupling": 1}, "keep_coupling is 1, but True or False is needed"),
        ({"preset": "fast"}, "no preset 'fast'; the presets are 'paper'"),
    ],
)
def test_options_out_of_range_get_a_sentence(make_cloud: Maker, option: dict[str, object], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        otdd(make_cloud(1), make_cloud(2), **option)  # type: ignore[arg-type]


def test_dropping_singletons_must_leave_something(make_cloud: Maker) -> None:
    with pytest.raises(CloudError, match="Every class of cloud b has a single row"):
        otdd(make_cloud(1), make_cloud(2, counts=(1, 1)), drop_singletons=True)


def test_every_error_can_be_caught_by_one_name(make_cloud: Maker) -> None:
    with pytest.raises(OTSelectError, match="no preset"):
        otdd(make_cloud(1), make_cloud(2), preset="none")  # type: ignore[arg-type]
