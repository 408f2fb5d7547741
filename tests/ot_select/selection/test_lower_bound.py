from collections.abc import Callable, Iterator

import numpy as np
import pytest

from ot_select import LabelledCloud, OptionError, otdd
from ot_select.arrays import FloatArray
from ot_select.distances.network_simplex import transport
from ot_select.distances.otdd import OTDD
from ot_select.selection.lower_bound import (
    Basis,
    Moments,
    class_bound,
    class_potentials,
    moment_bound,
    potential_bound,
    summary_bounds,
    swept_potentials,
)

Maker = Callable[..., LabelledCloud]


def gaussians(seed: int) -> LabelledCloud:
    """Classes of random number, size, place, spread and direction."""
    generator = np.random.default_rng(seed)
    counts = generator.integers(1, 25, size=generator.integers(1, 6))
    rows = [
        10.0 ** generator.uniform(-2, 1) * generator.standard_normal((count, 6)) @ generator.standard_normal((6, 6))
        + 3 * generator.standard_normal(6)
        for count in counts
    ]
    return LabelledCloud(np.concatenate(rows), np.repeat(np.arange(len(counts)), counts))


def adversarial() -> Iterator[tuple[str, LabelledCloud, LabelledCloud]]:
    """Pairs at which a wrong bound shows: where it is tight, degenerate, or a matter of rounding."""
    generator = np.random.default_rng(0)
    rows, labels = generator.standard_normal((30, 6)), np.arange(30) % 3
    cloud = LabelledCloud(rows, labels)
    turn = np.linalg.qr(generator.standard_normal((6, 6)))[0]
    point = LabelledCloud(np.zeros((1, 6)), [0])
    yield "the same cloud", cloud, cloud
    yield "a shift, where moments are tight", cloud, LabelledCloud(rows + 100.0, labels)
    yield "a scaling, where spectra are tight", cloud, LabelledCloud(3 * rows, labels)
    yield "a rotation, where spectra say nothing", cloud, LabelledCloud(rows @ turn, labels)
    yield "other labels on the same points", cloud, LabelledCloud(rows, labels[::-1])
    yield "a single point", cloud, point
    yield "two single points", point, LabelledCloud(np.ones((1, 6)), ["a"])
    yield "far from the origin", LabelledCloud(rows + 1e6, labels), LabelledCloud(rows + 1e6 + 1e-3, labels)
    yield "every row twice", cloud, LabelledCloud(np.repeat(rows, 2, axis=0), np.repeat(labels, 2))
    yield "no spread", LabelledCloud(np.ones((5, 6)), [0, 0, 1, 1, 1]), LabelledCloud(np.zeros((4, 6)), [0, 1, 1, 1])
    yield "outliers", cloud, LabelledCloud(np.vstack([rows, 1e4 * np.eye(6)]), [*labels, *range(3), *range(3)])


PAIRS = [
    *((f"random {seed}", gaussians(seed), gaussians(1000 + seed)) for seed in range(40)),
    *adversarial(),
]


def bounds_of(a: LabelledCloud, b: LabelledCloud, rank: int) -> dict[str, float]:
    basis = Basis.of_rows(np.concatenate([a.features, b.features]), rank)
    ours, theirs = Moments.of(a, basis), Moments.of(b, basis)
    kept = theirs.summary.astype(np.float32)
    problem = OTDD().problem(a, b)
    cost, weights = problem.unit.squares(problem.cost.numpy()), (problem.a.weights, problem.b.weights)
    classes = class_potentials(cost, problem.a, problem.b)
    optimal = transport(*weights, cost).potentials_a
    return {
        "optimal potentials": potential_bound(cost, optimal, weights),
        "summary": float(summary_bounds(ours, kept[None], np.array([theirs.second_moment]))[0]),
        "classes": class_bound(ours, theirs),
        "moments": moment_bound(ours, theirs),
        "zero potentials": potential_bound(cost, np.zeros(len(weights[0])), weights),
        "class potentials": potential_bound(cost, classes, weights),
        "swept potentials": potential_bound(cost, swept_potentials(cost, classes, weights), weights),
    }


# Oracle: the exact distance itself, by network simplex.


@pytest.mark.parametrize(("a", "b"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS])
@pytest.mark.parametrize("rank", [1, 3, 6])
def test_no_bound_exceeds_the_distance(a: LabelledCloud, b: LabelledCloud, rank: int) -> None:
    exact = otdd(a, b).squared
    scale = np.square(a.features - b.features.mean(axis=0)).sum(axis=1).mean()
    found = bounds_of(a, b, rank)
    assert found["optimal potentials"] <= exact  # where there is no room but for rounding
    for name, bound in found.items():
        assert bound <= exact + 1e-11 * scale, name


