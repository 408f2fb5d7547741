"""Folders ``root/<class>/*.png|jpg|...`` as people have them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from supernet_tl.data import (
    CorruptImagesError,
    EmptySourceError,
    LayoutError,
    SmallClassesError,
    SourceNotFoundError,
    TooFewClassesError,
    open_image_set,
)

MakeFolders = Callable[[Mapping[str, int]], Path]
SaveImage = Callable[..., Path]


def test_each_sub_folder_is_a_class_and_classes_are_sorted_by_name(make_folders: MakeFolders) -> None:
    found = open_image_set(make_folders({"zebra": 4, "ant": 5}))
    assert found.class_names == ("ant", "zebra")
    assert found.labels.tolist() == [0] * 5 + [1] * 4
    assert found.labels.dtype == np.int64
    assert found.official_test is None
    assert (found.card.num_images, found.card.num_classes, found.card.licence) == (9, 2, "not stated")
    assert (found.name, found.skipped, found.ignored, found.dropped_classes) == ("my_images", (), (), ())


def test_a_path_may_be_given_as_text_or_as_a_path_and_with_a_tilde(
    make_folders: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folders({"a": 4, "b": 4})
    monkeypatch.setenv("HOME", str(root.parent))
    assert len(open_image_set(str(root))) == len(open_image_set(root)) == len(open_image_set("~/my_images")) == 8


def test_endings_in_any_case_and_images_deeper_in_a_class_are_found(
    make_folders: MakeFolders, save_image: SaveImage
) -> None:
    root = make_folders({"a": 4, "b": 4})
    for name in ("A.JPG", "B.Jpeg", "C.TIFF", "D.webp", "deep/er/E.BMP", "F.gif"):
        save_image(root / "a" / name)
    assert open_image_set(root).class_counts() == {"a": 10, "b": 4}


def test_hidden_files_and_what_desktops_leave_behind_are_passed_over_silently(
    make_folders: MakeFolders, save_image: SaveImage
) -> None:
    root = make_folders({"a": 4, "b": 4})
    for clutter in (".ipynb_checkpoints/x.png", "a/.ipynb_checkpoints/x.png", "a/.hidden.png", "__MACOSX/a/x.png"):
        save_image(root / clutter)
    for clutter in (".DS_Store", "a/.DS_Store", "a/Thumbs.db", "b/desktop.ini"):
        (root / clutter).write_bytes(b"x")
    found = open_image_set(root)
    assert found.class_counts() == {"a": 4, "b": 4}
    assert found.ignored == ()


def test_other_stray_files_are_listed(make_folders: MakeFolders, save_image: SaveImage) -> None:
    root = make_folders({"a": 4, "b": 4})
    (root / "README.txt").write_text("hello")
    (root / "a" / "notes.csv").write_text("1,2")
    save_image(root / "cover.png")
    found = open_image_set(root)
    assert len(found) == 8
    assert found.ignored == ("README.txt", str(Path("a/notes.csv")), "cover.png")


def test_class_names_keep_their_letters_with_accents_composed(make_folders: MakeFolders) -> None:
    decomposed = "e\N{COMBINING ACUTE ACCENT}te"  # as macOS writes it
    found = open_image_set(make_folders({decomposed: 4, "шуба": 4, "猫 2": 4}))
    assert found.class_names == ("\N{LATIN SMALL LETTER E WITH ACUTE}te", "шуба", "猫 2")


def test_a_folder_name_that_is_not_utf_8_is_read_as_latin_1(make_folders: MakeFolders, save_image: SaveImage) -> None:
    root = make_folders({"a": 4})
    try:
        os.mkdir(os.fsencode(root) + b"/caf\xe9")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    for number in range(4):
        save_image(root / os.fsdecode(b"caf\xe9") / f"{number}.png", seed=number)
    assert open_image_set(root).class_names == ("a", "caf\N{LATIN SMALL LETTER E WITH ACUTE}")


def test_two_folders_whose_names_are_written_alike_are_refused(make_folders: MakeFolders) -> None:
    names = ("e\N{COMBINING ACUTE ACCENT}", "\N{LATIN SMALL LETTER E WITH ACUTE}")
    root = make_folders(dict.fromkeys(names, 4))
    if len(list(root.iterdir())) == 1:
        pytest.skip("this file system composes names itself")
    with pytest.raises(LayoutError, match=r"several folders whose names are written alike.*Rename or join them"):
        open_image_set(root)


def test_a_missing_folder_is_answered_with_names_that_are_near(make_folders: MakeFolders) -> None:
    root = make_folders({"a": 4, "b": 4})
    with pytest.raises(
        SourceNotFoundError, match=r"My_image does not exist; expected a folder.*Near it there is .*my_images"
    ):
        open_image_set(root.parent / "My_image")
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist.*Check the path"):
        open_image_set(root / "no" / "nowhere")
    with pytest.raises(SourceNotFoundError, match=r"an empty name was given.*expected a folder"):
        open_image_set(" ")


def test_an_empty_folder_is_refused_and_files_of_other_kinds_are_shown(tmp_path: Path) -> None:
    with pytest.raises(EmptySourceError, match=r"holds no image \(found nothing\); expected one sub-folder for each"):
        open_image_set(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.heic").write_bytes(b"x")
    with pytest.raises(EmptySourceError, match=r"found other files: a.x\.heic.*endings may be .*\.png"):
        open_image_set(tmp_path)


def test_one_class_is_refused(make_folders: MakeFolders) -> None:
    with pytest.raises(TooFewClassesError, match="'my_images' has too few classes: only; expected at least 2"):
        open_image_set(make_folders({"only": 9}))


def test_a_folder_given_one_level_too_high_is_recognised(make_folders: MakeFolders) -> None:
    root = make_folders({"set/a": 4, "set/b": 4})
    with pytest.raises(TooFewClassesError, match=r"single folder 'set', which has folders.*give .*my_images.set"):
        open_image_set(root)


def test_classes_with_too_few_images_are_named_with_their_counts(make_folders: MakeFolders) -> None:
    root = make_folders({"a": 4, "b": 3, "c": 0, "d": 9})
    with pytest.raises(
        SmallClassesError, match=r"2 of 4 classes with fewer than 4 images: 'b' \(3\), 'c' \(0\).*--drop-small-classes"
    ) as caught:
        open_image_set(root)
    assert caught.value.counts == {"b": 3, "c": 0}


def test_classes_with_too_few_images_are_left_out_on_demand_and_remembered(make_folders: MakeFolders) -> None:
    found = open_image_set(make_folders({"a": 4, "b": 3, "c": 0, "d": 9}), drop_small_classes=True)
    assert found.class_counts() == {"a": 4, "d": 9}
    assert found.dropped_classes == (("b", 3), ("c", 0))
    assert (found.card.num_images, found.card.num_classes) == (13, 2)


def test_leaving_small_classes_out_must_leave_two(make_folders: MakeFolders) -> None:
    with pytest.raises(TooFewClassesError, match="too few classes left, a, after leaving out 1 with fewer than 4"):
        open_image_set(make_folders({"a": 4, "b": 3}), drop_small_classes=True)


def test_all_unreadable_images_are_found_at_once_and_named(make_folders: MakeFolders) -> None:
    root = make_folders({"a": 6, "b": 6})
    (root / "a" / "1.png").write_bytes(b"")
    (root / "b" / "2.png").write_bytes((root / "b" / "2.png").read_bytes()[:200])
    (root / "b" / "link.png").symlink_to("gone.png")
    with pytest.raises(CorruptImagesError, match=r"3 of 13 images that cannot be read: .*--skip-corrupt") as caught:
        open_image_set(root)
    problems = {Path(problem.path).name: problem.reason for problem in caught.value.problems}
    assert set(problems) == {"1.png", "2.png", "link.png"}
    assert problems["1.png"] == "the file is empty"
    assert "truncated" in problems["2.png"]
    assert problems["link.png"] == "a broken symbolic link to gone.png"
    assert "1.png (the file is empty)" in str(caught.value)


def test_unreadable_images_are_left_out_on_demand_and_remembered(make_folders: MakeFolders) -> None:
    root = make_folders({"a": 6, "b": 6})
    (root / "a" / "1.png").write_bytes(b"")
    found = open_image_set(root, skip_corrupt=True)
    assert found.class_counts() == {"a": 5, "b": 6}
    assert [(Path(problem.path).name, problem.reason) for problem in found.skipped] == [("1.png", "the file is empty")]
    assert found.card.num_images == 11
    assert found.pixels(4).shape == (11, 3, 4, 4)


def test_a_class_that_becomes_too_small_by_leaving_images_out_is_refused(make_folders: MakeFolders) -> None:
    root = make_folders({"a": 4, "b": 4})
    (root / "a" / "1.png").write_bytes(b"")
    with pytest.raises(SmallClassesError, match=r"'a' \(3\)"):
        open_image_set(root, skip_corrupt=True)


def test_a_file_and_an_archive_are_refused_each_with_its_sentence(tmp_path: Path, save_image: SaveImage) -> None:
    with pytest.raises(LayoutError, match=r"a\.png is a file; expected a folder.*Give the folder that holds"):
        open_image_set(save_image(tmp_path / "a.png"))
    (tmp_path / "images.ZIP").write_bytes(b"PK")
    with pytest.raises(LayoutError, match=r"images\.ZIP is an archive; .*Unpack it"):
        open_image_set(tmp_path / "images.ZIP")


def test_images_without_class_folders_are_refused_with_the_layout_expected(
    tmp_path: Path, save_image: SaveImage
) -> None:
    for number in range(5):
        save_image(tmp_path / f"{number}.png")
    with pytest.raises(LayoutError, match=re.escape("holds 5 images directly (0.png, 1.png, 2.png and 2 more)")):
        open_image_set(tmp_path)


def test_links_to_folders_are_followed(make_folders: MakeFolders, tmp_path: Path, save_image: SaveImage) -> None:
    root = make_folders({"a": 4, "b": 4})
    for number in range(4):
        save_image(tmp_path / "elsewhere" / f"{number}.png", seed=number)
    (root / "c").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert open_image_set(root).class_counts() == {"a": 4, "b": 4, "c": 4}


def test_a_link_back_to_its_own_parent_is_refused_and_not_followed_for_ever(make_folders: MakeFolders) -> None:
    root = make_folders({"a": 4, "b": 4})
    (root / "a" / "again").symlink_to(root / "a", target_is_directory=True)
    with pytest.raises(LayoutError, match=r"again is a symbolic link back to a folder that .*Remove the link"):
        open_image_set(root)


def test_a_link_to_a_missing_class_folder_is_refused(make_folders: MakeFolders, tmp_path: Path) -> None:
    root = make_folders({"a": 4, "b": 4})
    (root / "c").symlink_to("gone")
    with pytest.raises(LayoutError, match=r"c is a symbolic link to gone, which cannot be reached.*Mend the link"):
        open_image_set(root)
    (tmp_path / "set").symlink_to("gone")
    with pytest.raises(SourceNotFoundError, match="set is a symbolic link to gone, which cannot be reached"):
        open_image_set(tmp_path / "set")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_folder_that_may_not_be_read_is_named(make_folders: MakeFolders) -> None:
    root = make_folders({"a": 4, "b": 4})
    (root / "a").chmod(0)
    try:
        with pytest.raises(LayoutError, match=r"a may not be read \(Permission denied\)"):
            open_image_set(root)
    finally:
        (root / "a").chmod(0o700)


def test_images_of_unknown_folders_are_mirrored_only_when_the_user_says_so(make_folders: MakeFolders) -> None:
    root = make_folders({"a": 4, "b": 4})
    assert not open_image_set(root).card.mirror_safe
    assert open_image_set(root, mirror_safe=True).card.mirror_safe


def test_opening_tells_how_far_it_has_come(make_folders: MakeFolders) -> None:
    seen: list[tuple[int, int]] = []
    open_image_set(make_folders({"a": 4, "b": 4}), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 8) for done in range(1, 9)]
