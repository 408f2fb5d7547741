"""Batches of a dataset in an order, and how many processes make them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

import torch
from torch.utils.data import DataLoader, Sampler

from supernet_tl.data.batches.image_batch import Batch
from supernet_tl.data.batches.image_tensors import ImageTensors
from supernet_tl.data.errors import BatchError

_T = TypeVar("_T")


class Order(Protocol):
    """Indices in the order in which images are drawn: a sampler, or ``range(n)``."""

    def __iter__(self) -> Iterator[int]: ...

    def __len__(self) -> int: ...


class FullBatches(Sampler[list[int]]):
    """Batches of a sampler's images, none of which is a single image left over.

    A batch of one image stops batch normalisation in training, so:

    - with ``drop_last`` only full batches are given; if there are fewer images than ``batch_size``, they are one batch;
    - without, every image is given; a single image left over joins the batch before it.

    Args:
        sampler: the order of the images.
        batch_size: images in a batch, at least 1.
        drop_last: leave an incomplete last batch out.
    """

    def __init__(self, sampler: Order, batch_size: int, drop_last: bool) -> None:
        if batch_size < 1:
            raise BatchError(f"the batch size is {batch_size}; expected at least 1. Give another batch size.")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __len__(self) -> int:
        return len(self._sizes())

    def __iter__(self) -> Iterator[list[int]]:
        indices = list(self.sampler)
        start = 0
        for size in self._sizes():
            yield indices[start : start + size]
            start += size

    def _sizes(self) -> list[int]:
        num_full, left_over = divmod(len(self.sampler), self.batch_size)
        sizes = [self.batch_size] * num_full
        if num_full and self.drop_last:
            return sizes
        if left_over == 1 and num_full:
            sizes[-1] += 1
        elif left_over:
            sizes.append(left_over)
        return sizes


def loader(dataset: ImageTensors, sampler: Order, batch_size: int, *, drop_last: bool) -> DataLoader[Batch]:
    """Batches of a dataset, each made at once, without a lonely last image.

    Args:
        dataset: the images.
        sampler: their order, ``range(len(dataset))`` for evaluation; call a sampler's ``set_epoch`` before each epoch.
        batch_size: images in a batch; see ``FullBatches`` for the last one.
        drop_last: leave an incomplete last batch out (training); the loader never gives zero batches.
    """
    return batch_loader(dataset, FullBatches(sampler, batch_size, drop_last))


def batch_loader(dataset: ImageTensors, batches: Sampler[list[int]]) -> DataLoader[Batch]:
    """The given batches of a dataset, made as its ``loading`` says; their order and content do not depend on that."""
    if len(dataset) == 0:
        raise BatchError("a loader was asked for over 0 images; expected at least 1. Give another split.")
    return DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=identity,
        num_workers=dataset.loading.workers,
        persistent_workers=dataset.loading.workers > 0,
        pin_memory=dataset.loading.pin_memory,
        generator=torch.Generator(),  # unused, but without it every epoch would draw from the global generator
    )


def identity(batch: _T) -> _T:
    """The batch as it is: the dataset has collated it already."""
    return batch
