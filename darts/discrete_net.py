"""The discrete network: the architecture that the search settled on, and nothing else."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from darts.errors import DartsError, ShapeError
from darts.genotype import Genotype
from darts.macro import CellPlan, Stem, check_images, make_stem, plan_cells, reduction_indices
from darts.primitives import FactorizedReduce, ReluConvBn, make_op
from darts.space import NUM_INPUTS
from darts.supernet import Supernet

REFERENCE_MAP_SIZE = 8
"""Height and width of the map that the reference's auxiliary head is made for: 32x32 images, reduced twice."""


def drop_path(x: Tensor, drop_prob: float) -> Tensor:
    """Zero whole samples with probability ``drop_prob`` and scale the others by ``1 / (1 - drop_prob)``.

    Args:
        x: shape (batch, channels, h, w).
        drop_prob: in [0, 1).

    Source: FractalNet (Larsson et al. 2017, arXiv:1605.07648), as in DARTS' evaluation networks.
    """
    keep_prob = 1.0 - drop_prob
    mask = torch.empty((len(x), 1, 1, 1), dtype=x.dtype, device=x.device).bernoulli_(keep_prob)
    return x * mask / keep_prob


class DiscreteCell(nn.Module):
    """A cell that holds one op on each of the edges its genotype keeps."""

    def __init__(self, genotype: Genotype, plan: CellPlan, *, pool_norm: bool) -> None:
        super().__init__()
        self.edges = genotype.edges(reduction=plan.reduction)
        self.num_nodes = genotype.num_nodes
        self.preprocess0: nn.Module = (
            FactorizedReduce(plan.before_previous, plan.channels, affine=True)
            if plan.previous_reduces
            else ReluConvBn(plan.before_previous, plan.channels, affine=True)
        )
        self.preprocess1 = ReluConvBn(plan.previous, plan.channels, affine=True)
        self.ops = nn.ModuleList(
            make_op(
                primitive,
                plan.channels,
                stride=2 if plan.reduction and source < NUM_INPUTS else 1,
                affine=True,
                pool_norm=pool_norm,
            )
            for primitive, source, _ in self.edges
        )

    def forward(self, before_previous: Tensor, previous: Tensor, drop_prob: float) -> Tensor:
        """Compute the nodes and concatenate them; ``drop_prob`` > 0 drops the paths of all ops but identities."""
        states = [self.preprocess0(before_previous), self.preprocess1(previous)]
        for target in range(NUM_INPUTS, NUM_INPUTS + self.num_nodes):
            outputs = []
            for (_, source, node), op in zip(self.edges, self.ops, strict=True):
                if node != target:
                    continue
                output = op(states[source])
                if drop_prob > 0 and not isinstance(op, nn.Identity):
                    output = drop_path(output, drop_prob)
                outputs.append(output)
            states.append(outputs[0] + outputs[1])
        return torch.cat(states[NUM_INPUTS:], dim=1)


