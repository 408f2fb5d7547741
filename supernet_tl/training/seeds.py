"""Seeds that follow from a run's seed and nothing else."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager

import torch


def epoch_seed(seed: int, epoch: int, purpose: str) -> int:
    """A seed for one purpose in one epoch: stable across processes, unrelated between purposes and epochs.

    Args:
        seed: of the run.
        epoch: counted from 0.
        purpose: what the random numbers are for.

    Returns:
        A number below 2 ** 63, as torch's generators take.
    """
    return int.from_bytes(hashlib.sha256(f"{seed}/{epoch}/{purpose}".encode()).digest()[:8], "big") >> 1


def own_random_numbers() -> AbstractContextManager[None]:
    """Draw from torch's global generators, on every device, and leave them to the caller as they were."""
    return torch.random.fork_rng(devices=range(torch.cuda.device_count()))
