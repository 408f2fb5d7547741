"""Do architecture parameters and mixing weights belong to the space at hand?"""

from __future__ import annotations

from torch import Tensor

from darts.errors import ShapeError
from darts.space import SearchSpace
from darts.spaces import SPACES


def check_alphas(space: SearchSpace, normal_alpha: Tensor, reduction_alpha: Tensor) -> None:
    """Refuse alphas of another shape than (num_edges, num_primitives).

    Raises:
        ShapeError: with the spaces that they would fit.
    """
    remedy = "give alphas that were searched in this space, or discretize in theirs"
    _check(space, {"normal_alpha": normal_alpha, "reduction_alpha": reduction_alpha}, remedy)


def check_mixing(space: SearchSpace, mixing: tuple[Tensor, Tensor]) -> None:
    """Refuse mixing weights (normal, reduction) of another shape than (num_edges, num_primitives).

    Raises:
        ShapeError: with the spaces that they would fit.
    """
    normal, reduction = mixing
    remedy = "give what mixing_weights() of a supernet of this space returns, perturbed or not"
    _check(space, {"mixing.normal": normal, "mixing.reduction": reduction}, remedy)


def spaces_of_shape(shape: tuple[int, ...]) -> list[str]:
    """Names of the known spaces whose alphas have this shape."""
    return [space.name for space in SPACES.values() if shape == (space.num_edges, space.num_primitives)]


def _check(space: SearchSpace, matrices: dict[str, Tensor], remedy: str) -> None:
    expected = (space.num_edges, space.num_primitives)
    for name, matrix in matrices.items():
        found = tuple(matrix.shape)
        if found != expected:
            fitting = spaces_of_shape(found)
            origin = f", that of {' or '.join(map(repr, fitting))}" if fitting else ""
            raise ShapeError(f"{name} has shape {found}{origin}; space {space.name!r} needs {expected}: {remedy}.")