class AuxiliaryHead(nn.Module):
    """A second classifier on the map after the last reduction, used in training only.

    On the 8x8 map of the reference the pooling is the reference's (5x5, stride 3); other maps are pooled adaptively to
    the same 2x2.
    """

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 128, kernel_size=1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, kernel_size=2, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(768, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_channels, h, w) to logits (batch, num_classes)."""
        x = x.relu()
        if x.shape[-2:] == (REFERENCE_MAP_SIZE, REFERENCE_MAP_SIZE):
            x = nn.functional.avg_pool2d(x, kernel_size=5, stride=3, count_include_pad=False)
        else:
            x = nn.functional.adaptive_avg_pool2d(x, 2)
        return cast(Tensor, self.classifier(self.features(x).flatten(1)))


class DiscreteNetwork(nn.Module):
    """The network of a genotype.

    The plain constructor builds it from random weights at any depth and width (the paper's appendix B.2: ``retrain``);
    :meth:`from_supernet` keeps the supernet's surviving weights, depth and width (algorithm 2, line 14: ``inherit``).

    Args:
        genotype: the two cells.
        num_classes: outputs of the classifier.
        channels: of each node of the first cells.
        num_cells: cells stacked, at least 3.
        auxiliary: add an auxiliary classifier after the second reduction; it takes part in training mode only.
        drop_path_prob: probability to drop an op's output for a sample in training mode; may be set at any time.
        pool_norm: keep a batch normalisation after pools, as in supernets.
        in_channels: of the images.
        stem: as :class:`darts.Supernet`'s.

    Raises:
        ShapeError: a size or a stem that cannot be built (see :func:`darts.macro.plan_cells`).

    Source: DARTS (Liu et al. 2019, arXiv:1806.09055), section 3.2 and its evaluation networks.
    """

    def __init__(
        self,
        genotype: Genotype,
        num_classes: int,
        channels: int = 36,
        num_cells: int = 20,
        auxiliary: bool = False,
        drop_path_prob: float = 0.0,
        pool_norm: bool = False,
        in_channels: int = 3,
        stem: Stem = "cifar",
    ) -> None:
        super().__init__()
        self.genotype = genotype
        self.num_classes = num_classes
        self.channels = channels
        self.num_cells = num_cells
        self.in_channels = in_channels
        self.stem_name = stem
        self.pool_norm = pool_norm
        self.drop_path_prob = drop_path_prob
        plans = plan_cells(channels, num_cells, genotype.num_nodes)
        self.stem = make_stem(stem, in_channels, channels)
        self.cells = nn.ModuleList(DiscreteCell(genotype, plan, pool_norm=pool_norm) for plan in plans)
        self.auxiliary_index = reduction_indices(num_cells)[1]
        self.auxiliary_head: AuxiliaryHead | None = None
        if auxiliary:
            self.auxiliary_head = AuxiliaryHead(genotype.num_nodes * plans[self.auxiliary_index].channels, num_classes)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(genotype.num_nodes * plans[-1].channels, num_classes)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Class logits; in training mode with an auxiliary head, ``(logits, auxiliary_logits)``.

        Args:
            images: shape (batch, in_channels, h, w), h and w multiples of 4, or of 16 with the imagenet stem.

        Returns:
            Shape (batch, num_classes) each.

        Raises:
            ShapeError: images of another shape, or too few and too small to train on.
        """
        check_images(images, self.in_channels, self.stem_name, training=self.training)
        if self.training and self.auxiliary_head is not None and len(images) == 1:
            raise ShapeError(
                "a training batch of 1 image leaves one value a channel in the auxiliary head, which batch "
                "normalisation cannot scale; give 2 or more images, or build the network with auxiliary=False."
            )
        drop_prob = self.drop_path_prob if self.training else 0.0
        before_previous = previous = self.stem(images)
        auxiliary_logits: Tensor | None = None
        for index, cell in enumerate(self.cells):
            before_previous, previous = previous, cell(before_previous, previous, drop_prob)
            if index == self.auxiliary_index and self.training and self.auxiliary_head is not None:
                auxiliary_logits = self.auxiliary_head(previous)
        logits = cast(Tensor, self.classifier(self.pool(previous).flatten(1)))
        return logits if auxiliary_logits is None else (logits, auxiliary_logits)

    @classmethod
    def from_supernet(cls, net: Supernet, genotype: Genotype) -> DiscreteNetwork:
        """Inherit: the supernet with every op removed that the genotype does not keep.

        Normalisations after pools are kept and the new scales and shifts start at one and zero, so that the logits
        equal those of the supernet with one-hot mixing weights (zero on edges that are gone).

        Args:
            net: the searched supernet; left unchanged.
            genotype: discretized in the supernet's space.

        Raises:
            DartsError: the ops of the supernet see a part of the channels, and the network's see them all.
            GenotypeError: the genotype does not belong to the supernet's space.
        """
        if net.family.divisor > 1:
            raise DartsError(
                f"the ops of a supernet of family {net.family.name!r} see one in {net.family.divisor} channels, and "
                "those of a discrete network see all: their weights do not fit. Train DiscreteNetwork(genotype, ...) "
                "from random weights."
            )
        genotype.check_in(net.space)
        final = cls(
            genotype,
            num_classes=net.num_classes,
            channels=net.channels,
            num_cells=net.num_cells,
            pool_norm=True,
            in_channels=net.in_channels,
            stem=net.stem_name,
        ).to(net.normal_alpha)
        expected_new = {name for name in _affine_names(final) if not name.startswith("stem.")}
        missing, unexpected = final.load_state_dict(_inherited_state(net, final), strict=False)
        if unexpected or set(missing) != expected_new:
            raise DartsError(f"the supernet's state does not cover the network: {sorted(set(missing) ^ expected_new)}.")
        return final.train(net.training)


def _affine_names(final: DiscreteNetwork) -> set[str]:
    return {
        f"{name}.{parameter}"
        for name, module in final.named_modules()
        if isinstance(module, nn.BatchNorm2d) and module.affine
        for parameter in ("weight", "bias")
    }


def _inherited_state(net: Supernet, final: DiscreteNetwork) -> dict[str, Tensor]:
    source = net.state_dict()
    row_of = net.space.row_of
    state = {name: tensor for name, tensor in source.items() if name.startswith(("stem.", "classifier."))}
    for cell_index, (cell, super_cell) in enumerate(zip(final.cells, net.cells, strict=True)):
        prefixes = {
            f"cells.{cell_index}.{part}.": f"cells.{cell_index}.{part}." for part in ("preprocess0", "preprocess1")
        }
        offered = net.space.primitives(reduction=bool(super_cell.reduction))
        for op_index, (primitive, edge_source, target) in enumerate(cast(DiscreteCell, cell).edges):
            row = row_of[edge_source, target]
            column = offered[row].index(primitive)
            prefixes[f"cells.{cell_index}.edges.{row}.ops.{column}."] = f"cells.{cell_index}.ops.{op_index}."
        for old, new in prefixes.items():
            state.update({new + name[len(old) :]: tensor for name, tensor in source.items() if name.startswith(old)})
    return state
