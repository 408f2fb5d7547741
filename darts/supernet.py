"""The supernet: all ops of a search space at once, mixed by architecture weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from darts.arch_shapes import check_mixing
from darts.dirichlet import draw_weights, expected_weights
from darts.errors import ShapeError
from darts.family import FAMILIES, Family
from darts.kernels import concatenate, in_fast_layout
from darts.macro import CellPlan, Stem, check_images, make_stem, plan_cells
from darts.partial import PartialNode, PartialState
from darts.primitives import FactorizedReduce, Op, ReluConvBn, make_op
from darts.shared import NodeSum, SharedState
from darts.space import NUM_INPUTS, SearchSpace
from darts.state import CheckedState

ARCH_NAMES = ("normal_alpha", "reduction_alpha", "normal_beta", "reduction_beta")
"""Names of the architecture parameters in a supernet's state; betas where the family has weights of edges."""

HEAD_PREFIX = "classifier."
"""Prefix of the tensors that belong to the classes of one dataset."""

ALPHA_INIT_SCALE = 1e-3
"""Standard deviation of freshly initialised alphas and betas."""

DARTS_FAMILY = FAMILIES["darts"]


class MixingWeights(NamedTuple):
    """One weight per op: each row is a point on the simplex, or such a point times the weight of its edge.

    Attributes:
        normal: shape (num_edges, num_primitives), shared by all normal cells.
        reduction: the same for the reduction cells.
    """

    normal: Tensor
    reduction: Tensor

    def detach(self) -> MixingWeights:
        """The same values, as constants."""
        return MixingWeights(self.normal.detach(), self.reduction.detach())


