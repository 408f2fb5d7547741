"""Mean and deviation of images, channel by channel."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from supernet_tl.data.decoded.pixel_rows import CHANNELS, check_images
from supernet_tl.data.errors import BatchError

_MIN_STD = 1 / 255  # one grey level: a constant channel is centred, never divided by nothing


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
        return cls.of_parts([images])

    @classmethod
    def of_parts(cls, parts: Iterable[Tensor]) -> Normalisation:
        """Statistics over all pixels of images that come a part at a time; the same however they are parted.

        Args:
            parts: each as the images of :meth:`of`.
        """
        # A histogram of grey levels gives exact sums without a float copy of the images.
        histogram = torch.zeros((0, 256), dtype=torch.int64)
        for part in parts:
            check_images(part)
            counts = torch.stack([torch.bincount(channel.reshape(-1), minlength=256) for channel in part.unbind(1)])
            histogram = counts.cpu() if not len(histogram) else histogram + counts.cpu()
        if not histogram.any():
            raise BatchError("normalisation was asked for over 0 images; expected at least 1. Give training images.")
        levels = torch.arange(256, dtype=torch.float64) / 255
        mean, std = [], []
        for counts in histogram.to(torch.float64):
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
            if len(mean) != len(std) or len(mean) not in CHANNELS:
                raise ValueError(f"{len(mean)} means and {len(std)} deviations")
        except (KeyError, TypeError, ValueError) as error:
            raise BatchError(
                f"a stored normalisation holds {data!r}; expected 'mean' and 'std' with three numbers each, or one "
                f"each for grey. Write it anew with to_dict()."
            ) from error
        return cls(mean=mean, std=std)
