"""Supernets of other families, from pretraining to the final network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import darts
import supernet_tl
import zoo_store
from supernet_tl.adapt import _search_module, _stop_rules
from supernet_tl.adapters import state_from
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.errors import RecipeError, SelectionError
from supernet_tl.prepared_data import prepare
from supernet_tl.recipe import Recipe
from supernet_tl.training.callbacks import History
from tests.supernet_tl.training.searches import run_search

FAMILIES: dict[str, dict[str, Any]] = {
    "pc-darts": {"family": "pc-darts", "channels": 8},
    "drnas": {"family": "drnas", "perturbation": "none"},
}
RETRAINED: dict[str, Any] = {
    **{"final": "retrain", "retrain_channels": 2, "retrain_num_cells": 3, "auxiliary_weight": 0.0},
    **{"epochs": 1, "finetune_epochs": 1, "batch_size": 8},
}


@pytest.fixture(scope="module", params=FAMILIES)
def family_zoo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, stripes: Callable[..., ImageSet]
) -> tuple[str, Path]:
    """A zoo with one source of a family, really pretrained."""
    path = tmp_path_factory.mktemp(request.param)
    sizes = {"channels": 2, "num_cells": 3, "image_size": 8, "epochs": 1, "batch_size": 8}
    embedding = {"embedder": "tf_efficientnet_lite0", "embed_size": 32, "sketch_rows": 40}
    control = Control(device="cpu", quiet=True)
    supernet_tl.pretrain(
        stripes("near", seed=1), path, control=control, **{**sizes, **embedding, **FAMILIES[request.param]}
    )
    return request.param, path


def test_a_transfer_is_of_the_family_of_its_source(
    family_zoo: tuple[str, Path], stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    family, zoo = family_zoo
    assert [card["family"] for card in zoo_store.Zoo(zoo).cards().values()] == [family]
    source = supernet_tl.load_supernet(zoo, "near")
    assert source.family is darts.FAMILIES[family]
    settings = {**RETRAINED, "perturbation": FAMILIES[family].get("perturbation", "random")}
    run = tmp_path / "run"
    result = supernet_tl.transfer(stripes("target", seed=1), zoo, output=run, control=quiet, **settings)
    assert json.loads((run / "summary.json").read_text())["recipe"]["family"] == family
    searched = load_file(run / "supernet.safetensors")
    assert ("normal_beta" in searched) == (family == "pc-darts")
    found = source.like(3)
    found.load_state_dict(searched)
    assert darts.strongest(found.space, found.strengths()) == result.genotype
    assert not torch.equal(searched["normal_alpha"], source.normal_alpha)
    assert (searched["normal_alpha"] - source.normal_alpha).abs().max() < 0.1  # where the search began


def test_a_source_of_another_family_is_refused(
    family_zoo: tuple[str, Path], stripes: Callable[..., ImageSet], quiet: Control
) -> None:
    family, zoo = family_zoo
    with pytest.raises(SelectionError, match=f"family.*{family}"):
        supernet_tl.transfer(stripes("target", seed=1), zoo, family="darts", control=quiet, **RETRAINED)
    with pytest.raises(
        SelectionError, match=rf"is of family '{family}', and the search of 'darts'.*--model.family {family}"
    ):
        state_from(f"{zoo}#near", "darts")
    assert "normal_alpha" in state_from(f"{zoo}#near", family)


def test_an_entry_of_a_family_that_is_not_known_is_left_out_with_the_reason(
    family_zoo: tuple[str, Path], stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    entry = zoo_store.Zoo(family_zoo[1]).get(next(iter(zoo_store.Zoo(family_zoo[1]))))
    zoo = zoo_store.Zoo(tmp_path / "zoo")
    zoo.add(zoo_store.ZooEntry(entry.state, entry.sketch, {**entry.card, "family": "robust-darts"}))
    with pytest.raises(SelectionError, match="its family 'robust-darts' is none of darts, pc-darts-2, pc-darts"):
        supernet_tl.transfer(stripes("target", seed=1), zoo, control=quiet, **RETRAINED)


def test_weights_of_partial_channels_are_not_inherited(stripes: Callable[..., ImageSet], quiet: Control) -> None:
    with pytest.raises(RecipeError, match=r"see one in 4 channels: their weights fit no final network; .* 'retrain'"):
        supernet_tl.search(stripes("t"), control=quiet, **FAMILIES["pc-darts"])


def test_an_entry_that_the_settings_do_not_go_with_is_left_out_with_the_reason(
    family_zoo: tuple[str, Path], stripes: Callable[..., ImageSet], quiet: Control
) -> None:
    family, zoo = family_zoo
    expected = "final 'retrain'" if family == "pc-darts" else "perturbation 'none'"
    with pytest.raises(SelectionError, match=f"the settings do not go with it: .*expected {expected}"):
        supernet_tl.transfer(stripes("target", seed=1), zoo, control=quiet)  # perturbed, and the weights inherited


def test_held_alphas_have_not_settled(stripes: Callable[..., ImageSet], tiny: dict[str, Any], tmp_path: Path) -> None:
    recipe = Recipe(**{**tiny, "epochs": 5, "first_alpha_epoch": 3, "stable_epochs": 1, "entropy_tolerance": 1.0})
    module = _search_module(data := prepare(stripes("target"), recipe), recipe)
    history: History = run_search(module, data, recipe, tmp_path, rules=_stop_rules(recipe))
    assert len(history.rows) >= 4


def test_a_probe_moves_the_alphas_of_scratch_too(
    zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    settings = {"epochs": 4, "first_alpha_epoch": 3, "probe_epochs": 2, "finetune_epochs": 0, "batch_size": 8}
    run = tmp_path / "run"
    supernet_tl.transfer(stripes("t", seed=1), zoo_path, "probe", output=run, control=quiet, **settings)  # type: ignore[arg-type]
    asked = json.loads((run / "probes" / "scratch" / "probe.json").read_text())["asked"]["recipe"]
    assert (asked["epochs"], asked["first_alpha_epoch"]) == (2, 1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"family": "drnas"}, "family is 'drnas', which draws its mixing weights, and perturbation 'random' is"),
        ({"family": "drnas", "perturbation": "none", "order": "unrolled"}, "expected order 'first'"),
        ({"family": "pc-darts", "channels": 12}, "channels is 12, and ops of family 'pc-darts' see one in 4 of them"),
        ({"family": "pcdarts"}, "family is 'pcdarts'; expected one of 'darts', .*did you mean 'pc-darts'"),
        (
            {"family": "pc-darts", "warm_moving": "head", "final": "retrain"},
            "those of family 'pc-darts' fit none; expected warm_moving 'all'",
        ),
        ({"first_alpha_epoch": 50}, "first_alpha_epoch is 50, and the search has 50 epochs"),
    ],
)
def test_what_a_family_does_not_allow_is_refused_with_what_would_work(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        Recipe(**settings)


def test_alphas_of_a_search_from_scratch_may_be_left_for_its_first_epochs(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], tmp_path: Path
) -> None:
    recipe = Recipe(**{**tiny, **FAMILIES["pc-darts"], "epochs": 3, "first_alpha_epoch": 2})
    data = prepare(stripes("target"), recipe)
    module = _search_module(data, recipe)
    history: History = run_search(module, data, recipe, tmp_path)
    for before, later, last in zip(*(history.arch_parameters[epoch] for epoch in (0, 2, 3)), strict=True):
        assert torch.equal(before, later)
        assert not torch.equal(later, last)
    assert all(row.arch_loss is not None for row in history.rows)
