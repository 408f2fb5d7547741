"""Random shifts and mirror images, made on whole batches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from supernet_tl.data.errors import BatchError


@dataclass(frozen=True)
class Augmentation:
    """A shifted crop out of the image with repeated edges, then a left-right mirror image every second time.

    Args:
        crop_padding: furthest shift in pixels, in each direction; 0 for none.
        flip: whether images may be mirrored.
    """

    crop_padding: int
    flip: bool

    def __post_init__(self) -> None:
        if self.crop_padding < 0:
            raise BatchError(f"crop_padding is {self.crop_padding}; expected 0 or more pixels. Use 0 for no shift.")

    @classmethod
    def for_images(cls, size: int, mirror_safe: bool) -> Augmentation:
        """The usual choice: shifts up to an eighth of the image (at least one pixel); mirrored if that is safe.

        Args:
            size: pixels a side.
            mirror_safe: whether a mirrored image keeps its class.
        """
        return cls(crop_padding=max(1, size // 8), flip=mirror_safe)

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """New images, each shifted and mirrored by its own draw.

        Args:
            images: shape (b, c, h, w); any type, on any device.
            generator: on the CPU, so that one seed gives the same draws whatever the device.

        Returns:
            Shape and type of ``images``; the input is left alone.
        """
        shifts, mirrored = self._draws(len(images), generator)
        return _shifted(images, shifts, mirrored if self.flip else torch.zeros_like(mirrored))

    def _draws(self, num: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Shifts of rows and columns, shape (2, num, 1), and who is mirrored, shape (num, 1)."""
        reach = self.crop_padding
        shifts = torch.randint(-reach, reach + 1, (2, num, 1), generator=generator)
        return shifts, torch.rand((num, 1), generator=generator) < 0.5


def _shifted(images: Tensor, shifts: Tensor, mirrored: Tensor) -> Tensor:
    num, channels, height, width = images.shape
    # Reading past an edge repeats it: the clamped index is the padding.
    rows = (torch.arange(height) + shifts[0]).clamp(0, height - 1)
    columns = (torch.arange(width) + shifts[1]).clamp(0, width - 1)
    columns = torch.where(mirrored, columns.flip(1), columns).to(images.device)
    # Whole rows first, which are copied as they lie; then the columns within each. Many times faster than both at once.
    first_row = torch.arange(0, num * channels * height, height).view(num, channels, 1)
    picked = (first_row + rows[:, None]).flatten().to(images.device)
    rearranged = images.reshape(-1, width).index_select(0, picked).view(num, -1, width)
    return rearranged.gather(2, columns[:, None].expand(-1, channels * height, -1)).view(images.shape)
