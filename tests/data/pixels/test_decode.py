"""Whatever an image file holds becomes 8-bit RGB, or a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from supernet_tl.data import DecodeError
from supernet_tl.data.pixels.decode import read_rgb, to_rgb, to_square


def only_colour(image: Image.Image) -> tuple[int, ...]:
    colours = np.unique(np.asarray(image).reshape(-1, 3), axis=0)
    assert len(colours) == 1
    return tuple(int(level) for level in colours[0])


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("L", (4, 4), 77), (77, 77, 77)),
        (Image.new("1", (4, 4), 1), (255, 255, 255)),
        (Image.new("RGB", (4, 4), (1, 2, 3)), (1, 2, 3)),
        (Image.new("RGB", (4, 4), (0, 0, 255)).quantize(4), (0, 0, 255)),
        (Image.new("CMYK", (4, 4), (0, 0, 0, 255)), (0, 0, 0)),
    ],
    ids=["grey", "bilevel", "rgb", "palette", "cmyk"],
)
def test_every_mode_becomes_rgb_of_the_same_colour(image: Image.Image, expected: tuple[int, ...]) -> None:
    rgb = to_rgb(image)
    assert rgb.mode == "RGB"
    assert only_colour(rgb) == expected


def test_transparent_parts_become_white_and_half_transparent_ones_are_mixed_with_white() -> None:
    assert only_colour(to_rgb(Image.new("RGBA", (4, 4), (9, 9, 9, 0)))) == (255, 255, 255)
    # Oracle: the "over" rule by hand, 100 * 0.6 + 255 * 0.4 = 162.
    assert only_colour(to_rgb(Image.new("RGBA", (4, 4), (100, 100, 100, 153)))) == (162, 162, 162)
    assert only_colour(to_rgb(Image.new("LA", (4, 4), (9, 0)))) == (255, 255, 255)


def test_a_palette_entry_marked_transparent_becomes_white(tmp_path: Path) -> None:
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([200, 10, 10, 0, 255, 0])
    palette.save(tmp_path / "p.png", transparency=0)
    assert only_colour(read_rgb(tmp_path / "p.png")) == (255, 255, 255)


def test_sixteen_bit_grey_is_scaled_by_its_full_range(tmp_path: Path) -> None:
    levels = np.array([[0, 257, 32768, 65535]], dtype=np.uint16)  # 257 steps of 16 bits are one step of 8
    Image.fromarray(levels).save(tmp_path / "deep.png")
    assert np.asarray(read_rgb(tmp_path / "deep.png"))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_sixteen_bit_grey_is_read_in_either_byte_order_and_turned_upright(tmp_path: Path) -> None:
    levels = np.array([[0, 65535], [0, 65535], [0, 65535]], dtype=np.uint16)
    exif = Image.Exif()
    exif[0x0112] = 3  # EXIF specification: the camera was upside down
    Image.fromarray(levels).save(tmp_path / "little.tif", exif=exif)
    big = Image.frombytes("I;16B", (2, 3), levels.astype(">u2").tobytes())
    big.save(tmp_path / "big.tif", exif=exif)
    for name in ("little.tif", "big.tif"):
        assert np.asarray(read_rgb(tmp_path / name))[:, :, 0].tolist() == [[255, 0]] * 3


def test_numbers_without_an_agreed_white_level_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 0.5, dtype=np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(DecodeError, match=r"float\.tiff cannot be read: it holds floating-point pixels.*save it"):
        read_rgb(tmp_path / "float.tiff")
    with pytest.raises(ValueError, match="reach from 0 to 70000, outside 16 bits"):
        to_rgb(Image.fromarray(np.array([[0, 70000]], dtype=np.int32)))


def test_the_orientation_that_a_camera_wrote_is_applied(tmp_path: Path) -> None:
    lying = Image.fromarray(np.array([[[255, 0, 0], [0, 0, 255]]], dtype=np.uint8).repeat(8, 0).repeat(8, 1))
    exif = Image.Exif()
    exif[0x0112] = 6  # EXIF specification: the camera was turned; rotate by 90 degrees clockwise to view
    lying.save(tmp_path / "phone.png", exif=exif)
    upright = np.asarray(read_rgb(tmp_path / "phone.png"))
    assert upright.shape == (16, 8, 3)
    assert upright[0, 0].tolist() == [255, 0, 0]
    assert upright[-1, 0].tolist() == [0, 0, 255]


def test_of_an_animation_the_first_frame_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert only_colour(read_rgb(tmp_path / "moving.gif")) == (255, 0, 0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"no image at all", "not an image, or damaged from its first bytes on"),
    ],
)
def test_a_file_that_is_no_image_is_named_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(DecodeError, match=re.escape(f"{path} cannot be read: {reason}")):
        read_rgb(path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp"])
def test_a_truncated_image_is_refused_and_not_filled_up(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut.{suffix}"
    Image.effect_noise((64, 64), 50).convert("RGB").save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DecodeError, match=rf"cut\.{suffix} cannot be read: .*truncated.*--skip-corrupt"):
        read_rgb(path)


def test_a_broken_link_says_where_it_points(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("gone.png")
    with pytest.raises(DecodeError, match=r"a broken symbolic link to gone\.png"):
        read_rgb(tmp_path / "a.png")


def test_the_square_is_the_centre_of_the_image() -> None:
    wide = np.zeros((4, 8, 3), dtype=np.uint8)
    wide[:, 2:6] = 255
    for size in (2, 4, 16):
        assert only_colour(to_square(Image.fromarray(wide), size)) == (255, 255, 255)


def test_shrinking_takes_the_mean_over_areas() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, size=(12, 12, 3), dtype=np.uint8)
    shrunk = np.asarray(to_square(Image.fromarray(pixels), 4)).astype(np.float64)
    # Oracle: means over 3 x 3 areas by NumPy; both round to whole grey levels.
    means = pixels.reshape(4, 3, 4, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(shrunk, means, atol=1.0)


def test_an_image_of_the_size_asked_for_is_not_touched() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, size=(9, 9, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(to_square(Image.fromarray(pixels), 9)), pixels)
