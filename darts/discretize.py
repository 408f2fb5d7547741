"""From architecture parameters to a discrete architecture."""

from __future__ import annotations

import torch
from torch import Tensor

from darts.arch_shapes import check_alphas
from darts.errors import ShapeError
from darts.genotype import EDGES_PER_NODE, CellGenotype, Genotype
from darts.space import NUM_INPUTS, EdgePrimitives, SearchSpace


def discretize(space: SearchSpace, normal_alpha: Tensor, reduction_alpha: Tensor) -> Genotype:
    """Keep, for each node, the two incoming edges whose best primitive weighs most, and on each its best primitive.

    ``none`` is never chosen, though its weight takes part in the softmax. Equal edges: the lower source first; equal
    primitives: the first of the edge's list. Within a node the stronger edge is listed first.

    Args:
        space: the search space of the alphas.
        normal_alpha: logits, shape (num_edges, num_primitives).
        reduction_alpha: as ``normal_alpha``.

    Raises:
        ShapeError: alphas of another shape, or not finite.

    Source: DARTS (Liu et al. 2019, arXiv:1806.09055), section 2.4.
    """
    check_alphas(space, normal_alpha, reduction_alpha)
    for name, alpha in (("normal_alpha", normal_alpha), ("reduction_alpha", reduction_alpha)):
        if not torch.isfinite(alpha).all():
            raise ShapeError(f"{name} has entries that are not finite; the search diverged, lower its learning rates.")
    return Genotype(
        normal=_discretize_cell(space, space.normal, normal_alpha),
        reduction=_discretize_cell(space, space.reduction, reduction_alpha),
    )


def _discretize_cell(space: SearchSpace, primitives: EdgePrimitives, alpha: Tensor) -> CellGenotype:
    weights = alpha.detach().softmax(dim=-1).cpu()
    incoming: dict[int, list[tuple[float, int, str]]] = {}
    for (source, target), names, row in zip(space.edges, primitives, weights.tolist(), strict=True):
        weight, name = max(
            ((weight, name) for weight, name in zip(row, names, strict=True) if name != "none"),
            key=lambda candidate: candidate[0],
        )
        incoming.setdefault(target, []).append((weight, source, name))
    return tuple(
        (name, source)
        for target in range(NUM_INPUTS, NUM_INPUTS + space.num_nodes)
        for _, source, name in sorted(incoming[target], key=lambda edge: -edge[0])[:EDGES_PER_NODE]
    )
