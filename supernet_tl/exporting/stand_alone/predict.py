"""Classify image files with the exported network beside this file: ``python predict.py IMAGE_OR_FOLDER ...``.

It prints a line for each image: path, class, probability, parted by tabs. ``read`` prepares images exactly as the
network's training did, and ``load`` gives the network as a function.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps

SUFFIXES = frozenset(
    ".png .jpg .jpeg .jpe .jfif .bmp .dib .gif .tif .tiff .webp .ppm .pgm .pbm .pnm".split()
)  # compared in lower case
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM")
UNREADABLE = (
    *(OSError, ValueError, TypeError, SyntaxError, EOFError, IndexError, KeyError, MemoryError, OverflowError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)
"""What decoders raise on damaged files."""
BATCH_SIZE = 64


def read(file: BinaryIO, size: int, in_channels: int = 3) -> Any:
    """The image of an open file as the network takes it; see :func:`square`.

    Raises:
        Exception: one of ``UNREADABLE``.
    """
    with Image.open(file, formats=FORMATS) as image:  # given a path, Pillow scrambles raw TIFF that is to be turned
        return square(image, size, in_channels)


def square(image: Image.Image, size: int, in_channels: int = 3) -> Any:
    """An image as the network takes it: upright, on white, centre-cropped to a square and resized.

    Returns:
        Shape (in_channels, size, size), uint8.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise ValueError("it holds floating-point pixels, whose white level is unknown; save it with 8 or 16 bits")
    if image.mode.startswith("I"):  # 16 bits of grey
        levels = np.asarray(image).astype(np.int64)
        if levels.min() < 0 or levels.max() > 65535:
            raise ValueError(f"its values reach from {levels.min()} to {levels.max()}, outside 16 bits")
        image = Image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB")
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    image = image.crop((left, top, left + edge, top + edge))
    if edge != size:
        image = image.resize((size, size), Image.Resampling.BOX if edge > size else Image.Resampling.BICUBIC)
    pixels = np.asarray(image.convert("L"))[None] if in_channels == 1 else np.asarray(image).transpose(2, 0, 1)
    return np.ascontiguousarray(pixels)


def files_of(places: Sequence[str | Path]) -> Iterator[Path]:
    """The image files of some paths; of folders those at any depth."""
    for place in map(Path, places):
        if place.is_dir():
            found = (path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES)
            yield from sorted(path for path in found if not any(map(_is_hidden, path.relative_to(place).parts)))
        else:
            yield place


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in ("thumbs.db", "desktop.ini", "__macosx")


def main(places: Sequence[str]) -> int:
    """Classify the images of some paths."""
    if not places:
        print(__doc__)
        return 2
    from runtime import load  # type: ignore[import-not-found]  # the file beside this one

    predict, description = load(Path(__file__).resolve().parent)
    size, in_channels, names = (description[key] for key in ("image_size", "in_channels", "class_names"))
    files, unreadable = list(files_of(places)), 0
    for start in range(0, len(files), BATCH_SIZE):
        names_of_part, pixels = [], []
        for path in files[start : start + BATCH_SIZE]:
            try:
                with path.open("rb") as file:
                    pixels.append(read(file, size, in_channels))
                names_of_part.append(path)
            except UNREADABLE as error:
                print(f"{path} cannot be read: {error}", file=sys.stderr)
                unreadable += 1
        probabilities = predict(np.stack(pixels)) if pixels else []
        for path, row in zip(names_of_part, probabilities, strict=True):
            best = int(row.argmax())
            print(f"{path}\t{names[best]}\t{row[best]:.4f}")
    return 1 if unreadable else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
