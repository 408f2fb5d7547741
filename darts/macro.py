"""The macro network that supernet and discrete network share: stem, stacked cells, where they reduce."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from darts.errors import ShapeError

Stem = Literal["cifar", "imagenet"]
"""How images become the first map: at their own size, or at a quarter of it for large images."""

STEM_STRIDES: Mapping[Stem, int] = {"cifar": 1, "imagenet": 4}
"""By how much each stem divides height and width."""

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


def make_stem(stem: Stem, in_channels: int, channels: int) -> nn.Sequential:
    """Map images to three times the channels; the batch normalisations are affine in supernets too.

    ``cifar``: a 3x3 convolution. ``imagenet``: two 3x3 convolutions of stride 2, the first to half of the width, with a
    batch normalisation and a ReLU between them. Both inputs of the first cell are the stem's output, so that the cells
    are the same whatever the stem. DARTS' own ImageNet network differs there: a second stem halves the map once more
    (to an eighth of the image), the first cell reads both stems, and they have as many channels as the first cell.

    Args:
        stem: a key of :data:`STEM_STRIDES`.
        in_channels: of the images.
        channels: of the first cell.

    Raises:
        ShapeError: an unknown stem, or images without a channel.
    """
    if stem not in STEM_STRIDES:
        raise ShapeError(f"the stem is {stem!r}; expected one of {', '.join(map(repr, STEM_STRIDES))}.")
    if in_channels < 1:
        raise ShapeError(f"in_channels={in_channels}; expected at least 1, such as 3 for colour or 1 for grey images.")
    width = STEM_MULTIPLIER * channels
    if stem == "cifar":
        return nn.Sequential(
            nn.Conv2d(in_channels, width, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
    return nn.Sequential(
        nn.Conv2d(in_channels, width // 2, kernel_size=3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width // 2),
        nn.ReLU(),
        nn.Conv2d(width // 2, width, kernel_size=3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width),
    )


def stem_of(names: Collection[str]) -> Stem | None:
    """The stem whose tensors a network's state has, by their names; None where it has those of neither."""
    if "stem.0.weight" not in names:
        return None
    return "imagenet" if "stem.3.weight" in names else "cifar"


def size_multiple(stem: Stem) -> int:
    """What height and width of the images must be multiples of: the stem divides them, then two cells halve the map."""
    return 4 * STEM_STRIDES[stem]


def check_images(images: Tensor, in_channels: int, stem: Stem, *, training: bool) -> None:
    """Refuse a batch that the stack cannot take.

    Raises:
        ShapeError: not (batch, in_channels, h, w); h or w is no multiple of :func:`size_multiple`; or, in training, the
            batch leaves a single value a channel in the last map, over which batch normalisation is not defined.
    """
    if images.ndim != 4 or images.shape[1] != in_channels:
        raise ShapeError(f"images have shape {tuple(images.shape)}; expected (batch, {in_channels}, height, width).")
    num, _, height, width = images.shape
    multiple = size_multiple(stem)
    if not height or not width or height % multiple or width % multiple:
        raise ShapeError(
            f"images are {height}x{width}; with the {stem} stem both sides must be multiples of {multiple}, by which "
            f"stem and reductions divide them. Resize to height {_nearest(height, multiple)} and width "
            f"{_nearest(width, multiple)}."
        )
    if training and num == 1 and height == width == multiple:
        raise ShapeError(
            f"a training batch of 1 image of {height}x{width} leaves one value a channel in the last map, which batch "
            f"normalisation cannot scale; give 2 or more images, or images of {2 * multiple}x{2 * multiple}."
        )


def _nearest(size: int, multiple: int) -> str:
    """The multiples next to a size, below and above; the size itself if it is one."""
    below, above = size // multiple * multiple, -(-max(size, 1) // multiple) * multiple
    return f"{below} or {above}" if 0 < below < above else f"{above}"
