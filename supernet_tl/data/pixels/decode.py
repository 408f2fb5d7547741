"""From whatever an image file holds to 8-bit RGB, and from there to a square of the size asked for."""

from __future__ import annotations

import errno
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from supernet_tl.data.errors import DecodeError, ImageProblem
from supernet_tl.data.pixels.signatures import HEAD, describe

MAX_PIXELS = 2**27
"""Larger images are refused: 134 million pixels take 400 MB decoded, and no camera's photograph has more by much."""

# Named, so that a file cannot choose a decoder that runs other programs (EPS) or is not in every build of Pillow.
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM")
_SIXTEEN_BIT_MODES = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})
_FULL_SCALE_16 = 65535
_TO_EIGHT_BITS = ((np.arange(_FULL_SCALE_16 + 1) * 255 + _FULL_SCALE_16 // 2) // _FULL_SCALE_16).astype(np.uint8)
_UPRIGHT = {  # EXIF specification: the orientation, and what turns the image upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
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
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_TOO_MANY = f"more than the {MAX_PIXELS // 10**6} million that are read here; shrink it"
_warning_filters = threading.RLock()


class _RefusedError(ValueError):
    """An image that could be decoded, and is not wanted; the message says why."""


def read_rgb(path: Path) -> Image.Image:
    """Decode a file to 8-bit RGB; of an animation or of several pages, the first.

    Colours are taken as they are written: an embedded colour profile (ICC) is not applied. Pillow's warnings are
    silenced, for what it warns of is either refused here or does not touch the pixels. Any thread may call this.

    Raises:
        DecodeError: with the file and the reason.
    """
    try:
        if not os.path.isfile(path):  # a pipe would be waited for, a device has no end
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        with path.open("rb") as file:  # given a path, Pillow maps raw TIFF, and scrambles it where it is turned
            with _silent():
                image = Image.open(file, formats=_FORMATS)
            _refuse_huge(image)
            if image.format == "TIFF":  # reads, and warns of, its metadata while it loads
                with _silent():
                    image.load()
            return to_rgb(image)
    except _DECODER_ERRORS as error:
        raise DecodeError(ImageProblem(str(path), _reason(path, error))) from error


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB, upright.

    The orientation written by a camera (EXIF) is applied. Transparent parts become white. 16-bit grey is scaled so that
    65535 becomes 255. Grey, palette, CMYK, Lab, HSV, YCbCr and bilevel images are converted.

    Raises:
        ValueError: the image holds numbers that have no agreed meaning as grey levels.
    """
    image.load()
    with _silent():
        turn = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    if turn is not None:
        image = image.transpose(turn)
    if image.mode in _SIXTEEN_BIT_MODES:
        return _eight_bits(image).convert("RGB")
    if image.mode == "F":
        raise _RefusedError("it holds floating-point pixels, whose white level is unknown; save it with 8 or 16 bits")
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


@contextmanager
def _silent() -> Iterator[None]:
    """Without warnings. The filters are the process's own, so that one thread at a time may change them."""
    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _refuse_huge(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _RefusedError(f"it has {width} x {height} pixels, {_TOO_MANY}")


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if values.min() < 0 or values.max() > _FULL_SCALE_16:
        raise _RefusedError(
            f"its values reach from {values.min()} to {values.max()}, outside 16 bits; save it with 8 or 16 bits"
        )
    return Image.fromarray(_TO_EIGHT_BITS[values])


def _reason(path: Path, error: Exception) -> str:
    """Why a file could not be decoded, in words, without repeating its path."""
    if os.path.islink(path) and not os.path.exists(path):
        return f"a broken symbolic link to {path.readlink()}"
    if os.path.exists(path) and not os.path.isfile(path):
        return "not a regular file"
    if isinstance(error, Image.DecompressionBombError):
        return f"its pixels are {_TOO_MANY}"  # so many that Pillow itself refuses
    if isinstance(error, UnidentifiedImageError):
        with path.open("rb") as file:
            return describe(file.read(HEAD))
    if isinstance(error, MemoryError):
        return "there is not enough memory for it; shrink it"
    if isinstance(error, _RefusedError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"damaged: {str(error).rstrip('.') or type(error).__name__}"
