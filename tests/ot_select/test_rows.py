from collections.abc import Callable

import numpy as np
import pytest

from ot_select import LabelledCloud, OptionError, draw_rows, draw_seeds, otdd
from ot_select.arrays import IntArray
from ot_select.rows import canonical_blocks, stratified_sample


def blocks_of(*counts: int) -> list[IntArray]:
    boundaries = np.cumsum(counts)[:-1]
    return [block.astype(np.int64) for block in np.split(np.arange(sum(counts)), boundaries)]


def test_canonical_order_depends_neither_on_row_order_nor_on_the_numbering_of_classes() -> None:
    generator = np.random.default_rng(0)
    features = generator.integers(0, 3, (40, 2)).astype(np.float64)  # few values, so that many rows are equal
    classes = np.repeat([0, 1, 2], [10, 14, 16])
    shuffle = generator.permutation(40)
    renumbered = np.array([2, 0, 1])[classes]
    original = canonical_blocks(features, classes)
    other = canonical_blocks(features[shuffle], renumbered[shuffle])
    for block, twin in zip(original, other, strict=True):
        assert np.array_equal(features[block], features[shuffle][twin])


@pytest.mark.parametrize(
    ("counts", "num_rows", "sizes"),
    [
        ((600, 300, 100), 10, (6, 3, 1)),  # exact shares
        ((980, 10, 10), 10, (8, 1, 1)),  # shares of 9.8, 0.1, 0.1: nobody vanishes
        ((3, 2, 1), 3, (1, 1, 1)),
        ((50, 30, 20), 2, (1, 1, 0)),  # fewer rows than classes: the largest stay
        ((4, 3), 7, (4, 3)),
        ((4, 3), 70, (4, 3)),  # never more than there is
    ],
)
def test_a_sample_keeps_the_shares_of_the_classes_and_every_class_where_rows_allow(
    counts: tuple[int, ...], num_rows: int, sizes: tuple[int, ...]
) -> None:
    blocks = blocks_of(*counts)
    sample = stratified_sample(blocks, num_rows, seed=0)
    chosen = np.concatenate(sample)
    assert tuple(int(np.isin(block, chosen).sum()) for block in blocks) == sizes
    assert len(np.unique(chosen)) == len(chosen)


@pytest.mark.parametrize("num_rows", range(1, 40))
def test_a_sample_has_the_number_of_rows_asked_for(num_rows: int) -> None:
    sample = stratified_sample(blocks_of(17, 1, 1, 1, 9, 11), num_rows, seed=3)
    assert sum(map(len, sample)) == num_rows
    assert num_rows < 6 or len(sample) == 6


def test_a_sample_is_repeated_by_its_seed_and_differs_between_seeds() -> None:
    blocks = blocks_of(100, 100)
    first, again, other = (np.concatenate(stratified_sample(blocks, 50, seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_sampling_leaves_the_global_generator_alone() -> None:
    np.random.seed(0)
    expected = np.random.random()
    np.random.seed(0)
    stratified_sample(blocks_of(30, 20), 10, seed=0)
    assert np.random.random() == expected


def test_equal_remainders_are_drawn_and_do_not_favour_the_first_classes() -> None:
    # 10 classes of 10 rows, 15 rows asked for: each class holds 1.5, so five classes get a second row
    lucky = set()
    for seed in range(20):
        lucky |= {
            index for index, rows in enumerate(stratified_sample(blocks_of(*[10] * 10), 15, seed)) if len(rows) == 2
        }
    assert lucky == set(range(10))


def test_drawing_rows_of_a_cloud_gives_the_rows_that_the_distance_would_compare(
    make_cloud: Callable[..., LabelledCloud],
) -> None:
    cloud, other = make_cloud(1, counts=(30, 20)), make_cloud(2)
    drawn = draw_rows(cloud, 12, seed=3)
    compared = otdd(cloud, other, max_samples=12, seed=3).rows_a
    assert {tuple(row) for row in drawn.features} == {tuple(row) for row in cloud.features[compared]}
    assert drawn.classes == cloud.classes
    assert draw_rows(cloud, 50, seed=3) is cloud


def test_seeds_of_draws_differ_and_the_first_few_are_the_same_however_many_there_are() -> None:
    assert len(set(draw_seeds(0, 50))) == 50
    assert draw_seeds(3, 5)[:2] == draw_seeds(3, 2)
    assert draw_seeds(3, 2) != draw_seeds(4, 2)


@pytest.mark.parametrize(("seed", "num_draws", "name"), [(-1, 3, "seed"), (0, 0, "num_draws")])
def test_seeds_of_draws_are_asked_for_with_whole_numbers(seed: int, num_draws: int, name: str) -> None:
    with pytest.raises(OptionError, match=f"{name} is "):
        draw_seeds(seed, num_draws)


def weighted_cloud() -> LabelledCloud:
    generator = np.random.default_rng(5)
    weights = generator.random(60) + 0.1
    return LabelledCloud(
        generator.standard_normal((60, 3)), np.repeat(["a", "b", "c"], [30, 20, 10]), weights=weights / weights.sum()
    )


def class_masses(cloud: LabelledCloud) -> list[float]:
    return [float(mass) for mass in np.bincount(cloud.class_indices, cloud.weights)]


def test_drawn_rows_of_unequal_weight_keep_the_mass_of_every_class() -> None:
    cloud = weighted_cloud()
    drawn = draw_rows(cloud, 12, seed=0)
    assert drawn.num_rows == 12
    assert class_masses(drawn) == pytest.approx(class_masses(cloud), rel=1e-12)


def test_drawn_rows_of_equal_weight_stay_so() -> None:
    cloud = weighted_cloud()
    drawn = draw_rows(LabelledCloud(cloud.features, cloud.class_indices), 13, seed=0)
    assert drawn.weights.tolist() == [1 / 13] * 13


def test_the_draw_of_a_weighted_cloud_does_not_depend_on_the_order_of_its_rows() -> None:
    cloud = weighted_cloud()
    order = np.random.default_rng(1).permutation(60)
    drawn, twin = draw_rows(cloud, 20, seed=4), draw_rows(cloud.take(order), 20, seed=4)
    assert np.array_equal(drawn.features, twin.features)
    assert np.array_equal(drawn.weights, twin.weights)


def test_weights_tell_equal_rows_apart_in_the_canonical_order() -> None:
    features = np.zeros((4, 2))
    weights = np.array([0.4, 0.1, 0.3, 0.2])
    shuffle = np.array([2, 0, 3, 1])
    order = canonical_blocks(features, np.zeros(4, dtype=np.int64), weights)[0]
    other = canonical_blocks(features, np.zeros(4, dtype=np.int64), weights[shuffle])[0]
    assert np.array_equal(weights[order], weights[shuffle][other])
