"""How batches are brought to the device that trains on them, as the machine demands it."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from supernet_tl.data.decoded.pixel_rows import PixelRows
from supernet_tl.data.errors import BatchError
from supernet_tl.data.pixels.threads import num_processors

_MOST_WORKERS = 8
_SHARE_OF_GPU = 1 / 4


@dataclass(frozen=True)
class Loading:
    """How loaders work; which images are in which batch is the same for all.

    Args:
        workers: processes that make batches; with 0 the training process makes them itself.
        pin_memory: hand batches over in memory that a CUDA device reads while the processor goes on.
    """

    workers: int = 0
    pin_memory: bool = False

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise BatchError(f"the number of workers is {self.workers}; expected 0 or more. Give 0 for none.")

    @classmethod
    def for_machine(cls, device: torch.device | str, pixels: PixelRows, workers: int | None = None) -> Loading:
        """What pays for these images on this machine.

        On a CPU: nothing. For a CUDA device: pinned memory; and workers where the images are read from a file and are
        more than fits into memory, so that some wait for the disk while others do not. Images that already lie on a GPU
        need neither.

        Args:
            device: that trains.
            pixels: the images.
            workers: as many instead, except where the images already lie on a GPU.
        """
        if pixels.device.type != "cpu":
            return IN_PROCESS
        on_gpu = torch.device(device).type == "cuda"
        if workers is None:
            from_disk = on_gpu and pixels.is_mapped and pixels.num_bytes > _memory_bytes()
            workers = min(_MOST_WORKERS, num_processors()) if from_disk else 0
        return cls(workers, pin_memory=on_gpu and torch.cuda.is_available())


IN_PROCESS = Loading()
"""The training process makes its batches itself."""


def fits_beside(num_bytes: int, device: torch.device | str) -> bool:
    """Whether so many bytes of images may be kept on a device: a quarter of a GPU's free memory; never on others."""
    if torch.device(device).type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return num_bytes <= free * _SHARE_OF_GPU


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
