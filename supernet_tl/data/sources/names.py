"""Names of files and folders: which are images, which are none of the user's data, and how they read as text."""

from __future__ import annotations

import os
import unicodedata

IMAGE_SUFFIXES = frozenset(
    ".png .jpg .jpeg .jpe .jfif .bmp .dib .gif .tif .tiff .webp .ppm .pgm .pbm .pnm".split()
)  # compared in lower case

_CLUTTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})  # written by desktops, never by the user


def is_image_name(name: str) -> bool:
    """Whether a file of this name is taken for an image; the case of the ending does not matter."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def is_clutter(name: str) -> bool:
    """Whether a name is hidden or left behind by a desktop, and so none of the user's data."""
    return name.startswith(".") or name.lower() in _CLUTTER


def readable(name: str) -> str:
    """A folder's name as text: UTF-8, or Latin-1 where it is not UTF-8; accents composed, whichever system wrote it."""
    raw = os.fsencode(name)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return unicodedata.normalize("NFC", text)
