"""From architecture parameters to a discrete architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from darts.arch_shapes import check_alphas, check_mixing
from darts.errors import ShapeError
from darts.genotype import EDGES_PER_NODE, CellGenotype, Genotype
from darts.space import EdgePrimitives, SearchSpace
from darts.supernet import MixingWeights


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
    require_finite({"normal_alpha": normal_alpha, "reduction_alpha": reduction_alpha})
    return strongest(space, MixingWeights(normal_alpha.softmax(dim=-1), reduction_alpha.softmax(dim=-1)))


def strongest(space: SearchSpace, strengths: MixingWeights) -> Genotype:
    """The architecture of the strongest ops and edges; rules as of :func:`discretize`.

    Args:
        space: the search space.
        strengths: of every op of every edge, as ``strengths()`` of a supernet gives them.

    Raises:
        ShapeError: strengths of another shape, or not finite.

    Source: DARTS, section 2.4; with weights of edges PC-DARTS (Xu et al. 2020, arXiv:1907.05737), section 3.3.
    """
    check_mixing(space, strengths)
    require_finite({"the strengths of the normal cell": strengths.normal, "of the reduction cell": strengths.reduction})
    return Genotype(
        normal=_strongest_cell(space, space.normal, strengths.normal),
        reduction=_strongest_cell(space, space.reduction, strengths.reduction),
    )


def require_finite(matrices: Mapping[str, Tensor]) -> None:
    """Refuse what a diverged search leaves.

    Raises:
        ShapeError: naming the matrix that is not finite.
    """
    for name, matrix in matrices.items():
        if not torch.isfinite(matrix).all():
            raise ShapeError(f"{name} has entries that are not finite; the search diverged, lower its learning rates.")


def strongest_rows(space: SearchSpace, strengths: Sequence[float]) -> list[int]:
    """Rows of alpha of the edges that a discrete cell keeps: for each node in order two, the stronger first.

    Args:
        space: whose edges they are.
        strengths: of each edge; of equal ones the lower source counts as the stronger.
    """
    return [
        row
        for node in space.nodes
        for row in sorted(space.rows_into(node), key=lambda row: -strengths[row])[:EDGES_PER_NODE]
    ]


def _strongest_cell(space: SearchSpace, primitives: EdgePrimitives, strengths: Tensor) -> CellGenotype:
    weights = strengths.detach().cpu()
    best = [
        max(
            ((weight, name) for weight, name in zip(row, names, strict=True) if name != "none"),
            key=lambda candidate: candidate[0],
        )
        for names, row in zip(primitives, weights.tolist(), strict=True)
    ]
    kept = strongest_rows(space, [weight for weight, _ in best])
    return tuple((best[row][1], space.edges[row][0]) for row in kept)
