"""Settings as a job tells them: those that differ from what they were when jobs were first named."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from supernet_tl.recipe import WARM_SETTINGS, Recipe
from supernet_tl.training.warm_schedule import WARM_SCHEDULES

FIRST_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "space": "s1",
        "channels": 16,
        "num_cells": 8,
        "image_size": 32,
        "in_channels": 3,
        "stem": "cifar",
        "epochs": 50,
        "finetune_epochs": 50,
        "batch_size": 64,
        "num_micro_batches": 1,
        "seed": 0,
        "weight_lr": 0.025,
        "weight_lr_min": 0.001,
        "weight_momentum": 0.9,
        "weight_decay": 0.0003,
        "arch_lr": 0.0003,
        "arch_weight_decay": 0.001,
        "order": "first",
        "perturbation": "random",
        "max_radius": 0.3,
        "attack_steps": 7,
        "random_start": True,
        "max_gradient_norm": 5.0,
        "patience": None,
        "stable_epochs": None,
        "entropy_tolerance": 0.01,
        "flip": "auto",
        "crop_padding": None,
        "augment": "shift",
        "test_frac": 0.2,
        "validation_frac": 0.2,
        "splits": None,
        "max_search_images": None,
        "shots": None,
        "balance": "source",
        "embedder": "resnet18.tv_in1k",
        "embed_size": 64,
        "embed_precision": "float32",
        "sketch_rows": 1000,
        "sketch": "rows",
        "sketch_rank": 8,
        "num_thumbnails": 24,
        "num_draws": 3,
        "preset": None,
        "distance": None,
        "terms": "rows",
        "num_ranked": 20,
        "probe_candidates": 3,
        "probe_epochs": 3,
        "past_accuracies": None,
        "final": "inherit",
        "finetune_lr": 0.025,
        "finetune_batch_size": None,
        "drop_path_prob": 0.0,
        "auxiliary_weight": 0.4,
        "retrain_channels": 36,
        "retrain_num_cells": 30,
        # Of training the final network; what was done before they were settings.
        "finetune_warmup_epochs": 0,
        "reestimate_final": False,
        "label_smoothing": 0.0,
        "mixup": 0.0,
        "cutmix": 0.0,
        "ema_decay": None,
        "class_weights": "none",
        "finetune_patience": None,
        # Of warm starts; what was done before they were settings.
        "warm_schedule": "paper",
        "warm_lr_factor": None,
        "warm_weight_decay_factor": None,
        "warmup_epochs": None,
        "head_epochs": None,
        "held_alpha_epochs": None,
        "arch_lr_factor": None,
        "source_pull": None,
        "reestimate_batch_norm": None,
        "warm_parts": None,
        "warm_cells": None,
        "warm_moving": None,
        # Families of supernets; likewise.
        "family": "darts",
        "first_alpha_epoch": 0,
        # Guards; likewise.
        "max_skips": None,
        "eigenvalue_ratio": None,
        # Of the discrete architecture and its size; likewise.
        "discretization": "magnitude",
        "projection_epochs": 1,
        "max_params": None,
        "max_macs": None,
        "params_weight": None,
        "macs_weight": None,
    }
)
"""A job's name covers the settings that differ from these. A setting that is added to the recipe is added here with the
value that stands for what was done before; none of these values is ever changed, whatever becomes of the defaults."""

OF_WARM_STARTS = ("warm_schedule", *WARM_SETTINGS)
"""Settings that a search from scratch does not look at."""


@lru_cache(maxsize=64)
def spelled_out(recipe: Recipe) -> Recipe:
    """The same recipe with its warm schedule in numbers, so that a job's name covers what the preset's name means."""
    usual, found = WARM_SCHEDULES["paper"], recipe.warm
    values = {
        setting: None if getattr(found, field) == getattr(usual, field) else getattr(found, field)
        for setting, field in WARM_SETTINGS.items()
    }
    return recipe.replace(warm_schedule="paper", **values)


def told(recipe: Recipe, leave_out: Collection[str] = ()) -> dict[str, Any]:
    """The settings of a recipe that differ from the first defaults, so that a setting which is new changes no name.

    Args:
        recipe: the settings.
        leave_out: names of those that the job does not depend on.
    """
    values = {name: getattr(recipe, name) for name in FIRST_DEFAULTS if name not in leave_out}  # plain JSON values
    return {name: value for name, value in values.items() if value != FIRST_DEFAULTS[name]}


def recipe_of(settings: Mapping[str, Any]) -> Recipe:
    """The recipe that :func:`told` told of."""
    known = {one.name for one in fields(Recipe)}
    usual = {name: value for name, value in FIRST_DEFAULTS.items() if name in known}
    return Recipe.from_options({**usual, **settings})  # refuses a setting that this version does not have
