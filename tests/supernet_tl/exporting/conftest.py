from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import darts
from supernet_tl.data import Normalisation
from supernet_tl.network_file import Classifier, save_classifier

# Each cell has edges of every op that no pool, skip or convolution of the other has.
GENOTYPE = darts.Genotype(
    normal=(
        *(("skip_connect", 0), ("sep_conv_3x3", 1), ("max_pool_3x3", 0), ("dil_conv_5x5", 2)),
        *(("avg_pool_3x3", 1), ("sep_conv_5x5", 3), ("skip_connect", 2), ("dil_conv_3x3", 4)),
    ),
    reduction=(
        *(("skip_connect", 0), ("sep_conv_5x5", 1), ("avg_pool_3x3", 0), ("dil_conv_3x3", 2)),
        *(("max_pool_3x3", 1), ("skip_connect", 3), ("dil_conv_5x5", 0), ("max_pool_3x3", 1)),
    ),
)


def make_classifier(**sizes: Any) -> Classifier:
    """A network whose batch normalisations have seen images, so that none of its numbers is a default."""
    torch.manual_seed(0)
    given = {"num_classes": 3, "channels": 4, "num_cells": 5, "auxiliary": True, **sizes}
    network = darts.DiscreteNetwork(given.pop("genotype", GENOTYPE), **given)
    in_channels = network.in_channels
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        for _ in range(5):
            network(torch.rand(8, in_channels, 16, 16))
    normalisation = Normalisation((0.4, 0.5, 0.6)[:in_channels], (0.2, 0.25, 0.3)[:in_channels])
    return Classifier(network.eval(), ("ant", "bee | wasp", "çat")[: given["num_classes"]], normalisation, 16)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., tuple[Path, Classifier]]:
    """Save the network of some sizes, and return its folder and itself."""

    def save(**sizes: Any) -> tuple[Path, Classifier]:
        classifier = make_classifier(**sizes)
        data = {"name": "insects", "origin": "a garden", "licence": "CC0"}
        save_classifier(tmp_path / "run" / "network", classifier, {"data": [data]})
        return tmp_path / "run", classifier

    return save
