from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

import darts
from darts.state import describe_state


def _net(
    space: darts.SearchSpace = darts.S1, num_classes: int = 5, channels: int = 4, num_cells: int = 3
) -> darts.Supernet:
    return darts.Supernet(space, num_classes, channels, num_cells)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (_net(darts.S5), "of a supernet of space 's5', channels=4, num_cells=3, num_classes=5; expected a supernet of"),
        (_net(darts.S3), r"space 's3', .* expected a supernet of space 's1' or 's2' or 's4', channels=4, num_cells=3"),
        (
            _net(num_classes=7),
            r"num_classes=7; .* 2 of another shape \(classifier.weight is \(7, 64\), expected \(5, 64\)",
        ),
        (_net(channels=6), "channels=6, num_cells=3, num_classes=5; expected a supernet of .* channels=4, num_cells=3"),
        (_net(num_cells=4), "num_cells=4, num_classes=5; .* of cells, ops or a stem that it does not have .cells.3"),
        (
            _net(darts.S2),
            r"[1-9]\d* tensors missing \(cells.* Build the supernet with the state's space, .* darts.warm_start",
        ),
        (nn.Linear(2, 2), r"it is of no supernet \(it lacks alphas or a classifier\); expected a supernet"),
    ],
)
def test_a_state_of_another_supernet_is_refused_with_its_sizes_and_nothing_is_changed(
    other: nn.Module, sentence: str
) -> None:
    net = _net()
    before = copy.deepcopy(net.state_dict())
    with pytest.raises(darts.StateError, match=sentence):
        net.load_state_dict(other.state_dict())
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_the_error_is_also_the_one_that_torch_raises_for_a_state_that_does_not_fit() -> None:
    with pytest.raises(RuntimeError, match="the state does not fit"):
        _net().load_state_dict({})


def test_a_state_of_the_same_supernet_is_taken_and_without_strict_a_part_of_one() -> None:
    net, source = _net(), _net()
    net.load_state_dict(source.state_dict())
    assert all(torch.equal(tensor, source.state_dict()[name]) for name, tensor in net.state_dict().items())
    missing, unexpected = net.load_state_dict({"normal_alpha": torch.ones(14, 2)}, strict=False)
    assert torch.equal(net.normal_alpha, torch.ones(14, 2))
    assert {"reduction_alpha", "stem.0.weight", "classifier.bias"} <= set(missing)
    assert not unexpected


@pytest.mark.parametrize("space", [*darts.SPACES.values(), darts.SearchSpace.uniform("own", ("skip_connect",) * 1, 3)])
def test_sizes_are_read_off_a_state(space: darts.SearchSpace) -> None:
    sizes: dict[str, Any] = {"channels": 6, "num_cells": 5, "num_classes": 7}
    described = describe_state(darts.Supernet(space, **sizes).state_dict())
    assert described.endswith(", channels=6, num_cells=5, num_classes=7")
    assert f"'{space.name}'" in described or "with 1 primitives on 9 edges" in described