@pytest.mark.parametrize(("a", "b"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS])
@pytest.mark.parametrize("rank", [1, 3, 6])
def test_dearer_bounds_by_moments_are_no_looser(a: LabelledCloud, b: LabelledCloud, rank: int) -> None:
    found = bounds_of(a, b, rank)
    slack = 1e-6 * found["moments"] + 1e-9
    assert found["summary"] <= found["classes"] + slack
    assert found["classes"] <= found["moments"] + slack


def test_a_shift_is_bounded_by_moments_up_to_the_rounding_allowed(make_cloud: Maker) -> None:
    # Oracle: a shift by t with the same labels is at exactly 2 |t|^2, all of it in the means
    cloud = make_cloud(1, dimension=6)
    shifted = LabelledCloud(cloud.features + 2.0, cloud.class_indices)
    for rank in (1, 6):
        found = bounds_of(cloud, shifted, rank)
        for name in ("summary", "classes", "moments"):
            assert found[name] == pytest.approx(2 * 6 * 4.0, rel=1e-3), name


def test_swept_potentials_come_within_a_few_percent(make_cloud: Maker) -> None:
    a, b = make_cloud(3, counts=(30, 20), dimension=8), make_cloud(4, counts=(25, 25), dimension=8)
    exact = otdd(a, b).squared
    found = bounds_of(a, b, rank=4)
    assert 0.97 * exact < found["swept potentials"] <= exact


def test_potentials_of_any_kind_give_a_bound_and_the_optimal_ones_the_distance(make_cloud: Maker) -> None:
    # Oracle: strong duality, with the potentials that POT's simplex returns
    problem = OTDD().problem(make_cloud(5), make_cloud(6))
    cost, weights = problem.cost.numpy(), (problem.a.weights, problem.b.weights)
    solved = transport(*weights, cost)
    exact = solved.cost
    assert potential_bound(cost, solved.potentials_a, weights) == pytest.approx(exact, rel=1e-9)
    generator = np.random.default_rng(7)
    for _ in range(20):
        wild: FloatArray = 100 * generator.standard_normal(len(weights[0]))
        assert potential_bound(cost, wild, weights) <= exact


def test_weights_of_points_count_in_every_bound() -> None:
    generator = np.random.default_rng(8)
    a = LabelledCloud(generator.standard_normal((12, 3)), np.arange(12) % 2, weights=generator.dirichlet(np.ones(12)))
    b = LabelledCloud(1 + generator.standard_normal((9, 3)), np.arange(9) % 3, weights=generator.dirichlet(np.ones(9)))
    exact = otdd(a, b).squared
    found = bounds_of(a, b, rank=2)
    assert all(bound <= exact for bound in found.values())
    equal = bounds_of(LabelledCloud(a.features, a.class_indices), LabelledCloud(b.features, b.class_indices), rank=2)
    assert all(found[name] != equal[name] for name in found)


def test_class_covariances_are_those_of_the_label_distance_and_not_of_the_sample() -> None:
    # Two rows and four with one and the same covariance (divisor n - 1): the label distance is 0, so with divisor n the
    # bound by spectra would exceed the distance
    rows = np.random.default_rng(0).standard_normal((2, 3))
    middle = rows.mean(axis=0)
    a = LabelledCloud(np.vstack([rows, rows]), [0, 0, 0, 0])
    b = LabelledCloud(middle + (rows - middle) * np.sqrt((4 / 3) / 2), [0, 0])
    result = otdd(a, b)
    assert result.label_distances == pytest.approx(0.0, abs=1e-12)
    assert 0.9 * result.squared < bounds_of(a, b, rank=3)["classes"] <= result.squared


@pytest.mark.parametrize("exponent", [-300, -100, 100, 300])
def test_bounds_by_moments_scale_with_the_features_to_the_last_bit(make_cloud: Maker, exponent: int) -> None:
    a, b = make_cloud(3, dimension=8), make_cloud(4, dimension=8)
    scaled = [LabelledCloud(cloud.features * 2.0**exponent, cloud.class_indices) for cloud in (a, b)]
    basis, scaled_basis = (Basis.of_rows(np.concatenate([x.features, y.features]), 5) for x, y in ((a, b), scaled))
    for bound in (class_bound, moment_bound):
        expected = bound(Moments.of(a, basis), Moments.of(b, basis))
        found = bound(*(Moments.of(cloud, scaled_basis) for cloud in scaled))
        assert found == expected * 4.0**exponent > 0


def test_clouds_out_of_range_or_out_of_proportion_are_refused(make_cloud: Maker) -> None:
    cloud = make_cloud(5)
    with pytest.raises(OptionError, match=r"spread over .*e\+199, whose square is no number.*size near 1"):
        Basis.of_rows(cloud.features * 1e199, 2)
    basis = Basis.of_rows(cloud.features, 2)
    with pytest.raises(OptionError, match=r"up to .*e\+40 from the centre.*Compare only clouds of one kind"):
        Moments.of(LabelledCloud(cloud.features * 1e40, cloud.class_indices), basis)
