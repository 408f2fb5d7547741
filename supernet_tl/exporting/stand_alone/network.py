"""The exported network in plain PyTorch: ``from_folder("...")`` builds it and loads its weights.

Nothing but PyTorch is needed, and safetensors to read the weights. It can be trained on: it is an ordinary module.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

NUM_INPUTS = 2  # every cell reads the outputs of the two cells before it


class FactorizedReduce(nn.Module):
    """Halve a map by two 1x1 convolutions of stride 2, one of them shifted by a pixel."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv_even = nn.Conv2d(in_channels, out_channels // 2, 1, stride=2, bias=False)
        self.conv_odd = nn.Conv2d(in_channels, out_channels // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_channels, h, w) to (batch, out_channels, h/2, w/2)."""
        x = self.relu(x)
        return cast(Tensor, self.norm(torch.cat([self.conv_even(x), self.conv_odd(x[:, :, 1:, 1:])], dim=1)))


def _convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(), nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))


def _separable(channels: int, kernel_size: int, stride: int, dilation: int) -> list[nn.Module]:
    padding = dilation * (kernel_size // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel_size, stride, padding, dilation, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    ]


def _op(name: str, channels: int, stride: int, pool_norm: bool) -> nn.Module:
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
    if name in ("max_pool_3x3", "avg_pool_3x3"):
        pool: nn.Module = (
            nn.MaxPool2d(3, stride, padding=1)
            if name == "max_pool_3x3"
            else nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
        )
        return nn.Sequential(pool, *([nn.BatchNorm2d(channels, affine=False)] if pool_norm else []))
    kind, _, size = name.rpartition("_")
    kernel_size = int(size.partition("x")[0])
    if kind == "sep_conv":
        return nn.Sequential(*_separable(channels, kernel_size, stride, 1), *_separable(channels, kernel_size, 1, 1))
    if kind == "dil_conv":
        return nn.Sequential(*_separable(channels, kernel_size, stride, 2))
    raise ValueError(f"the op {name!r} is unknown; this network.py and its network.json are not of one export.")


class Cell(nn.Module):
    """A cell: every node is the sum of two ops on earlier states, and the nodes are concatenated."""

    def __init__(
        self,
        edges: Sequence[tuple[str, int]],
        before_previous: int,
        previous: int,
        channels: int,
        *,
        reduction: bool,
        previous_reduces: bool,
        pool_norm: bool,
    ) -> None:
        super().__init__()
        self.sources = [source for _, source in edges]
        self.preprocess0: nn.Module = (
            FactorizedReduce(before_previous, channels) if previous_reduces else _convolution(before_previous, channels)
        )
        self.preprocess1 = _convolution(previous, channels)
        self.ops = nn.ModuleList(
            _op(name, channels, 2 if reduction and source < NUM_INPUTS else 1, pool_norm) for name, source in edges
        )

    def forward(self, before_previous: Tensor, previous: Tensor) -> Tensor:
        """Map the outputs of the two cells before to (batch, nodes * channels, h, w)."""
        states = [self.preprocess0(before_previous), self.preprocess1(previous)]
        terms = list(zip(self.sources, self.ops, strict=True))
        for first, second in zip(terms[::2], terms[1::2], strict=True):
            states.append(first[1](states[first[0]]) + second[1](states[second[0]]))
        return torch.cat(states[NUM_INPUTS:], dim=1)


class Network(nn.Module):
    """The network: 8-bit images of the size it was trained at go in, class probabilities come out.

    Args:
        description: the content of ``network.json``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, description: dict[str, Any]) -> None:
        super().__init__()
        self.class_names: list[str] = list(description["class_names"])
        self.image_size = int(description["image_size"])
        self.in_channels = int(description["in_channels"])
        for name in ("mean", "std"):
            values = torch.tensor(description["normalisation"][name])[:, None, None]
            self.register_buffer(name, values, persistent=False)
        genotype, num_cells, channels = description["genotype"], int(description["num_cells"]), description["channels"]
        before_previous = previous = 3 * channels
        self.stem = _stem(description["stem"], self.in_channels, previous)
        self.cells = nn.ModuleList()
        previous_reduces = False
        for index in range(num_cells):
            reduction = index in (num_cells // 3, 2 * num_cells // 3)
            channels = 2 * channels if reduction else channels
            edges = [(name, source) for name, source in genotype["reduction" if reduction else "normal"]]
            cell = Cell(
                edges,
                before_previous,
                previous,
                channels,
                reduction=reduction,
                previous_reduces=previous_reduces,
                pool_norm=description["pool_norm"],
            )
            self.cells.append(cell)
            before_previous, previous = previous, channels * len(edges) // 2
            previous_reduces = reduction
        self.classifier = nn.Linear(previous, len(self.class_names))

    def logits(self, images: Tensor) -> Tensor:
        """Class logits, (batch, num_classes), of 8-bit images, (batch, in_channels, size, size)."""
        x = self.stem((images.to(torch.float32) / 255 - self.mean) / self.std)
        before_previous = previous = x
        for cell in self.cells:
            before_previous, previous = previous, cell(before_previous, previous)
        return cast(Tensor, self.classifier(previous.mean(dim=(2, 3))))

    def forward(self, images: Tensor) -> Tensor:
        """Class probabilities, (batch, num_classes), of 8-bit images, (batch, in_channels, size, size)."""
        return self.logits(images).softmax(dim=1)


def _stem(stem: str, in_channels: int, width: int) -> nn.Sequential:
    if stem == "cifar":
        return nn.Sequential(nn.Conv2d(in_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
    return nn.Sequential(
        nn.Conv2d(in_channels, width // 2, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width // 2),
        nn.ReLU(),
        nn.Conv2d(width // 2, width, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width),
    )


def from_folder(folder: str | Path) -> Network:
    """The network of a folder that holds ``network.json`` and ``network.safetensors``, ready to predict."""
    from safetensors.torch import load_file

    network = Network(json.loads((Path(folder) / "network.json").read_text(encoding="utf-8")))
    network.load_state_dict(load_file(Path(folder) / "network.safetensors"))
    return network.eval()
