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


class BalancedSampler(EpochSampler):
    """As many draws from each group, such as a source or a class, however many images it has.

    An epoch draws ceil(n / num_groups) images of every group: large groups show a random part, small ones go round in
    fresh permutations. The draws go round the groups, in random order within each round, so that every batch is as even
    as its size allows. Groups within groups are drawn from in the same way.

    Args:
        groups: one or more arrays of shape (n,), integers: the groups of each image, the outermost first.
        seed: not negative.
    """

    def __init__(self, groups: Sequence[Sequence[int] | NDArray[np.int64] | Tensor], seed: int) -> None:
        super().__init__(seed)
        levels = [level.cpu().numpy() if isinstance(level, Tensor) else np.asarray(level) for level in groups]
        if not levels or any(level.shape != levels[0].shape or not level.size for level in levels):
            raise BatchError(
                f"groups to draw evenly from have shapes {[level.shape for level in levels]}; expected one or more of "
                f"the same shape (n,), n > 0: a number for each image."
            )
        self._root = _Group(np.arange(len(levels[0])), levels)
        self._num_draws = math.ceil(len(levels[0]) / len(self._root.parts)) * len(self._root.parts)

    def __len__(self) -> int:
        return self._num_draws

    def _order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        return self._root.draw(self._num_draws, rng)


class _Group:
    """Images that are drawn evenly from the groups among them, if there are any."""

    def __init__(self, rows: NDArray[np.int64], levels: Sequence[NDArray[np.int64]]) -> None:
        self.rows = rows
        numbers = levels[0][rows] if levels else rows[:0]
        self.parts = [_Group(rows[numbers == number], levels[1:]) for number in np.unique(numbers)]

    def draw(self, num_draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
        width = len(self.parts) or len(self.rows)
        rounds = math.ceil(num_draws / width)
        if not self.parts:
            return np.concatenate([rng.permutation(self.rows) for _ in range(rounds)])[:num_draws]
        draws = np.stack([part.draw(rounds, rng) for part in self.parts], axis=1)
        return rng.permuted(draws, axis=1).reshape(-1)[:num_draws]
