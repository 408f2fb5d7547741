"""Random changes to the images of whole batches, on the device where these lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from supernet_tl.data.errors import BatchError

Strength = Literal["shift", "colour", "strong"]

_GROUPS = 8
"""Parts of a batch that colours and strong changes are drawn for; torchvision draws once for all that it is given."""


@dataclass(frozen=True)
class Augmentation:
    """A shifted crop out of the image with repeated edges, then a left-right mirror image every second time.

    These are drawn for every image by itself; what ``strength`` adds is drawn for each of eight groups of the batch.

    Args:
        crop_padding: furthest shift in pixels, in each direction; 0 for none.
        flip: whether images may be mirrored.
        strength: ``shift`` does nothing else; ``colour`` also changes brightness, contrast and saturation by up to 40 %
            and the hue by a twentieth of the circle; ``strong`` also takes two random changes of RandAugment (colours,
            sharpness, turns and shears by up to 9 and 5 degrees, shifts by up to a seventh) and erases up to a third
            of every fourth image. Both need images of bytes.

    Source: Cubuk et al. 2020, arXiv:1909.13719 (RandAugment); Zhong et al. 2020, arXiv:1708.04896 (random erasing).
    """

    crop_padding: int
    flip: bool
    strength: Strength = "shift"

    def __post_init__(self) -> None:
        if self.crop_padding < 0:
            raise BatchError(f"crop_padding is {self.crop_padding}; expected 0 or more pixels. Use 0 for no shift.")
        if self.strength not in get_args(Strength):
            raise BatchError(
                f"the strength of augmentation is {self.strength!r}; expected one of "
                f"{', '.join(map(repr, get_args(Strength)))}."
            )

    @classmethod
    def for_images(cls, size: int, mirror_safe: bool, strength: Strength = "shift") -> Augmentation:
        """The usual choice: shifts up to an eighth of the image (at least one pixel); mirrored if that is safe.

        Args:
            size: pixels a side.
            mirror_safe: whether a mirrored image keeps its class.
            strength: see the class.
        """
        return cls(max(1, size // 8), mirror_safe, strength)

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """New images, each shifted and mirrored by its own draw.

        Args:
            images: shape (b, c, h, w), on any device; uint8, or any type where only shifts are asked for.
            generator: on the CPU, so that one seed gives the same draws whatever the device.

        Returns:
            Shape and type of ``images``; the input is left alone.
        """
        shifts, mirrored = self._draws(len(images), generator)
        shifted = _shifted(images, shifts, mirrored if self.flip else torch.zeros_like(mirrored))
        return shifted if self.strength == "shift" else _changed(shifted, self.strength, generator)

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


def _changed(images: Tensor, strength: Strength, generator: torch.Generator) -> Tensor:
    if images.dtype != torch.uint8:
        raise BatchError(
            f"images of type {images.dtype} were to be augmented with strength {strength!r}; expected torch.uint8, "
            "before they are normalised. Take the batches of PreparedData, or strength 'shift'."
        )
    transform = _transform(strength)
    # torchvision draws from the global generator of the CPU: lend it one state, and put its own back.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        return torch.cat([transform(group) for group in images.chunk(_GROUPS)])


@cache
def _transform(strength: Strength) -> nn.Module:
    from torchvision.transforms import v2

    transform: nn.Module = (
        v2.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.05)
        if strength == "colour"
        else v2.Compose([v2.RandAugment(num_ops=2, magnitude=9), v2.RandomErasing(p=0.25)])
    )
    return transform
