"""A small real entry, and a folder that has one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo_store import Zoo, ZooEntry

EntryMaker = Callable[..., ZooEntry]


def build_entry(weights_seed: int = 0, **changes: Any) -> ZooEntry:
    generator = torch.Generator().manual_seed(weights_seed)
    card = {
        "kind": "single",
        "name": "Digits, space s1",
        "space": {"name": "s1", "primitives": ["skip_connect", "sep_conv_3x3"]},
        "channels": 8,
        "num_cells": 4,
        "num_classes": 3,
        "classes": ["zero", "one", "two"],
        "image_size": 16,
        "recipe": {"epochs": 6, "learning_rate": 0.025},
        "seed": 0,
        "metrics": {"validation_accuracy": 0.89},
        "data": [{"name": "digits", "origin": "UCI", "licence": "CC BY 4.0", "num_images": 1797, "num_classes": 10}],
        "embedder": {"name": "resnet18.tv_in1k", "weights_sha256": "0" * 64, "image_size": 64, "dimension": 512},
        "created": "2026-01-31T12:00:00+00:00",
        "versions": {"torch": "2.6.0"},
        "timings": {"pretrain_seconds": 61.5},
    }
    return ZooEntry(
        state={
            "stem.weight": torch.randn(8, 3, 3, 3, generator=generator),
            "normal_alpha": torch.zeros(14, 2),
            "stem.num_batches_tracked": torch.tensor(12),
        },
        sketch={
            "features": torch.randn(20, 4, generator=generator),
            "labels": torch.arange(20) % 3,
        },
        card=card | changes,
    )


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test keeps copies and indexes for itself."""
    monkeypatch.setenv("SUPERNET_TL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def make_entry() -> EntryMaker:
    """Build an entry; keyword arguments replace keys of its card."""
    return build_entry


@pytest.fixture
def zoo(tmp_path: Path) -> Zoo:
    """A zoo whose folder does not exist yet."""
    return Zoo(tmp_path / "zoo")


@pytest.fixture
def entry_id(zoo: Zoo) -> str:
    """The id of the one entry that `zoo` then holds."""
    return zoo.add(build_entry())


@pytest.fixture
def entry_folder(zoo: Zoo, entry_id: str) -> Path:
    """The folder of that entry."""
    return zoo.path / entry_id
