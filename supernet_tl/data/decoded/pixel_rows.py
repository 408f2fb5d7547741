"""Images of one size by row, wherever their pixels lie: in memory, in a mapped file, or in several of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from supernet_tl.data.errors import BatchError

CHANNELS = (1, 3)
"""Channels that images may have: grey or colour."""

_PART_BYTES = 2**26


class Block:
    """Pixels of images, shape (n, c, s, s), uint8.

    Args:
        pixels: the images.
        file: that ``pixels`` is mapped from; another process maps it anew instead of being sent the pixels.
    """

    def __init__(self, pixels: Tensor, file: Path | None = None) -> None:
        check_images(pixels)
        self.pixels, self.file = pixels, file

    @classmethod
    def mapped(cls, file: Path, shape: tuple[int, ...]) -> Block:
        """The images of a file of nothing but pixels, read when they are looked at."""
        # "c" maps pages that would be copied if written to, which torch asks for; nobody writes, so all are shared.
        return cls(torch.from_numpy(np.memmap(file, np.uint8, mode="c", shape=shape)), file)

    def __reduce__(self) -> tuple[object, ...]:
        return (Block, (self.pixels,)) if self.file is None else (Block.mapped, (self.file, tuple(self.pixels.shape)))


class PixelRows:
    """Images picked out of one or more blocks; picking copies no pixels.

    Args:
        blocks: at least one, of images of one size on one device.
        block: shape (n,), int64: the block that each image is in.
        row: shape (n,), int64: the image's place in it.
    """

    def __init__(self, blocks: Sequence[Block], block: Tensor, row: Tensor) -> None:
        sizes = sorted({tuple(part.pixels.shape[1:]) for part in blocks})
        if len(sizes) != 1:
            raise BatchError(f"images of shapes {sizes} were to be one set; expected one shape. Prepare them alike.")
        self.blocks, self.block, self.row = tuple(blocks), block, row

    @classmethod
    def of(cls, pixels: Tensor) -> PixelRows:
        """All images of a tensor.

        Args:
            pixels: shape (n, c, s, s), uint8, with 3 channels or 1.
        """
        return cls.of_block(Block(pixels))

    @classmethod
    def of_block(cls, block: Block) -> PixelRows:
        """All images of a block, in order."""
        rows = torch.arange(len(block.pixels), device=block.pixels.device)
        return cls((block,), torch.zeros_like(rows), rows)

    @classmethod
    def joined(cls, parts: Sequence[PixelRows]) -> PixelRows:
        """The images of several, one after the other; a block that they share stays one."""
        blocks = list({id(block): block for part in parts for block in part.blocks}.values())
        place = {id(block): number for number, block in enumerate(blocks)}
        numbers = [
            torch.tensor([place[id(block)] for block in part.blocks], device=part.device)[part.block] for part in parts
        ]
        return cls(blocks, torch.cat(numbers), torch.cat([part.row for part in parts]))

    def __len__(self) -> int:
        return len(self.row)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(n, c, s, s)."""
        channels, height, width = self.blocks[0].pixels.shape[1:]
        return len(self), channels, height, width

    @property
    def device(self) -> torch.device:
        """Where the images lie."""
        return self.blocks[0].pixels.device

    @property
    def num_bytes(self) -> int:
        """Of all pixels, one byte each."""
        return int(np.prod(self.shape))

    @property
    def is_mapped(self) -> bool:
        """Whether any image is read from a file when it is looked at."""
        return any(block.file is not None for block in self.blocks)

    def take(self, indices: Tensor) -> PixelRows:
        """These images, in this order; no pixels are copied."""
        return PixelRows(self.blocks, self.block[indices], self.row[indices])

    def gather(self, indices: Tensor | None = None) -> Tensor:
        """The pixels of images, in this order; of all by default.

        Args:
            indices: shape (m,), int64, on the device of the images.

        Returns:
            Shape (m, c, s, s), uint8, memory of its own.
        """
        rows = self.row if indices is None else self.row[indices]
        if len(self.blocks) == 1:
            return self.blocks[0].pixels.index_select(0, rows)
        numbers = self.block if indices is None else self.block[indices]
        found = torch.empty((len(rows), *self.shape[1:]), dtype=torch.uint8, device=self.device)
        for number in torch.unique(numbers).tolist():
            of_block = (numbers == number).nonzero()[:, 0]
            found.index_copy_(0, of_block, self.blocks[number].pixels.index_select(0, rows[of_block]))
        return found

    def parts(self) -> Iterator[Tensor]:
        """The pixels of all images in order, a part of them at a time."""
        step = max(1, _PART_BYTES // int(np.prod(self.shape[1:])))
        everything = torch.arange(len(self), device=self.device)
        return (self.gather(part) for part in torch.split(everything, step) if len(part))

    def to(self, device: torch.device | str) -> PixelRows:
        """The same images on a device, in one block that holds no other images."""
        if torch.device(device) == self.device:
            return self
        moved = torch.empty(self.shape, dtype=torch.uint8, device=device)
        start = 0
        for part in self.parts():
            moved[start : start + len(part)] = part
            start += len(part)
        return PixelRows.of(moved)


def check_images(images: Tensor) -> None:
    """Refuse what is no batch of 8-bit images."""
    if images.ndim != 4 or images.shape[1] not in CHANNELS or images.dtype != torch.uint8:
        raise BatchError(
            f"images have shape {tuple(images.shape)} and type {images.dtype}; expected (n, 3, size, size) and "
            f"torch.uint8, as ImageSet.pixels gives them, or (n, 1, size, size), as to_grey makes of them."
        )
