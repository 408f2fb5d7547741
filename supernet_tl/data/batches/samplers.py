"""In which order images are drawn. The order follows from (seed, epoch) alone: to resume is to set the epoch."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Sampler

from supernet_tl.data.errors import BatchError


class EpochSampler(Sampler[int]):
    """Draws one epoch's images; without ``set_epoch`` each pass repeats the same epoch.

    Args:
        seed: not negative.
    """

    def __init__(self, seed: int) -> None:
        if seed < 0:
            raise BatchError(f"the sampler's seed is {seed}; expected 0 or more. Give another seed.")
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next pass draws."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(self._order(np.random.default_rng([self.seed, self.epoch])).tolist())

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _order(self, rng: np.random.Generator) -> NDArray[np.int64]: ...


class ShuffledSampler(EpochSampler):
    """Every image once, in random order.

    Args:
        num_images: how many images there are.
        seed: not negative.
    """

    def __init__(self, num_images: int, seed: int) -> None:
        super().__init__(seed)
        self.num_images = num_images

    def __len__(self) -> int:
        return self.num_images

    def _order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        return rng.permutation(self.num_images)


class BalancedSourceSampler(EpochSampler):
    """As many draws from each source, however many images it has.

    An epoch draws ceil(n / num_sources) images of every source: large sources show a random part, small ones go round
    in fresh permutations. The draws go round the sources, in random order within each round, so that every batch is as
    even as its size allows.

    Args:
        source: shape (n,): the source of each image, numbered from 0 without gaps.
        seed: not negative.
        by_image: draw every image once instead, whatever its source.
    """

    def __init__(
        self, source: Sequence[int] | NDArray[np.int64] | Tensor, seed: int, *, by_image: bool = False
    ) -> None:
        super().__init__(seed)
        self.by_image = by_image
        sources = source.cpu().numpy() if isinstance(source, Tensor) else np.asarray(source, dtype=np.int64)
        counts = np.bincount(sources)
        if len(counts) == 0 or counts.min() == 0:
            raise BatchError(
                f"sources have {counts.tolist()} images; expected at least one for each. "
                f"Number the sources from 0 without gaps."
            )
        self._rows = [np.flatnonzero(sources == number) for number in range(len(counts))]
        self._num_images = len(sources)
        self._draws_each = math.ceil(len(sources) / len(counts))

    def __len__(self) -> int:
        return self._num_images if self.by_image else self._draws_each * len(self._rows)

    def _order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        if self.by_image:
            return rng.permutation(self._num_images)
        draws = [self._draw(rows, rng) for rows in self._rows]
        return rng.permuted(np.stack(draws, axis=1), axis=1).reshape(-1)

    def _draw(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        rounds = math.ceil(self._draws_each / len(rows))
        return np.concatenate([rng.permutation(rows) for _ in range(rounds)])[: self._draws_each]