EdgeWeights = tuple[Tensor, Tensor]
"""One weight per edge of the normal and of the reduction cell, (num_edges,) each."""

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

    def __init__(self, space: SearchSpace, plan: CellPlan, divisor: int = 1) -> None:
        super().__init__()
        self.reduction = plan.reduction
        self.divisor = divisor
        self.num_nodes = space.num_nodes
        self.preprocess0: FactorizedReduce | ReluConvBn = (
            FactorizedReduce(plan.before_previous, plan.channels, affine=False)
            if plan.previous_reduces
            else ReluConvBn(plan.before_previous, plan.channels, affine=False)
        )
        self.preprocess1 = ReluConvBn(plan.previous, plan.channels, affine=False)
        self.edges = nn.ModuleList(
            MixedOp(primitives, plan.channels // divisor, stride)
            for stride, primitives in zip(
                _strides(space, plan), space.primitives(reduction=plan.reduction), strict=True
            )
        )
        self.strides = _strides(space, plan)

    def forward(
        self,
        before_previous: SharedState,
        previous: SharedState,
        weights: ScalarRows,
        passing: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """Compute the nodes and concatenate them along the channels.

        Args:
            before_previous: output of the cell before the previous one.
            previous: output of the previous cell.
            weights: mixing weights of this cell type, (num_edges, num_primitives), times the weight of each edge.
            passing: of each edge, the weight of the channels that pass by; None where ops see all.
        """
        inputs = [self.preprocess0.after_relu(before_previous.relu), self.preprocess1.after_relu(previous.relu)]
        nodes = self._nodes(inputs, weights) if passing is None else self._partial_nodes(inputs, weights, passing)
        return concatenate(nodes)

    def _nodes(self, inputs: list[Tensor], weights: ScalarRows) -> list[Tensor]:
        states = [SharedState(x) for x in inputs]
        edges = zip(self.edges, weights, strict=True)
        for _ in range(self.num_nodes):
            node = NodeSum()
            for state in states:
                edge, row = next(edges)
                edge(state, row, node)
            states.append(SharedState(node.total()))
        return [state.x for state in states[NUM_INPUTS:]]

    def _partial_nodes(self, inputs: list[Tensor], weights: ScalarRows, passing: Sequence[Tensor]) -> list[Tensor]:
        states = [PartialState(x, self.divisor) for x in inputs]
        nodes: list[Tensor] = []
        edges = zip(self.edges, self.strides, weights, passing, strict=True)
        for _ in range(self.num_nodes):
            node = PartialNode()
            for state in states:
                edge, stride, row, weight = next(edges)
                edge(state.seen, row, node.seen)
                node.passed.add_scaled(weight, state.passed(stride))
            nodes.append(node.total())
            states.append(PartialState(nodes[-1], self.divisor))
        return nodes


def _strides(space: SearchSpace, plan: CellPlan) -> list[int]:
    """Of each edge: edges that leave the inputs of a reduction cell halve the map."""
    return [2 if plan.reduction and source < NUM_INPUTS else 1 for source, _ in space.edges]


class Supernet(CheckedState):
    """A network that holds every op of a search space.

    The architecture parameters (alphas, and betas where edges have weights of their own) are parameters and part of the
    state, yet never among :meth:`weight_parameters`: give those to the weight optimizer and :meth:`arch_parameters` to
    the architecture's.

    Args:
        space: which primitives each edge offers.
        num_classes: outputs of the classifier.
        channels: of each node of the first cells; doubled at each of the two reductions.
        num_cells: cells stacked, at least 3.
        in_channels: of the images.
        generator: of the initial alphas, normal with standard deviation 1e-3; the global one when absent.
        stem: ``cifar`` keeps the size of the images, ``imagenet`` quarters it (see :func:`darts.macro.make_stem`);
            the attribute ``stem_name`` tells which it is, ``stem`` is the module.
        family: how ops are mixed, and which channels they see; see :data:`darts.FAMILIES`.

    Raises:
        ShapeError: a size or a stem that cannot be built (see :func:`darts.macro.plan_cells`), or channels that the
            family cannot divide.

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
        family: Family = DARTS_FAMILY,
    ) -> None:
        super().__init__()
        self.space = space
        self.num_classes = num_classes
        self.channels = channels
        self.num_cells = num_cells
        self.in_channels = in_channels
        self.stem_name = stem
        self.family = family
        plans = plan_cells(channels, num_cells, space.num_nodes)
        _check_divisible(channels, family)
        self.stem = make_stem(stem, in_channels, channels)
        self.cells = nn.ModuleList(Cell(space, plan, family.divisor) for plan in plans)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(space.num_nodes * plans[-1].channels, num_classes)
        shape = (space.num_edges, space.num_primitives)
        self.normal_alpha = nn.Parameter(ALPHA_INIT_SCALE * torch.randn(shape, generator=generator))
        self.reduction_alpha = nn.Parameter(ALPHA_INIT_SCALE * torch.randn(shape, generator=generator))
        self.normal_beta: nn.Parameter | None = None
        self.reduction_beta: nn.Parameter | None = None
        if family.edge_weights:
            self.normal_beta = nn.Parameter(ALPHA_INIT_SCALE * torch.randn(space.num_edges, generator=generator))
            self.reduction_beta = nn.Parameter(ALPHA_INIT_SCALE * torch.randn(space.num_edges, generator=generator))

    @classmethod
    def state_shapes(
        cls,
        space: SearchSpace,
        num_classes: int,
        channels: int = 16,
        num_cells: int = 8,
        in_channels: int = 3,
        stem: Stem = "cifar",
        family: Family = DARTS_FAMILY,
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
            family: likewise.

        Raises:
            ShapeError: as the constructor.
        """
        plan_cells(channels, num_cells, space.num_nodes)
        _check_divisible(channels, family)
        unit = family.channel_multiple
        narrow, wider = (
            cls(space, 1, width, num_cells, in_channels, stem=stem, family=family).state_dict().items()
            for width in (unit, 2 * unit)
        )
        steps = channels // unit - 1
        shapes = {
            name: tuple(size + (more - size) * steps for size, more in zip(a.shape, b.shape, strict=True))
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
            self.space,
            num_classes,
            self.channels,
            self.num_cells,
            self.in_channels,
            generator,
            self.stem_name,
            self.family,
        )

    def weight_parameters(self) -> list[nn.Parameter]:
        """Every parameter but those of the architecture."""
        return [parameter for _, parameter in self.named_weight_parameters()]

    def named_weight_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every parameter but those of the architecture, with its name."""
        return ((name, parameter) for name, parameter in self.named_parameters() if name not in ARCH_NAMES)

    def arch_parameters(self) -> list[nn.Parameter]:
        """The alphas of the normal and of the reduction cells, (num_edges, num_primitives) each.

        Where edges have weights of their own, their betas follow, (num_edges,) each.
        """
        betas = (self.normal_beta, self.reduction_beta)
        return [self.normal_alpha, self.reduction_alpha, *(beta for beta in betas if beta is not None)]

    def mixing_weights(self) -> MixingWeights:
        """How the ops of each edge are mixed, a point on the simplex; differentiable in the alphas.

        Softmax of the alphas; where the weights are random, their expectation.
        """
        weigh = expected_weights if self.family.dirichlet else _softmax
        return MixingWeights(weigh(self.normal_alpha), weigh(self.reduction_alpha))

    def drawn_mixing_weights(self, generator: torch.Generator | None = None) -> MixingWeights:
        """What a step of a search mixes the ops with: a draw where the weights are random, else their values.

        Args:
            generator: on the CPU; the global one when absent.
        """
        if not self.family.dirichlet:
            return self.mixing_weights()
        return MixingWeights(draw_weights(self.normal_alpha, generator), draw_weights(self.reduction_alpha, generator))

    def strengths(self) -> MixingWeights:
        """What the ops of a node's edges are compared by: :meth:`mixing_weights` times the weight of each edge."""
        return _on_edges(self.mixing_weights(), self.edge_weights())

    def edge_weights(self) -> EdgeWeights | None:
        """Softmax of the betas over the edges into each node, (num_edges,) for either cell; None without betas."""
        if self.normal_beta is None or self.reduction_beta is None:
            return None
        return self._over_nodes(self.normal_beta), self._over_nodes(self.reduction_beta)

    def _over_nodes(self, beta: Tensor) -> Tensor:
        return torch.cat([beta[self.space.rows_into(node)].softmax(dim=0) for node in self.space.nodes])

    def forward(self, images: Tensor, mixing: MixingWeights | None = None) -> Tensor:
        """Class logits.

        Args:
            images: shape (batch, in_channels, h, w), h and w multiples of 4, or of 16 with the imagenet stem.
            mixing: weights of the ops on each edge; :meth:`mixing_weights` when absent. The betas count in either case.

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
        edges = self.edge_weights()
        weights = [_taken_apart(matrix.to(self.normal_alpha.dtype)) for matrix in _on_edges(mixing, edges)]
        passing = [None, None] if edges is None or self.family.divisor == 1 else _passing(mixing, edges)
        before_previous = previous = SharedState(first_map)
        for cell in self.cells:
            which = int(bool(cell.reduction))
            output = cell(before_previous, previous, weights[which], passing[which])
            before_previous, previous = previous, SharedState(output)
        return cast(Tensor, self.classifier(self.pool(previous.x).flatten(1)))


def _taken_apart(matrix: Tensor) -> ScalarRows:
    """A matrix as scalars, by a single differentiable step whatever the number of cells that use them."""
    scalars = matrix.flatten().unbind()
    return [scalars[start : start + matrix.shape[1]] for start in range(0, len(scalars), matrix.shape[1])]


def _softmax(alpha: Tensor) -> Tensor:
    return alpha.softmax(dim=-1)


def _on_edges(mixing: MixingWeights, edges: EdgeWeights | None) -> MixingWeights:
    """Each row times the weight of its edge."""
    if edges is None:
        return mixing
    return MixingWeights(*(weights * edge.unsqueeze(1) for weights, edge in zip(mixing, edges, strict=True)))


def _passing(mixing: MixingWeights, edges: EdgeWeights) -> list[tuple[Tensor, ...]]:
    """Weights of what passes the ops by, for the normal and the reduction cells: those of the edges.

    They do not depend on the ops, but an edge that has lost all its ops passes nothing.
    """
    kept = [(weights.detach() != 0).any(dim=1) for weights in mixing]
    return [tuple((edge * there).unbind()) for edge, there in zip(edges, kept, strict=True)]


def _check_divisible(channels: int, family: Family) -> None:
    multiple = family.channel_multiple
    if channels % multiple:
        below = max(multiple, channels // multiple * multiple)
        raise ShapeError(
            f"channels={channels}, and ops of family {family.name!r} see one in {family.divisor} of them; expected a "
            f"multiple of {multiple}, such as {below} or {below + multiple}."
        )
