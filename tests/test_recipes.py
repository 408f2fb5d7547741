from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from supernet_tl.command_line.evaluation_parser import FIELDS, evaluation_fields
from supernet_tl.command_line.verb_parsers import build_parser
from supernet_tl.evaluating.plan import make_plan
from supernet_tl.evaluating.recipe import EvaluationRecipe
from supernet_tl.recipe import Recipe
from supernet_tl.shipped_recipes import ShippedRecipe, shipped_recipes

ROOT = Path(__file__).parent.parent
RECIPES = sorted((ROOT / "recipes").rglob("*.yaml"))
OVERLAYS = [path for path in RECIPES if path.parent.name == "search" and path.stem not in ("base", "tiny")]
CALLS = {
    "pretrain": ["--source", "s", "--zoo", "z"],
    "transfer": ["--target", "t", "--zoo", "z", "--output", "o"],
    "search": ["--target", "t", "--output", "o"],
}
"""What verbs need beside a recipe."""
OF_VERBS = [recipe for recipe in shipped_recipes().values() if recipe.verb in CALLS]
EVALUATIONS = [recipe for recipe in shipped_recipes().values() if recipe.verb == "leave-one-out"]


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", RECIPES, ids=_named)
def test_a_recipe_says_what_it_does_needs_and_how_to_run_it(path: Path) -> None:
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert header
    for word in ("Needs:", "Command:", "Result:"):
        assert any(word in line for line in header), f"{_named(path)} lacks {word}"
    assert any(_named(path) in line for line in header), "the command names another file"


@pytest.mark.parametrize("shipped", OF_VERBS, ids=lambda recipe: recipe.name)
def test_a_recipe_of_a_verb_is_accepted_by_it(shipped: ShippedRecipe) -> None:
    given = [shipped.verb, *CALLS[shipped.verb], "--config", shipped.path]
    config = build_parser().parse_args(given)[shipped.verb]
    settings: dict[str, Any] = yaml.safe_load(shipped.text)
    assert {name: config[name] for name in settings} == settings
    settings.pop("mixture", None)  # a switch of the verb
    recipe = Recipe.from_options(settings)
    assert {name: recipe.to_dict()[name] for name in settings} == settings


@pytest.mark.parametrize("shipped", EVALUATIONS, ids=lambda recipe: recipe.name)
def test_a_recipe_of_an_evaluation_is_accepted_and_can_be_planned(shipped: ShippedRecipe) -> None:
    config = _parsed_evaluation(*shipped.lies_over, shipped.name)
    settings: dict[str, Any] = yaml.safe_load(shipped.text)
    recipe = EvaluationRecipe.from_dict(evaluation_fields(config))
    switches = {name: value for name, value in settings.items() if name not in FIELDS}
    assert {name: config[name] for name in switches} == switches
    _assert_holds(recipe.to_dict(), {name: value for name, value in settings.items() if name in FIELDS})
    assert make_plan(recipe).jobs


@pytest.mark.parametrize("name", ["fast", "best"])
def test_presets_of_training_the_final_network_are_compared_as_they_are(name: str) -> None:
    config = _parsed_evaluation("leave_one_out/pocket", "leave_one_out/pocket_final_networks")
    evaluation = EvaluationRecipe.from_dict(evaluation_fields(config))
    preset = yaml.safe_load(shipped_recipes()[f"finetune/{name}"].text)
    for target in evaluation.all_targets:
        _assert_holds(evaluation.target_recipe(target, 0, warm=True, schedule=name).to_dict(), preset)


def _parsed_evaluation(*names: str) -> Any:
    """The settings of an evaluation's recipes, laid over each other as the command line lays them."""
    configs = [f"--config={shipped_recipes()[name].path}" for name in names]
    return build_parser().parse_args(["leave-one-out", *configs])["leave-one-out"]


def _assert_holds(whole: Any, part: Any) -> None:
    """Settings are laid over those of the file before, one by one."""
    if isinstance(part, dict):
        for name, value in part.items():
            _assert_holds(whole[name], value)
    else:
        assert whole == part


@pytest.mark.parametrize("path", OVERLAYS, ids=_named)
def test_a_search_recipe_that_is_laid_over_the_base_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from supernet_tl.command_line import lightning_cli

    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # of what Lightning calls
    monkeypatch.chdir(ROOT)
    configs = [f"--config={ROOT / 'recipes/search' / name}" for name in ("base.yaml", "tiny.yaml", path.name)]
    fast = ["--trainer.fast_dev_run=true", "--trainer.devices=1", "--data.max_search_images=40"]
    before = dict(os.environ)
    try:
        lightning_cli.main(["fit", *configs, *fast, f"--trainer.default_root_dir={tmp_path}"])
    finally:
        if torch.distributed.is_initialized():  # by ddp.yaml
            torch.distributed.destroy_process_group()
        for name in os.environ.keys() - before.keys():  # of this process's place among others, which are gone
            del os.environ[name]
