"""How far a search is from having decided."""

from __future__ import annotations

import torch
from torch import Tensor

from darts.supernet import MixingWeights


def mean_entropy(mixing: MixingWeights) -> Tensor:
    """Entropy of the mixing weights of an edge, averaged over the edges of both cell types.

    Args:
        mixing: each row a point on the simplex.

    Returns:
        Scalar in nats: 0 where every edge has decided, log(num_primitives) where no edge prefers anything.
    """
    entropies: Tensor = torch.special.entr(torch.cat(mixing)).sum(dim=-1)
    return entropies.mean()
