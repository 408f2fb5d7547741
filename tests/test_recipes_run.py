"""Every recipe of pretraining, transfer and fine-tuning really runs, on images and networks that cost nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from supernet_tl.control import Control
from supernet_tl.pipeline import search, transfer
from supernet_tl.pretraining import pretrain
from supernet_tl.shipped_recipes import ShippedRecipe, composed_settings, shipped_recipes
from tests.supernet_tl.conftest import EMBEDDING, make_images

SMALL_SEARCH: dict[str, Any] = {
    **{"channels": 8, "num_cells": 3, "image_size": 8, "epochs": 1, "batch_size": 8, "first_alpha_epoch": 0},
    **EMBEDDING,
}
SMALL_NETWORK = {"finetune_epochs": 1, "finetune_batch_size": 8, "retrain_channels": 4, "retrain_num_cells": 3}
"""Sizes in the place of a recipe's own; all else is as the recipe says."""
QUIET = Control(device="cpu", quiet=True)
PRETRAINING = [recipe for recipe in shipped_recipes().values() if recipe.verb == "pretrain"]
SCRATCH = [recipe for recipe in shipped_recipes().values() if recipe.verb == "search"]
TRANSFERS = [recipe for recipe in shipped_recipes().values() if recipe.verb == "transfer"]


@pytest.mark.parametrize("recipe", PRETRAINING, ids=lambda recipe: recipe.name)
def test_a_recipe_pretrains(recipe: ShippedRecipe, tmp_path: Path) -> None:
    settings = composed_settings(recipe.name) | SMALL_SEARCH
    sources = [make_images("source", seed=1), make_images("other", seed=2)]
    entry = pretrain(sources, tmp_path / "zoo", control=QUIET, **settings)
    entries = entry if isinstance(entry, list) else [entry]
    assert [one.card["channels"] for one in entries] == [8] * (1 if settings.get("mixture") else 2)


@pytest.fixture(scope="module")
def zoos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A zoo of each family of supernets, by the family's name."""
    found = {}
    for family in ("darts", "pc-darts", "drnas"):
        found[family] = tmp_path_factory.mktemp(family)
        perturbation = "random" if family == "darts" else "none"
        source = make_images("source", seed=1)
        pretrain(source, found[family], control=QUIET, family=family, perturbation=perturbation, **SMALL_SEARCH)
    return found


@pytest.mark.parametrize("recipe", TRANSFERS, ids=lambda recipe: recipe.name)
def test_a_recipe_transfers(recipe: ShippedRecipe, zoos: dict[str, Path], tmp_path: Path) -> None:
    settings = composed_settings(recipe.name) | SMALL_SEARCH | SMALL_NETWORK
    zoo = zoos[settings.get("family", "darts")]
    result = transfer(make_images("target", seed=2), zoo, output=tmp_path / "run", control=QUIET, **settings)
    assert result.summary["network"]["num_parameters"] > 0


@pytest.mark.parametrize("recipe", SCRATCH, ids=lambda recipe: recipe.name)
def test_a_recipe_searches_from_scratch(recipe: ShippedRecipe, tmp_path: Path) -> None:
    settings = composed_settings(recipe.name) | SMALL_SEARCH | SMALL_NETWORK
    result = search(make_images("target", seed=2), output=tmp_path / "run", control=QUIET, **settings)
    assert result.summary["network"]["num_parameters"] > 0
