"""The recipe's settings as switches, in the order in which a run comes to them."""

from __future__ import annotations

import re
from argparse import SUPPRESS
from collections.abc import Collection, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, get_type_hints

from supernet_tl.command_line.parser import Parser
from supernet_tl.recipe import (
    ADOPTED,
    FINAL_SETTINGS,
    FINE_TUNING_SETTINGS,
    NOT_OF_PRETRAINING,
    OBJECTIVE_SETTINGS,
    SELECTION_SETTINGS,
    WARM_SETTINGS,
    Recipe,
)

ALL = tuple(field.name for field in fields(Recipe))
_COMMON = (
    *("embedder", "space", "channels", "num_cells", "image_size"),
    *("epochs", "finetune_epochs", "batch_size", "seed"),
)
"""Those that most people come to change, told first."""

_SPLITS = ("test_frac", "validation_frac", "splits", "max_search_images", "shots")
_IMAGES = (*("flip", "crop_padding", "augment", "balance"), *_SPLITS)
_OF_ENTRIES = "num_thumbnails"
_CHOOSING = {*SELECTION_SETTINGS, _OF_ENTRIES}
_WARM = ("warm_schedule", *WARM_SETTINGS)
_FINAL = (*FINAL_SETTINGS, *OBJECTIVE_SETTINGS)
_FINE_TUNING = (*FINE_TUNING_SETTINGS, "retrain_channels", "retrain_num_cells")
_STAGES: Mapping[str, Collection[str]] = {
    "settings of images and splits": _IMAGES,
    "settings of embeddings and of choosing a source": _CHOOSING,
    "settings of the supernet and its search": set(ALL) - {*_IMAGES, *_CHOOSING, *_WARM, *_FINAL, *_FINE_TUNING},
    "settings of a warm start": _WARM,
    "settings of the final network's architecture": _FINAL,
    "settings of training the final network": _FINE_TUNING,
}
_OF_WHAT_FITS = ("order", "perturbation", "final")
"""Settings that supernets of some families do not go with: a transfer cannot start from these."""

HEEDED: Mapping[str, Collection[str]] = {
    "pretrain": set(ALL) - NOT_OF_PRETRAINING,
    "select": {*ADOPTED, *SELECTION_SETTINGS, *_SPLITS, *_OF_WHAT_FITS, "seed"},
    "search": set(ALL) - {*_CHOOSING, *_WARM},
    "transfer": set(ALL) - {_OF_ENTRIES},
}
"""What each verb does something with, and tells of; it takes others too, for recipes that several verbs share."""


def add_settings(
    parser: Parser,
    taken: Collection[str],
    told: Collection[str] = ALL,
    other_defaults: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Offer settings of the recipe as hyphenated switches; what is not given keeps its default.

    Args:
        parser: of a verb.
        taken: names of the settings that are offered.
        told: names of those that the help tells of.
        other_defaults: what the help calls the default, where it is not the recipe's.
    """
    kinds, texts, recipe = get_type_hints(Recipe), _texts(), {field.name: field.default for field in fields(Recipe)}
    common = [name for name in _COMMON if name in taken]
    others = [name for name in ALL if name in taken and name not in common]
    stages = {title: [name for name in others if name in names] for title, names in _STAGES.items()}
    for title, names in {"settings": common, **stages}.items():
        group = parser.add_argument_group(title)
        for name in names:
            value = other_defaults.get(name, recipe[name])
            default = "" if value is None else f" (default: {value})"
            group.add_argument(
                f"--{name.replace('_', '-')}",
                type=kinds[name] | None,
                metavar=name.upper(),
                help=texts[name] + default if name in told else SUPPRESS,
            )


def _texts() -> dict[str, str]:
    """What the recipe's docstring says of each setting."""
    listing = (Recipe.__doc__ or "").split("Attributes:")[1]
    found = re.findall(r"^        (\w+): (.+?)(?=^        \w+: |\Z)", listing, flags=re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()).replace("``", "").rstrip(".") for name, text in found}
