"""Sums of singular values of F G' for many pairs of factors at once.

Factors of similar height are padded with rows of zeros to one height, which adds singular values of 0 and changes no
sum; one matrix product then gives the blocks F G' of a whole group of pairs, and one batched call their singular
values. Blocks are made in portions of bounded size.

Two routes lead to the singular values. The decomposition of the block itself is good to the last digits whatever the
rank. The roots of the eigenvalues of F G' (F G')', taken in float64, cost half of that for large blocks on a CPU, but
squaring halves the digits: singular values below 1e-8 of the largest are lost. So this route is taken only where both
factors have full height d, which is where blocks are largest and ranks full, and its error bound is computed with it;
pairs that it cannot promise nine digits take the first route after all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_SIMILAR = 0.8  # factors at least this share of the highest of their group are padded to its height
_PORTION = 2**22  # entries of F G' made at a time
_EIGEN_TOLERANCE = 1e-9  # relative error bound up to which the eigenvalue route stands


def nuclear_norms(a: Sequence[Tensor], b: Sequence[Tensor], wanted: Tensor) -> Tensor:
    """The nuclear norms of ``a[i] @ b[j].T``.

    Args:
        a: factors of shape (r_i, d), all of one dtype and device; r_i may be 0.
        b: factors of shape (s_j, d).
        wanted: shape (len(a), len(b)), bool, on the device of the factors: the pairs to compute.

    Returns:
        Shape (len(a), len(b)), dtype and device of the factors; 0 where it was not wanted.
    """
    norms = a[0].new_zeros(wanted.shape)
    for group_a in _groups(a):
        for group_b in _groups(b):
            for part_a, part_b in _portions(group_a, group_b):
                asked = wanted[part_a.members[:, None], part_b.members]
                i, j = asked.nonzero(as_tuple=True)
                if not len(i):
                    continue
                products = part_a.stack.flatten(0, 1) @ part_b.stack.flatten(0, 1).T
                blocks = products.view(*part_a.stack.shape[:2], *part_b.stack.shape[:2])[i, :, j]
                norms[part_a.members[i], part_b.members[j]] = singular_value_sums(
                    blocks, full_height=part_a.full_height and part_b.full_height
                )
    return norms


def singular_value_sums(blocks: Tensor, *, full_height: bool) -> Tensor:
    """The sum of the singular values of every block.

    Args:
        blocks: shape (batch, p, q).
        full_height: whether the blocks come of factors of full height, so that the eigenvalue route is worth trying.
    """
    if not full_height:
        return _singular_value_route(blocks)
    sums, error = eigenvalue_route(blocks)
    uncertain = error > _EIGEN_TOLERANCE * sums
    if uncertain.any():
        sums[uncertain] = _singular_value_route(blocks[uncertain])
    return sums


def _singular_value_route(blocks: Tensor) -> Tensor:
    singular_values: Tensor = torch.linalg.svdvals(blocks)
    return singular_values.sum(dim=1)


def eigenvalue_route(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of singular values as roots of eigenvalues, and a bound of their error.

    Eigenvalues e of the p x p product are good to u = p x rounding x the largest, so a root is good to
    sqrt(e + u) - sqrt(e - u).
    """
    squares = torch.linalg.eigvalsh(blocks.double() @ blocks.double().mT)
    uncertainty = blocks.shape[1] * torch.finfo(torch.float64).eps * squares[:, -1:]
    sums = squares.clamp(min=0).sqrt().sum(dim=1)
    spread = (squares + uncertainty).clamp(min=0).sqrt() - (squares - uncertainty).clamp(min=0).sqrt()
    return sums.to(blocks.dtype), spread.sum(dim=1).to(blocks.dtype)


@dataclass(frozen=True, eq=False)
class _Group:
    """Factors padded to one height: their positions, shape (c,), and themselves, shape (c, height, d)."""

    members: Tensor
    stack: Tensor

    @property
    def full_height(self) -> bool:
        return self.stack.shape[1] == self.stack.shape[2]

    def part(self, start: int, size: int) -> "_Group":
        return _Group(self.members[start : start + size], self.stack[start : start + size])


def _groups(factors: Sequence[Tensor]) -> Iterator[_Group]:
    by_height = sorted(range(len(factors)), key=lambda index: -len(factors[index]))
    members: list[int] = []
    for index in by_height:
        if members and len(factors[index]) < _SIMILAR * len(factors[members[0]]):
            yield _padded(factors, members)
            members = []
        members.append(index)
    yield _padded(factors, members)


def _padded(factors: Sequence[Tensor], members: list[int]) -> _Group:
    height, dimension = factors[members[0]].shape
    stack = factors[members[0]].new_zeros(len(members), height, dimension)
    for place, index in zip(stack, members, strict=True):
        place[: len(factors[index])] = factors[index]
    return _Group(torch.tensor(members, device=stack.device), stack)


def _portions(a: _Group, b: _Group) -> Iterator[tuple[_Group, _Group]]:
    block = max(1, a.stack.shape[1] * b.stack.shape[1])
    size_b = min(len(b.members), max(1, _PORTION // block))
    size_a = max(1, _PORTION // (block * size_b))
    for start_a in range(0, len(a.members), size_a):
        for start_b in range(0, len(b.members), size_b):
            yield a.part(start_a, size_a), b.part(start_b, size_b)
