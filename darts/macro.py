"""The macro network that supernet and discrete network share: stem, stacked cells, where they reduce."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from darts.errors import ShapeError

STEM_MULTIPLIER = 3
"""The stem gives three times the channels of the first cell."""


@dataclass(frozen=True)
class CellPlan:
    """What one cell of the stack is built with.

    Attributes:
        before_previous: channels of the output of the cell before the previous one.
        previous: channels of the previous cell's output.
        channels: of each node of this cell.
        reduction: whether the cell halves the map.
        previous_reduces: whether the previous cell did.
    """

    before_previous: int
    previous: int
    channels: int
    reduction: bool
    previous_reduces: bool


def reduction_indices(num_cells: int) -> tuple[int, int]:
    """Which cells reduce: those at one third and at two thirds of the depth."""
    return num_cells // 3, 2 * num_cells // 3


def plan_cells(channels: int, num_cells: int, num_nodes: int) -> tuple[CellPlan, ...]:
    """Lay out the stack; a cell's output concatenates its nodes, and the channels double at each reduction.

    Raises:
        ShapeError: fewer than 3 cells (no normal cell would remain), or channels that are not positive and even.

    Source: DARTS (Liu et al. 2019, arXiv:1806.09055), section 3.1.
    """
    if num_cells < 3:
        raise ShapeError(f"num_cells={num_cells}; expected at least 3: one normal cell and two reductions.")
    if channels < 2 or channels % 2:
        raise ShapeError(f"channels={channels}; expected a positive even number, because reductions split it in two.")
    before_previous = previous = STEM_MULTIPLIER * channels
    plans: list[CellPlan] = []
    previous_reduces = False
    for index in range(num_cells):
        reduction = index in reduction_indices(num_cells)
        channels = 2 * channels if reduction else channels
        plans.append(CellPlan(before_previous, previous, channels, reduction, previous_reduces))
        before_previous, previous = previous, num_nodes * channels
        previous_reduces = reduction
    return tuple(plans)


def make_stem(in_channels: int, channels: int) -> nn.Sequential:
    """3x3 convolution to three times the channels, then batch normalisation, affine in supernets too."""
    width = STEM_MULTIPLIER * channels
    return nn.Sequential(
        nn.Conv2d(in_channels, width, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(width),
    )


def check_images(images: Tensor, in_channels: int) -> None:
    """Refuse a batch that the stack cannot take.

    Raises:
        ShapeError: not (batch, in_channels, h, w), or h or w is not a multiple of 4 (two reductions halve the map).
    """
    if images.ndim != 4 or images.shape[1] != in_channels:
        raise ShapeError(f"images have shape {tuple(images.shape)}; expected (batch, {in_channels}, height, width).")
    height, width = images.shape[-2:]
    if height % 4 or width % 4:
        nearest = tuple(max(4, round(size / 4) * 4) for size in (height, width))
        raise ShapeError(
            f"images are {height}x{width}; both must be multiples of 4, because two cells halve the map. "
            f"Resize to {nearest[0]}x{nearest[1]}, for example."
        )
