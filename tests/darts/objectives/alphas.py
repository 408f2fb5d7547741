from __future__ import annotations

import torch

import darts


def random_alphas(space: darts.SearchSpace, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Alphas that prefer something, of normal and of reduction cells."""
    generator = torch.Generator().manual_seed(seed)
    normal, reduction = (torch.randn((space.num_edges, space.num_primitives), generator=generator) for _ in range(2))
    return normal, reduction
