"""Which supernets the starter zoo holds, and how each is pretrained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from supernet_tl.data.sources.pocket.album import POCKET_NAMES

SHARED: Mapping[str, Any] = MappingProxyType(
    {
        "space": "s1",
        "channels": 8,
        "num_cells": 4,
        "image_size": 32,
        "embedder": "tf_efficientnet_lite0",
        "embed_size": 64,
        "sketch_rows": 256,
        "num_thumbnails": 16,
        "weight_lr": 0.05,
        "max_radius": 0.1,
    }
)
"""Of every entry. Nine such entries stay below 12 MB: half of that are the rows of the sketches.

Rate and radius are not the paper's, which are for longer runs: in 20 epochs on the Latin glyphs they reach a validation
accuracy of 0.81 rather than 0.65.
"""


@dataclass(frozen=True)
class PlannedEntry:
    """One entry of the starter zoo.

    Attributes:
        alias: its name in the zoo.
        sources: what it is pretrained on; several are a mixture.
        settings: of :class:`supernet_tl.Recipe`, beside those that all entries share.
    """

    alias: str
    sources: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)


def _alias(name: str) -> str:
    return f"{name}-{SHARED['space']}-c{SHARED['channels']}"


_NO_THUMBNAILS = {"num_thumbnails": 0}
"""Where people are on the images: their faces stay in the package that carries them."""

_SCHEDULES: Mapping[str, Mapping[str, Any]] = {
    "digits": {"epochs": 12, "batch_size": 16},
    "mnist5k": {"epochs": 10, "batch_size": 32},
    "textures": {"epochs": 60, "batch_size": 16},
    "photos": {"epochs": 50, "batch_size": 16},
    "faces": {"epochs": 40, "batch_size": 16, **_NO_THUMBNAILS},
    "glyphs_latin": {"epochs": 30, "batch_size": 16},
    "glyphs_greek": {"epochs": 30, "batch_size": 16},
    "glyphs_cyrillic": {"epochs": 30, "batch_size": 16},
}
"""Small sources see more epochs: each is pretrained until its accuracy settles."""

PLAN: tuple[PlannedEntry, ...] = (
    *(PlannedEntry(_alias(name), (f"pocket:{name}",), schedule) for name, schedule in _SCHEDULES.items()),
    PlannedEntry(
        _alias("mixture"),
        tuple(f"pocket:{name}" for name in POCKET_NAMES),
        {"epochs": 12, "batch_size": 32, "sketch_rows": 300, **_NO_THUMBNAILS},
    ),
)
"""Every set of the pocket album, and the mixture of all, whose sketch has at least one image of each of 118 classes."""
