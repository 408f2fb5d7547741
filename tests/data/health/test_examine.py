"""Each finding, in a set that was built to have it; and none in a set that has none."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from supernet_tl.data import DataError, ImageProblem, open_image_set, open_pocket
from supernet_tl.data.health import DataHealth, Finding, Severity, examine
from supernet_tl.data.health.copies import contents
from supernet_tl.data.health.near_copies import near_copies
from supernet_tl.data.health.parts import parts_of
from supernet_tl.data.health.squares import read_squares
from supernet_tl.data.splitting.splits import make_splits

if TYPE_CHECKING:
    from tests.data.health.conftest import Album


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def examined(album: Album) -> DataHealth:
    return examine(album.images(), album.splits())


def kinds(health: DataHealth) -> list[str]:
    return [finding.kind for finding in health.findings]


def the(health: DataHealth, kind: str) -> Finding:
    (found,) = (finding for finding in health.findings if finding.kind == kind)
    return found


def shown(finding: Finding) -> list[tuple[int, ...]]:
    return [tuple(image.index for image in example) for example in finding.examples]


def test_a_healthy_set_has_nothing_to_report(album: Album) -> None:
    health = examined(album)
    assert health.findings == ()
    assert (health.num_images, health.num_grey) == (64, 0)
    assert [(counted.name, counted.total) for counted in health.classes] == [("ant", 32), ("bee", 32)]
    assert health.classes[0].parts == {"search": 16, "validation": 8, "test": 8, "unused": 0}
    assert (health.width.smallest, health.width.median, health.width.largest) == (64, 64.0, 64)
    assert health.formats == {"array": 64}


def test_a_test_image_that_was_searched_with_is_a_leak(album: Album) -> None:
    index = album.add(None, 0, "test")
    twin = album.add(Image.fromarray(album.pixels[index]), 0, "search")
    found = the(examined(album), "test_leak")
    assert (found.severity, found.count) == (Severity.WARNING, 1)
    assert found.sentence.startswith("1 of 17 test images is shown pixel by pixel in search or validation too, so the")
    assert shown(found) == [(twin, index)]
    assert [image.part for image in found.examples[0]] == ["search", "test"]


def test_a_test_image_that_was_chosen_by_is_a_leak_and_one_left_unused_is_none(album: Album) -> None:
    for part in ("validation", "unused"):
        index = album.add(None, 0, "test")
        album.add(Image.fromarray(album.pixels[index]), 0, part)
    assert the(examined(album), "test_leak").count == 1


def test_a_validation_image_that_was_searched_with_is_told(album: Album) -> None:
    picture = Image.fromarray(album.pixels[album.add(None, 1, "search")])
    for _ in range(2):
        album.add(picture, 1, "validation")
    found = the(examined(album), "validation_leak")
    assert (found.severity, found.count) == (Severity.WARNING, 2)
    assert kinds(examined(album)) == ["validation_leak", "copies_in_class"]  # the two in validation


def test_one_picture_in_two_classes_is_a_label_conflict(album: Album) -> None:
    index = album.add(None, 0)
    twin = album.add(Image.fromarray(album.pixels[index]), 1)
    found = the(examined(album), "label_conflict")
    assert (found.severity, found.count) == (Severity.WARNING, 2)
    assert "an exact copy in another class" in found.sentence
    assert sorted(shown(found)[0]) == [index, twin]
    assert {image.class_name for image in found.examples[0]} == {"ant", "bee"}


def test_copies_within_a_class_and_part_are_a_note_that_does_not_count_the_first(album: Album) -> None:
    picture = Image.fromarray(album.pixels[album.add(None, 0)])
    for _ in range(3):
        album.add(picture, 0)
    health = examined(album)
    assert kinds(health) == ["copies_in_class"]
    assert (health.findings[0].severity, health.findings[0].count) == (Severity.NOTE, 3)


def test_pictures_that_only_look_alike_when_small_are_not_exact_copies(album: Album) -> None:
    index = album.add(None, 0, "test")
    other = album.pixels[index].copy()
    # Oracle: 64 pixels are averaged two by two; what is added here and taken there leaves every average as it was.
    other[0, 0] = np.where(other[0, 0] < 128, other[0, 0] + 9, other[0, 0] - 9)
    other[0, 1] = np.where(album.pixels[index][0, 0] < 128, other[0, 1] - 9, other[0, 1] + 9)
    album.add(Image.fromarray(other), 0, "search")
    first = contents(album.images(), read_squares(album.images()))
    assert first[-1] == len(first) - 1
    assert kinds(examined(album)) == ["near_test_leak"]


def test_the_same_pixels_are_exact_copies_in_whatever_format_they_are_kept(album: Album, tmp_path: Path) -> None:
    for label, name in enumerate(album.class_names):
        (tmp_path / name).mkdir()
        for seed in range(4):
            album.scene(10 * label + seed).save(tmp_path / name / f"{seed}.png")
    album.scene(0).save(tmp_path / "ant" / "again.bmp")
    images = open_image_set(tmp_path)
    assert len({digest.tobytes() for digest in images.digests}) == 9  # all files differ in their bytes
    found = the(examine(images), "copies_in_class")
    assert {image.name for image in found.examples[0]} == {"ant/0.png", "ant/again.bmp"}
    assert examine(images).formats == {"PNG RGB": 8, "BMP RGB": 1}


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: jpeg(picture, 60),
        lambda picture: picture.resize((40, 40), Image.Resampling.LANCZOS),
        lambda picture: picture.resize((150, 150), Image.Resampling.BICUBIC),
        lambda picture: ImageEnhance.Brightness(picture).enhance(0.8),
        lambda picture: ImageEnhance.Contrast(picture).enhance(0.8),
        lambda picture: picture.crop((2, 2, 62, 62)),
        lambda picture: picture.crop((3, 3, 61, 61)),
    ],
    ids=["re-encoded", "smaller", "larger", "darker", "paler", "cropped by 3 %", "cropped by 5 %"],
)
def test_a_changed_copy_in_test_is_a_near_leak(album: Album, change: object) -> None:
    assert callable(change)
    index = album.add(None, 0, "search")
    copy = album.add(change(Image.fromarray(album.pixels[index])), 0, "test")
    found = the(examined(album), "near_test_leak")
    assert found.count == 1
    assert shown(found) == [(index, copy)]


def test_a_changed_copy_in_another_class_or_in_validation_is_told(album: Album) -> None:
    index = album.add(None, 0, "search")
    album.add(jpeg(Image.fromarray(album.pixels[index]), 70), 1, "validation")
    health = examined(album)
    assert (the(health, "near_label_conflict").count, the(health, "near_validation_leak").count) == (2, 1)
    assert the(health, "near_label_conflict").severity is Severity.WARNING  # 2 of 66 images are more than 2 %


def test_every_exact_copy_of_a_near_copy_counts(album: Album) -> None:
    picture = album.scene(1000)
    album.add(picture, 0, "search")
    for _ in range(3):
        album.add(jpeg(picture, 60), 0, "test")
    assert the(examined(album), "near_test_leak").count == 3


def test_near_copies_of_few_test_images_are_a_note(album: Album) -> None:
    for _ in range(100):
        album.add(None, 0, "test")
    album.add(jpeg(Image.fromarray(album.pixels[-1]), 60), 0, "search")
    assert the(examined(album), "near_test_leak").severity is Severity.NOTE  # 1 of 116


def test_the_same_drawing_in_another_colour_is_no_copy(album: Album) -> None:
    grey = np.asarray(album.scene(2000).convert("L")).astype(np.int64)
    red, blue = (np.zeros((64, 64, 3), dtype=np.uint8) for _ in range(2))
    red[..., 0], blue[..., 2] = grey, np.minimum(grey * 2, 255)
    album.add(Image.fromarray(red), 0, "search")
    album.add(Image.fromarray(blue), 1, "test")
    assert examined(album).findings == ()


def test_without_splits_the_sets_own_parts_count_and_else_copies_within_a_class(album: Album) -> None:
    index = album.add(None, 0, "test")
    album.add(jpeg(Image.fromarray(album.pixels[index]), 60), 0, "search")
    assert kinds(examine(album.images())) == ["near_copies_in_class"]
    assert examine(album.images()).classes[0].parts == {}
    official = np.array(album.parts) == "test"
    assert kinds(examine(album.images(official_test=official))) == ["near_test_leak"]


def test_images_of_one_colour_are_told_and_a_class_of_them_is_a_warning(album: Album) -> None:
    album.class_names = ("ant", "bee", "cat")
    for level in range(12):
        album.add(Image.new("RGB", (64, 64), (20 * level, 0, 0)), 2)
    health = examined(album)
    assert kinds(health) == ["constant_class", "constant_images"]
    assert (health.findings[0].severity, health.findings[0].count, health.findings[1].count) == ("warning", 1, 12)
    assert health.findings[0].sentence.startswith("class 'cat' has only images of a single colour")


def test_fine_noise_is_not_a_single_colour(album: Album) -> None:
    noise = np.random.default_rng(0).integers(118, 138, (512, 512, 3), dtype=np.uint8)  # its averages hardly differ
    index = album.add(Image.fromarray(noise), 0)
    assert read_squares(album.images()).deviation[index] < 2
    assert examined(album).findings == ()


def test_a_class_of_copies_of_one_image_is_a_warning(album: Album) -> None:
    album.class_names = ("ant", "bee", "cat")
    for part in ("search",) * 8 + ("validation", "test"):
        album.add(album.scene(3000), 2, part)
    found = the(examined(album), "copies_only_class")
    assert (found.severity, found.count) == (Severity.WARNING, 1)
    assert found.sentence.startswith("class 'cat' has nothing but copies of one image")


def test_lopsided_and_small_classes_are_told(album: Album) -> None:
    album.class_names = ("ant", "bee", "cat")
    for _ in range(3):
        album.add(None, 2)
    health = examined(album)
    assert the(health, "imbalance").sentence.startswith(
        "the largest class, 'ant', has 32 images and the smallest, 'cat', 3"
    )
    assert the(health, "few_images").sentence.startswith("1 class has fewer than 10 images: 'cat' (3)")
    assert (health.smallest_class.name, health.largest_class.name) == ("cat", "ant")


def test_sizes_shapes_and_colour_are_told(album: Album) -> None:
    album.add(album.scene(1, size=20), 0)
    album.add(album.scene(2).resize((200, 60)), 0)
    for seed in range(3, 8):
        album.add(album.scene(seed).convert("L"), 1)
    health = examine(album.images(), album.splits(), image_size=32)
    assert [(finding.kind, finding.count) for finding in health.findings] == [
        ("small_images", 1),
        ("elongated_images", 1),
        ("mixed_colour", 5),
    ]
    assert (health.width.smallest, health.width.largest, health.num_grey) == (20, 200, 5)
    assert "smaller than the 32 pixels that the networks see" in health.findings[0].sentence


def test_what_was_left_out_is_told_without_paths_of_the_machine(album: Album) -> None:
    images = album.images(
        skipped=(ImageProblem("/home/somebody/set/a.png", "the file is empty"),),
        ignored=("notes.txt", "ant/more.txt"),
        dropped_classes=(("gnu", 2),),
    )
    health = examine(images, album.splits())
    assert [(finding.kind, finding.count) for finding in health.findings] == [
        ("skipped_images", 1),
        ("dropped_classes", 1),
        ("ignored_files", 2),
    ]
    assert "somebody" not in str(health.to_dict())


@pytest.mark.parametrize(
    ("ignored", "meaning"),
    [
        (("notes.txt", "read me"), "None is named as an image, so nothing need be done."),
        (
            ("a/1.heic", "notes.txt"),
            "1 of them is named as an image: nothing is trained or tested on it. To have it used",
        ),
        (("test/1.jpg", "test/2.JPG"), "2 of them are named as images: nothing is trained or tested on them."),
    ],
)
def test_of_ignored_files_it_is_told_what_is_lost(album: Album, ignored: tuple[str, ...], meaning: str) -> None:
    (finding,) = examine(album.images(ignored=ignored), album.splits()).findings
    assert meaning in finding.sentence


def test_files_outside_the_folder_of_a_set_are_named_without_the_way_to_them(album: Album, tmp_path: Path) -> None:
    for label, name in enumerate(("a", "b")):
        for number in range(4):
            path = tmp_path / "far away" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            album.scene(0 if number < 2 else 10 * label + number).save(path)
    table = tmp_path / "lists" / "table.csv"
    table.parent.mkdir()
    lines = [f"../far away/{name}/{number}.png,{name}" for name in "ab" for number in range(4)]
    table.write_text("\n".join(["path,label", *lines]))
    found = the(examine(open_image_set(table)), "label_conflict")
    assert {image.name for image in found.examples[0]} <= {f"{name}/{number}.png" for name in "ab" for number in (0, 1)}


def test_a_search_that_would_take_too_long_is_cut_and_says_so(album: Album) -> None:
    images, squares = album.images(), read_squares(album.images())
    first, parts = contents(images, squares), parts_of(images, album.splits())
    assert near_copies(first, squares, parts).complete
    assert not near_copies(first, squares, parts, max_comparisons=0).complete


@pytest.mark.parametrize("name", ["digits", "textures", "photos", "glyphs_cyrillic"])
def test_no_pocket_set_raises_an_alarm(name: str) -> None:
    images = open_pocket(name)
    assert examine(images, make_splits(images, seed=0), image_size=16).warnings == ()


def test_warnings_come_first_and_leaks_before_all(album: Album) -> None:
    for part in ("test", "search"):
        album.add(album.scene(4000), 0, part)
        album.add(album.scene(5000), int(part == "test"), "search")
    album.add(Image.new("RGB", (64, 64)), 0)
    health = examined(album)
    assert kinds(health)[:2] == ["test_leak", "label_conflict"]
    assert [finding.severity for finding in health.findings] == ["warning", "warning", "note"]
    assert health.example_indices == tuple(sorted(set(health.example_indices)))


def test_progress_is_told_while_images_are_read(album: Album) -> None:
    seen: list[tuple[int, int]] = []
    examine(album.images(), album.splits(), lambda done, total: seen.append((done, total)))
    assert seen[-1] == (64, 64)


def test_an_empty_set_and_foreign_splits_are_refused(album: Album) -> None:
    images = album.images()
    with pytest.raises(DataError, match=r"'made' has no images to examine; give a set with at least one"):
        examine(images.take([]))
    with pytest.raises(DataError, match=r"has 10 images and the splits 64; expected splits of the same set"):
        examine(images.take(range(10)), album.splits())


def test_as_many_copies_are_listed_as_were_asked_for_and_it_is_said_how_many_they_show(album: Album) -> None:
    # Oracle: by hand. 8 test images are shown in search too, of 7 contents: one content is twice in test.
    searched = [album.add(album.scene(2000 + number), 0, "search") for number in range(7)]
    tested = [album.add(album.scene(2000 + number), 0, "test") for number in (*range(7), 0)]
    few = the(examined(album), "test_leak")
    assert (few.count, len(few.examples), few.num_shown) == (8, 6, 6)
    assert shown(few) == list(zip(searched, tested, strict=False))[:6]  # of each content one before any comes again
    every = the(examine(album.images(), album.splits(), max_examples=1000), "test_leak")
    assert sorted(shown(every)) == sorted(zip([*searched, searched[0]], tested, strict=True))
    assert every.num_shown == 8


def test_near_copies_are_listed_as_far_as_was_asked_for(album: Album) -> None:
    # Oracle: by hand. Nine images of test are those of search, in JPEG.
    for number in range(9):
        album.add(album.scene(3000 + number), 0, "search")
        album.add(jpeg(album.scene(3000 + number), 60), 0, "test")
    few = the(examined(album), "near_test_leak")
    assert (few.count, len(few.examples), few.num_shown) == (9, 6, 6)
    every = the(examine(album.images(), album.splits(), max_examples=1000), "near_test_leak")
    assert (len(every.examples), every.num_shown) == (9, 9)
