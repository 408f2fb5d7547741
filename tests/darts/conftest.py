from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import darts

FIXTURES = Path(__file__).parent.parent / "fixtures"


@pytest.fixture(scope="session")
def reference() -> dict[str, Any]:
    """Numbers printed by the reference implementation of SmoothDARTS; its ``meta`` names the commit."""
    values: dict[str, Any] = json.loads((FIXTURES / "darts_reference.json").read_text())
    return values


def _reference_name(space: darts.SearchSpace) -> str:
    return "darts8" if space is darts.DARTS else space.name


@pytest.fixture(params=list(darts.SPACES.values()), ids=lambda space: str(space.name))
def space(request: pytest.FixtureRequest) -> darts.SearchSpace:
    value: darts.SearchSpace = request.param
    return value


@pytest.fixture
def reference_name() -> Callable[[darts.SearchSpace], str]:
    return _reference_name


@pytest.fixture
def space_of() -> Callable[[str], darts.SearchSpace]:
    return lambda name: darts.DARTS if name == "darts8" else darts.SPACES[name]


def _fill(net: nn.Module) -> nn.Module:
    """The fixtures' recipe: every tensor is a function of its shape alone."""
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            n = parameter.numel()
            steps = torch.arange(n, dtype=torch.float64)
            if name in ("normal_alpha", "reduction_alpha"):
                continue
            if name.endswith("bias"):
                values = 0.1 * torch.sin(steps * 0.3)
            elif parameter.ndim == 1:
                values = 0.9 + 0.2 * torch.cos(steps * 0.5)
            else:
                fan = n / parameter.shape[0]
                values = torch.sin(steps * 0.7 + n * 0.013) * (2 / fan) ** 0.5
            parameter.copy_(values.reshape(parameter.shape))
        if isinstance(net, darts.Supernet):
            draws = np.random.RandomState(7)
            for alpha in net.arch_parameters():
                alpha.copy_(torch.from_numpy(np.round(0.5 * draws.randn(*alpha.shape), 4)))
    return net


@pytest.fixture
def fill() -> Callable[[nn.Module], nn.Module]:
    return _fill


@pytest.fixture
def batch() -> Callable[[int, int, int], tuple[Tensor, Tensor]]:
    def make(size: int, num_classes: int, offset: int) -> tuple[Tensor, Tensor]:
        steps = torch.arange(size * 3 * 32 * 32, dtype=torch.float64)
        images = torch.sin(steps * 0.37 + offset).reshape(size, 3, 32, 32)
        return images, (2 * torch.arange(size) + offset) % num_classes

    return make


@pytest.fixture
def small_net() -> darts.Supernet:
    torch.manual_seed(0)
    return darts.Supernet(darts.S1, num_classes=5, channels=4, num_cells=3).double()


@pytest.fixture
def genotype_of() -> Callable[[dict[str, Any]], darts.Genotype]:
    return lambda values: darts.Genotype(
        normal=tuple((name, source) for name, source in values["normal"]),
        reduction=tuple((name, source) for name, source in values["reduce"]),
    )
