"""Folders in the Meta-Album format, tidy and otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from supernet_tl.data import (
    CorruptImagesError,
    EmptySourceError,
    LayoutError,
    MissingFilesError,
    TooFewClassesError,
    open_image_set,
)

MakeMetaAlbum = Callable[..., Path]


def test_labels_csv_says_which_class_an_image_has(make_meta_album: MakeMetaAlbum) -> None:
    root = make_meta_album()
    found = open_image_set(root)
    assert found.class_names == ("ant", "bee")
    # Oracle: the fixture calls images with even numbers bees and those with odd numbers ants.
    for index, number in enumerate((1, 3, 5, 7, 0, 2, 4, 6)):
        with Image.open(root / "images" / f"{number}.JPG") as written:
            assert found.image(index).tobytes() == written.tobytes()
    assert found.labels.tolist() == [0] * 4 + [1] * 4


def test_the_card_is_filled_from_info_json(make_meta_album: MakeMetaAlbum) -> None:
    info = {"dataset_name": "Tiny Bugs", "dataset_description": "Bugs.", "license": "CC BY 4.0", "domain": "insects"}
    card = open_image_set(make_meta_album(info=json.dumps(info))).card
    assert (card.name, card.description, card.licence, card.domain) == ("Tiny Bugs", "Bugs.", "CC BY 4.0", "insects")
    assert (card.num_images, card.num_classes) == (8, 2)


def test_columns_may_have_other_names_and_info_json_a_trailing_comma(make_meta_album: MakeMetaAlbum) -> None:
    info = '{"image_column_name": "file", "category_column_name": "what, ]it is",\n "list": [1, 2, ],\n}'
    root = make_meta_album(header='file,"what, ]it is",more', info=info)
    assert open_image_set(root).class_counts() == {"ant": 4, "bee": 4}


def test_without_info_json_the_usual_names_are_expected(make_meta_album: MakeMetaAlbum) -> None:
    found = open_image_set(make_meta_album(info=None))
    assert found.class_counts() == {"ant": 4, "bee": 4}
    assert found.name == "SET_Micro"
    assert found.card.licence == "not stated"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_class_names_survive_utf_8_with_and_without_a_mark_and_latin_1(
    make_meta_album: MakeMetaAlbum, encoding: str
) -> None:
    root = make_meta_album(categories=("Abeille mellif\xe8re", "Syrphid\xe9s"), encoding=encoding)
    assert open_image_set(root).class_names == ("Abeille mellif\xe8re", "Syrphid\xe9s")


def test_rows_without_an_image_are_refused_with_up_to_five_names(make_meta_album: MakeMetaAlbum) -> None:
    root = make_meta_album()
    for number in range(7):
        (root / "images" / f"{number}.JPG").unlink()
    with pytest.raises(MissingFilesError, match=r"names 7 of 8 images.*0\.JPG, .* and 2 more; expected") as caught:
        open_image_set(root, skip_corrupt=True)
    assert caught.value.names == tuple(f"{number}.JPG" for number in range(7))


def test_a_row_that_points_out_of_the_folder_counts_as_missing(make_meta_album: MakeMetaAlbum) -> None:
    root = make_meta_album()
    (root / "9.JPG").write_bytes((root / "images" / "0.JPG").read_bytes())
    with (root / "labels.csv").open("a") as labels:
        labels.write(f"\n../9.JPG,ant,\n{root / '9.JPG'},ant,\n")
    with pytest.raises(MissingFilesError, match=r"names 2 of 10 images.*\.\./9\.JPG"):
        open_image_set(root)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("FILE_NAME,CATEGORY\n".encode("utf-16-le"), "it holds zero bytes"),
        (b'FILE_NAME,CATEGORY\n"' + b"x" * 200_000, "field larger than field limit"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(make_meta_album: MakeMetaAlbum, content: bytes, reason: str) -> None:
    root = make_meta_album()
    (root / "labels.csv").write_bytes(content)
    with pytest.raises(LayoutError, match=rf"labels\.csv is not a table .*{reason}.*Save it again as CSV"):
        open_image_set(root)


def test_images_without_a_row_are_listed(make_meta_album: MakeMetaAlbum) -> None:
    root = make_meta_album()
    (root / "images" / "extra.jpg").write_bytes(b"never read")
    (root / "images" / ".DS_Store").write_bytes(b"x")
    assert open_image_set(root).ignored == ("images/extra.jpg",)


def test_unreadable_images_are_named(make_meta_album: MakeMetaAlbum) -> None:
    root = make_meta_album()
    (root / "images" / "3.JPG").write_bytes(b"")
    with pytest.raises(CorruptImagesError, match=r"1 of 8 images that cannot be read: .*3\.JPG \(the file is empty\)"):
        open_image_set(root)


def test_missing_columns_are_named_beside_those_found(make_meta_album: MakeMetaAlbum) -> None:
    root = make_meta_album(header="name,kind,x", info='{"image_column_name": "file"}')
    with pytest.raises(LayoutError, match=r"has the columns 'name', 'kind', 'x'; expected 'file' or 'FILE_NAME'"):
        open_image_set(root)


def test_a_missing_part_is_named(make_meta_album: MakeMetaAlbum) -> None:
    root = make_meta_album()
    (root / "labels.csv").unlink()
    with pytest.raises(LayoutError, match=r"looks like a Meta-Album folder, but has no labels\.csv"):
        open_image_set(root)


def test_broken_descriptions_are_refused(make_meta_album: MakeMetaAlbum) -> None:
    with pytest.raises(LayoutError, match=r"info\.json is not JSON \(line 2: .*\).*Repair it"):
        open_image_set(make_meta_album(info='{"a": 1,\n "b" 2}'))
    with pytest.raises(LayoutError, match=r"info\.json holds a JSON list; expected an object"):
        open_image_set(make_meta_album(info="[1]"))


def test_empty_incomplete_and_repeated_rows_are_refused(make_meta_album: MakeMetaAlbum) -> None:
    root = make_meta_album()
    labels = root / "labels.csv"
    complete = labels.read_text()
    labels.write_text(complete + "\n8.JPG,,\n")
    with pytest.raises(LayoutError, match="rows without a file name or a category: row 9; expected both"):
        open_image_set(root)
    labels.write_text(complete + "\n0.JPG,ant,\n")
    with pytest.raises(LayoutError, match=r"names images with several classes: 0\.JPG; expected one row and one"):
        open_image_set(root)
    labels.write_text(complete.splitlines()[0])
    with pytest.raises(EmptySourceError, match=r"labels\.csv has no rows"):
        open_image_set(root)


def test_one_category_is_refused(make_meta_album: MakeMetaAlbum) -> None:
    with pytest.raises(TooFewClassesError, match="'SET_Micro' has too few classes: ant"):
        open_image_set(make_meta_album(categories=("ant", "ant")))


def test_a_folder_that_holds_a_meta_album_folder_is_recognised(make_meta_album: MakeMetaAlbum) -> None:
    with pytest.raises(TooFewClassesError, match=r"give .*SET_Micro"):
        open_image_set(make_meta_album().parent)
