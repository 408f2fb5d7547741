"""What is known to decode is not decoded again when a set is opened."""

from __future__ import annotations

import os
import resource
import shutil
import stat
from pathlib import Path

import pytest
from PIL import Image

from supernet_tl.data import CorruptImagesError, DataError, open_image_set
from supernet_tl.data.decoded import pixel_cache
from supernet_tl.data.decoded.pixel_cache import clear_pixels, procedure_dir
from supernet_tl.data.pixels.decode import read_rgb

from ..conftest import MakeFolders, SaveImage, random_pixels


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


def test_a_disk_that_fills_up_leaves_no_part_of_a_record(make_folders: MakeFolders) -> None:
    root = make_folders({"a": 4, "b": 4})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # bytes of a file; the record has 256
    try:
        assert len(open_image_set(root)) == 8
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in (procedure_dir() / "readable").iterdir() if path.name != ".lock"] == []


def test_what_a_killed_writer_of_a_record_left_does_not_hinder_clearing(make_folders: MakeFolders) -> None:
    open_image_set(make_folders({"a": 4, "b": 4}))
    left = procedure_dir() / "readable" / ".unfinished-abcd"
    left.write_bytes(b"x" * 5)
    assert clear_pixels() == 8 * 32  # a digest each; what is left behind is no part of the cache
    assert not left.exists()


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o002])
def test_the_cache_may_be_read_by_whom_the_mask_of_its_writer_allows(
    make_folders: MakeFolders, monkeypatch: pytest.MonkeyPatch, mask: int
) -> None:
    monkeypatch.setattr(pixel_cache, "FEW_BYTES", 0)
    before = os.umask(mask)
    try:
        open_image_set(make_folders({"a": 4, "b": 4}), image_size=6)
    finally:
        os.umask(before)
    kept = list(procedure_dir().rglob("*"))
    assert {path.name for path in kept} >= {"pixels.bin", "pack.json", "readable"}
    # Oracle: POSIX, which creates folders with 0777 and files with 0666, less the mask.
    for path in kept:
        assert stat.S_IMODE(path.stat().st_mode) == (0o777 if path.is_dir() else 0o666) & ~mask, path


def test_records_that_cannot_be_read_cost_time_alone(make_folders: MakeFolders, decoded: list[str]) -> None:
    root = make_folders({"a": 5, "b": 5})
    open_image_set(root)
    (record,) = (procedure_dir() / "readable").glob("*.bin")
    record.unlink()
    record.mkdir()  # like the record of another user, or one that has just been cleared: it is named and cannot be read
    assert len(open_image_set(root)) == 10
    assert len(decoded) == 20


def test_an_image_that_is_replaced_while_it_is_checked_is_not_recorded_as_what_it_was(
    make_folders: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folders({"a": 4, "b": 4})
    bad = root / "a" / "2.png"
    original = bad.read_bytes()
    bad.write_bytes(b"no image")

    def replaced_before_it_is_decoded(path: Path) -> Image.Image:
        if path == bad:
            Image.fromarray(random_pixels(77)).save(bad)
        return read_rgb(path)

    with monkeypatch.context() as patch:
        patch.setattr("supernet_tl.data.pixels.stores.read_rgb", replaced_before_it_is_decoded)
        with pytest.raises(DataError, match=r"image 2 of 'my_images' changed while it was read; expected images that"):
            open_image_set(root)
    bad.write_bytes(b"no image")
    with pytest.raises(CorruptImagesError, match=r"1 of 8 images that cannot be read: .*2\.png"):
        open_image_set(root)
    bad.write_bytes(original)
    assert len(open_image_set(root)) == 8
