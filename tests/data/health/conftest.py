"""Image sets in which it is known what is to be found, because it was put there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from PIL import Image

from supernet_tl.data import ArrayStore, DataCard, ImageSet, Splits

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@dataclass
class Album:
    """Pictures with a class and a part each, put together one by one."""

    class_names: tuple[str, ...] = ("ant", "bee")
    pixels: list[Pixels] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    _seed: int = 0

    @staticmethod
    def scene(seed: int, size: int = 64) -> Image.Image:
        """A smooth coloured picture like no other: noise of 7 x 7 fields, enlarged."""
        fields = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), dtype=np.uint8)
        return Image.fromarray(fields).resize((size, size), Image.Resampling.BICUBIC)

    def add(self, picture: Image.Image | None, label: int, part: str = "search") -> int:
        """A picture, or for None one like no other; its index."""
        if picture is None:
            self._seed += 1
            picture = self.scene(self._seed)
        self.pixels.append(np.asarray(picture))
        self.labels.append(label)
        self.parts.append(part)
        return len(self.labels) - 1

    def fill(self, num: int, labels: Sequence[int] = (0, 1)) -> Album:
        """So many different pictures of each class in search, and half as many in validation and in test."""
        for label in labels:
            for part, share in (("search", num), ("validation", num // 2), ("test", num // 2)):
                for _ in range(share):
                    self.add(None, label, part)
        return self

    def images(self, **changes: Any) -> ImageSet:
        card = DataCard("made", "a test", "none", "", "", len(self.labels), len(self.class_names), mirror_safe=True)
        store = ArrayStore(self.pixels)
        return ImageSet("made", self.class_names, np.array(self.labels), store, card, **changes)

    def splits(self) -> Splits:
        def rows(part: str) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
            return np.flatnonzero(np.array(self.parts) == part)

        search = rows("search")
        return Splits(search[::2], search[1::2], rows("validation"), rows("test"), rows("unused"), seed=0)


@pytest.fixture
def album() -> Album:
    """A healthy set of two classes, 16 images in search and 8 in validation and test of each; to be made ill."""
    return Album().fill(16)
