"""One batch on its way to a network: one byte a pixel until it is on the network's device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import torch
from torch import Tensor


class ImageBatch:
    """Images and labels that unpack as ``images, labels = batch``: float32 and normalised, int64.

    Before that the images are bytes, so that a quarter of the data travels: ``batch.to("cuda")`` sends bytes, and the
    GPU normalises. Lightning moves it like any tensor.

    Args:
        pixels: shape (b, c, s, s), uint8.
        labels: shape (b,), int64.
        mean: shape (b, c), or (1, c) for all, in units of full brightness (0..1).
        std: as ``mean``.
    """

    def __init__(self, pixels: Tensor, labels: Tensor, mean: Tensor, std: Tensor) -> None:
        self.pixels, self.labels, self.mean, self.std = pixels, labels, mean, std

    @cached_property
    def images(self) -> Tensor:
        """Normalised images (b, c, s, s), float32."""
        images = self.pixels.to(torch.float32).div_(255)
        return images.sub_(self.mean[:, :, None, None]).div_(self.std[:, :, None, None])

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.images, self.labels))

    def __getitem__(self, part: int) -> Tensor:
        return (self.images, self.labels)[part]

    def __len__(self) -> int:
        return 2

    def to(self, device: torch.device | str, non_blocking: bool | None = None) -> ImageBatch:
        """The batch on another device.

        Args:
            device: where to.
            non_blocking: go on while it travels; by default to a CUDA device, where that is safe.
        """
        overlap = torch.device(device).type == "cuda" if non_blocking is None else non_blocking
        return self._each(lambda tensor: tensor.to(device, non_blocking=overlap))

    def pin_memory(self) -> ImageBatch:
        """The batch in memory that a GPU reads by itself."""
        return self._each(lambda tensor: tensor.pin_memory())

    def _each(self, change: Callable[[Tensor], Tensor]) -> ImageBatch:
        return ImageBatch(change(self.pixels), change(self.labels), change(self.mean), change(self.std))


Batch = ImageBatch | tuple[Tensor, Tensor]
"""What unpacks as normalised images (b, c, s, s), float32, and labels (b,), int64: ours, or that of another loader."""


def augmented(
    batch: Batch, augmentation: Callable[[Tensor, torch.Generator], Tensor], generator: torch.Generator
) -> Batch:
    """The batch with new images; ours are augmented before they are normalised.

    Args:
        batch: any.
        augmentation: gives new images.
        generator: of its draws, on the CPU.
    """
    if isinstance(batch, ImageBatch):
        return ImageBatch(augmentation(batch.pixels, generator), batch.labels, batch.mean, batch.std)
    images, labels = batch
    return augmentation(images, generator), labels
