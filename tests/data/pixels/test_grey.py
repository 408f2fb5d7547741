"""Colour becomes the grey that Pillow makes of it."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from supernet_tl.data import to_grey


def test_every_colour_becomes_the_grey_of_pillow() -> None:
    # Oracle: Pillow's convert("L"), on all 2 ** 24 colours.
    levels = torch.arange(256, dtype=torch.uint8)
    colours = torch.stack(torch.meshgrid(levels, levels, levels, indexing="ij"), dim=1)  # 256 images of 256x256
    expected = Image.fromarray(colours.permute(0, 2, 3, 1).reshape(4096, 4096, 3).numpy()).convert("L")
    found = to_grey(colours)
    assert found.shape == (256, 1, 256, 256)
    assert found.dtype == torch.uint8
    np.testing.assert_array_equal(found.reshape(4096, 4096).numpy(), np.asarray(expected))


def test_grey_stays_what_it_is() -> None:
    grey = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(to_grey(grey.expand(1, 3, 16, 16)), grey)


def test_no_images_become_no_images() -> None:
    assert to_grey(torch.empty((0, 3, 4, 4), dtype=torch.uint8)).shape == (0, 1, 4, 4)
