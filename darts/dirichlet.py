"""Mixing weights that are random: a Dirichlet distribution for each edge, whose concentrations are searched.

Source: DrNAS (Chen et al. 2021, arXiv:2006.10355), section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Dirichlet

_NUM_SEEDS = 2**62


def concentrations(alpha: Tensor) -> Tensor:
    """``elu(alpha) + 1``: positive, and 1 where alpha is 0, so that decay of alpha draws towards the uniform Dirichlet.

    Args:
        alpha: shape (num_edges, num_primitives).
    """
    return torch.where(alpha > 0, alpha + 1, alpha.clamp(max=0).exp())  # elu would round to 0 far below it


def expected_weights(alpha: Tensor) -> Tensor:
    """Mean of each edge's Dirichlet distribution: shape (num_edges, num_primitives), rows on the simplex."""
    found = concentrations(alpha)
    return found / found.sum(dim=-1, keepdim=True)


def draw_weights(alpha: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """A draw for each edge, differentiable in alpha by pathwise derivatives: shape (num_edges, num_primitives).

    It is made on the CPU in float64, the same on every device.

    Args:
        alpha: shape (num_edges, num_primitives).
        generator: on the CPU; the global one when absent.
    """
    (seed,) = torch.randint(_NUM_SEEDS, (1,), generator=generator).tolist()
    state = torch.get_rng_state()
    try:
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed the generators of GPUs too
        drawn: Tensor = Dirichlet(concentrations(alpha.cpu().double()), validate_args=False).rsample()
    finally:
        torch.set_rng_state(state)
    return drawn.to(alpha)
