from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from supernet_tl.errors import RecipeError
from supernet_tl.recipe import WARM_SETTINGS, Recipe, digest
from supernet_tl.training.warm_schedule import WARM_SCHEDULES, WarmSchedule


def test_defaults_are_those_of_the_paper_and_of_smoothdarts() -> None:
    recipe = Recipe()
    assert (recipe.space, recipe.epochs, recipe.perturbation, recipe.max_radius) == ("s1", 50, "random", 0.3)
    assert (recipe.weight_lr, recipe.weight_lr_min, recipe.weight_momentum, recipe.weight_decay) == (
        *(0.025, 0.001),
        *(0.9, 3e-4),
    )
    assert (recipe.arch_lr, recipe.arch_weight_decay, recipe.max_gradient_norm) == (3e-4, 1e-3, 5.0)
    assert (recipe.patience, recipe.stable_epochs) == (None, None)
    assert (recipe.sketch_rows, recipe.embedder) == (1000, "resnet18.tv_in1k")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"epoch": 3}, r"unknown settings 'epoch' \(did you mean 'epochs'\?\); known are"),
        ({"epochs": 0}, "epochs is 0; expected 1 or more"),
        ({"epochs": 2.5}, "epochs is 2.5; expected int"),
        ({"seed": True}, "seed is True; expected int"),
        ({"image_size": 30}, "image_size is 30; expected a multiple of 4, at least 8, .*cifar stem .*such as 28 or 32"),
        ({"image_size": 4}, "image_size is 4; expected a multiple of 4, at least 8, .*such as 8"),
        ({"image_size": 40, "stem": "imagenet"}, "image_size is 40; expected a multiple of 16, .*such as 32 or 48"),
        ({"image_size": 16, "stem": "imagenet"}, "expected a multiple of 16, at least 32, because the imagenet stem"),
        ({"stem": "resnet"}, "stem is 'resnet'; expected one of 'cifar', 'imagenet'"),
        ({"in_channels": 2}, "in_channels is 2; expected one of 1, 3"),
        ({"channels": 7}, "channels is 7; expected a positive even number"),
        ({"num_cells": 2}, "num_cells is 2; expected 3 or more"),
        ({"space": "s9"}, "space is 's9'; expected one of 's1', 's2'"),
        ({"final": "both"}, "final is 'both'; expected one of 'inherit', 'retrain'"),
        ({"weight_lr": 0.0}, "weight_lr is 0.0; expected more than 0"),
        ({"test_frac": 1.5}, "test_frac is 1.5; expected a number from 0 to 1"),
        ({"max_radius": 0.01}, "max_radius is 0.01; expected 0.03"),
        ({"finetune_batch_size": 0}, "finetune_batch_size is 0; expected 1 or more"),
        ({"patience": 0}, "patience is 0; expected 1 or more"),
        ({"patience": 2.5}, r"patience is 2.5; expected int \| None"),
        ({"stable_epochs": 0}, "stable_epochs is 0; expected 1 or more"),
        ({"entropy_tolerance": 0.0}, "entropy_tolerance is 0.0; expected more than 0"),
        ({"crop_padding": -1}, "crop_padding is -1; expected 0 or more"),
        ({"perturbation": "adversarial", "max_radius": 0.01}, "max_radius is 0.01; expected 0.03"),
        ({"perturbation": "pgd"}, "perturbation is 'pgd'; expected one of 'random', 'adversarial', 'none'"),
        ({"order": "second"}, "order is 'second'; expected one of 'first', 'unrolled'"),
        ({"attack_steps": 0}, "attack_steps is 0; expected 1 or more"),
        ({"random_start": 1}, "random_start is 1; expected bool"),
        ({"num_micro_batches": 0}, "num_micro_batches is 0; expected 1 or more"),
        (
            {"num_micro_batches": 9, "batch_size": 8},
            "num_micro_batches is 9; expected no more than the batch_size of 8",
        ),
        ({"shots": 1}, "shots is 1; expected 2 or more"),
        ({"shots": 5, "max_search_images": 50}, "shots 5 and max_search_images 50 both say which images to search"),
        ({"balance": "classes"}, r"balance is 'classes'; expected one of 'source', 'class', 'image' \(did you mean"),
        ({"final": "retrain", "finetune_epochs": 0}, "leaves random weights"),
        ({"final": "retrain", "batch_size": 1}, "the auxiliary head normalises over the batch"),
        ({"epochs": 0, "batch_size": 0}, "epochs is 0.*; batch_size is 0"),
        ({"warm_schedule": "gentel"}, r"warm_schedule is 'gentel'; expected one of 'paper', 'gentle' \(did you mean"),
        ({"warm_parts": "alphas"}, "warm_parts is 'alphas'; expected one of None, 'all', 'weights', 'architecture'"),
        ({"warm_lr_factor": 0}, "warm_lr_factor is 0; expected more than 0"),
        ({"warm_weight_decay_factor": -1.0}, "warm_weight_decay_factor is -1.0; expected 0 or more"),
        ({"warmup_epochs": -1}, "warmup_epochs is -1; expected a whole number, 0 or more"),
        ({"head_epochs": 1.5}, r"head_epochs is 1.5; expected int \| None"),
        ({"warm_cells": -1, "source_pull": -0.1}, "source_pull is -0.1; expected 0 or more; warm_cells is -1; "),
        ({"arch_lr_factor": float("nan")}, "arch_lr_factor is nan; expected a finite number"),
        ({"reestimate_batch_norm": "yes"}, r"reestimate_batch_norm is 'yes'; expected bool \| None"),
        (
            {"warm_parts": "architecture", "source_pull": 0.1},
            "source_pull 0.1 .*parts 'architecture' inherits none; expected source_pull 0 and no cells",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused_all_at_once(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        Recipe.from_options(options)


def test_none_stands_for_the_default() -> None:
    assert Recipe.from_options({"epochs": None, "seed": 3}) == Recipe(seed=3)


def test_a_digest_tells_settings_apart_and_ignores_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})


