"""Names of files and folders: which are images, which are none of the user's data, and how they read as text."""

from __future__ import annotations

import os
import unicodedata

IMAGE_SUFFIXES = frozenset(
    ".png .jpg .jpeg .jpe .jfif .bmp .dib .gif .tif .tiff .webp .ppm .pgm .pbm .pnm".split()
)  # compared in lower case

# Images, to their owner, that this package cannot decode.
UNREAD_SUFFIXES = frozenset(
    ".heic .heif .hif .avif .jxl .jp2 .j2k .svg .psd .eps .tga .ico .exr .hdr .dcm .nii .npy .npz "
    ".raw .dng .cr2 .cr3 .nef .arw .orf .rw2 .raf".split()
)  # compared in lower case

_CLUTTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})  # written by desktops, never by the user


def suffix_of(name: str) -> str:
    """The ending of a file's name with its dot, in lower case."""
    return os.path.splitext(name)[1].lower()


def is_image_name(name: str) -> bool:
    """Whether a file of this name is taken for an image; the case of the ending does not matter."""
    return suffix_of(name) in IMAGE_SUFFIXES


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
