"""Decoded images on the disk: equal to freshly decoded ones, built once, never used when damaged."""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from supernet_tl.data import DecodeError, FileStore, ImageSet, open_image_set
from supernet_tl.data.decoded import pixel_cache
from supernet_tl.data.decoded.pixel_cache import clear_pixels, pixel_rows, procedure_dir, read_pixels
from supernet_tl.data.errors import DataError
from supernet_tl.data.pixels import decode
from supernet_tl.data.pixels.decode import read_rgb, to_square
from supernet_tl.data.places import pixels_dir

from ..conftest import MakeFolders, random_pixels

SIZE = 8


@pytest.fixture(autouse=True)
def _no_set_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_cache, "FEW_BYTES", 0)


@pytest.fixture
def images(make_folders: MakeFolders) -> ImageSet:
    return open_image_set(make_folders({"a": 20, "b": 25}))


@pytest.fixture
def notices() -> Iterator[list[str]]:
    """What is logged, whatever handlers the command line may have set."""
    said: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, handler = logging.getLogger("supernet_tl.data"), Keep(logging.WARNING)
    logger.addHandler(handler)
    yield said
    logger.removeHandler(handler)


def packs(size: int = SIZE) -> list[Path]:
    return sorted((procedure_dir() / f"{size}px").glob("[!.]*/"))


