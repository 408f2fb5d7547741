"""Orders that follow from seed and epoch alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from supernet_tl.data import BalancedSourceSampler, BatchError, ShuffledSampler


def epochs(sampler: ShuffledSampler | BalancedSourceSampler, numbers: list[int]) -> list[list[int]]:
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
    for make in (lambda: ShuffledSampler(50, seed=1), lambda: BalancedSourceSampler(source, seed=1)):
        assert epochs(make(), [0, 1, 2, 3])[3] == epochs(make(), [3])[0]


def test_another_seed_gives_another_order() -> None:
    assert list(ShuffledSampler(50, seed=1)) != list(ShuffledSampler(50, seed=2))


def test_every_source_gives_as_many_draws_whatever_its_size() -> None:
    source = np.repeat([0, 1, 2], [41, 7, 3])
    sampler = BalancedSourceSampler(source, seed=0)
    (order,) = epochs(sampler, [4])
    assert np.bincount(source[order]).tolist() == [17, 17, 17]  # oracle: ceil(51 / 3)
    assert len(order) == len(sampler) == 51


def test_every_round_of_draws_has_one_image_of_each_source() -> None:
    source = np.repeat([0, 1, 2], [41, 7, 3])
    rounds = source[list(BalancedSourceSampler(source, seed=0))].reshape(-1, 3)
    assert np.array_equal(np.sort(rounds, axis=1), np.tile([0, 1, 2], (17, 1)))
    assert len({tuple(row) for row in rounds.tolist()}) > 1


def test_sources_may_be_given_as_list_array_or_tensor() -> None:
    source = [0, 0, 0, 1, 2, 2]
    orders = [list(BalancedSourceSampler(given, seed=0)) for given in (source, np.array(source), torch.tensor(source))]
    assert orders[0] == orders[1] == orders[2]


def test_small_sources_go_round_evenly_and_large_ones_repeat_nothing() -> None:
    source = np.repeat([0, 1, 2], [41, 7, 3])
    times = np.bincount(list(BalancedSourceSampler(source, seed=0)), minlength=51)
    assert times[:41].max() == 1
    assert set(times[41:48]) == {2, 3}
    assert set(times[48:]) == {5, 6}


def test_drawing_by_image_takes_every_image_once_and_ignores_the_sources() -> None:
    source = np.repeat([0, 1, 2], [41, 7, 3])
    sampler = BalancedSourceSampler(source, seed=0, by_image=True)
    assert sorted(sampler) == list(range(51))
    assert len(sampler) == 51


def test_sources_with_gaps_and_negative_seeds_are_refused() -> None:
    with pytest.raises(BatchError, match=r"sources have \[1, 0, 1\] images; expected at least one for each"):
        BalancedSourceSampler([0, 2], seed=0)
    with pytest.raises(BatchError, match=r"sources have \[\] images"):
        BalancedSourceSampler([], seed=0)
    with pytest.raises(BatchError, match="the sampler's seed is -1; expected 0 or more"):
        ShuffledSampler(5, seed=-1)
