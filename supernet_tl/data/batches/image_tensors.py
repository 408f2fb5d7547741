"""Images in memory, and the batches a network is trained on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from supernet_tl.data.errors import BatchError, listing

Batch = tuple[Tensor, Tensor]
"""Normalised images (b, c, s, s), float32, and labels (b,), int64."""

_MIN_STD = 1 / 255  # one grey level: a constant channel is centred, never divided by nothing
_CHANNELS = (1, 3)  # grey or colour
_T = TypeVar("_T")


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of each channel, in units of full brightness (0..1).

    Args:
        mean: of red, green and blue; or of grey alone.
        std: as ``mean``; at least one grey level (1/255).
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, images: Tensor) -> Normalisation:
        """Statistics over all pixels of the images.

        Args:
            images: shape (n, c, s, s), uint8, n > 0, with 3 channels or 1.
        """
        _check_images(images)
        if len(images) == 0:
            raise BatchError("normalisation was asked for over 0 images; expected at least 1. Give training images.")
        # A histogram of grey levels gives exact sums without a float copy of the images.
        levels = torch.arange(256, dtype=torch.float64) / 255
        mean, std = [], []
        for channel in images.unbind(1):
            counts = torch.bincount(channel.reshape(-1).to(torch.int64).cpu(), minlength=256).to(torch.float64)
            centre = (counts * levels).sum() / counts.sum()
            variance = (counts * (levels - centre) ** 2).sum() / counts.sum()
            mean.append(float(centre))
            std.append(max(math.sqrt(float(variance)), _MIN_STD))
        return cls(mean=tuple(mean), std=tuple(std))

    def __call__(self, images: Tensor) -> Tensor:
        """Normalised images.

        Args:
            images: shape (..., c, s, s), uint8, with as many channels as there are means.

        Returns:
            Shape of ``images``, float32.
        """
        if images.shape[-3] != len(self.mean):
            raise BatchError(
                f"images of {images.shape[-3]} channels met the normalisation of {len(self.mean)}; expected as many. "
                f"Prepare images and normalisation with the same in_channels."
            )
        mean, std = (torch.tensor(values, device=images.device)[:, None, None] for values in (self.mean, self.std))
        return (images.to(torch.float32) / 255 - mean) / std

    def to_dict(self) -> dict[str, list[float]]:
        """The statistics as JSON-ready values."""
        return {key: list(values) for key, values in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, list[float]]) -> Normalisation:
        """What ``to_dict`` wrote."""
        try:
            mean, std = (tuple(map(float, data[key])) for key in ("mean", "std"))
            if len(mean) != len(std) or len(mean) not in _CHANNELS:
                raise ValueError(f"{len(mean)} means and {len(std)} deviations")
        except (KeyError, TypeError, ValueError) as error:
            raise BatchError(
                f"a stored normalisation holds {data!r}; expected 'mean' and 'std' with three numbers each, or one "
                f"each for grey. Write it anew with to_dict()."
            ) from error
        return cls(mean=mean, std=std)


class ImageTensors(Dataset[Batch]):
    """Images of one or more sources, as a dataset that gives whole batches.

    Args:
        images: shape (n, c, s, s), uint8, with 3 channels or 1.
        labels: shape (n,), int64.
        source: shape (n,), int64: which row of ``mean`` and ``std`` belongs to the image.
        mean: shape (num_sources, c), in units of full brightness (0..1).
        std: as ``mean``.
    """

    def __init__(self, images: Tensor, labels: Tensor, source: Tensor, mean: Tensor, std: Tensor) -> None:
        _check_images(images)
        if not len(images) == len(labels) == len(source):
            raise BatchError(
                f"{len(images)} images have {len(labels)} labels and {len(source)} sources; "
                f"expected one of each an image."
            )
        if mean.ndim != 2 or mean.shape != std.shape or mean.shape[1] != images.shape[1]:
            raise BatchError(
                f"mean has shape {tuple(mean.shape)} and std {tuple(std.shape)}; expected "
                f"(num_sources, {images.shape[1]}) for both."
            )
        if len(source) and not (0 <= int(source.min()) and int(source.max()) < len(mean)):
            raise BatchError(
                f"sources are numbered {int(source.min())} to {int(source.max())}, but there are statistics for "
                f"{len(mean)}; expected numbers below that. Give mean and std a row for each source."
            )
        self.images, self.labels, self.source = images, labels.to(torch.int64), source.to(torch.int64)
        self.mean, self.std = mean.to(torch.float32), std.to(torch.float32)

    @classmethod
    def of(
        cls, images: Tensor, labels: Tensor | NDArray[np.int64], normalisation: Normalisation | None = None
    ) -> ImageTensors:
        """Images of a single source.

        Args:
            images: shape (n, c, s, s), uint8, with 3 channels or 1.
            labels: shape (n,), integers.
            normalisation: that of the images themselves by default.
        """
        statistics = Normalisation.of(images) if normalisation is None else normalisation
        return cls(
            images=images,
            labels=_integers(labels),
            source=torch.zeros(len(images), dtype=torch.int64),
            mean=torch.tensor([statistics.mean]),
            std=torch.tensor([statistics.std]),
        )

    @classmethod
    def mixture(cls, parts: Sequence[ImageTensors], num_classes: Sequence[int]) -> ImageTensors:
        """Several sources with one head over the union of their (source, class) pairs, in the order given.

        Args:
            parts: images of one size.
            num_classes: classes of each part: the labels of a part start after those of the parts before it.
        """
        sizes = sorted({tuple(part.images.shape[1:]) for part in parts})
        if len(sizes) != 1 or len(parts) != len(num_classes):
            raise BatchError(
                f"{len(parts)} sources with image shapes {sizes} and {len(num_classes)} class counts cannot be mixed; "
                f"expected one shape, and one class count a source."
            )
        too_large = [
            f"source {number} has label {int(part.labels.max())} with {num} classes"
            for number, (part, num) in enumerate(zip(parts, num_classes, strict=True))
            if len(part) and int(part.labels.max()) >= num
        ]
        if too_large:
            raise BatchError(
                f"{listing(too_large)}; expected labels below the class count. Give the right class counts."
            )
        first_label = np.concatenate([[0], np.cumsum(num_classes)[:-1]]).tolist()
        first_source = np.concatenate([[0], np.cumsum([len(part.mean) for part in parts])[:-1]]).tolist()
        return cls(
            images=torch.cat([part.images for part in parts]),
            labels=torch.cat([part.labels + first for part, first in zip(parts, first_label, strict=True)]),
            source=torch.cat([part.source + first for part, first in zip(parts, first_source, strict=True)]),
            mean=torch.cat([part.mean for part in parts]),
            std=torch.cat([part.std for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Batch:
        images, labels = self.__getitems__([index])
        return images[0], labels[0]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """A whole batch at once, normalised; already collated, so a loader's ``collate_fn`` must be ``identity``."""
        rows = torch.as_tensor(indices, dtype=torch.int64, device=self.images.device)
        source = self.source[rows]
        images = self.images[rows].to(torch.float32).div_(255)
        images.sub_(self.mean[source][:, :, None, None]).div_(self.std[source][:, :, None, None])
        return images, self.labels[rows]

    def take(self, indices: Sequence[int] | NDArray[np.int64] | Tensor) -> ImageTensors:
        """The dataset of these images, in this order, with the same statistics."""
        rows = _integers(indices).to(self.images.device)
        return ImageTensors(self.images[rows], self.labels[rows], self.source[rows], self.mean, self.std)

    def to(self, device: torch.device | str) -> ImageTensors:
        """The same dataset on another device."""
        tensors = (self.images, self.labels, self.source, self.mean, self.std)
        return ImageTensors(*(tensor.to(device) for tensor in tensors))


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
    """Batches of a dataset that is in memory: no workers, whole batches at once, no lonely last image.

    Args:
        dataset: the images.
        sampler: their order, ``range(len(dataset))`` for evaluation; call a sampler's ``set_epoch`` before each epoch.
        batch_size: images in a batch; see ``FullBatches`` for the last one.
        drop_last: leave an incomplete last batch out (training); the loader never gives zero batches.
    """
    return batch_loader(dataset, FullBatches(sampler, batch_size, drop_last))


def batch_loader(dataset: ImageTensors, batches: Sampler[list[int]]) -> DataLoader[Batch]:
    """The given batches of a dataset that is in memory."""
    if len(dataset) == 0:
        raise BatchError("a loader was asked for over 0 images; expected at least 1. Give another split.")
    return DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=identity,
        generator=torch.Generator(),  # unused, but without it every epoch would draw from the global generator
    )


def identity(batch: _T) -> _T:
    """The batch as it is: the dataset has collated it already."""
    return batch


def _integers(values: Sequence[int] | NDArray[np.int64] | Tensor) -> Tensor:
    """An int64 tensor of its own; NumPy's arrays may be read-only, which torch cannot share."""
    return values.to(torch.int64) if isinstance(values, Tensor) else torch.from_numpy(np.array(values, dtype=np.int64))


def _check_images(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] not in _CHANNELS or images.dtype != torch.uint8:
        raise BatchError(
            f"images have shape {tuple(images.shape)} and type {images.dtype}; expected (n, 3, size, size) and "
            f"torch.uint8, as ImageSet.pixels gives them, or (n, 1, size, size), as to_grey makes of them."
        )
