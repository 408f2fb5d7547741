"""The supernet: all ops of a search space at once, mixed by architecture weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from darts.arch_shapes import check_mixing
from darts.kernels import concatenate, in_fast_layout
from darts.macro import CellPlan, Stem, check_images, make_stem, plan_cells
from darts.primitives import FactorizedReduce, Op, ReluConvBn, make_op
from darts.shared import NodeSum, SharedState
from darts.space import NUM_INPUTS, SearchSpace
from darts.state import CheckedState

ALPHA_NAMES = ("normal_alpha", "reduction_alpha")
"""Names of the architecture parameters in a supernet's state."""

HEAD_PREFIX = "classifier."
"""Prefix of the tensors that belong to the classes of one dataset."""

ALPHA_INIT_SCALE = 1e-3
"""Standard deviation of freshly initialised alphas."""


class MixingWeights(NamedTuple):
    """One weight per op: each row is a point on the simplex.

    Attributes:
        normal: shape (num_edges, num_primitives), shared by all normal cells.
        reduction: the same for the reduction cells.
    """

    normal: Tensor
    reduction: Tensor

    def detach(self) -> MixingWeights:
        """The same values, as constants."""
        return MixingWeights(self.normal.detach(), self.reduction.detach())


ScalarRows = Sequence[Sequence[Tensor]]
"""A matrix taken apart: a scalar for each primitive of each edge."""


class MixedOp(nn.Module):
    """All ops of one edge; what they add to a node is their weighted sum (DARTS, equation 2).

    The ops are mixed in by :meth:`darts.primitives.Op.mix`, which shares work with other edges: their own ``forward``,
    and hooks on it and on modules within, are not called.
    """

    def __init__(self, primitives: tuple[str, ...], channels: int, stride: int) -> None:
        super().__init__()
        self.ops = nn.ModuleList(make_op(name, channels, stride, affine=False, pool_norm=True) for name in primitives)

    def forward(self, state: SharedState, weights: Sequence[Tensor], node: NodeSum) -> None:
        """Add the weighted ops of this edge to a node.

        Args:
            state: the source, of shape (batch, channels, h, w).
            weights: a scalar for each primitive.
            node: the target.
        """
        for weight, op in zip(weights, self.ops, strict=True):
            cast(Op, op).mix(state, weight, node)


class Cell(nn.Module):
    """A cell of the supernet: a densely connected DAG whose every edge is a :class:`MixedOp`."""

    def __init__(self, space: SearchSpace, plan: CellPlan) -> None:
        super().__init__()
        self.reduction = plan.reduction
        self.num_nodes = space.num_nodes
        self.preprocess0: FactorizedReduce | ReluConvBn = (
            FactorizedReduce(plan.before_previous, plan.channels, affine=False)
            if plan.previous_reduces
            else ReluConvBn(plan.before_previous, plan.channels, affine=False)
        )
        self.preprocess1 = ReluConvBn(plan.previous, plan.channels, affine=False)
        self.edges = nn.ModuleList(
            MixedOp(primitives, plan.channels, stride=2 if plan.reduction and source < NUM_INPUTS else 1)
            for (source, _), primitives in zip(space.edges, space.primitives(reduction=plan.reduction), strict=True)
        )

    def forward(self, before_previous: SharedState, previous: SharedState, weights: ScalarRows) -> Tensor:
        """Compute the nodes and concatenate them along the channels.

        Args:
            before_previous: output of the cell before the previous one.
            previous: output of the previous cell.
            weights: mixing weights of this cell type, (num_edges, num_primitives).
        """
        states = [
            SharedState(self.preprocess0.after_relu(before_previous.relu)),
            SharedState(self.preprocess1.after_relu(previous.relu)),
        ]
        edges = zip(self.edges, weights, strict=True)
        for _ in range(self.num_nodes):
            node = NodeSum()
            for state in states:
                edge, row = next(edges)
                edge(state, row, node)
            states.append(SharedState(node.total()))
        return concatenate([state.x for state in states[NUM_INPUTS:]])


