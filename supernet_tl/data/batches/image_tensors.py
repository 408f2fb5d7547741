"""Labelled images with the statistics to normalise them by, and the batches that are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from supernet_tl.data.batches.image_batch import Batch, ImageBatch
from supernet_tl.data.batches.loading import IN_PROCESS, Loading
from supernet_tl.data.batches.normalisation import Normalisation
from supernet_tl.data.decoded.pixel_rows import PixelRows
from supernet_tl.data.errors import BatchError, listing


class ImageTensors(Dataset[Batch]):
    """Images of one or more sources, as a dataset that gives whole batches.

    Args:
        images: shape (n, c, s, s), uint8, with 3 channels or 1; or rows of such.
        labels: shape (n,), int64.
        source: shape (n,), int64: which row of ``mean`` and ``std`` belongs to the image.
        mean: shape (num_sources, c), in units of full brightness (0..1).
        std: as ``mean``.
        loading: how loaders over these images work.
    """

    def __init__(
        self,
        images: Tensor | PixelRows,
        labels: Tensor,
        source: Tensor,
        mean: Tensor,
        std: Tensor,
        loading: Loading = IN_PROCESS,
    ) -> None:
        pixels = images if isinstance(images, PixelRows) else PixelRows.of(images)
        if not len(pixels) == len(labels) == len(source):
            raise BatchError(
                f"{len(pixels)} images have {len(labels)} labels and {len(source)} sources; "
                f"expected one of each an image."
            )
        if mean.ndim != 2 or mean.shape != std.shape or mean.shape[1] != pixels.shape[1]:
            raise BatchError(
                f"mean has shape {tuple(mean.shape)} and std {tuple(std.shape)}; expected "
                f"(num_sources, {pixels.shape[1]}) for both."
            )
        if len(source) and not (0 <= int(source.min()) and int(source.max()) < len(mean)):
            raise BatchError(
                f"sources are numbered {int(source.min())} to {int(source.max())}, but there are statistics for "
                f"{len(mean)}; expected numbers below that. Give mean and std a row for each source."
            )
        self.pixels, self.labels, self.source = pixels, labels.to(torch.int64), source.to(torch.int64)
        self.mean, self.std = mean.to(torch.float32), std.to(torch.float32)
        self.loading = loading

    @classmethod
    def of(
        cls,
        images: Tensor | PixelRows,
        labels: Tensor | NDArray[np.int64],
        normalisation: Normalisation | None = None,
    ) -> ImageTensors:
        """Images of a single source.

        Args:
            images: shape (n, c, s, s), uint8, with 3 channels or 1; or rows of such.
            labels: shape (n,), integers.
            normalisation: that of the images themselves by default.
        """
        pixels = images if isinstance(images, PixelRows) else PixelRows.of(images)
        statistics = Normalisation.of_parts(pixels.parts()) if normalisation is None else normalisation
        return cls(
            images=pixels,
            labels=_integers(labels),
            source=torch.zeros(len(pixels), dtype=torch.int64),
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
        sizes = sorted({tuple(part.pixels.shape[1:]) for part in parts})
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
            images=PixelRows.joined([part.pixels for part in parts]),
            labels=torch.cat([part.labels + first for part, first in zip(parts, first_label, strict=True)]),
            source=torch.cat([part.source + first for part, first in zip(parts, first_source, strict=True)]),
            mean=torch.cat([part.mean for part in parts]),
            std=torch.cat([part.std for part in parts]),
        )

    @classmethod
    def joined(cls, parts: Sequence[ImageTensors]) -> ImageTensors:
        """Images of the same sources, one part after the other, with the statistics of the first."""
        first = parts[0]
        return cls(
            images=PixelRows.joined([part.pixels for part in parts]),
            labels=torch.cat([part.labels for part in parts]),
            source=torch.cat([part.source for part in parts]),
            mean=first.mean,
            std=first.std,
            loading=first.loading,
        )

    @property
    def images(self) -> Tensor:
        """All pixels in order, shape (n, c, s, s), uint8: a copy."""
        return self.pixels.gather()

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        images, labels = self.__getitems__([index])
        return images[0], labels[0]

    def __getitems__(self, indices: Sequence[int]) -> ImageBatch:
        """A whole batch at once; already collated, so a loader's ``collate_fn`` must be ``identity``."""
        rows = torch.as_tensor(indices, dtype=torch.int64, device=self.pixels.device)
        mean, std = self.mean, self.std
        if len(mean) > 1:
            source = self.source[rows]
            mean, std = mean[source], std[source]
        return ImageBatch(self.pixels.gather(rows), self.labels[rows], mean, std)

    def take(self, indices: Sequence[int] | NDArray[np.int64] | Tensor) -> ImageTensors:
        """The dataset of these images, in this order, with the same statistics; no pixels are copied."""
        rows = _integers(indices).to(self.pixels.device)
        return self._with(pixels=self.pixels.take(rows), labels=self.labels[rows], source=self.source[rows])

    def to(self, device: torch.device | str) -> ImageTensors:
        """The same dataset on another device."""
        names = ("pixels", "labels", "source", "mean", "std")
        return self._with(**{name: getattr(self, name).to(device) for name in names})

    def loaded(self, loading: Loading) -> ImageTensors:
        """The same dataset, whose loaders work in another way."""
        return self._with(loading=loading)

    def _with(self, **changes: PixelRows | Tensor | Loading) -> ImageTensors:
        changed = copy(self)
        vars(changed).update(changes)
        return changed


def _integers(values: Sequence[int] | NDArray[np.int64] | Tensor) -> Tensor:
    """An int64 tensor of its own; NumPy's arrays may be read-only, which torch cannot share."""
    return values.to(torch.int64) if isinstance(values, Tensor) else torch.from_numpy(np.array(values, dtype=np.int64))
