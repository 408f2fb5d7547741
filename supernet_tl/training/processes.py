"""Several processes that search one supernet: what they average, share and compare."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, distributed


def mean_over_processes(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The mean of each tensor over all processes, by one exchange.

    Args:
        tensors: of one type, and of the same shapes in every process.
    """
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    return tuple(part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True))


def take_from_first(tensors: Iterable[Tensor]) -> None:
    """Overwrite the tensors with those of the first process."""
    for tensor in tensors:
        distributed.broadcast(tensor.detach(), src=0)


def ranks_that_differ(tensors: Sequence[Tensor]) -> list[int]:
    """The ranks of the processes whose tensors are not, bit for bit, those of the first process."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    mine = torch.tensor(int.from_bytes(digest.digest()[:7], "big"), device=tensors[0].device)
    checksums = [torch.empty_like(mine) for _ in range(distributed.get_world_size())]
    distributed.all_gather(checksums, mine)
    return [rank for rank, checksum in enumerate(checksums) if checksum != checksums[0]]
