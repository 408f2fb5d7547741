"""Whatever an image file holds becomes 8-bit RGB, or a sentence."""

from __future__ import annotations

import os
import re
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
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
        (Image.new("RGBX", (4, 4), (1, 2, 3, 0)), (1, 2, 3)),
        (Image.new("RGBa", (4, 4), (100, 50, 0, 100)), (255, 205, 155)),  # 100/100 and the white that shines through
        (Image.new("HSV", (4, 4), (0, 255, 255)), (255, 0, 0)),  # hue 0 at full strength is red
        (Image.new("YCbCr", (4, 4), (77, 128, 128)), (77, 77, 77)),  # 128 is no colour
        (Image.new("I;16", (4, 4), 77 * 257), (77, 77, 77)),
        (Image.new("I;16B", (4, 4), 77 * 257), (77, 77, 77)),
        (Image.new("I", (4, 4), 77 * 257), (77, 77, 77)),
        (Image.new("PA", (4, 4), (0, 0)), (255, 255, 255)),  # transparent all over
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else "",
)
def test_every_mode_becomes_rgb_of_the_same_colour(image: Image.Image, expected: tuple[int, ...]) -> None:
    rgb = to_rgb(image)
    assert rgb.mode == "RGB"
    assert only_colour(rgb) == expected


@pytest.mark.parametrize(("lightness", "grey"), [(0, 0), (255, 255), (136, 127)])
def test_lab_is_converted_by_its_lightness(lightness: int, grey: int) -> None:
    # Oracle: CIE lightness 53.4 of 100 is the luminance 0.212, which is the level 127 in sRGB; 128 is no colour.
    rgb = np.asarray(to_rgb(Image.new("LAB", (2, 2), (lightness, 128, 128)))).astype(int)
    assert np.abs(rgb - grey).max() <= 1


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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "compressed TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(tmp_path: Path, kind: str, orientation: int) -> None:
    upright = np.kron([[0, 80], [160, 240], [40, 120]], np.ones((16, 16))).astype(np.uint8)  # no two corners alike
    # Oracle: the EXIF specification says where the first row and column of the file lie in the upright picture.
    stored = {
        1: upright,  # top, left
        2: upright[:, ::-1],  # top, right
        3: upright[::-1, ::-1],  # bottom, right
        4: upright[::-1],  # bottom, left
        5: upright.T,  # left, top
        6: upright.T[::-1],  # right, top: the file's first row is the picture's right side
        7: upright.T[::-1, ::-1],  # right, bottom
        8: upright.T[:, ::-1],  # left, bottom
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"compression": "tiff_lzw"} if kind == "compressed TIFF" else {"lossless": True} if kind == "WEBP" else {}
    path = tmp_path / "photo.img"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, kind.split()[-1], exif=exif, **options)
    read = np.asarray(read_rgb(path))[:, :, 0].astype(int)
    assert read.shape == upright.shape
    assert np.abs(read - upright).max() <= 8  # JPEG is not exact


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_or_of_several_pages_the_first_is_taken(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(tmp_path / "moving", kind, save_all=True, append_images=frames[1:], **options)
    with Image.open(tmp_path / "moving") as written:
        assert getattr(written, "n_frames", 1) == 2
    assert only_colour(read_rgb(tmp_path / "moving")) == (255, 0, 0)


def test_colour_of_sixteen_bits_keeps_its_upper_eight(tmp_path: Path) -> None:
    # Written by hand, for Pillow writes no such PNG: one row of two pixels, 16 bits a channel.
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    levels = np.array([[0, 257, 32768], [65535, 255 * 257, 128 * 257]])
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    data = zlib.compress(b"\0" + levels.astype(">u2").tobytes())
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    (tmp_path / "deep.png").write_bytes(content)
    read = np.asarray(read_rgb(tmp_path / "deep.png"))[0].astype(float)
    np.testing.assert_allclose(read, levels / 257, atol=1)  # oracle: 65535 is 255, in proportion
    assert read[1, 0] == 255


def test_a_colour_profile_is_left_alone(tmp_path: Path) -> None:
    from PIL import ImageCms

    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()  # none that fits: applied, it would show
    Image.new("RGB", (4, 4), (10, 200, 30)).save(tmp_path / "a.png", icc_profile=lab)
    assert only_colour(read_rgb(tmp_path / "a.png")) == (10, 200, 30)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
def test_images_of_a_single_pixel_and_of_any_shape_become_squares(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size, (1, 2, 3)).save(tmp_path / "a.png")
    square = to_square(read_rgb(tmp_path / "a.png"), 8)
    assert square.size == (8, 8)
    assert only_colour(square) == (1, 2, 3)


def test_pillow_warns_of_nothing_that_is_read(tmp_path: Path) -> None:
    """Warnings are errors in these tests: each of these files makes Pillow warn when it is opened or converted."""
    photo = Image.new("RGB", (8, 8), (9, 9, 9))
    broken = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x0e\x01\x02\0\xff\0\0\0\xff\xff\0\0"
    photo.save(tmp_path / "exif.jpg", exif=broken)
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([9, 9, 9, 0, 0, 0])
    palette.save(tmp_path / "palette.png", transparency=b"\xff\x80")
    photo.save(tmp_path / "large.tif", tiffinfo={700: b"x" * 99})
    content = (tmp_path / "large.tif").read_bytes().replace(struct.pack("<I", 99), struct.pack("<I", 2**31), 1)
    (tmp_path / "large.tif").write_bytes(content)
    Image.new("1", (9500, 9500), 1).save(tmp_path / "scan.png")
    for name in ("exif.jpg", "palette.png", "large.tif"):
        assert only_colour(read_rgb(tmp_path / name)) == (9, 9, 9), name
    assert read_rgb(tmp_path / "scan.png").getpixel((0, 0)) == (255, 255, 255)
    for name, warning in {"exif.jpg": r"Tag|EXIF", "large.tif": r"Tag|EXIF", "scan.png": r"exceeds limit"}.items():
        with pytest.warns(match=warning), Image.open(tmp_path / name) as image:
            image.load()


def test_many_threads_read_what_one_reads(tmp_path: Path) -> None:
    paths = []
    for number in range(24):
        paths.append(tmp_path / f"{number}.{('png', 'jpg', 'tif', 'gif')[number % 4]}")
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(paths[-1])
    filters = list(warnings.filters)
    alone = [read_rgb(path).tobytes() for path in paths]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda path: read_rgb(path).tobytes(), paths * 8))
    assert together == alone * 8
    assert warnings.filters == filters


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(DecodeError, match=r"pipe\.png cannot be read: not a regular file\. Repair it"):
        read_rgb(tmp_path / "pipe.png")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"no image at all", "not an image, or damaged from its first bytes on"),
        (b"<html>404", "a web page (HTML) and not an image, as failed downloads leave it; download the image again"),
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
