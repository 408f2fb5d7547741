"""How several processes share the images."""

from __future__ import annotations

import numpy as np
import pytest

from supernet_tl.data import (
    BalancedSampler,
    BatchError,
    EvaluationBatches,
    Shard,
    ShardedSampler,
    ShuffledSampler,
)


def test_the_draws_of_all_processes_are_those_of_one_in_turn_and_equally_many() -> None:
    whole = ShuffledSampler(23, seed=1)
    parts = [ShardedSampler(ShuffledSampler(23, seed=1), Shard(rank, 3)) for rank in range(3)]
    for epoch in (0, 4):
        whole.set_epoch(epoch)
        for part in parts:
            part.set_epoch(epoch)
        drawn = [list(part) for part in parts]
        assert [len(draws) for draws in drawn] == [len(part) for part in parts] == [7, 7, 7]
        assert np.stack(drawn, axis=1).reshape(-1).tolist() == list(whole)[:21]


def test_a_batch_over_all_processes_is_as_even_over_the_sources_as_in_one() -> None:
    source = np.repeat([0, 1], [30, 6])
    parts = [list(ShardedSampler(BalancedSampler([source], seed=0), Shard(rank, 2))) for rank in range(2)]
    for start in range(0, len(parts[0]), 4):
        batch = [index for part in parts for index in part[start : start + 4]]
        assert np.bincount(source[batch]).tolist() == [len(batch) // 2] * 2


@pytest.mark.parametrize(("num_images", "batch_size", "count"), [(15, 256, 2), (257, 256, 2), (513, 256, 2), (7, 1, 3)])
def test_processes_evaluate_every_image_once_in_as_many_batches_each(
    num_images: int, batch_size: int, count: int
) -> None:
    shares = [list(EvaluationBatches(num_images, batch_size, Shard(rank, count))) for rank in range(count)]
    assert [index for share in shares for batch in share for index in batch] == list(range(num_images))
    assert len({len(share) for share in shares}) == 1
    assert all(0 < len(batch) for share in shares for batch in share)


def test_no_batch_is_larger_than_asked_for_where_that_leaves_none_empty() -> None:
    batches = list(EvaluationBatches(1025, 256, Shard(0, 2)))
    assert [len(batch) for batch in batches] == [171, 171, 171]  # oracle: 513 images need 3 batches


def test_shards_that_cannot_be_are_refused() -> None:
    with pytest.raises(BatchError, match="shard 2 of 2 was asked for; expected a number from 0"):
        Shard(2, 2)
    with pytest.raises(BatchError, match="3 images were to be shared by 4 processes; expected at least one for each"):
        ShardedSampler(ShuffledSampler(3, seed=0), Shard(0, 4))
    with pytest.raises(BatchError, match="3 images were to be shared by 4 processes"):
        EvaluationBatches(3, 8, Shard(0, 4))