class Supernet(CheckedState):
    """A network that holds every op of a search space.

    The architecture parameters alpha are parameters and part of the state, yet never among
    :meth:`weight_parameters`: give those to the weight optimizer and :meth:`arch_parameters` to the architecture's.

    Args:
        space: which primitives each edge offers.
        num_classes: outputs of the classifier.
        channels: of each node of the first cells; doubled at each of the two reductions.
        num_cells: cells stacked, at least 3.
        in_channels: of the images.
        generator: of the initial alphas, normal with standard deviation 1e-3; the global one when absent.
        stem: ``cifar`` keeps the size of the images, ``imagenet`` quarters it (see :func:`darts.macro.make_stem`);
            the attribute ``stem_name`` tells which it is, ``stem`` is the module.

    Raises:
        ShapeError: a size or a stem that cannot be built (see :func:`darts.macro.plan_cells`).

    Source: DARTS (Liu et al. 2019, arXiv:1806.09055), sections 2.1 and 3.1.
    """

    def __init__(
        self,
        space: SearchSpace,
        num_classes: int,
        channels: int = 16,
        num_cells: int = 8,
        in_channels: int = 3,
        generator: torch.Generator | None = None,
        stem: Stem = "cifar",
    ) -> None:
        super().__init__()
        self.space = space
        self.num_classes = num_classes
        self.channels = channels
        self.num_cells = num_cells
        self.in_channels = in_channels
        self.stem_name = stem
        plans = plan_cells(channels, num_cells, space.num_nodes)
        self.stem = make_stem(stem, in_channels, channels)
        self.cells = nn.ModuleList(Cell(space, plan) for plan in plans)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(space.num_nodes * plans[-1].channels, num_classes)
        shape = (space.num_edges, space.num_primitives)
        self.normal_alpha = nn.Parameter(ALPHA_INIT_SCALE * torch.randn(shape, generator=generator))
        self.reduction_alpha = nn.Parameter(ALPHA_INIT_SCALE * torch.randn(shape, generator=generator))

    @classmethod
    def state_shapes(
        cls,
        space: SearchSpace,
        num_classes: int,
        channels: int = 16,
        num_cells: int = 8,
        in_channels: int = 3,
        stem: Stem = "cifar",
    ) -> dict[str, tuple[int, ...]]:
        """Shapes of the state's tensors by name, without making them: sizes of any origin cost no memory.

        Every size is affine in the channels, so those of two narrow supernets tell all others.

        Args:
            space: as of the constructor, like all others.
            num_classes: likewise.
            channels: likewise.
            num_cells: likewise; the time taken is proportional to it.
            in_channels: likewise.
            stem: likewise.

        Raises:
            ShapeError: as the constructor.
        """
        plan_cells(channels, num_cells, space.num_nodes)
        narrow, wider = (
            cls(space, 1, width, num_cells, in_channels, stem=stem).state_dict().items() for width in (2, 4)
        )
        shapes = {
            name: tuple(size + (more - size) * (channels - 2) // 2 for size, more in zip(a.shape, b.shape, strict=True))
            for (name, a), (_, b) in zip(narrow, wider, strict=True)
        }
        head = {"classifier.weight": (num_classes, shapes["classifier.weight"][1]), "classifier.bias": (num_classes,)}
        return shapes | head

    def like(self, num_classes: int, generator: torch.Generator | None = None) -> Supernet:
        """A fresh supernet that :func:`darts.warm_start` can start from this one: the same but for the classes.

        Args:
            num_classes: outputs of its classifier.
            generator: of its initial alphas, as of the constructor.
        """
        return Supernet(
            self.space, num_classes, self.channels, self.num_cells, self.in_channels, generator, self.stem_name
        )

    def weight_parameters(self) -> list[nn.Parameter]:
        """Every parameter but the alphas."""
        return [parameter for _, parameter in self.named_weight_parameters()]

    def named_weight_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every parameter but the alphas, with its name."""
        return ((name, parameter) for name, parameter in self.named_parameters() if name not in ALPHA_NAMES)

    def arch_parameters(self) -> list[nn.Parameter]:
        """The alphas: logits of the normal and of the reduction cells, (num_edges, num_primitives) each."""
        return [self.normal_alpha, self.reduction_alpha]

    def mixing_weights(self) -> MixingWeights:
        """Softmax of the alphas over the primitives of each edge; differentiable in the alphas."""
        return MixingWeights(self.normal_alpha.softmax(dim=-1), self.reduction_alpha.softmax(dim=-1))

    def forward(self, images: Tensor, mixing: MixingWeights | None = None) -> Tensor:
        """Class logits.

        Args:
            images: shape (batch, in_channels, h, w), h and w multiples of 4, or of 16 with the imagenet stem.
            mixing: weights of the ops; :meth:`mixing_weights` when absent.

        Returns:
            Shape (batch, num_classes).

        Raises:
            ShapeError: images or mixing weights of another shape, or images too few and too small to train on.
        """
        return self.classify(self.first_map(images), mixing)

    def first_map(self, images: Tensor) -> Tensor:
        """The stem's output, which no mixing weight changes: shape (batch, 3 * channels, h, w) for the cifar stem.

        Raises:
            ShapeError: as :meth:`forward`.
        """
        check_images(images, self.in_channels, self.stem_name, training=self.training)
        return cast(Tensor, self.stem(in_fast_layout(images)))

    def classify(self, first_map: Tensor, mixing: MixingWeights | None = None) -> Tensor:
        """What :meth:`forward` does after the stem.

        Args:
            first_map: what :meth:`first_map` gave.
            mixing: as in :meth:`forward`.
        """
        mixing = self.mixing_weights() if mixing is None else mixing
        check_mixing(self.space, mixing)
        normal, reduction = (_taken_apart(matrix.to(self.normal_alpha.dtype)) for matrix in mixing)
        before_previous = previous = SharedState(first_map)
        for cell in self.cells:
            output = cell(before_previous, previous, reduction if cell.reduction else normal)
            before_previous, previous = previous, SharedState(output)
        return cast(Tensor, self.classifier(self.pool(previous.x).flatten(1)))


def _taken_apart(matrix: Tensor) -> ScalarRows:
    """A matrix as scalars, by a single differentiable step whatever the number of cells that use them."""
    scalars = matrix.flatten().unbind()
    return [scalars[start : start + matrix.shape[1]] for start in range(0, len(scalars), matrix.shape[1])]
