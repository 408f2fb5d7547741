from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from supernet_tl.data import to_grey
from supernet_tl.data.names import IMAGE_SUFFIXES
from supernet_tl.data.pixels.decode import read_rgb, to_square
from supernet_tl.exporting.stand_alone.predict import SUFFIXES, files_of, read, square

_RANDOM = np.random.default_rng(0)


def _pixels(*shape: int) -> np.ndarray:
    return _RANDOM.integers(0, 256, shape, dtype=np.uint8)


def _turned(path: Path) -> None:
    """An image with the orientation that its name ends in; grey for a raw TIFF, which Pillow maps when given a path."""
    exif = Image.Exif()
    exif[0x0112] = int(path.stem[-1])
    shape = (20, 30) if path.suffix == ".tiff" else (20, 30, 3)
    Image.fromarray(_pixels(*shape)).save(path, exif=exif)


KINDS: dict[str, Callable[[Path], None]] = {
    "wide.png": lambda path: Image.fromarray(_pixels(20, 50, 3)).save(path),
    "small.png": lambda path: Image.fromarray(_pixels(7, 5, 3)).save(path),
    "same.png": lambda path: Image.fromarray(_pixels(16, 16, 3)).save(path),
    "grey.png": lambda path: Image.fromarray(_pixels(20, 30)).save(path),
    "transparent.png": lambda path: Image.fromarray(_pixels(20, 30, 4)).save(path),
    "grey_transparent.png": lambda path: Image.fromarray(_pixels(20, 30, 2)).save(path),
    "palette.gif": lambda path: Image.fromarray(_pixels(20, 30, 3)).quantize(8).save(path),
    "sixteen_bits.png": lambda path: Image.fromarray(_RANDOM.integers(0, 65536, (20, 30), dtype=np.uint16)).save(path),
    "bilevel.png": lambda path: Image.fromarray(_pixels(20, 30)).convert("1").save(path),
    "printed.jpg": lambda path: Image.fromarray(_pixels(20, 30, 3)).convert("CMYK").save(path),
    **{f"turned_{orientation}.{kind}": _turned for orientation in range(1, 9) for kind in ("jpg", "tiff")},
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("in_channels", [3, 1])
def test_images_are_prepared_as_in_training_to_the_last_bit(name: str, in_channels: int, tmp_path: Path) -> None:
    path = tmp_path / name
    KINDS[name](path)
    # Oracle: what training and `predict` do with a file.
    expected = torch.from_numpy(np.asarray(to_square(read_rgb(path), 16)).transpose(2, 0, 1).copy())
    if in_channels == 1:
        expected = to_grey(expected[None])[0]
    with path.open("rb") as file:
        found = read(file, 16, in_channels)
    np.testing.assert_array_equal(found, expected.numpy())


def test_pixels_without_a_white_level_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.ones((4, 4), dtype=np.float32)).save(tmp_path / "a.tiff")
    with Image.open(tmp_path / "a.tiff") as image, pytest.raises(ValueError, match="floating-point pixels"):
        square(image, 16)
    Image.fromarray(np.full((4, 4), 70000, dtype=np.int32)).save(tmp_path / "b.tiff")
    with Image.open(tmp_path / "b.tiff") as image, pytest.raises(ValueError, match="outside 16 bits"):
        square(image, 16)


def test_folders_are_searched_at_any_depth_and_files_taken_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.PNG", "deep/a.jpg", "notes.txt", "deep/._a.jpg", ".hidden.png"):
        (tmp_path / name).touch()
    assert list(files_of([tmp_path, tmp_path / "notes.txt"])) == [
        tmp_path / "b.PNG",
        tmp_path / "deep/a.jpg",
        tmp_path / "notes.txt",
    ]


def test_the_same_files_are_images_as_elsewhere() -> None:
    assert SUFFIXES == IMAGE_SUFFIXES
