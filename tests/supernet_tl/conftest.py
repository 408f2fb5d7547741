from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supernet_tl.control import Control
from supernet_tl.data import ArrayStore, DataCard, ImageSet

TINY: dict[str, Any] = {"channels": 2, "num_cells": 3, "image_size": 8, "epochs": 2, "batch_size": 8}
EMBEDDING: dict[str, Any] = {"embedder": "tf_efficientnet_lite0", "embed_size": 32, "sketch_rows": 40}


def make_images(name: str, seed: int = 0, num_classes: int = 3, per_class: int = 16, size: int = 12) -> ImageSet:
    """Coloured stripes: a class is a direction and a colour, so that a small network can learn it."""
    generator = np.random.default_rng(seed)
    arrays, labels = [], []
    for label in range(num_classes):
        colour = generator.integers(60, 255, 3)
        for _ in range(per_class):
            rows, columns = np.mgrid[:size, :size]
            wave = np.sin((rows * (label + 1) + columns * (num_classes - label)) * 0.7 + generator.random() * 6)
            noise = generator.normal(0, 12, (size, size, 3))
            arrays.append(np.clip((wave[..., None] * 0.5 + 0.5) * colour + noise, 0, 255).astype(np.uint8))
            labels.append(label)
    return ImageSet(
        name=name,
        class_names=tuple(f"stripe{label}" for label in range(num_classes)),
        labels=np.array(labels),
        store=ArrayStore(arrays),
        card=DataCard(name, "made for a test", "CC0", "stripes", "test", len(arrays), num_classes, mirror_safe=False),
    )


def write_class_folders(images: ImageSet, root: Path, suffix: str = ".png") -> Path:
    """The set as a person has it, a folder for each class: ``root/CLASS/007.png`` is its image 7."""
    for index, label in enumerate(images.labels):
        path = root / images.class_names[label] / f"{index:03d}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        images.image(index).save(path)
    return root


@pytest.fixture(scope="session")
def stripes() -> Callable[..., ImageSet]:
    return make_images


@pytest.fixture
def tiny() -> dict[str, Any]:
    return dict(TINY)


@pytest.fixture
def embedding() -> dict[str, Any]:
    return dict(EMBEDDING)


@pytest.fixture
def quiet() -> Control:
    return Control(device="cpu", quiet=True)


@pytest.fixture(scope="session")
def zoo_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo with two single sources and their mixture, really pretrained."""
    from supernet_tl.pretraining import pretrain

    path = tmp_path_factory.mktemp("zoo")
    sources = [make_images("near", seed=1), make_images("far", seed=2, num_classes=4)]
    control = Control(device="cpu", quiet=True)
    pretrain(sources, path, control=control, **TINY, **EMBEDDING)
    pretrain(sources, path, mixture=True, control=control, **TINY, **EMBEDDING)
    return path


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Embeddings are cached in a folder of the tests' own."""
    patch = pytest.MonkeyPatch()
    patch.setenv("SUPERNET_TL_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()
