from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog  # type: ignore[import-untyped, unused-ignore]
from scipy.spatial.distance import cdist  # type: ignore[import-untyped, unused-ignore]

from ot_select import (
    CloudError,
    DimensionMismatchError,
    LabelledCloud,
    NegativeDistanceError,
    OptionError,
    OTSelectError,
    otdd,
)
from ot_select.arrays import IntArray

Maker = Callable[..., LabelledCloud]
Reference = Callable[[str], Any]  # a pair of clouds .a, .b and its .numbers, see conftest

# What the published implementation could be run on; A8_reorder is a shuffle of A8.
REFERENCE_PAIRS = ["A2|B2", "A8|B8", "A64|B64", "A512|B512", "A8|A8", "A8|A8_reorder", "A8|A8_shift", "A8|A8_relabel"]
SINGLETON_PAIR = "A8|S8_last"


def shuffled(cloud: LabelledCloud, seed: int = 0) -> LabelledCloud:
    order = np.random.default_rng(seed).permutation(len(cloud))
    return LabelledCloud(cloud.features[order], [cloud.classes[i] for i in cloud.class_indices[order]])


def relabelled(cloud: LabelledCloud, names: dict[Hashable, Hashable]) -> LabelledCloud:
    return LabelledCloud(cloud.features, [names[cloud.classes[i]] for i in cloud.class_indices])


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
    cost = (
        cdist(a.features, b.features, "sqeuclidean") + result.label_distances[np.ix_(a.class_indices, b.class_indices)]
    )
    n, m = cost.shape
    constraints = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    marginals = np.concatenate([np.full(n, 1 / n), np.full(m, 1 / m)])
    expected = linprog(cost.ravel(), A_eq=constraints, b_eq=marginals).fun
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
    assert otdd(renamed, shuffled(b), max_samples=max_samples).squared == pytest.approx(expected, rel=1e-12)


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


# What cannot be computed gets a sentence.


def test_a_negative_debiased_value_has_no_root(make_cloud: Maker) -> None:
    result = replace(otdd(make_cloud(1), make_cloud(2), preset="paper"), squared=-0.25)
    with pytest.raises(NegativeDistanceError, match=r"is -0\.25, which is negative and has no root.*preset=None"):
        _ = result.distance


def test_clouds_of_different_dimension_are_refused(make_cloud: Maker) -> None:
    with pytest.raises(DimensionMismatchError, match=r"4 features and cloud b has 5.*same embedder"):
        otdd(make_cloud(1), make_cloud(2, dimension=5))


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"max_samples": 0}, "max_samples is 0, but a whole number of at least 1"),
        ({"max_samples": 2.5}, "max_samples is 2.5"),
        ({"max_samples": 3, "seed": -1}, "seed is -1, but a whole number of at least 0"),
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
