"""What a file holds that is not an image, or no image that is read here, told by its first bytes."""

from __future__ import annotations

HEAD = 1024
"""Bytes that ``describe`` wants to see."""

_CONVERT = "which is not read here; convert it to PNG or JPEG"
_IMAGE_KINDS = (
    (0, b"8BPS", "a Photoshop file"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (0, b"\xffO\xffQ", "a JPEG 2000 image"),
    (8, b"CR\x02", "a camera's raw image"),
    (0, b"FUJIFILMCCD-RAW", "a camera's raw image"),
    (0, b"IIRO", "a camera's raw image"),
    (0, b"v/1\x01", "an OpenEXR image"),
    (128, b"DICM", "a DICOM image"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"%PDF", "a PDF document"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"\0\0\x01\0", "an icon file"),
    (0, b"\x1aE\xdf\xa3", "a film"),
)
_BRANDS = {b"heic": "an HEIC", b"heix": "an HEIC", b"hevc": "an HEIC", b"mif1": "an HEIF", b"msf1": "an HEIF"}
_BRANDS |= {b"avif": "an AVIF", b"avis": "an AVIF", b"crx ": "a camera's raw"}
_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\xfd7zXZ\0", b"BZh")
_KNOWN = (
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8", "JPEG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"RIFF", "WebP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)


def describe(head: bytes) -> str:
    """A phrase that continues "cannot be read: ..." for a file that no decoder knows.

    Args:
        head: the first ``HEAD`` bytes of the file, or all it has.
    """
    if not head:
        return "the file is empty"
    if head[4:8] == b"ftyp":
        return f"{_BRANDS[head[8:12]]} image, {_CONVERT}" if head[8:12] in _BRANDS else f"a film, {_CONVERT}"
    for offset, magic, kind in _IMAGE_KINDS:
        if head[offset:].startswith(magic):
            return f"{kind}, {_CONVERT}"
    if head.startswith(_ARCHIVES):
        return "an archive and not an image; unpack it"
    for magic, kind in _KNOWN:
        if head.startswith(magic):
            return f"a {kind} file that is damaged, or of a variety not read here; if it is whole, save it as 8-bit RGB"
    return _describe_text(head) or "not an image, or damaged from its first bytes on"


def _describe_text(head: bytes) -> str:
    """What a text file holds; empty if it is none of those that are often found in an image's place."""
    text = head.decode("utf-8-sig", errors="replace").lstrip().lower()
    if text.startswith("version https://git-lfs"):
        return "a Git LFS pointer and not the image it stands for; run git lfs pull"
    if "<svg" in text:
        return f"an SVG drawing, {_CONVERT}"
    if text.startswith(("<!doctype html", "<html", "<head", "<body")):
        return "a web page (HTML) and not an image, as failed downloads leave it; download the image again"
    if text.startswith(("<?xml", "{", "[{")):
        return "a text (XML or JSON) and not an image, as failed downloads leave it; download the image again"
    return ""
