"""Four splits, checked over many random label vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from supernet_tl.data import SplitError, Splits, make_splits

NAMES = ("weight", "architecture", "validation", "test")


def random_labels() -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Forty label vectors with 1 to 12 classes of 4 to 60 images, in random order."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        counts = rng.integers(4, 61, size=rng.integers(1, 13))
        yield seed, rng.permutation(np.repeat(np.arange(len(counts)), counts))


def parts(splits: Splits) -> list[NDArray[np.int64]]:
    return [getattr(splits, name) for name in NAMES]


def test_every_image_is_in_exactly_one_split() -> None:
    for seed, labels in random_labels():
        splits = make_splits(labels, seed)
        together = np.concatenate([*parts(splits), splits.unused])
        assert sorted(together.tolist()) == list(range(len(labels)))
        assert len(splits.unused) == 0


def test_every_class_is_in_every_split() -> None:
    for seed, labels in random_labels():
        for indices in parts(make_splits(labels, seed)):
            assert set(labels[indices].tolist()) == set(labels.tolist())


def test_each_class_gives_its_fraction_to_test_and_validation() -> None:
    for seed, labels in random_labels():
        splits = make_splits(labels, seed, test_frac=0.3, validation_frac=0.1)
        counts = np.bincount(labels)
        for indices, frac in ((splits.test, 0.3), (splits.validation, 0.1)):
            # Oracle: the fraction by definition, to the nearest image, and never none; classes of 4 give one to each.
            given = np.bincount(labels[indices], minlength=len(counts))
            assert np.all((np.abs(given - counts * frac) <= 0.5) | (given == 1))


def test_the_two_halves_differ_by_one_image_at_most_in_each_class_and_in_all() -> None:
    for seed, labels in random_labels():
        splits = make_splits(labels, seed)
        weight, architecture = np.bincount(labels[splits.weight]), np.bincount(labels[splits.architecture])
        assert np.abs(weight - architecture).max() <= 1
        assert abs(len(splits.weight) - len(splits.architecture)) <= 1
        assert splits.search.tolist() == sorted([*splits.weight.tolist(), *splits.architecture.tolist()])


def test_the_same_seed_gives_the_same_split_and_another_seed_another() -> None:
    labels = np.repeat(np.arange(5), 30)
    assert make_splits(labels, 3).to_dict() == make_splits(labels, 3).to_dict()
    assert make_splits(labels, 3).test.tolist() != make_splits(labels, 4).test.tolist()


def test_a_split_stays_what_it_was_on_every_platform_and_in_every_release() -> None:
    splits = make_splits(np.repeat([0, 1], 6), seed=0)
    # Oracle: written down once; NumPy promises the doubles of PCG64, so a change here would break stored runs.
    assert {name: getattr(splits, name).tolist() for name in NAMES} == {
        "weight": [0, 1, 7, 8],
        "architecture": [4, 5, 6, 9],
        "validation": [2, 11],
        "test": [3, 10],
    }


def test_drawing_leaves_the_global_generator_alone() -> None:
    before = np.random.get_state(legacy=False)
    make_splits(np.repeat([0, 1], 6), seed=0)
    assert str(np.random.get_state(legacy=False)) == str(before)


def test_an_official_test_split_is_kept_exactly() -> None:
    for seed, labels in random_labels():
        rng = np.random.default_rng(1000 + seed)
        official = rng.random(len(labels)) < 0.3
        for label in np.unique(labels):
            official[rng.permutation(np.flatnonzero(labels == label))[:3]] = False
        official[0] |= not official.any()
        if np.bincount(labels[~official]).min() < 3:
            continue
        splits = make_splits(labels, seed, official_test=official)
        assert splits.test.tolist() == np.flatnonzero(official).tolist()
        for indices in (splits.weight, splits.architecture, splits.validation):
            assert set(labels[indices].tolist()) == set(labels.tolist())


def test_a_cap_leaves_search_images_unused_evenly_and_touches_neither_validation_nor_test() -> None:
    for seed, labels in random_labels():
        free = make_splits(labels, seed)
        num_classes = len(np.unique(labels))
        fewest = 2 * num_classes
        for cap in (fewest, fewest + 5, max(fewest, len(free.search) - 1), len(free.search) + 10):
            capped = make_splits(labels, seed, max_search_images=cap)
            assert len(capped.search) == min(cap, len(free.search))
            assert len(capped.search) + len(capped.unused) == len(free.search)
            assert capped.test.tolist() == free.test.tolist()
            assert capped.validation.tolist() == free.validation.tolist()
            assert set(capped.search.tolist()) <= set(free.search.tolist())
            assert np.bincount(labels[capped.weight], minlength=num_classes).min() >= 1
            assert np.bincount(labels[capped.architecture], minlength=num_classes).min() >= 1
            assert abs(len(capped.weight) - len(capped.architecture)) <= 1


def test_a_capped_class_keeps_its_share() -> None:
    labels = np.repeat([0, 1, 2], [300, 150, 50])
    capped = make_splits(labels, 0, max_search_images=100)
    # Oracle: two a class and the rest (94) in proportion to 178, 88 and 28 by largest remainders: 56.9, 28.1, 8.95.
    assert np.bincount(labels[capped.search]).tolist() == [59, 30, 11]


def test_a_stored_split_is_read_back_as_it_was() -> None:
    labels = np.repeat([0, 1, 2], 9)
    splits = make_splits(labels, 5, max_search_images=8)
    stored = splits.to_json()
    assert Splits.from_json(stored, labels).to_dict() == splits.to_dict()
    assert json.loads(stored)["sizes"] == {"weight": 4, "architecture": 4, "validation": 6, "test": 6, "unused": 7}
    assert repr(splits) == "Splits(weight: 4, architecture: 4, validation: 6, test: 6, unused: 7; seed 5)"


def test_a_stored_split_is_refused_for_other_data() -> None:
    labels = np.repeat([0, 1, 2], 9)
    stored = make_splits(labels, 5).to_dict()
    with pytest.raises(SplitError, match=r"drawn for other data \(labels .* here .*\); expected the same images"):
        Splits.from_dict(stored, labels[::-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": None}, r"a stored split lacks weight and has schema 1; expected schema 1"),
        ({"schema": 99}, r"lacks nothing and has schema 99; expected schema 1"),
        ({"test": [0, 0]}, r"names some twice or leaves some out; expected every image once"),
    ],
)
def test_a_damaged_split_is_refused(change: dict[str, Any], message: str) -> None:
    labels = np.repeat([0, 1], 6)
    stored = make_splits(labels, 0).to_dict() | change
    with pytest.raises(SplitError, match=message):
        Splits.from_dict({key: value for key, value in stored.items() if value is not None}, labels)


@pytest.mark.parametrize(
    ("labels", "settings", "message"),
    [
        ([0] * 4 + [1] * 3, {}, r"1 of 2 classes have fewer than 4 images: label 1 \(3\).*--drop-small-classes"),
        ([], {}, "there are 0 images to split"),
        ([[0, 1]], {}, r"labels have shape \(1, 2\).*; expected one integer from 0 an image"),
        ([-1, 0], {}, r"labels have shape \(2,\) and start at -1"),
        ([0] * 8, {"seed": -1}, "the seed of a split is -1; expected 0 or more"),
        ([0] * 8, {"test_frac": 0.0}, r"test_frac is 0\.0 and validation_frac 0\.2; expected both above 0"),
        ([0] * 8, {"test_frac": 0.6, "validation_frac": 0.4}, "their sum below 1"),
        ([0] * 8 + [1] * 8, {"max_search_images": 3}, "max_search_images is 3 for 2 classes; expected at least 4"),
        ([0] * 8, {"official_test": [True]}, r"official_test has shape \(1,\) and labels \(8,\)"),
        ([0] * 8, {"official_test": [False] * 8}, "the official test split is empty"),
        ([0] * 4, {"official_test": [True] * 2 + [False] * 2}, r"fewer than 3 images outside the official test split"),
    ],
)
def test_impossible_splits_are_refused(labels: list[Any], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SplitError, match=message):
        make_splits(labels, **({"seed": 0} | settings))