def decoding_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, whatever is decoded fails the test."""

    def fail(path: Path) -> Image.Image:
        raise AssertionError(f"{path} was decoded")

    monkeypatch.setattr("supernet_tl.data.pixels.stores.read_rgb", fail)


def test_cached_pixels_are_those_of_the_images_decoded_one_by_one(images: ImageSet) -> None:
    # Oracle: each file decoded and resized by itself.
    assert isinstance(images.store, FileStore)
    squares = [np.asarray(to_square(read_rgb(path), SIZE)).transpose(2, 0, 1) for path in images.store.paths]
    for _ in range(2):  # built, then found
        rows = pixel_rows(images, SIZE)
        assert rows.is_mapped
        np.testing.assert_array_equal(rows.gather().numpy(), np.stack(squares))
    some = [40, 3, 3, 17]
    assert torch.equal(read_pixels(images, SIZE, some), images.pixels(SIZE, some))


def test_nothing_is_decoded_twice_whatever_the_set_is_made_of(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = images.pixels(SIZE)
    pixel_rows(images, SIZE)
    decoding_fails(monkeypatch)
    taken = images.take([44, 2])
    assert torch.equal(pixel_rows(taken, SIZE).gather(), expected[[44, 2]])
    assert torch.equal(pixel_rows(images.keep_classes(["b"]), SIZE).gather(), expected[20:])
    assert isinstance(images.store, FileStore)
    again = open_image_set(images.store.paths[0].parent.parent, image_size=SIZE)
    assert torch.equal(pixel_rows(again, SIZE).gather(), expected)
    assert len(packs()) == 1


def test_opening_with_a_size_checks_and_keeps_in_one_pass(
    make_folders: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    images = open_image_set(
        make_folders({"a": 20, "b": 20}), image_size=SIZE, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(done, 40) for done in range(1, 41)]
    decoding_fails(monkeypatch)
    assert pixel_rows(images, SIZE).shape == (40, 3, SIZE, SIZE)


def test_only_new_images_are_decoded_when_a_set_grows(
    make_folders: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folders({"a": 20, "b": 20})
    pixel_rows(open_image_set(root), SIZE)
    Image.fromarray(random_pixels(9999)).save(root / "b" / "new.png")
    decoded: list[str] = []

    def note(path: Path) -> Image.Image:
        decoded.append(path.name)
        return read_rgb(path)

    monkeypatch.setattr("supernet_tl.data.pixels.stores.read_rgb", note)
    grown = open_image_set(root, image_size=SIZE)
    rows = pixel_rows(grown, SIZE)
    assert decoded == ["new.png"]
    assert len(packs()) == len(rows.blocks) == 2
    assert torch.equal(rows.gather(), grown.pixels(SIZE))


def test_equal_images_are_kept_once(make_folders: MakeFolders) -> None:
    root = make_folders({"a": 8, "b": 8})
    for number in range(8):
        shutil.copy(root / "a" / "0.png", root / "b" / f"copy{number}.png")
    images = open_image_set(root)
    rows = pixel_rows(images, SIZE)
    assert rows.shape[0] == 24
    assert len(rows.blocks[0].pixels) == 16
    assert torch.equal(rows.gather(), images.pixels(SIZE))


def test_unreadable_images_are_found_in_the_pass_that_keeps_the_others(make_folders: MakeFolders) -> None:
    root = make_folders({"a": 10, "b": 10})
    for name in ("a/3.png", "b/twin.png"):  # equal contents, each with its own name in the report
        (root / name).write_bytes(b"no image")
    images = open_image_set(root, image_size=SIZE, skip_corrupt=True)
    assert [Path(problem.path).name for problem in images.skipped] == ["3.png", "twin.png"]
    assert len(pixel_rows(images, SIZE).blocks[0].pixels) == len(images) == 19
    with pytest.raises(DecodeError, match=r"3\.png cannot be read: not an image"):
        pixel_rows(_unchecked(root), SIZE)


def _unchecked(root: Path) -> ImageSet:
    from supernet_tl.data.sources.class_folders import open_class_folders

    return open_class_folders(root)


@pytest.mark.parametrize("damage", ["flipped", "cut", "facts", "digests", "gone"])
def test_a_damaged_cache_is_rebuilt_with_a_notice_and_never_used(
    damage: str, images: ImageSet, notices: list[str]
) -> None:
    expected = pixel_rows(images, SIZE).gather()
    (pack,) = packs()
    pixels = pack / "pixels.bin"
    content = bytearray(pixels.read_bytes())
    content[100] ^= 1
    if damage == "flipped":
        pixels.write_bytes(content)
    elif damage == "cut":
        pixels.write_bytes(content[:-1])
    elif damage == "facts":
        (pack / "pack.json").write_text("{}")
    elif damage == "digests":
        (pack / "digests.bin").write_bytes(b"0" * 32 * 45)
    else:
        (pack / "pack.json").unlink()
    os.utime(pixels, ns=(1, 1))  # as another process would find it
    assert torch.equal(pixel_rows(images, SIZE).gather(), expected)
    what = r"images 0 to 44 of .*pixels\.bin are damaged" if damage == "flipped" else r"is damaged|bytes"
    assert len(notices) == 1
    assert re.search(rf"({what}).*; decoding these images again", notices[0])
    assert len(packs()) == 1


def test_parts_are_hashed_as_any_tool_would(images: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supernet_tl.data.decoded.packs._PART_BYTES", 3 * SIZE * SIZE * 10)
    pixel_rows(images, SIZE)
    (pack,) = packs()
    facts, content = json.loads((pack / "pack.json").read_text()), (pack / "pixels.bin").read_bytes()
    step = 3 * SIZE * SIZE * 10
    # Oracle: hashlib over the bytes of the file.
    assert facts["parts"] == [
        hashlib.sha256(content[start : start + step]).hexdigest() for start in range(0, 8640, step)
    ]
    assert len(facts["parts"]) == 5


def test_what_a_killed_writer_left_is_neither_used_nor_kept(images: ImageSet) -> None:
    assert isinstance(images.store, FileStore)
    root = images.store.paths[0].parent.parent
    script = (
        "import os, signal, sys\n"
        "from supernet_tl.data import open_image_set\n"
        "from supernet_tl.data.decoded import pixel_cache\n"
        "pixel_cache.FEW_BYTES = 0\n"
        "def stop(done, total):\n"
        "    if done == 30: os.kill(os.getpid(), signal.SIGKILL)\n"
        "images = open_image_set(sys.argv[1])\n"
        f"pixel_cache.pixel_rows(images, {SIZE}, progress=stop)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(root)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert packs() == []
    assert len(list((procedure_dir() / f"{SIZE}px").glob(".unfinished-*"))) == 1
    assert torch.equal(pixel_rows(images, SIZE).gather(), images.pixels(SIZE))
    assert len(list((procedure_dir() / f"{SIZE}px").iterdir())) == 2  # the pack and the lock


def _build(root: Path, results: multiprocessing.queues.Queue[int]) -> None:
    pixel_cache.FEW_BYTES = 0
    decoded = 0

    def count(done: int, total: int) -> None:
        nonlocal decoded
        decoded = done

    pixel_rows(open_image_set(root), SIZE, progress=count)
    results.put(decoded)


def test_processes_that_want_the_same_images_build_them_once(images: ImageSet) -> None:
    assert isinstance(images.store, FileStore)
    root = images.store.paths[0].parent.parent
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    builders = [context.Process(target=_build, args=(root, results)) for _ in range(3)]
    for builder in builders:
        builder.start()
    assert sorted(results.get(timeout=60) for _ in builders) == [0, 0, 45]
    for builder in builders:
        builder.join()


def test_without_room_or_permission_images_are_read_into_memory_with_a_notice(
    images: ImageSet, notices: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = images.pixels(SIZE)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda folder: shutil._ntuple_diskusage(10, 10, 0))
        rows = pixel_rows(images, SIZE)
    assert (rows.is_mapped, torch.equal(rows.gather(), expected)) == (False, True)
    assert "0.0 GB are free, and 0.0 GB are needed beside 1 GB to spare" in notices[0]
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("SUPERNET_TL_CACHE", str(tmp_path / "file"))
    rows = pixel_rows(images, SIZE)
    assert (rows.is_mapped, torch.equal(rows.gather(), expected)) == (False, True)
    assert "Set SUPERNET_TL_CACHE to a folder with room" in notices[1]


def test_a_disk_that_fills_up_leaves_nothing_behind(images: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folder: Path, facts: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("supernet_tl.data.decoded.packs._fill", lambda *arguments: full(*arguments[:2]))
    assert torch.equal(pixel_rows(images, SIZE).gather(), images.pixels(SIZE))
    assert [path.name for path in (procedure_dir() / f"{SIZE}px").iterdir()] == [".lock"]


def test_an_image_that_changes_while_it_is_read_is_refused(images: ImageSet) -> None:
    assert isinstance(images.store, FileStore)
    assert len(images.digests) == 45
    Image.fromarray(random_pixels(77)).save(images.store.paths[7])
    with pytest.raises(DataError, match=r"image 7 of 'my_images' changed while it was read; expected images that stay"):
        pixel_rows(images, SIZE)


def test_few_images_stay_in_memory(images: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_cache, "FEW_BYTES", 45 * 3 * SIZE * SIZE)
    assert not pixel_rows(images, SIZE).is_mapped
    assert packs() == []


def test_no_images_are_read_as_none_whatever_is_kept(images: ImageSet) -> None:
    before = read_pixels(images, SIZE, [])
    pixel_rows(images, SIZE)
    assert read_pixels(images, SIZE, []).shape == before.shape == (0, 3, SIZE, SIZE)


def test_clearing_removes_what_has_not_been_used_for_as_long(images: ImageSet) -> None:
    pixel_rows(images, SIZE)
    pixel_rows(images, 4)
    for file in packs(4)[0].iterdir():
        os.utime(file, (0, 0))
    assert clear_pixels(older_than=timedelta(days=30)) > 45 * 3 * 4 * 4
    assert (len(packs()), len(packs(4))) == (1, 0)
    assert clear_pixels() > 45 * 3 * SIZE * SIZE
    assert [path for path in pixels_dir().rglob("*") if path.is_file() and path.name != ".lock"] == []
    assert torch.equal(pixel_rows(images, SIZE).gather(), images.pixels(SIZE))


def test_mapped_pixels_are_sent_to_other_processes_by_name(images: ImageSet) -> None:
    rows = pixel_rows(images, SIZE)
    sent = pickle.dumps(rows.blocks)
    assert len(sent) < 1000 < rows.num_bytes
    (received,) = pickle.loads(sent)
    assert torch.equal(received.pixels, rows.blocks[0].pixels)


def test_the_procedure_has_another_number_when_it_makes_other_pixels(tmp_path: Path) -> None:
    # Oracle: pixels written down when PROCEDURE became 1, over modes and sizes that Pillow decodes without a codec's
    # choice. If this fails because decode.py was changed, add one to PROCEDURE and write the new digest down.
    rng = np.random.default_rng(0)
    grey16 = Image.fromarray(rng.integers(0, 65536, (9, 12), dtype=np.uint16))
    alpha = Image.fromarray(rng.integers(0, 256, (10, 7, 4), dtype=np.uint8))
    palette = Image.new("P", (9, 13))
    palette.putpalette(rng.integers(0, 256, 3 * 16, dtype=np.uint8).tobytes())
    palette.putdata(rng.integers(0, 16, 9 * 13).tolist())
    found = hashlib.sha256()
    for number, image in enumerate([grey16, alpha, palette]):
        image.save(tmp_path / f"{number}.png")
        for size in (4, 16):
            found.update(np.asarray(decode.to_square(decode.read_rgb(tmp_path / f"{number}.png"), size)).tobytes())
    assert (pixel_cache.PROCEDURE, found.hexdigest()) == (
        1,
        "bce796479b10a27b8fd8a611c9376057f080f5929ca373c5ed9926d470be9a84",
    )
