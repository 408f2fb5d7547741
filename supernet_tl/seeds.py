"""Seeds that follow from a run's seed and nothing else."""

from __future__ import annotations

import hashlib


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
