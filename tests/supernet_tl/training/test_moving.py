from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import darts
import supernet_tl
import zoo_store
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.errors import RecipeError
from supernet_tl.recipe import Recipe
from supernet_tl.training.inheritance import freeze_all_but
from supernet_tl.training.warm_schedule import WarmSchedule

SCHEDULE: dict[str, Any] = {"epochs": 2, "finetune_epochs": 2, "batch_size": 8}
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def affine_names(net: torch.nn.Module) -> set[str]:
    return {
        f"{name}.{part}"
        for name, module in net.named_modules()
        if isinstance(module, torch.nn.BatchNorm2d) and module.affine
        for part in ("weight", "bias")
    }


def changed(found: dict[str, torch.Tensor], before: dict[str, torch.Tensor]) -> set[str]:
    """Names of tensors that differ, running statistics left out."""
    return {
        name
        for name, tensor in found.items()
        if not name.endswith(STATISTICS) and (name not in before or not torch.equal(tensor, before[name]))
    }


@pytest.mark.parametrize("moving", ["head", "batch_norm"])
def test_nothing_but_what_moves_is_trained_in_search_and_final_network(
    moving: str, zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    target = stripes("t", seed=1)
    result = supernet_tl.transfer(target, zoo_path, "far", output=output, control=quiet, warm_moving=moving, **SCHEDULE)
    zoo = zoo_store.Zoo(zoo_path)
    source = zoo.get(next(entry_id for entry_id, card in zoo.cards().items() if card["name"] == "far")).state
    searched = load_file(output / "supernet.safetensors")
    head = {"classifier.weight", "classifier.bias"}
    stem = {"stem.1.weight", "stem.1.bias"} if moving == "batch_norm" else set()
    assert changed(searched, dict(source)) == head | stem
    # the architecture is the source's
    assert result.genotype == darts.discretize(darts.S1, source["normal_alpha"], source["reduction_alpha"])
    supernet = darts.Supernet(darts.S1, 3, channels=2, num_cells=3)
    supernet.load_state_dict(searched)
    cut = darts.DiscreteNetwork.from_supernet(supernet, result.genotype)
    trained = affine_names(cut) if moving == "batch_norm" else set()
    assert changed(result.network.state_dict(), dict(cut.state_dict())) == head | trained
    # running statistics follow the target's images
    assert not torch.equal(searched["stem.1.running_mean"], source["stem.1.running_mean"])
    assert all(weight.requires_grad for weight in result.network.parameters())
    assert result.summary["warm_start"]["schedule"]["moving"] == moving


def test_a_head_alone_sends_no_gradient_into_the_body() -> None:
    net = darts.Supernet(darts.S2, 3, channels=2, num_cells=3)
    freeze_all_but(net, "head")
    loss = net(torch.randn(4, 3, 8, 8), mixing=net.mixing_weights().detach()).square().sum()
    torch.autograd.backward(loss)
    assert {name for name, weight in net.named_parameters() if weight.grad is not None} == {
        "classifier.weight",
        "classifier.bias",
    }
    freeze_all_but(net, "all")
    assert all(weight.requires_grad for weight in net.parameters())


def test_from_scratch_all_moves(stripes: Callable[..., ImageSet], quiet: Control) -> None:
    sizes: dict[str, Any] = {"channels": 2, "num_cells": 3, "image_size": 8, **SCHEDULE}
    plain = supernet_tl.search(stripes("t", seed=1), control=quiet, **sizes)
    same = supernet_tl.search(stripes("t", seed=1), control=quiet, warm_moving="head", **sizes)
    for name, tensor in plain.network.state_dict().items():
        assert torch.equal(tensor, same.network.state_dict()[name]), name


def test_what_contradicts_a_frozen_body_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"warm_moving is 'head', .* final is 'retrain'; expected final 'inherit'"):
        Recipe(warm_moving="head", final="retrain")
    with pytest.raises(RecipeError, match="discretization is 'perturbation'; expected discretization 'magnitude'"):
        Recipe(warm_moving="batch_norm", discretization="perturbation")
    with pytest.raises(RecipeError, match="moving 'head' leaves weights as they are, and parts 'architecture'"):
        WarmSchedule(moving="head", parts="architecture")
    with pytest.raises(RecipeError, match="with cells 1 leave random ones among them"):
        Recipe(warm_moving="head", warm_cells=1)
    with pytest.raises(RecipeError, match="warm_moving is 'body'; expected one of None, 'all', 'batch_norm', 'head'"):
        Recipe(warm_moving="body")  # type: ignore[arg-type]
