"""What is known to decode is not decoded again when a set is opened."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from supernet_tl.data import CorruptImagesError, open_image_set
from supernet_tl.data.decoded.pixel_cache import procedure_dir
from supernet_tl.data.pixels.decode import read_rgb

from ..conftest import MakeFolders, SaveImage


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are decoded."""
    names: list[str] = []

    def note(path: Path) -> Image.Image:
        names.append(path.name)
        return read_rgb(path)

    monkeypatch.setattr("supernet_tl.data.pixels.stores.read_rgb", note)
    return names


def test_a_set_is_decoded_when_first_opened_and_not_again_wherever_it_lies(
    make_folders: MakeFolders, tmp_path: Path, decoded: list[str]
) -> None:
    root = make_folders({"a": 5, "b": 40})
    open_image_set(root)
    assert len(decoded) == 45
    shutil.move(root, tmp_path / "moved")
    found = open_image_set(tmp_path / "moved")
    assert (len(found), len(decoded)) == (45, 45)


def test_only_what_is_new_or_could_not_be_decoded_is_tried_again(
    make_folders: MakeFolders, save_image: SaveImage, decoded: list[str]
) -> None:
    root = make_folders({"a": 5, "b": 5})
    (root / "a" / "bad.png").write_bytes(b"no image")
    for _ in range(2):
        with pytest.raises(CorruptImagesError, match=r"1 of 11 images that cannot be read: .*bad\.png"):
            open_image_set(root)
    assert sorted(decoded) == sorted([path.name for path in root.rglob("*.png")] + ["bad.png"])
    decoded.clear()
    save_image(root / "a" / "bad.png", seed=123)
    save_image(root / "b" / "new.png", seed=124)
    assert len(open_image_set(root)) == 12
    assert sorted(decoded) == ["bad.png", "new.png"]


def test_a_record_that_is_cut_or_gone_costs_time_alone(make_folders: MakeFolders, decoded: list[str]) -> None:
    root = make_folders({"a": 5, "b": 5})
    open_image_set(root)
    (record,) = (procedure_dir() / "readable").glob("*.bin")
    record.write_bytes(record.read_bytes()[:-1])
    open_image_set(root)
    assert len(decoded) == 11  # the last one again
    shutil.rmtree(procedure_dir())
    open_image_set(root)
    assert len(decoded) == 21


def test_a_set_opens_where_nothing_can_be_recorded(
    make_folders: MakeFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("SUPERNET_TL_CACHE", str(tmp_path / "file"))
    assert len(open_image_set(make_folders({"a": 4, "b": 4}))) == 8
    assert (tmp_path / "file").read_bytes() == b""


def test_what_a_set_knows_of_its_contents_goes_with_its_parts(
    make_folders: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = open_image_set(make_folders({"a": 4, "b": 4}))
    expected = images.digests

    def fail(store: object, index: int) -> bytes:
        raise AssertionError(f"file {index} was read")

    monkeypatch.setattr("supernet_tl.data.pixels.stores.FileStore.digest", fail)
    assert (images.take([5, 0]).digests == expected[[5, 0]]).all()
    assert (images.keep_classes(["b"]).digests == expected[4:]).all()
    assert (images.described(name="other").digests == expected).all()
