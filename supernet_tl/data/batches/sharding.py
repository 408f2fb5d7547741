"""Which images each of several processes sees."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from torch.utils.data import Sampler

from supernet_tl.data.batches.samplers import EpochSampler
from supernet_tl.data.errors import BatchError


@dataclass(frozen=True)
class Shard:
    """The part of the images that belongs to one of several processes.

    Args:
        index: the process's rank, counted from 0.
        count: how many processes there are.
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise BatchError(
                f"shard {self.index} of {self.count} was asked for; expected a number from 0 to below the count. Give "
                "the process's rank and the number of processes."
            )

    def check(self, num_images: int) -> None:
        """Refuse images that do not suffice for one in every process."""
        if num_images < self.count:
            raise BatchError(
                f"{num_images} images were to be shared by {self.count} processes; expected at least one for each. "
                "Take fewer processes or more images."
            )


WHOLE = Shard()
"""All images, in one process."""


class ShardedSampler(Sampler[int]):
    """What one process draws of a sampler's epoch: every ``count``-th image, as many as every other process.

    So the batches of all processes together are those of one process with batches as many times larger. The images left
    over at the end of an epoch are drawn by none.

    Args:
        sampler: the order of all images; equal in every process.
        shard: which process.
    """

    def __init__(self, sampler: EpochSampler, shard: Shard) -> None:
        shard.check(len(sampler))
        self.sampler, self.shard = sampler, shard

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next pass draws."""
        self.sampler.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.sampler) // self.shard.count

    def __iter__(self) -> Iterator[int]:
        return islice(self.sampler, self.shard.index, len(self) * self.shard.count, self.shard.count)


class EvaluationBatches(Sampler[list[int]]):
    """One process's batches of the images in order: all together see every image once, in as many batches each.

    Args:
        num_images: of all processes.
        batch_size: images in a batch at most.
        shard: which process.
    """

    def __init__(self, num_images: int, batch_size: int, shard: Shard) -> None:
        shard.check(num_images)
        self.indices = np.array_split(np.arange(num_images), shard.count)[shard.index]
        largest, smallest = math.ceil(num_images / shard.count), num_images // shard.count
        self.num_batches = min(math.ceil(largest / batch_size), smallest)  # no batch is empty anywhere

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[list[int]]:
        return (batch.tolist() for batch in np.array_split(self.indices, self.num_batches))
