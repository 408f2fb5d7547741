"""Splits in a file: recognised by content, applied to what has become of the images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from supernet_tl.data import ImageSet, SplitError, Splits, StoredSplits, make_splits
from supernet_tl.data.splitting.stored import labels_fingerprint

MakeSet = Callable[..., ImageSet]
NAMES = ("weight", "architecture", "validation", "test", "unused")
LABELS = [0] * 20 + [1] * 20
CONTENTS = [str(number) for number in range(40)]


def by_content(splits: Splits, contents: list[str]) -> dict[str, str]:
    return {contents[index]: name for name in NAMES for index in getattr(splits, name)}


def test_a_stored_split_is_read_back_for_the_same_images_in_any_order(make_set: MakeSet) -> None:
    splits = make_splits(make_set(LABELS), 5, max_search_images=12)
    stored = json.loads(json.dumps(splits.to_dict(make_set(LABELS))))
    order = np.random.default_rng(0).permutation(40).tolist()
    contents = [CONTENTS[index] for index in order]
    again = Splits.from_dict(stored, make_set([LABELS[index] for index in order], contents))
    assert by_content(again, contents) == by_content(splits, CONTENTS)
    assert repr(again) == repr(splits)
    assert again.seed == 5


def test_the_file_lists_keys_by_part_and_class_that_people_can_look_up(make_set: MakeSet) -> None:
    images = make_set(LABELS, class_names=["cat", "dog"])
    splits = make_splits(images, 5)
    stored = splits.to_dict(images)
    assert stored["class_names"] == ["cat", "dog"]
    assert stored["sizes"] == splits.sizes()
    # Oracle: the first sixteen hexadecimal digits of SHA-256, by hashlib.
    dogs = sorted(hashlib.sha256(CONTENTS[index].encode()).hexdigest()[:16] for index in splits.test if index >= 20)
    assert stored["test"]["dog"] == dogs
    assert "16 hexadecimal digits of the SHA-256" in stored["keys"]


def test_duplicates_in_a_class_are_read_back_where_they_were(make_set: MakeSet) -> None:
    for seed in range(20):
        contents = [str(number) for number in np.random.default_rng(seed).integers(0, 15, size=40)]
        images = make_set(LABELS, contents)
        each: tuple[dict[str, Any], ...] = ({}, {"max_search_images": 9}, {"shots": 3})
        for settings in each:
            splits = make_splits(images, seed, **settings)
            again = Splits.from_dict(splits.to_dict(images), images)
            assert all(np.array_equal(getattr(splits, name), getattr(again, name)) for name in NAMES)


def test_known_images_stay_and_new_ones_go_by_the_stored_seed(make_set: MakeSet) -> None:
    stored = make_splits(make_set(LABELS), 5).to_dict(make_set(LABELS))
    # A file may hold what no seed draws: whatever it says, stays.
    for class_keys in zip(stored["test"].values(), stored["validation"].values(), strict=True):
        class_keys[0][0], class_keys[1][0] = class_keys[1][0], class_keys[0][0]
    before = by_content(Splits.from_dict(stored, make_set(LABELS)), CONTENTS)
    for num_new in (1, 5, 60):
        contents = [*CONTENTS, *(f"new {number}" for number in range(num_new))]
        images = make_set([*LABELS, *([1] * num_new)], contents)
        found = make_splits(images, seed=99, stored=stored)
        parts = by_content(found, contents)
        assert {content: parts[content] for content in before} == before
        assert found.seed == 5
        assert f"40 images stay in the splits they were in, {num_new} new ones" in found.notes[0]
        another = make_splits(images, seed=1, stored=stored)
        assert by_content(another, contents) == parts
    assert {parts[content] for content in contents[40:]} == {"weight", "architecture", "validation", "test"}


def test_images_that_are_gone_are_counted_and_the_others_stay(make_set: MakeSet) -> None:
    splits = make_splits(make_set(LABELS), 5)
    before = by_content(splits, CONTENTS)
    gone = {str(splits.weight[0]), str(splits.weight[-1])}
    left = [content for content in CONTENTS if content not in gone]
    images = make_set([LABELS[int(content)] for content in left], left)
    found = make_splits(images, 5, stored=splits.to_dict(make_set(LABELS)))
    assert by_content(found, left) == {content: before[content] for content in left}
    assert found.notes == (
        "images: 38 images stay in the splits they were in, 0 new ones are drawn by their content, 2 are gone",
    )


def test_a_class_that_is_new_is_split_as_without_a_file(make_set: MakeSet) -> None:
    stored = make_splits(make_set(LABELS), 5).to_dict(make_set(LABELS))
    contents = [*CONTENTS, *(f"new {number}" for number in range(30))]
    images = make_set([*LABELS, *([2] * 30)], contents)
    parts = by_content(make_splits(images, 0, stored=stored), contents)
    fresh = by_content(make_splits(make_set([0] * 30, contents[40:]), 5), contents[40:])
    assert {content: parts[content] for content in fresh} == fresh


def test_a_cap_or_shots_of_the_file_are_not_taken_over_but_halves_are(make_set: MakeSet) -> None:
    images = make_set(LABELS)
    free = make_splits(images, 5)
    few = make_splits(images, 5, shots=4).to_dict(images)
    more = make_splits(images, 5, stored=few, shots=6)
    assert by_content(make_splits(images, 5, shots=6), CONTENTS) == by_content(more, CONTENTS)
    assert by_content(make_splits(images, 5, stored=few), CONTENTS) == by_content(free, CONTENTS)


def test_a_new_twin_of_a_known_image_goes_where_that_is_also_from_another_class(make_set: MakeSet) -> None:
    splits = make_splits(make_set(LABELS), 5)
    stored, before = splits.to_dict(make_set(LABELS)), by_content(splits, CONTENTS)
    for content in CONTENTS[:20]:
        for label in (0, 1):
            contents = [*CONTENTS, content]
            found = make_splits(make_set([*LABELS, label], contents), 5, stored=stored)
            assert 40 in getattr(found, before[content])


def test_an_image_that_changed_its_class_is_refused(make_set: MakeSet) -> None:
    stored = make_splits(make_set(LABELS), 5).to_dict(make_set(LABELS))
    changed = [*LABELS[:19], 1, *LABELS[20:]]
    with pytest.raises(
        SplitError, match=r"1 images of 'images' have another class in the stored split: 'class1' here, 'class0' there"
    ):
        make_splits(make_set(changed), 5, stored=stored)


def test_a_file_that_knows_none_of_the_images_is_refused(make_set: MakeSet) -> None:
    stored = make_splits(make_set(LABELS), 5).to_dict(make_set(LABELS))
    others = make_set(LABELS, [f"other {number}" for number in range(40)])
    with pytest.raises(SplitError, match=r"knows none of the 40 images of 'images'; expected"):
        make_splits(others, 5, stored=stored)
    with pytest.raises(SplitError, match=r"other images than those of 'images': 40 are new and 40 are gone"):
        Splits.from_dict(stored, others)


@pytest.mark.parametrize("name", ["test", "validation"])
def test_an_official_split_that_contradicts_the_file_is_refused_and_one_that_agrees_is_not(
    name: str, make_set: MakeSet
) -> None:
    splits = make_splits(make_set(LABELS), 5)
    stored = splits.to_dict(make_set(LABELS))
    mask = np.isin(np.arange(40), getattr(splits, name))
    agreed = make_splits(make_set(LABELS, **{f"official_{name}": mask}), 5, stored=stored)
    assert by_content(agreed, CONTENTS) == by_content(splits, CONTENTS)
    mask[splits.weight[0]] = True
    with pytest.raises(SplitError, match=rf"contradicts the official {name} split of 'images' in 1 images, such as"):
        make_splits(make_set(LABELS, **{f"official_{name}": mask}), 5, stored=stored)


def _rows(mask: NDArray[np.bool_] | None) -> list[int]:
    assert mask is not None
    return [index for index, inside in enumerate(mask) if inside]


def _with_copies(make_set: MakeSet, seed: int) -> tuple[ImageSet, list[str]]:
    """Official test and validation images of which some are elsewhere once more, in random order."""
    rng = np.random.default_rng(seed)
    contents = [*CONTENTS, *map(str, rng.integers(0, 20, size=12)), *map(str, rng.integers(20, 40, size=12))]
    labels = np.repeat([0, 1, 0, 1], [20, 20, 12, 12])
    part = rng.choice(3, size=len(labels), p=[0.6, 0.2, 0.2])
    part[[0, 1, 2, 20, 21, 22]] = 0
    part[[3, 23]], part[[4, 24]] = 1, 2
    order = rng.permutation(len(labels))
    masks = {"official_test": (part == 1)[order], "official_validation": (part == 2)[order]}
    contents = [contents[index] for index in order]
    return make_set(labels[order], contents, **masks), contents


@pytest.mark.parametrize("settings", [{}, {"shots": 2}, {"max_search_images": 8}])
def test_a_file_is_taken_for_the_images_it_was_drawn_for_though_official_images_have_copies_elsewhere(
    settings: dict[str, Any], make_set: MakeSet
) -> None:
    for seed in range(20):
        images, _ = _with_copies(make_set, seed)
        splits = make_splits(images, seed, **settings)
        stored = splits.to_dict(images)
        # Oracle: what was drawn; official images by their masks.
        for found in (Splits.from_dict(stored, images), make_splits(images, 99, stored=stored, **settings)):
            assert found.sizes() == splits.sizes()
            assert found.test.tolist() == _rows(images.official_test)
            assert found.validation.tolist() == _rows(images.official_validation)


def test_a_new_copy_of_an_official_image_is_drawn_by_its_content_in_whatever_class(make_set: MakeSet) -> None:
    mask = np.arange(40) % 4 == 0
    stored = make_splits(make_set(LABELS, official_test=mask), 5).to_dict(make_set(LABELS))
    for label in (0, 1):
        for at_start in (True, False):
            place = 0 if at_start else 40
            contents, labels = list(CONTENTS), list(LABELS)
            contents.insert(place, "8")
            labels.insert(place, label)
            images = make_set(labels, contents, official_test=np.insert(mask, place, False))
            found = make_splits(images, 5, stored=stored)
            assert found.test.tolist() == _rows(images.official_test)
            assert "40 images stay in the splits they were in, 1 new ones are drawn" in found.notes[0]


def test_copies_that_shots_left_unused_go_back_to_the_half_of_their_twin(make_set: MakeSet) -> None:
    for seed in range(40):
        contents = [str(number) for number in np.random.default_rng(seed).integers(0, 9, size=40)]
        images = make_set([0] * 40, contents)
        stored = make_splits(images, seed, shots=2).to_dict(images)
        found = make_splits(images, seed, stored=stored)
        for name in NAMES:
            inside = set(getattr(found, name).tolist())
            assert {contents[index] for index in inside}.isdisjoint(contents[i] for i in range(40) if i not in inside)


def test_a_run_is_not_read_back_for_other_official_splits(make_set: MakeSet) -> None:
    mask = np.arange(40) % 4 == 0
    images = make_set(LABELS, official_test=mask)
    stored = make_splits(images, 5).to_dict(images)
    other = make_set(LABELS, official_test=np.roll(mask, 1))
    with pytest.raises(
        SplitError, match=r"contradicts the official test split of 'images' in 20 images, such as image 0"
    ):
        Splits.from_dict(stored, other)


def test_a_class_that_is_left_without_an_image_where_one_is_needed_is_refused(make_set: MakeSet) -> None:
    splits = make_splits(make_set(LABELS), 5)
    left = [content for content in CONTENTS if content not in {str(index) for index in splits.test if index < 20}]
    images = make_set([LABELS[int(content)] for content in left], left)
    with pytest.raises(SplitError, match=r"'class0' has none in test; expected at least one of each class in each"):
        make_splits(images, 5, stored=splits.to_dict(make_set(LABELS)))


# Schema 1: places in the set.


def _schema_1(images: ImageSet, splits: Splits) -> dict[str, Any]:
    """What the first version wrote."""
    return {
        "schema": 1,
        "seed": splits.seed,
        "labels_sha256": labels_fingerprint(images.labels),
        "sizes": splits.sizes(),
        **{name: getattr(splits, name).tolist() for name in NAMES},
    }


def test_a_split_of_schema_1_is_read_for_the_same_images_in_the_same_order(make_set: MakeSet) -> None:
    images = make_set(LABELS)
    splits = make_splits(images, 7, max_search_images=10)
    stored = _schema_1(images, splits)
    assert by_content(Splits.from_dict(stored, images), CONTENTS) == by_content(splits, CONTENTS)
    assert make_splits(images, 0, stored=stored).test.tolist() == splits.test.tolist()
    with pytest.raises(SplitError, match=r"schema 1 was drawn for other data \(labels .* here .*\); expected the same"):
        Splits.from_dict(stored, make_set(LABELS[::-1]))
    stored["test"] = stored["test"][1:]
    with pytest.raises(SplitError, match=r"names some twice or leaves some out; expected every image once"):
        Splits.from_dict(stored, images)


# Files.


def test_the_file_of_a_run_is_found_in_its_folder_and_known_by_its_content(make_set: MakeSet, tmp_path: Path) -> None:
    images = make_set(LABELS)
    text = json.dumps(make_splits(images, 5).to_dict(images))
    (tmp_path / "splits.json").write_text(text)
    for path in (tmp_path, tmp_path / "splits.json", str(tmp_path)):
        found = StoredSplits.read(path)
        assert found.of(images) == json.loads(text)
        assert found.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_of_several_splits_in_a_file_each_image_set_takes_the_one_that_knows_it(
    make_set: MakeSet, tmp_path: Path
) -> None:
    sets = [make_set(LABELS, [f"{name} {number}" for number in range(40)]) for name in ("first", "second")]
    stored = [make_splits(images, seed).to_dict(images) for seed, images in enumerate(sets)]
    (tmp_path / "splits.json").write_text(json.dumps(stored))
    found = StoredSplits.read(tmp_path)
    assert [found.of(images)["seed"] for images in sets] == [0, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"splits\.json cannot be read as --splits \(No such file or directory\); expected the splits\.json of"),
        ("{", r"cannot be read as --splits \(Expecting property name"),
        ("[]", r"has schema None and lacks seed, class_names, weight, architecture, validation and 2 more"),
        ('{"schema": 3}', r"has schema 3 and lacks .*; expected what a run writes into splits\.json, of schema 1 or 2"),
    ],
)
def test_a_file_of_something_else_is_refused(content: str | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "splits.json").write_text(content)
    with pytest.raises(SplitError, match=message):
        StoredSplits.read(tmp_path / "splits.json")


@pytest.mark.parametrize(
    "change", [{"test": {"class0": [1]}}, {"test": [1]}, {"weight": {"class0": "abc"}}, {"seed": "0"}, {"seed": True}]
)
def test_a_damaged_split_is_refused(change: dict[str, Any], make_set: MakeSet) -> None:
    images = make_set(LABELS)
    stored = make_splits(images, 0).to_dict(images)
    with pytest.raises(
        SplitError, match=r"a stored split is damaged; expected a whole number as seed, and lists of keys"
    ):
        Splits.from_dict(stored | change, images)
