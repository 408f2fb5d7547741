"""Image sets without pixels: splitting looks at labels and digests alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from supernet_tl.data import DataCard, ImageSet

MakeSet = Callable[..., ImageSet]


class Contents:
    """Images by their content, which is a text here."""

    def __init__(self, contents: Sequence[str]) -> None:
        self.contents = tuple(contents)

    def __len__(self) -> int:
        return len(self.contents)

    def image(self, index: int) -> Image.Image:
        raise AssertionError("splitting decodes no image")

    def digest(self, index: int) -> bytes:
        return hashlib.sha256(self.contents[index].encode()).digest()

    def name(self, index: int) -> str:
        return f"image {index}"

    def take(self, indices: Sequence[int]) -> Contents:
        return Contents([self.contents[index] for index in indices])


@pytest.fixture
def make_set() -> MakeSet:
    """A set of these labels; the content of an image is its number unless contents are given."""

    def make(
        labels: Sequence[int] | NDArray[np.int64],
        contents: Sequence[str] | None = None,
        official_test: Sequence[bool] | NDArray[np.bool_] | None = None,
        official_validation: Sequence[bool] | NDArray[np.bool_] | None = None,
        class_names: Sequence[str] | None = None,
    ) -> ImageSet:
        array = np.asarray(labels, dtype=np.int64)
        num_classes = int(array.max(initial=0)) + 1
        return ImageSet(
            name="images",
            class_names=tuple(class_names or (f"class{label}" for label in range(num_classes))),
            labels=array,
            store=Contents([str(number) for number in range(len(array))] if contents is None else contents),
            card=DataCard("images", "made for a test", "CC0", "none", "test", len(array), num_classes, True),
            official_test=None if official_test is None else np.asarray(official_test),
            official_validation=None if official_validation is None else np.asarray(official_validation),
        )

    return make
