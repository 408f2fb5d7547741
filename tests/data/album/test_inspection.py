"""What makes a downloaded folder unfit for use."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from supernet_tl.data import open_image_set
from supernet_tl.data.album.inspection import inspect
from supernet_tl.data.album.lookup import find
from supernet_tl.data.pixels.stores import FileStore
from tests.data.album.fake_openml import album_files, jpeg

BRD = find("BRD/Micro")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that is in order: 20 classes of two images."""
    for name, data in album_files().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "BRD_Micro"


def test_a_whole_set_has_no_problems(root: Path) -> None:
    found = inspect(root, BRD)
    assert (found.num_rows, found.num_classes, found.problems, found.remarks) == (40, 20, (), ())


def test_rows_without_images_and_images_without_rows_are_problems(root: Path) -> None:
    (root / "images/extra.jpg").write_bytes(jpeg(1))
    (problem,) = inspect(root, BRD).problems
    assert problem == "1 files of images/ have no row in labels.csv: images/extra.jpg."
    (root / "images/000003.JPG").unlink()
    (problem,) = inspect(root, BRD).problems
    assert "names 1 of 40 images that are not in" in problem
    assert "000003.JPG" in problem


def test_images_that_cannot_be_read_or_have_another_size_are_problems(root: Path) -> None:
    (root / "images/000003.JPG").write_bytes(b"")
    (root / "images/000004.JPG").write_bytes(jpeg(4, side=64))
    assert inspect(root, BRD).problems == (
        "1 of 40 images cannot be read: 000003.JPG (the file is empty).",
        "1 of 40 images are not 128x128: 000004.JPG (64x64).",
    )


def test_a_set_outside_of_meta_album_may_have_images_of_any_size(root: Path) -> None:
    (root / "images/000004.JPG").write_bytes(jpeg(4, side=64))
    assert inspect(root, None).problems == ()


def test_grey_images_are_remarked_upon_and_do_no_harm(root: Path) -> None:
    (root / "images/000004.JPG").write_bytes(jpeg(4, mode="L"))
    found = inspect(root, BRD)
    assert found.problems == ()
    assert found.remarks == ("1 of 40 images are not stored as RGB, and are read as RGB: 000004.JPG.",)


def test_another_number_of_classes_is_remarked_upon_for_the_table_has_been_wrong_before(root: Path) -> None:
    found = inspect(root, find("BRD/Mini"))
    assert found.problems == ()
    assert found.remarks == ("labels.csv has 20 classes, and BRD/Mini is listed with 315.",)
    assert inspect(root, find("PNU/Micro")).remarks == ()


def test_a_folder_that_is_no_set_is_one_problem(tmp_path: Path) -> None:
    (problem,) = inspect(tmp_path, BRD).problems
    assert "has no images; expected images/, labels.csv and info.json" in problem


def test_what_was_decoded_to_inspect_a_set_is_not_decoded_again_to_open_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Oracle: a count of the decodings, which all go through the set's store of files.
    decoded: list[int] = []
    told: list[tuple[int, int]] = []
    decode = FileStore.image

    def count(store: FileStore, index: int) -> Image.Image:
        decoded.append(index)
        return decode(store, index)

    monkeypatch.setattr(FileStore, "image", count)
    inspect(root, BRD, lambda done, total: told.append((done, total)))
    assert sorted(decoded) == list(range(40))
    assert told == [(done, 40) for done in range(1, 41)]
    open_image_set(root.rename(root.with_name("moved")), min_images=1)
    assert len(decoded) == 40
