"""Colour to grey."""

from __future__ import annotations

import torch
from torch import Tensor

_LUMA = (19595, 38470, 7471)
"""Shares of red, green and blue in 65536ths: 0.299, 0.587 and 0.114 (ITU-R 601-2), as Pillow's mode ``L`` has them."""

_CHUNK = 64


def to_grey(images: Tensor) -> Tensor:
    """The luma of colour images, equal to that of Pillow's ``convert("L")``.

    Args:
        images: shape (n, 3, h, w), uint8.

    Returns:
        Shape (n, 1, h, w), uint8.
    """
    luma = torch.tensor(_LUMA, dtype=torch.int32, device=images.device).view(3, 1, 1)
    return torch.cat(
        [
            ((part * luma).sum(dim=1, keepdim=True, dtype=torch.int32) + 2**15 >> 16).to(torch.uint8)
            for part in torch.split(images, _CHUNK)  # sums take four bytes a pixel and channel
        ]
    )
