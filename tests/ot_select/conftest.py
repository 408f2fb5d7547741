"""Shared by the tests of ``ot_select``: the reference fixtures and makers of small synthetic clouds."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ot_select import LabelledCloud

FIXTURES = Path(__file__).parents[1] / "fixtures"


@dataclass(frozen=True)
class ReferencePair:
    """Two clouds and numbers for them.

    Attributes:
        a: one cloud.
        b: the other.
        numbers: of the independent float64 computation; halves of squared distances, but label distances whole.
        published: of the published implementation, likewise.
        published_inner_exact: of the published implementation with exact distances between classes, likewise.
        published_variants: its other options by name, likewise.
        whole_gaussian: of the independent computation on whole clouds; squared distances, not halved.
    """

    a: LabelledCloud
    b: LabelledCloud
    numbers: dict[str, Any]
    published: dict[str, Any]
    published_inner_exact: dict[str, Any]
    published_variants: dict[str, Any]
    whole_gaussian: dict[str, Any]


@pytest.fixture(scope="session")
def reference() -> Callable[[str], ReferencePair]:
    fixtures = json.loads((FIXTURES / "otdd_reference.json").read_text())
    numbers = fixtures["pairs"]
    with np.load(FIXTURES / "otdd_reference.npz") as archive:
        arrays = dict(archive)

    def cloud(name: str) -> LabelledCloud:
        if name == "A8_reorder":  # the archive keeps its labels only: undo the shuffle up to the order within a class
            order = np.argsort(np.argsort(arrays["A8_reorder_Y"], kind="stable"))
            rows = np.argsort(arrays["A8_Y"], kind="stable")[order]
            return LabelledCloud(arrays["A8_X"][rows], arrays["A8_reorder_Y"])
        return LabelledCloud(arrays[f"{name}_X" if f"{name}_X" in arrays else "A8_X"], arrays[f"{name}_Y"])

    def pair(key: str) -> ReferencePair:
        return ReferencePair(
            cloud(numbers[key]["A"]),
            cloud(numbers[key]["B"]),
            numbers=numbers[key]["independent_f64"],
            published=numbers[key]["reference_gaussian_approx"],
            published_inner_exact=numbers[key]["reference_inner_exact"],
            published_variants=fixtures["variants"].get(key, {}),
            whole_gaussian=numbers[key]["whole_dataset_gaussian"],
        )

    return pair


@pytest.fixture
def make_cloud() -> Callable[..., LabelledCloud]:
    """A maker of Gaussian classes around seeded means."""

    def make(
        seed: int, counts: tuple[int, ...] = (12, 8, 5), dimension: int = 4, spread: float = 2.0, shift: float = 0.0
    ) -> LabelledCloud:
        generator = np.random.default_rng(seed)
        rows = [
            spread * generator.standard_normal(dimension) + generator.standard_normal((count, dimension)) + shift
            for count in counts
        ]
        return LabelledCloud(np.concatenate(rows), np.repeat(np.arange(len(counts)), counts))

    return make
