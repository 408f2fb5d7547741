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
        num, channels, height, width = images.shape
        reach = self.crop_padding
        shifts = torch.randint(-reach, reach + 1, (2, num, 1), generator=generator)
        mirrored = torch.rand((num, 1), generator=generator) < 0.5
        # Reading past an edge repeats it: the clamped index is the padding.
        rows = (torch.arange(height) + shifts[0]).clamp(0, height - 1)
        columns = (torch.arange(width) + shifts[1]).clamp(0, width - 1)
        if self.flip:
            columns = torch.where(mirrored, columns.flip(1), columns)
        device = images.device
        return images[
            torch.arange(num, device=device)[:, None, None, None],
            torch.arange(channels, device=device)[None, :, None, None],
            rows.to(device)[:, None, :, None],
            columns.to(device)[:, None, None, :],
        ]
