"""What an evaluation is made of, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from supernet_tl.errors import EvaluationError
from supernet_tl.evaluating.plan import make_plan
from supernet_tl.evaluating.recipe import EvaluationRecipe, called

_DATASETS = ("pocket:digits", "pocket:faces", "made/textures")


def _recipe(**changes: Any) -> EvaluationRecipe:
    return EvaluationRecipe(**{"datasets": _DATASETS, "arms": ("sources", "mixture"), **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datasets": ("pocket:digits",)}, "there are 1 datasets; expected three or more"),
        ({"datasets": (*_DATASETS, "other/textures")}, "several datasets are called 'textures' in tables; rename"),
        ({"datasets": (*_DATASETS, "pocket:digits")}, "datasets has pocket:digits more than once; give each once"),
        ({"seeds": ()}, "seeds is empty; give at least one"),
        ({"seeds": (0, True)}, r"seeds is \(0, True\); expected a list of whole numbers"),
        ({"targets": ("pocket:photos",)}, "targets names 'pocket:photos', which is none of the datasets"),
        ({"arms": ("source",)}, r"arm 'source' is unknown \(did you mean 'sources'\?\)"),
        ({"select": ("mixture",)}, "select has 'mixture', which chooses no single source; give the arm mixture"),
        ({"select": ("fixed-best",)}, "select has 'fixed-best', which needs past accuracies; the arm sources has"),
        ({"target": {"channels": 8}}, "target sets channels; supernets and sketches of one evaluation must agree"),
        ({"per_source": {"pocket:digits": {"seed": 1}}}, "per_source of 'pocket:digits' has a seed; give `seeds`"),
        ({"per_target": {"digits": {}}}, "per_target names 'digits', which is none of the datasets"),
        ({"schedules": {"main": {}}}, "a schedule is called 'main'"),
        ({"baseline": {"rate": 1}}, "baseline has 'rate'; known are head_lr_factor, image_size, lr, model"),
        ({"measure": "train"}, "measure is 'train'; expected 'test' or 'validation'"),
        ({"pretraining_seed": -1}, "pretraining_seed is -1; expected a whole number of 0 or more"),
        ({"shared": [1]}, r"shared is \[1\]; expected settings by name"),
        ({"target": {"splits": "a.json"}}, "target names a file of another run"),
        ({"target": {"epochs": -1}}, "epochs"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        _recipe(**changes)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(EvaluationError, match=r"seeds is empty.*; .*measure is 'train'"):
        _recipe(seeds=(), measure="train")


def test_an_unknown_field_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(EvaluationError, match=r"no field 'dataset' \(did you mean 'datasets'\?\)"):
        EvaluationRecipe.from_dict({"dataset": list(_DATASETS)})
    with pytest.raises(EvaluationError, match="names no datasets; give at least three"):
        EvaluationRecipe.from_dict({})


def test_a_recipe_reads_back_from_plain_values() -> None:
    recipe = _recipe(shared={"channels": 8}, schedules={"slow": {"epochs": 3}}, pretraining_seed=None)
    assert EvaluationRecipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_later_settings_go_before_earlier_ones() -> None:
    recipe = _recipe(
        shared={"channels": 8, "epochs": 1},
        pretraining={"epochs": 2},
        mixture={"epochs": 3},
        per_source={"pocket:digits": {"epochs": 4}},
        target={"epochs": 5},
        per_target={"pocket:faces": {"epochs": 6}},
        transfer={"epochs": 7},
        schedules={"short": {"epochs": 8}},
    )
    assert recipe.pretraining_recipe(["pocket:faces"], 0).epochs == 2
    assert recipe.pretraining_recipe(["pocket:digits"], 0).epochs == 4
    assert recipe.pretraining_recipe(["pocket:digits", "pocket:faces"], 0).epochs == 3
    assert recipe.target_recipe("pocket:digits", 0, warm=False).epochs == 5
    assert recipe.target_recipe("pocket:faces", 0, warm=False).epochs == 6
    assert recipe.target_recipe("pocket:faces", 0, warm=True).epochs == 7
    assert recipe.target_recipe("pocket:faces", 0, warm=True, schedule="short").epochs == 8
    assert recipe.target_recipe("pocket:faces", 5, warm=True).seed == 5
    assert recipe.target_recipe("pocket:faces", 0, warm=True).channels == 8


def test_recipes_differ_in_what_changes_numbers_and_not_in_what_adds_to_them() -> None:
    recipe = _recipe(shared={"channels": 8})
    assert recipe.differences(recipe.replace(seeds=(0, 5), arms=("mixture",), select=("probe",))) == {}
    assert recipe.differences(recipe.replace(shared={"channels": 4})) == {"shared": ({"channels": 8}, {"channels": 4})}


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("pocket:digits", "digits"),
        ("openml:BRD/Micro", "BRD/Micro"),
        ("data/made/textures", "textures"),
        ("C:textures", "C:textures"),
    ],
)
def test_tables_call_a_dataset_by_its_own_name(dataset: str, name: str) -> None:
    assert called(dataset) == name


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"transfer": {"test_frac": 0.5}}, r"transfer sets test_frac, so that warm starts would be measured on other"),
        ({"schedules": {"x": {"shots": 4}}}, r"schedules of 'x' sets shots, so that warm starts"),
        ({"baseline": {"lr": "fast"}}, r"baseline has the lr 'fast'; expected a number above 0"),
        ({"baseline": {"image_size": 3.5}}, r"baseline has the image_size 3.5; expected a whole number of pixels"),
        ({"baseline": {"model": 3}}, r"baseline has the model 3; expected a timm name"),
        ({"shared": {1: 2}}, r"shared has the key 1; expected names of settings"),
        ({"target": {"weight_lr": float("nan")}}, r"target has weight_lr nan; expected .* finite numbers"),
        ({"seeds": [0, -1]}, r"seed is -1; expected 0 or more"),
        (
            {"arms": ["architecture_only"], "transfer": {"source_pull": 0.1}},
            r"about inherited weights, and parts 'architecture' inherits none",
        ),
    ],
)
def test_what_could_not_be_compared_or_not_be_done_is_refused_at_once(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        EvaluationRecipe.from_dict({"datasets": ["a", "b", "c"], **fields})


def test_names_do_not_depend_on_where_images_are() -> None:
    here, there = ([f"{root}/{name}" for name in "abc"] for root in ("x", "/y"))
    plans = [
        make_plan(EvaluationRecipe.from_dict({"datasets": datasets}), dict(zip(datasets, "123", strict=True)))
        for datasets in (here, there)
    ]
    assert list(plans[0].jobs) == list(plans[1].jobs)


def test_settings_of_the_final_network_alone_rename_no_pretraining() -> None:
    plain = EvaluationRecipe.from_dict({"datasets": ["a", "b", "c"]})
    longer = plain.replace(shared={"finetune_epochs": 7, "probe_epochs": 2})
    names = [{job.name for job in make_plan(recipe).find() if job.kind == "pretrain"} for recipe in (plain, longer)]
    assert names[0] == names[1]
