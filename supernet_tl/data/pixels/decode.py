"""From whatever an image file holds to 8-bit RGB, and from there to a square of the size asked for."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from supernet_tl.data.errors import DecodeError, ImageProblem

_SIXTEEN_BIT_MODES = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})
_FULL_SCALE_16 = 65535
# What Pillow's decoders raise on damaged or hostile files.
_DECODER_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def read_rgb(path: Path) -> Image.Image:
    """Decode a file to 8-bit RGB; of an animation, the first frame.

    Raises:
        DecodeError: with the file and the reason.
    """
    try:
        with Image.open(path) as image:
            return to_rgb(image)
    except _DECODER_ERRORS as error:
        raise DecodeError(ImageProblem(str(path), _reason(path, error))) from error


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB, upright.

    The orientation written by a camera (EXIF) is applied. Transparent parts become white. 16-bit grey is scaled so that
    65535 becomes 255. Grey, palette, CMYK and bilevel images are converted.

    Raises:
        ValueError: the image holds numbers that have no agreed meaning as grey levels.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode in _SIXTEEN_BIT_MODES:
        return _eight_bits(image).convert("RGB")
    if image.mode == "F":
        raise ValueError("it holds floating-point pixels, whose white level is unknown; save it with 8 or 16 bits")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def to_square(image: Image.Image, size: int) -> Image.Image:
    """Centre-crop to a square, then resize to ``size`` pixels a side.

    Shrinking averages over areas (``BOX``, the antialiasing of Meta-Album's own preparation); enlarging is bicubic.
    """
    width, height = image.size
    edge = min(width, height)
    left, top = (width - edge) // 2, (height - edge) // 2
    square = image.crop((left, top, left + edge, top + edge))
    if edge == size:
        return square
    return square.resize((size, size), Image.Resampling.BOX if edge > size else Image.Resampling.BICUBIC)


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > _FULL_SCALE_16:
        raise ValueError(
            f"its values reach from {values.min()} to {values.max()}, outside 16 bits; save it with 8 or 16 bits"
        )
    return Image.fromarray(((values * 255 + _FULL_SCALE_16 // 2) // _FULL_SCALE_16).astype(np.uint8))


def _reason(path: Path, error: Exception) -> str:
    """Why a file could not be decoded, in words, without repeating its path."""
    if path.is_symlink() and not path.exists():
        return f"a broken symbolic link to {path.readlink()}"
    if isinstance(error, UnidentifiedImageError):
        empty = path.stat().st_size == 0
        return "the file is empty" if empty else "not an image, or damaged from its first bytes on"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).rstrip(".") or type(error).__name__
