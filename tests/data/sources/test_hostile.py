"""Every hostile file and folder gets its sentence, or is read rightly."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import Literal

import pytest

from supernet_tl.command_line.cli import main
from supernet_tl.data import CorruptImagesError, DataError, ImageSet, open_image_set
from tests.data.sources.hostile import (
    BAD_IMAGES,
    BAD_SOURCES,
    GOOD_SOURCES,
    BadImage,
    BadSource,
    GoodSource,
    class_folders,
    encoded,
    picture,
    rows,
    table,
    write,
)


def sentence(error: pytest.ExceptionInfo[DataError], root: Path) -> str:
    return str(error.value).replace(str(root), "ROOT")


def test_the_corpus_is_large() -> None:
    names = [case.name for corpus in (BAD_IMAGES, BAD_SOURCES, GOOD_SOURCES) for case in corpus]
    assert len(names) == len(set(names)) >= 45


@pytest.mark.parametrize("bad", BAD_IMAGES, ids=lambda bad: bad.name)
def test_a_bad_image_is_refused_with_its_reason_and_skipped_on_demand(tmp_path: Path, bad: BadImage) -> None:
    write(class_folders(tmp_path) / "a" / f"x{bad.suffix}", bad.content)
    with pytest.raises(CorruptImagesError, match=r"cannot be read") as error:
        open_image_set(tmp_path)
    whole = (
        rf"image set '.*' has 1 of 9 images that cannot be read: ROOT.a.x\{bad.suffix} \({bad.reason}\); expected "
        r"every image to decode\. Repair or remove them, or leave them out with --skip-corrupt\."
    )
    assert re.fullmatch(whole, sentence(error, tmp_path)), str(error.value)

    found = open_image_set(tmp_path, skip_corrupt=True)
    (problem,) = found.skipped
    assert (problem.path, len(found)) == (f"a/x{bad.suffix}", 8)
    assert re.fullmatch(bad.reason, problem.reason)


@pytest.mark.parametrize("bad", BAD_SOURCES, ids=lambda bad: bad.name)
def test_a_bad_source_gets_its_sentence(tmp_path: Path, bad: BadSource) -> None:
    with pytest.raises(DataError, match=r"expected") as error:
        open_image_set(bad.build(tmp_path))
    assert re.fullmatch(bad.sentence, sentence(error, tmp_path)), str(error.value)


@pytest.mark.parametrize("good", GOOD_SOURCES, ids=lambda good: good.name)
def test_a_strange_source_is_read_rightly(tmp_path: Path, good: GoodSource) -> None:
    found = open_image_set(good.build(tmp_path))
    assert found.class_counts() == good.counts
    assert [found.official_test is None, found.official_validation is None] == [
        good.num_test is None,
        good.num_validation is None,
    ]
    if found.official_test is not None:
        assert found.official_test.sum() == good.num_test
    if found.official_validation is not None:
        assert found.official_validation.sum() == good.num_validation
    assert found.ignored == good.ignored
    assert len(found.notes) == len(good.notes), found.notes
    for note, expected in zip(found.notes, good.notes, strict=True):
        assert re.fullmatch(expected, note), note


def _labels_by_content(images: ImageSet) -> dict[bytes, str]:
    return {images.image(row).tobytes(): images.class_names[label] for row, label in enumerate(images.labels)}


@pytest.mark.parametrize("name", ["a table", "tabs", "names without endings", "images and a table as anyone writes it"])
def test_every_image_keeps_the_class_that_its_row_gives_it(tmp_path: Path, name: str) -> None:
    (case,) = (good for good in GOOD_SOURCES if good.name == name)
    # Oracle: the builder draws picture n with the seed n, and calls even ones a and odd ones b.
    expected = {picture(number).tobytes(): "ab"[number % 2] for number in range(8)}
    assert _labels_by_content(open_image_set(case.build(tmp_path))) == expected


def test_masks_name_the_images_of_their_part(tmp_path: Path) -> None:
    for part, classes in {"train": {"b": 4, "a": 4}, "test": {"b": 2, "a": 1}, "val": {"a": 1}}.items():
        class_folders(tmp_path / part, classes, seed=len(part))
    found = open_image_set(tmp_path)
    assert found.official_test is not None
    assert found.official_validation is not None
    # Oracle: the part is the outermost folder of the image.
    parts = [found.store.name(row).split("/")[0] for row in range(len(found))]
    assert found.official_test.tolist() == [part == "test" for part in parts]
    assert found.official_validation.tolist() == [part == "val" for part in parts]
    assert found.class_names == ("a", "b")
    assert [found.store.name(row).split("/")[1] for row in range(len(found))] == ["a"] * 6 + ["b"] * 6


def test_a_set_that_is_opened_twice_is_told_of_once(tmp_path: Path) -> None:
    write(class_folders(tmp_path) / "loose.png", encoded(picture(), "PNG"))
    once = open_image_set(tmp_path)
    assert len(once.notes) == 1
    assert open_image_set(once).notes == once.notes


@pytest.mark.parametrize(("table_form", "disk_form"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_may_be_composed_in_the_table_and_not_on_the_disk(
    tmp_path: Path, table_form: Literal["NFC", "NFD"], disk_form: Literal["NFC", "NFD"]
) -> None:
    name = "\N{LATIN SMALL LETTER E WITH ACUTE}t\N{LATIN SMALL LETTER E WITH ACUTE} "  # and a space within
    for number in range(8):
        write(tmp_path / "images" / unicodedata.normalize(disk_form, f"{name}{number}.png"), encoded(picture(), "PNG"))
    text = unicodedata.normalize(table_form, rows("FILE_NAME,CATEGORY", f"{name}{{n}}.png,{{c}}"))
    write(tmp_path / "labels.csv", text.encode())
    found = open_image_set(tmp_path)
    assert found.class_counts() == {"a": 4, "b": 4}
    assert "8 names in labels.csv are written otherwise" in found.notes[0]


def test_one_missing_file_is_found_without_a_look_into_every_folder_for_every_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{folder}/{number}.png" for folder in range(50) for number in range(10)]
    for name in names:
        write(tmp_path / name, b"")
    path = write(tmp_path / "t.csv", "".join(["path,label\n", *(f"{name},a\n" for name in [*names, "x.png"])]).encode())
    looks, is_file = 0, os.path.isfile

    def counted(file: str | Path) -> bool:
        nonlocal looks
        looks += 1
        return is_file(file)

    monkeypatch.setattr(os.path, "isfile", counted)
    with pytest.raises(DataError, match=r"names 1 of 501 images that do not exist: x\.png; expected paths"):
        open_image_set(path)
    # Oracle: a few looks for each name, and a few dozen in each folder; not 501 * 51 = 25,551.
    assert looks < 4 * 501 + 51 * 50


def test_a_name_in_another_case_is_not_guessed_where_two_files_bear_it(tmp_path: Path) -> None:
    path = table(tmp_path, rows().replace("0.png", "0.PNG"))
    write(tmp_path / "0.PnG", encoded(picture(), "PNG"))
    with pytest.raises(DataError, match=r"names 1 of 8 images that do not exist: 0\.PNG"):
        open_image_set(path)


def test_a_table_may_name_files_anywhere_and_results_name_them_without_the_machine(tmp_path: Path) -> None:
    elsewhere = table(tmp_path / "elsewhere", "").parent
    text = rows(row="../elsewhere/{n}.png,{c}").replace("../elsewhere/0", f"{elsewhere}/0")
    (elsewhere / "3.png").write_bytes(b"")
    found = open_image_set(write(tmp_path / "tables" / "mine.csv", text.encode()), skip_corrupt=True, min_images=3)
    assert found.class_counts() == {"a": 4, "b": 3}
    assert found.skipped[0].path == "3.png"
    assert [found.store.name(row) for row in range(4)] == ["0.png", "2.png", "4.png", "6.png"]


def test_the_table_of_a_folder_is_found_when_the_folder_is_given(tmp_path: Path) -> None:
    path = table(tmp_path, rows(), "list.csv", images="pictures")
    given, by_folder = open_image_set(path), open_image_set(tmp_path)
    assert by_folder.fingerprint() == given.fingerprint()
    assert by_folder.card == given.card
    assert given.name == tmp_path.name


def test_two_tables_of_a_folder_make_sets_of_two_names(tmp_path: Path) -> None:
    table(tmp_path, rows(), "first.csv")
    assert open_image_set(table(tmp_path, rows(), "second.csv")).name == f"{tmp_path.name}-second"


@pytest.mark.parametrize(
    "name",
    ["nothing", "missing files", "a class of test that train lacks", "images inside Parquet", "a pipe"],
)
def test_the_command_line_answers_with_the_sentence_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (bad,) = (case for case in BAD_SOURCES if case.name == name)
    source, output = bad.build(tmp_path / "mine"), tmp_path / "run"
    source.parent.mkdir(exist_ok=True)
    if name == "nothing":
        source.mkdir()
    assert main(["search", "--target", str(source), "--output", str(output), "--device", "cpu", "--quiet"]) == 1
    told = capsys.readouterr()
    expected = bad.sentence.replace("ROOT", re.escape(str(tmp_path / "mine")))
    assert re.fullmatch(rf"error: {expected}\n", told.err), told.err
    assert told.out == ""
    assert not output.exists()


def test_the_command_line_says_the_notes_and_names_that_are_no_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "mine"
    class_folders(root / "train", {"a": 5, "b": 4})
    write(root / "test" / "0.png", b"")
    try:
        write(root / "train" / "a" / "caf\udce9.png", b"")
    except (OSError, UnicodeError):
        pytest.skip("this file system takes UTF-8 names only")
    arguments = ["embed", str(root), "--output", str(tmp_path / "e.safetensors"), "--embedder", "no such embedder"]
    assert main([*arguments, "--skip-corrupt", "--device", "cpu"]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "mine: test/ holds 1 image without classes and is left out" in told
    assert "mine: 1 unreadable images skipped, the first train/a/caf\xe9.png (the file is empty)" in told