def test_a_pretrained_supernet_does_not_depend_on_settings_of_transfer_or_on_paths() -> None:
    changed = Recipe(
        finetune_epochs=3,
        embedder="/home/me/resnet18.pth",
        final="retrain",
        warm_schedule="gentle",
        source_pull=0.1,
        warm_cells=3,
        head_epochs=2,
    )
    assert changed.pretraining_settings() == Recipe().pretraining_settings()
    assert Recipe(epochs=3).pretraining_settings() != Recipe().pretraining_settings()


def test_a_warm_start_follows_the_preset_with_the_settings_given_in_its_place() -> None:
    gentle = WARM_SCHEDULES["gentle"]
    assert Recipe(warm_schedule="gentle").warm == gentle
    assert Recipe(warm_schedule="gentle", warm_cells=4, reestimate_batch_norm=False, warmup_epochs=0).warm == (
        dataclasses.replace(gentle, cells=4, reestimate_batch_norm=False, warmup_epochs=0)
    )


def test_every_field_of_a_warm_schedule_is_a_setting() -> None:
    assert sorted(WARM_SETTINGS.values()) == sorted(field.name for field in dataclasses.fields(WarmSchedule))
    assert set(WARM_SETTINGS) <= set(Recipe().to_dict())
    assert all(Recipe().to_dict()[name] is None for name in WARM_SETTINGS)


@pytest.mark.parametrize("newer", [("stem", "in_channels"), ("max_radius",), ("flip", "crop_padding", "batch_size")])
def test_settings_that_an_older_entry_does_not_have_count_as_the_defaults(newer: tuple[str, ...]) -> None:
    recipe = Recipe(epochs=7)
    stored = {name: value for name, value in recipe.pretraining_settings().items() if name not in newer}
    assert recipe.same_pretraining(stored)
    assert not recipe.replace(epochs=8).same_pretraining(stored)
    assert not recipe.replace(batch_size=3, in_channels=1, max_radius=0.2).same_pretraining(stored)


@pytest.mark.parametrize("stored", [None, "paper", {}, {**Recipe(epochs=7).pretraining_settings(), "new": 1}])
def test_what_is_no_setting_of_this_pretraining_is_not_the_same(stored: object) -> None:
    assert not Recipe(epochs=7).same_pretraining(stored)
