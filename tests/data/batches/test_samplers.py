"""Orders that follow from seed and epoch alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from supernet_tl.data import BalancedSampler, BatchError, ShuffledSampler


def epochs(sampler: ShuffledSampler | BalancedSampler, numbers: list[int]) -> list[list[int]]:
    orders = []
    for number in numbers:
        sampler.set_epoch(number)
        orders.append(list(sampler))
    return orders


def test_a_shuffled_epoch_is_a_permutation_and_differs_from_the_next() -> None:
    first, second = epochs(ShuffledSampler(50, seed=1), [0, 1])
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert len(ShuffledSampler(50, seed=1)) == 50


def test_an_epoch_is_the_same_whether_the_ones_before_it_were_drawn_or_not() -> None:
    source = np.repeat([0, 1, 2], [40, 7, 3])
    for make in (lambda: ShuffledSampler(50, seed=1), lambda: BalancedSampler([source], seed=1)):
        assert epochs(make(), [0, 1, 2, 3])[3] == epochs(make(), [3])[0]


def test_another_seed_gives_another_order() -> None:
    assert list(ShuffledSampler(50, seed=1)) != list(ShuffledSampler(50, seed=2))


def test_every_source_gives_as_many_draws_whatever_its_size() -> None:
    source = np.repeat([0, 1, 2], [41, 7, 3])
    sampler = BalancedSampler([source], seed=0)
    (order,) = epochs(sampler, [4])
    assert np.bincount(source[order]).tolist() == [17, 17, 17]  # oracle: ceil(51 / 3)
    assert len(order) == len(sampler) == 51


def test_every_round_of_draws_has_one_image_of_each_source() -> None:
    source = np.repeat([0, 1, 2], [41, 7, 3])
    rounds = source[list(BalancedSampler([source], seed=0))].reshape(-1, 3)
    assert np.array_equal(np.sort(rounds, axis=1), np.tile([0, 1, 2], (17, 1)))
    assert len({tuple(row) for row in rounds.tolist()}) > 1


def test_sources_may_be_given_as_list_array_or_tensor() -> None:
    source = [0, 0, 0, 1, 2, 2]
    orders = [list(BalancedSampler([given], seed=0)) for given in (source, np.array(source), torch.tensor(source))]
    assert orders[0] == orders[1] == orders[2]


def test_small_sources_go_round_evenly_and_large_ones_repeat_nothing() -> None:
    source = np.repeat([0, 1, 2], [41, 7, 3])
    times = np.bincount(list(BalancedSampler([source], seed=0)), minlength=51)
    assert times[:41].max() == 1
    assert set(times[41:48]) == {2, 3}
    assert set(times[48:]) == {5, 6}


def test_classes_within_sources_are_drawn_evenly_whatever_their_sizes() -> None:
    source = np.repeat([0, 1], [90, 10])
    label = np.concatenate([np.repeat([0, 1, 2], [80, 8, 2]), np.repeat([3, 4], [9, 1])])
    sampler = BalancedSampler([source, label], seed=0)
    (order,) = epochs(sampler, [2])
    # Oracle: half of 100 draws for each source; of these as many for each of its classes, to within one.
    assert np.bincount(source[order]).tolist() == [50, 50]
    drawn = np.bincount(label[order])
    assert sorted(drawn[:3].tolist()) == [16, 17, 17]
    assert drawn[3:].tolist() == [25, 25]
    assert np.bincount(order, minlength=100)[:80].max() == 1


def test_every_stretch_of_a_batch_is_as_even_as_its_size_allows() -> None:
    label = np.repeat([0, 1, 2, 3], [60, 20, 3, 1])
    order = np.array(list(BalancedSampler([label], seed=1)))
    for start in range(0, len(order) - 16, 4):
        assert np.bincount(label[order[start : start + 16]], minlength=4).tolist() == [4, 4, 4, 4]


def test_one_level_of_groups_draws_what_the_sampler_of_sources_drew() -> None:
    # Oracle: written down from that sampler, so that mixtures pretrained before are still drawn the same.
    order = list(BalancedSampler([np.repeat([0, 1, 2], [5, 2, 1])], seed=3))
    assert order == [7, 6, 4, 5, 2, 7, 5, 1, 7]


def test_groups_that_are_none_or_of_unequal_number_and_negative_seeds_are_refused() -> None:
    with pytest.raises(BatchError, match=r"have shapes \[\(2,\), \(3,\)\]; expected one or more of the same shape"):
        BalancedSampler([[0, 2], [0, 1, 2]], seed=0)
    with pytest.raises(BatchError, match=r"groups to draw evenly from have shapes \[\(0,\)\]"):
        BalancedSampler([[]], seed=0)
    with pytest.raises(BatchError, match=r"groups to draw evenly from have shapes \[\]"):
        BalancedSampler([], seed=0)
    with pytest.raises(BatchError, match=r"the sampler's seed is -1; expected 0 or more"):
        ShuffledSampler(5, seed=-1)
