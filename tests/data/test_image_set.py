"""An image set is a value: what it promises whoever made it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from supernet_tl.data import (
    ArrayStore,
    DataCard,
    DataError,
    DecodeError,
    ImageSet,
    SmallClassesError,
    TooFewClassesError,
    open_image_set,
)
from supernet_tl.data.pixels.decode import to_square

MakeFolders = Callable[[Mapping[str, int]], Path]


def make_set(
    labels: list[int], class_names: tuple[str, ...] = ("a", "b"), official_test: list[bool] | None = None, seed: int = 0
) -> ImageSet:
    pixels = np.random.default_rng(seed).integers(0, 256, size=(len(labels), 8, 8), dtype=np.uint8)
    return ImageSet(
        name="made",
        class_names=class_names,
        labels=np.array(labels, dtype=np.int64),
        store=ArrayStore(pixels),
        card=DataCard("made", "a test", "none", "Noise.", "", len(labels), len(class_names), True),
        official_test=None if official_test is None else np.array(official_test),
    )


def test_pixels_are_the_images_squared_one_by_one_in_the_order_asked_for(make_folders: MakeFolders) -> None:
    found = open_image_set(make_folders({"a": 4, "b": 4}))
    pixels = found.pixels(8, indices=[6, 1])
    assert pixels.dtype == torch.uint8
    assert pixels.shape == (2, 3, 8, 8)
    for row, index in enumerate((6, 1)):
        expected = np.asarray(to_square(found.image(index), 8)).transpose(2, 0, 1)
        assert np.array_equal(pixels[row].numpy(), expected)
    assert torch.equal(found.pixels(8)[[6, 1]], pixels)


def test_pixels_tell_how_far_they_have_come() -> None:
    seen: list[tuple[int, int]] = []
    make_set([0, 1, 0]).pixels(4, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_size_without_pixels_is_refused() -> None:
    with pytest.raises(DataError, match="an image size of 0 pixels was asked for; give at least 1"):
        make_set([0, 1]).pixels(0)


def test_an_image_that_breaks_after_opening_is_named(make_folders: MakeFolders) -> None:
    root = make_folders({"a": 4, "b": 4})
    found = open_image_set(root)
    (root / "b" / "2.png").unlink()
    with pytest.raises(DecodeError, match=r"2\.png cannot be read: No such file or directory"):
        found.pixels(8)


def test_the_fingerprint_does_not_depend_on_where_the_images_lie(make_folders: MakeFolders, tmp_path: Path) -> None:
    root = make_folders({"a": 4, "b": 4})
    before = open_image_set(root).fingerprint()
    root.rename(tmp_path / "moved")
    assert open_image_set(tmp_path / "moved").fingerprint() == before
    assert len(before) == 64


def test_the_fingerprint_changes_with_the_sets_own_splits_and_that_of_the_content_does_not() -> None:
    base = make_set([0, 1, 0])
    mask = np.array([True, False, False])
    masks = ((mask, None), (None, mask), (~mask, None), (mask, ~mask), (~mask, mask))
    others = [base.described(official_test=test, official_validation=validation) for test, validation in masks]
    assert base.fingerprint() == base.content_fingerprint()
    assert len({images.fingerprint() for images in (base, *others)}) == 6
    assert {images.content_fingerprint() for images in others} == {base.fingerprint()}
    assert base.described(official_test=mask).fingerprint() == others[0].fingerprint()


def test_the_fingerprint_changes_with_a_pixel_a_label_or_a_class_name(make_folders: MakeFolders) -> None:
    base = make_set([0, 1, 0])
    others = [make_set([0, 1, 0], seed=1), make_set([0, 1, 1]), make_set([0, 1, 0], class_names=("a", "c"))]
    assert make_set([0, 1, 0]).fingerprint() == base.fingerprint()
    assert len({base.fingerprint(), *(other.fingerprint() for other in others)}) == 4

    root = make_folders({"a": 4, "b": 4})
    before = open_image_set(root).fingerprint()
    with Image.open(root / "a" / "0.png") as image:
        image.putpixel((0, 0), tuple(255 - level for level in np.asarray(image)[0, 0].tolist()))
        image.save(root / "a" / "0.png")
    assert open_image_set(root).fingerprint() != before


def test_labels_cannot_be_changed_from_outside() -> None:
    labels = np.array([0, 1, 0])
    made = make_set(labels.tolist())
    with pytest.raises(ValueError, match="read-only"):
        made.labels[0] = 1


def test_parts_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(DataError, match="labels from 0 to 2 for 2 classes; a label is the place of its class"):
        make_set([0, 2])
    with pytest.raises(DataError, match="names a class twice"):
        make_set([0, 1], class_names=("a", "a"))
    with pytest.raises(DataError, match=r"official_test of shape \(1,\) for 2 images"):
        make_set([0, 1], official_test=[True])
    with pytest.raises(DataError, match=r"labels of shape \(1,\) for 2 images; give one label an image"):
        ImageSet("made", ("a",), np.zeros(1, dtype=np.int64), make_set([0, 1]).store, make_set([0, 1]).card)


def test_taking_images_takes_their_labels_and_their_place_in_the_test_split() -> None:
    made = make_set([0, 1, 0, 1], official_test=[True, False, False, True])
    taken = made.take([3, 0])
    assert taken.labels.tolist() == [1, 0]
    assert taken.official_test is not None
    assert taken.official_test.tolist() == [True, True]
    assert taken.image(0).tobytes() == made.image(3).tobytes()
    assert taken.card.num_images == len(taken) == 2


def test_an_image_set_handed_in_is_checked_like_any_other() -> None:
    with pytest.raises(SmallClassesError, match=r"'b' \(3\)"):
        open_image_set(make_set([0] * 4 + [1] * 3))
    with pytest.raises(TooFewClassesError, match="too few classes: a"):
        open_image_set(make_set([0] * 4, class_names=("a",)))
    kept = open_image_set(make_set([2] * 4 + [1] + [0] * 4, class_names=("a", "b", "c")), drop_small_classes=True)
    assert kept.class_names == ("a", "c")
    assert kept.labels.tolist() == [1] * 4 + [0] * 4
    assert kept.dropped_classes == (("b", 1),)


def test_a_set_prints_as_its_name_and_counts() -> None:
    assert repr(make_set([0, 1, 0])) == "ImageSet('made', 3 images, 2 classes)"
    assert make_set([0, 1]).card.to_dict()["licence"] == "none"
