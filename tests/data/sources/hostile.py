"""Files and folders as nobody should have them, and as everybody does: builders, and what each must get."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

Build = Callable[[Path], Path]
"""Makes the files beneath a folder, and names what is to be opened."""

SOME_CLASSES = {"a": 4, "b": 4}


def picture(seed: int = 0, width: int = 9, height: int = 7) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, size=(height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def class_folders(root: Path, counts: Mapping[str, int] = SOME_CLASSES, seed: int = 0) -> Path:
    """``root/<class>/<number>.png``, every image different."""
    for label, (name, count) in enumerate(counts.items()):
        for number in range(count):
            write(root / name / f"{number}.png", encoded(picture(1000 * seed + 100 * label + number), "PNG"))
    return root


def table(root: Path, text: str | bytes, name: str = "labels.csv", images: str = "") -> Path:
    """Eight images, ``0.png`` to ``7.png``, and a table beside them."""
    for number in range(8):
        write(root / images / f"{number}.png", encoded(picture(number), "PNG"))
    return write(root / name, text if isinstance(text, bytes) else text.encode())


def rows(header: str = "path,label", row: str = "{n}.png,{c}") -> str:
    """A header, and a row for each of the eight images; the classes are a and b by turns."""
    return "\n".join([header, *(row.format(n=number, c="ab"[number % 2]) for number in range(8))]) + "\n"


def big_png(width: int, height: int) -> bytes:
    """A PNG file of a few bytes that claims many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


def ftyp(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + bytes(16)


@dataclass(frozen=True)
class BadImage:
    """A file named as an image that cannot be read.

    Args:
        name: of the case.
        content: of the file.
        reason: regular expression of the whole reason.
        suffix: of the file.
    """

    name: str
    content: bytes
    reason: str
    suffix: str = ".jpg"


_NOT_READ = "which is not read here; convert it to PNG or JPEG"
_VARIETY = "that is damaged, or of a variety not read here; if it is whole, save it as 8-bit RGB"

BAD_IMAGES = (
    BadImage("empty", b"", "the file is empty"),
    BadImage("noise", b"\x07" * 999, "not an image, or damaged from its first bytes on"),
    BadImage("zeros", b"\0" * 999, "not an image, or damaged from its first bytes on"),
    BadImage("text", b"no image at all", "not an image, or damaged from its first bytes on"),
    BadImage("html", b"\xef\xbb\xbf\n<!DOCTYPE html><html>404", r"a web page \(HTML\) and not an image.*"),
    BadImage("json", b'{"error": "not found"}', r"a text \(XML or JSON\) and not an image.*; download the image again"),
    BadImage("s3 error", b"<?xml version='1.0'?><Error/>", r"a text \(XML or JSON\) and not an image.*"),
    BadImage("lfs", b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer.*; run git lfs pull"),
    BadImage("svg", b'<?xml version="1.0"?><svg xmlns=""/>', f"an SVG drawing, {_NOT_READ}"),
    BadImage("heic", ftyp(b"heic"), f"an HEIC image, {_NOT_READ}"),
    BadImage("heif", ftyp(b"mif1"), f"an HEIF image, {_NOT_READ}"),
    BadImage("avif", ftyp(b"avif"), f"an AVIF image, {_NOT_READ}"),
    BadImage("raw 3", ftyp(b"crx "), f"a camera's raw image, {_NOT_READ}"),
    BadImage("film", ftyp(b"mp42"), f"a film, {_NOT_READ}"),
    BadImage("jxl", b"\xff\x0a" + bytes(20), f"a JPEG XL image, {_NOT_READ}"),
    BadImage("jpeg 2000", b"\0\0\0\x0cjP  \r\n\x87\n", f"a JPEG 2000 image, {_NOT_READ}"),
    BadImage("psd", b"8BPS\0\x01" + bytes(30), f"a Photoshop file, {_NOT_READ}"),
    BadImage("raw 2", b"II*\0\x10\0\0\0CR\x02\0", f"a camera's raw image, {_NOT_READ}", ".tif"),
    BadImage("npy", b"\x93NUMPY\x01\0", f"a NumPy array, {_NOT_READ}", ".png"),
    BadImage("pdf", b"%PDF-1.7", f"a PDF document, {_NOT_READ}"),
    # A PostScript file would be run by another program.
    BadImage("postscript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", f"a PostScript document, {_NOT_READ}"),
    BadImage("zip", b"PK\x03\x04" + bytes(30), "an archive and not an image; unpack it", ".png"),
    BadImage("png header only", b"\x89PNG\r\n\x1a\n", f"a PNG file {_VARIETY}", ".png"),
    BadImage("jpeg header only", b"\xff\xd8\xff\xe0", f"a JPEG file {_VARIETY}"),
    BadImage("tiff header only", b"II*\0\x08\0\0\0", f"a TIFF file {_VARIETY}", ".tiff"),
    BadImage("cut png", encoded(picture(1, 64, 64), "PNG")[:3000], "damaged: .*truncated.*", ".png"),
    BadImage("cut jpeg", encoded(picture(1, 64, 64), "JPEG")[:1500], "damaged: .*truncated.*"),
    BadImage("cut gif", encoded(picture(1, 64, 64), "GIF")[:1500], "damaged: .*truncated.*", ".gif"),
    BadImage("cut webp", encoded(picture(1, 64, 64), "WEBP")[:1000], "damaged: .+", ".webp"),
    BadImage(
        "huge", big_png(16_000, 10_000), "it has 16000 x 10000 pixels, more than the 134 million.*; shrink it", ".png"
    ),
    BadImage("a bomb", big_png(60_000, 60_000), "its pixels are more than the 134 million.*; shrink it", ".png"),
    BadImage(
        "float", encoded(Image.new("F", (4, 4), 0.5), "TIFF"), "it holds floating-point pixels.*; save it.*", ".tif"
    ),
    BadImage(
        "32 bits", encoded(Image.new("I", (4, 4), 70_000), "TIFF"), "its values reach from 70000 to 70000.*", ".tif"
    ),
)


@dataclass(frozen=True)
class BadSource:
    """A file or folder that is refused.

    Args:
        name: of the case.
        build: makes it in an empty folder.
        sentence: regular expression of the whole sentence; ``ROOT`` stands for the folder it was made in.
    """

    name: str
    build: Build
    sentence: str


@dataclass(frozen=True)
class GoodSource:
    """A file or folder that is strange, and is read.

    Args:
        name: of the case.
        build: makes it in an empty folder.
        counts: images by class.
        notes: regular expressions, one for each note.
        num_test: images of the official test split; None if there is none.
        num_validation: likewise of validation.
        ignored: what is not used.
    """

    name: str
    build: Build
    counts: Mapping[str, int] = field(default_factory=lambda: dict(SOME_CLASSES))
    notes: tuple[str, ...] = ()
    num_test: int | None = None
    num_validation: int | None = None
    ignored: tuple[str, ...] = ()


def _with(build: Build, change: Callable[[Path], object], *, of_folder: bool = False) -> Build:
    """Build, then change what was built; what is to be opened is that, or the folder."""

    def both(folder: Path) -> Path:
        built = build(folder)
        change(built)
        return folder if of_folder else built

    return both


def _split(**counts: Mapping[str, int]) -> Build:
    """Ready-made splits; every part has images of its own."""

    def build(folder: Path) -> Path:
        for seed, (part, classes) in enumerate(counts.items()):
            class_folders(folder / part, classes, seed)
        return folder

    return build


def _loose(*parts: str) -> Callable[[Path], object]:
    """Four images without a class in each of these folders."""

    def change(root: Path) -> None:
        for part in parts:
            for number in range(4):
                write(root / part / f"{number}.jpg", encoded(picture(900 + number), "JPEG"))

    return change


def _table(text: str | bytes, name: str = "labels.csv", images: str = "") -> Build:
    return lambda folder: table(folder, text, name, images)


def _parquet(**columns: object) -> Build:
    def build(folder: Path) -> Path:
        import pyarrow
        from pyarrow import parquet

        path = table(folder, b"", "labels.parquet")
        parquet.write_table(pyarrow.table(columns), path)
        return path

    return build


def _parquet_of(*columns: object, names: list[str]) -> Build:
    """A table of columns in this order, some of which are made only when pyarrow is there."""

    def build(folder: Path) -> Path:
        import pyarrow
        from pyarrow import parquet

        path = table(folder, b"", "labels.parquet")
        made = [column() if callable(column) else pyarrow.array(column) for column in columns]
        parquet.write_table(pyarrow.Table.from_arrays(made, names=names), path)
        return path

    return build


def _not_utf_8() -> object:
    import pyarrow

    buffers = pyarrow.array(_PNGS).buffers()
    return pyarrow.Array.from_buffers(pyarrow.string(), 8, [*buffers[:2], pyarrow.py_buffer(b"\xff" * 100)])


def _pipe(name: str) -> Build:
    def build(folder: Path) -> Path:
        os.mkfifo(folder / name)
        return folder / name

    return build


def _meta_album(text: str | bytes, info: str | None = '{"image_column_name": "FILE_NAME",}') -> Build:
    def build(folder: Path) -> Path:
        table(folder, text, images="images")
        if info is not None:
            (folder / "info.json").write_text(info)
        return folder

    return build


_PNGS = [f"{number}.png" for number in range(8)]
_AB = list("abababab")
_SUPER = "FILE_NAME,CATEGORY,SUPER_CATEGORY"
_UNLABELLED = r"test/ holds 4 images without classes and is left out; the test split is drawn from train/ instead"
_EXPECTED_SPLITS = r"expected root/train/<class>/.* beside it\."

BAD_SOURCES = (
    BadSource(
        "nothing",
        lambda folder: folder,
        r"ROOT holds no image \(found nothing\); expected one sub-folder for each class, .*\. Give a folder of "
        r"images\.",
    ),
    BadSource(
        "iPhone photographs only",
        lambda folder: write(folder / "a" / "IMG.HEIC", ftyp(b"heic")).parent.parent,
        r"ROOT holds no image \(found other files: a.IMG\.HEIC\); expected .*\. Give a folder of images, and convert "
        r"those that are not read here to PNG or JPEG\.",
    ),
    BadSource(
        "a class of iPhone photographs",
        _with(class_folders, lambda root: write(root / "c" / "IMG.HEIC", ftyp(b"heic"))),
        r"image set '.*' has 1 of 3 classes with fewer than 4 images: 'c' \(0\); expected .*--drop-small-classes\. "
        r"Noted: images of kinds that are not read here are left out \(1 \.heic\); to have them used, convert them to "
        r"PNG or JPEG\.",
    ),
    BadSource(
        "images without classes",
        _with(lambda folder: folder, _loose("")),
        r"ROOT holds 4 images directly \(0\.jpg, 1\.jpg, 2\.jpg and 1 more\); expected .*\. Move the images of each "
        r"class into a folder named after it, or give a table of paths and classes\.",
    ),
    BadSource(
        "train with loose images",
        _with(lambda folder: folder, _loose("train", "test")),
        rf"ROOT holds the folders test, train, which look like splits, but train has no folders of images; "
        rf"{_EXPECTED_SPLITS} Sort the images into folders\.",
    ),
    BadSource(
        "a competition's folders",
        _with(_with(lambda folder: folder, _loose("train", "test")), lambda root: write(root / "train.csv", b"id,y\n")),
        rf"ROOT holds the folders .* but train has no folders of images; {_EXPECTED_SPLITS} If a table names their "
        rf"classes, give it: ROOT.train\.csv\.",
    ),
    BadSource(
        "test and validation without train",
        _split(val=SOME_CLASSES, Test=SOME_CLASSES),
        rf"ROOT holds the folders Test, val, which look like splits and not like classes; {_EXPECTED_SPLITS} Give one "
        rf"of them, such as ROOT.Test, or name the one to learn from train\.",
    ),
    BadSource(
        "two folders for one part",
        _split(train=SOME_CLASSES, val=SOME_CLASSES, valid=SOME_CLASSES),
        rf"ROOT holds the folders train, val, valid, of which several mean the same part; {_EXPECTED_SPLITS} Join "
        rf"these folders\.",
    ),
    BadSource(
        "splits beside something else",
        _split(train=SOME_CLASSES, test=SOME_CLASSES, more={"x": 2}),
        r"ROOT holds train and test, whose folders bear the same names \(a, b\), beside more; expected either splits "
        r"or classes\. Move the folders that are neither elsewhere\.",
    ),
    BadSource(
        "a class of test that train lacks",
        _split(train=SOME_CLASSES, test={"a": 1, "c": 1}),
        r"ROOT has 1 classes with images for validation or test and none for training: c; expected every class among "
        r"the training images\. Name these classes as in training, add training images, or remove them; images "
        r"without a class belong in no class's folder\.",
    ),
    BadSource(
        "a class with too few images outside test",
        _split(train={"a": 4, "b": 2}, test={"a": 1, "b": 9}),
        r"image set '.*' has 1 of 2 classes with fewer than 3 images outside the splits that it defines: 'b' \(2\); "
        r"expected at least one for each split that is drawn\. Add images, .* with --drop-small-classes\.",
    ),
    BadSource(
        "a pipe",
        _with(class_folders, lambda root: os.mkfifo(root / "a" / "pipe.png")),
        r"image set '.*' has 1 of 9 images that cannot be read: ROOT.a.pipe\.png \(not a regular file\); expected "
        r"every image to decode\. Repair or remove them, or leave them out with --skip-corrupt\.",
    ),
    BadSource(
        "a spreadsheet",
        lambda folder: write(folder / "labels.xlsx", b"PK\x03\x04"),
        r"ROOT.labels\.xlsx is a spreadsheet or a table of another kind; expected .*\. Save it as CSV\.",
    ),
    BadSource(
        "an empty table",
        _table(""),
        r"ROOT.labels\.csv has no rows; expected one for each image\. Write or download it again\.",
    ),
    BadSource(
        "a header only",
        _table("path,label\n"),
        r"ROOT.labels\.csv has no rows; expected one for each image\. Write or download it again\.",
    ),
    BadSource(
        "no header",
        _table(rows().partition("\n")[2]),
        r"ROOT.labels\.csv begins with '0\.png', which looks like an image and not like the name of a column; expected "
        r"the names of the columns in the first line\. Add the line path,label, or what fits\.",
    ),
    BadSource(
        "one column",
        _table(rows("path", "{n}.png")),
        r"ROOT.labels\.csv has no column beside 'path' that may hold the classes; expected one\. Add a column called "
        r"'label'\.",
    ),
    BadSource(
        "no paths",
        _table(rows("left,right", "x{n},{c}")),
        r"ROOT.labels\.csv has the columns 'left', 'right', of which none names image files; expected a column of "
        r"paths relative to ROOT\. Add one called 'path'\.",
    ),
    BadSource(
        "two columns of classes",
        _table(rows("path,class,category", "{n}.png,{c},{c}")),
        r"ROOT.labels\.csv has several columns that may hold the classes: 'class', 'category'; expected one\. Rename "
        r"the one to use to 'label', and remove those of like meaning\.",
    ),
    BadSource(
        "two columns of paths",
        _table(rows("path,mask,label", "{n}.png,{n}.png,{c}").replace("mask", "file")),
        r"ROOT.labels\.csv has several columns that name images: 'path', 'file'; expected one\. Rename the one to use "
        r"to 'path', and remove the others\.",
    ),
    BadSource(
        "a column twice",
        _table(rows("path,label,label", "{n}.png,{c},{c}")),
        r"ROOT.labels\.csv has several columns of the same name: 'label'; expected each once\. Rename or remove one\.",
    ),
    BadSource(
        "missing files",
        _table(rows() + "8.png,a\n9.png,b\n"),
        r"ROOT.labels\.csv names 2 of 10 images that do not exist: 8\.png, 9\.png; expected paths relative to ROOT in "
        r"the column 'path'\. Correct them, add the files, or remove these rows\.",
    ),
    BadSource(
        "a name of five thousand letters",
        _table(rows() + "x" * 5000 + ",a\n"),
        r"ROOT.labels\.csv names 1 of 9 images that do not exist: x{100}\.\.\.; expected paths relative to .*",
    ),
    BadSource(
        "web addresses",
        _table(rows("url,label", "https://example.org/{n}.png,{c}").replace("url", "image")),
        r"ROOT.labels\.csv names web addresses in the column 'image', such as https://example\.org/0\.png; expected "
        r"paths to files\. Download the images, and write their paths into the table\.",
    ),
    BadSource(
        "repeated rows",
        _table(rows() + "./0.png,a\n"),
        r"ROOT.labels\.csv names images more than once: \./0\.png, 0\.png; expected one row and one class for each "
        r"image, or the same image could be trained on and tested on\. Remove the repeated rows\.",
    ),
    BadSource(
        "rows repeated with and without another class",
        _table(rows() + "0.png,a\n3.png,a\n5.png,b\n"),
        r"ROOT.labels\.csv names images with several classes: 3\.png, and more than once with the same: 0\.png, "
        r"5\.png; expected one row and one class for each image, .*\. Remove the repeated rows\.",
    ),
    BadSource(
        "several classes for an image",
        _table(rows() + "0.png,b\n"),
        r"ROOT.labels\.csv names images with several classes: 0\.png; expected one row and one class for each image, "
        r".*\. Remove the repeated rows\.",
    ),
    BadSource(
        "a row without a class",
        _table(rows().replace("7.png,b", "7.png,")),
        r"ROOT.labels\.csv has rows without a class: row 8; expected both in every row\. Complete or remove these "
        r"rows\.",
    ),
    BadSource(
        "an unquoted comma",
        _table(rows().replace("7.png,b", "7.png,b, the other")),
        r"ROOT.labels\.csv has 3 values in row 8 and 2 columns; expected one value a column\. Put quotation marks "
        r"around values that hold a separator\.",
    ),
    BadSource(
        "a quotation mark that is never closed",
        _table(rows().replace("5.png", '"5.png')),
        r"ROOT.labels\.csv is not a table of separated values \(.*\); expected UTF-8 text with one row for each "
        r"image\. Save it again as CSV\.",
    ),
    BadSource(
        "zero bytes",
        _table(rows().encode("utf-16-le")),
        r"ROOT.labels\.csv is not a table of separated values \(it holds zero bytes\); expected .*",
    ),
    BadSource(
        "numbers written in two ways",
        _table(rows(row="{n}.png,{c}").replace(",a", ",3").replace(",b", ",3.0")),
        r"ROOT.labels\.csv writes numbers in several ways in the column 'label': '3' and '3\.0'; expected one spelling "
        r"for each class\. Write them alike, or name the classes in words\.",
    ),
    BadSource(
        "quantities to predict",
        _table(rows("path,target", "{n}.png,0.{n}1")),
        r"ROOT.labels\.csv has 8 different values in the 8 rows of the column 'target', such as 0\.01, 0\.11, 0\.21 "
        r"and 5 more; expected classes that several images share\. Give a column of classes: quantities and "
        r"identifiers cannot be learned here\.",
    ),
    BadSource(
        "a strange part",
        _table(rows("path,label,split", "{n}.png,{c},train").replace("7.png,b,train", "7.png,b,holdout")),
        r"ROOT.labels\.csv has other values than train, validation and test in the column 'split': 'holdout'; expected "
        r"one of .* in every row\. Correct or remove these rows\.",
    ),
    BadSource(
        "files in two places",
        _with(_table(rows(), images="one"), lambda path: table(path.parent, rows(), images="two")),
        r"ROOT.labels\.csv names files that are in several places: one.\*, two.\*; expected one\. Write the folder and "
        r"the ending into the names, or move the other files elsewhere\.",
    ),
    BadSource(
        "files in two places whose names differ in case from the table's",
        _with(
            _table(rows(row="{n}.PNG,{c}"), images="one"),
            lambda path: table(path.parent, rows(row="{n}.PNG,{c}"), images="two"),
        ),
        r"ROOT.labels\.csv names files that are in several places: one.\*, two.\*; expected one\. Write the folder and "
        r"the ending into the names, or move the other files elsewhere\.",
    ),
    BadSource(
        "several tables",
        lambda folder: table(table(folder, rows()).parent, rows(), "more.tsv").parent,
        r"ROOT holds several tables: labels\.csv, more\.tsv; expected one beside the images\. Give the one to use, "
        r"such as ROOT.labels\.csv\.",
    ),
    BadSource(
        "Parquet in name only",
        _table("path,label", "labels.parquet"),
        r"ROOT.labels\.parquet is not a Parquet table \(.*\); expected one with a column of paths and one of "
        r"classes\. Write or download it again\.",
    ),
    BadSource(
        "Parquet with a column twice",
        _parquet_of(_PNGS, _AB, _AB, names=["path", "label", "label"]),
        r"ROOT.labels\.parquet has several columns of the same name: 'label'; expected each once\. Rename or remove "
        r"one\.",
    ),
    BadSource(
        "Parquet with text that is not UTF-8",
        _parquet_of(_not_utf_8, _AB, names=["path", "label"]),
        r"ROOT.labels\.parquet holds text that is not UTF-8; expected a column of paths and one of classes in UTF-8\. "
        r"Write it again\.",
    ),
    BadSource(
        "a pipe called as a table",
        _pipe("labels.csv"),
        r"ROOT.labels\.csv is no regular file; expected a table of paths and classes that can be read twice\. Write "
        r"what it gives into a file, and give that\.",
    ),
    BadSource(
        "a pipe called as a Parquet table",
        _pipe("labels.parquet"),
        r"ROOT.labels\.parquet is no regular file; expected .*",
    ),
    BadSource(
        "Parquet without a label",
        _parquet(path=_PNGS, label=[1.0, 2.0] * 3 + [1.0, float("nan")]),
        r"ROOT.labels\.parquet has rows without a class: row 8; expected both in every row\. Complete or remove these "
        r"rows\.",
    ),
    BadSource(
        "images inside Parquet",
        _parquet(image=[{"bytes": b"\x89PNG", "path": None}] * 8, label=_AB),
        r"ROOT.labels\.parquet holds images, or other things that are no text, in 'image'; expected a column of paths "
        r"to image files\. Write the images into files, and their paths into the table\.",
    ),
    BadSource(
        "Meta-Album without its columns",
        _meta_album(rows("name,kind"), "{}"),
        r"ROOT.labels\.csv has the columns 'name', 'kind'; expected 'FILE_NAME'\. Name the column in info\.json "
        r"\(image_column_name, category_column_name\)\.",
    ),
    BadSource(
        "Meta-Album with a file in two rows and two classes",
        _meta_album(rows("FILE_NAME,CATEGORY") + "./0.png,b\n1.PNG,b\n"),
        r"ROOT.labels\.csv names images with several classes: \./0\.png, 0\.png, and more than once with the same: "
        r"1\.PNG, 1\.png; expected one row and one class for each image, .*\. Remove the repeated rows\.",
    ),
    BadSource(
        "Meta-Album with a description without end",
        _meta_album(rows("FILE_NAME,CATEGORY"), "[" * 200_000),
        r"ROOT.info\.json is not JSON \(its values are nested too deeply\); expected the description of a Meta-Album "
        r"set\. Repair it, or remove it if the columns of labels\.csv are FILE_NAME and CATEGORY\.",
    ),
    BadSource(
        "Meta-Album with a number without end",
        _meta_album(rows("FILE_NAME,CATEGORY"), '{"a": ' + "1" * 5000 + "}"),
        r"ROOT.info\.json is not JSON \(Exceeds the limit .*\); expected the description of a Meta-Album set\. .*",
    ),
    BadSource(
        "Meta-Album with images of another folder",
        _meta_album(rows("FILE_NAME,CATEGORY") + "../images/0.png,a\n"),
        r"ROOT.labels\.csv names 1 of 9 images that are not in ROOT.images: \.\./images/0\.png; expected a file for "
        r"each row\. Download or unpack the set again, or remove these rows\.",
    ),
)

GOOD_SOURCES = (
    GoodSource(
        "endings in all cases, one name in two folders, hard links",
        _with(class_folders, lambda root: os.link(root / "a" / "0.png", root / "a" / "A.PNG")),
        counts={"a": 5, "b": 4},
    ),
    GoodSource(
        "hidden and foreign files",
        _with(class_folders, lambda root: _loose(".ipynb_checkpoints", "__MACOSX/a", "a/.cache")(root)),
    ),
    GoodSource(
        "loose images beside the classes",
        _with(class_folders, lambda root: write(root / "cover.png", b"never read")),
        notes=(r"1 image lies in no class's folder and is left out: cover\.png",),
        ignored=("cover.png",),
    ),
    GoodSource(
        "splits within the classes",
        lambda folder: class_folders(class_folders(folder, {"a/train": 4, "b/train": 4}), {"a/test": 2}, seed=1),
        counts={"a": 6, "b": 4},
        notes=(r"the folders within the classes look like splits and are not taken for such; put them above .*",),
    ),
    GoodSource(
        "classes that are written almost alike",
        lambda folder: class_folders(folder, {"Brick": 4, "brick": 4, "old  wall": 4, "Old wall": 4, "other": 4}),
        counts={"Brick": 4, "Old wall": 4, "brick": 4, "old  wall": 4, "other": 4},
        notes=(
            r"classes whose names differ only in case or white space are kept apart: 'Brick' and 'brick', 'Old wall' "
            r"and 'old  wall'; name them alike if they are one",
        ),
    ),
    GoodSource(
        "a table beside class folders",
        _with(class_folders, lambda root: write(root / "labels.csv", b"path,label\n")),
        notes=(r"labels\.csv not used, for the folders are the classes; to use a table, give it by name",),
        ignored=("labels.csv",),
    ),
    GoodSource(
        "classes called test and train",
        lambda folder: class_folders(folder, {"bus": 4, "test": 4, "train": 4}),
        counts={"bus": 4, "test": 4, "train": 4},
    ),
    GoodSource(
        "a folder called as an image",
        lambda folder: class_folders(folder, {"a.png": 4, "b": 4}),
        counts={"a.png": 4, "b": 4},
    ),
    GoodSource(
        "all three parts, in any case",
        _split(Training=SOME_CLASSES, Valid={"a": 1}, TEST={"a": 2, "b": 1}),
        counts={"a": 7, "b": 5},
        num_test=3,
        num_validation=1,
    ),
    GoodSource("no test", _split(train=SOME_CLASSES, val={"b": 2}), counts={"a": 4, "b": 6}, num_validation=2),
    GoodSource("train alone", _split(train=SOME_CLASSES)),
    GoodSource(
        "a test folder without classes",
        _with(_split(train=SOME_CLASSES), _loose("test")),
        notes=(_UNLABELLED,),
        ignored=tuple(f"test/{number}.jpg" for number in range(4)),
    ),
    GoodSource(
        "a test folder in a test folder",
        _with(_split(train=SOME_CLASSES), _loose("test/test")),
        notes=(_UNLABELLED,),
        ignored=tuple(f"test/test/{number}.jpg" for number in range(4)),
    ),
    GoodSource(
        "the same image in train and test",
        _with(
            _split(train=SOME_CLASSES, test={"a": 2}),
            lambda root: write(root / "test" / "a" / "copy.png", (root / "train" / "b" / "3.png").read_bytes()),
        ),
        counts={"a": 7, "b": 4},
        num_test=3,
    ),
    GoodSource("a table", _table(rows())),
    GoodSource(
        "a table with a mark, CRLF and quotes",
        _table(("\ufeff" + rows('"path","label"', '"{n}.png","{c}"').replace("\n", "\r\n")).encode()),
    ),
    GoodSource("a table in UTF-16", _table(rows(row="{n}.png;{c}", header="path;label").encode("utf-16"))),
    GoodSource(
        "a table in Latin-1",
        _table(rows().replace(",a", ",\xe9").encode("latin-1")),
        counts={"b": 4, "\xe9": 4},
        notes=(r"labels\.csv is not UTF-8 and is read as Latin-1",),
    ),
    GoodSource(
        "semicolons, and commas inside",
        _table(rows("file name;class", "{n}.png;{c}, x")),
        counts={"a, x": 4, "b, x": 4},
    ),
    GoodSource("tabs", _table(rows("Image Path\tTarget", "{n}.png\t{c}"), "labels.tsv")),
    GoodSource("commas at the ends of lines, and empty lines", _table(rows("path,label,", "{n}.png,{c},\n,,"))),
    GoodSource("columns known by what they hold", _table(rows("picture of,what", "{n}.png,{c}"))),
    GoodSource("the row numbers of a data frame", _table(rows(",path,label", "{n},{n}.png,{c}"))),
    GoodSource("names without endings", _table(rows("id,breed", "{n},{c}"), images="train")),
    GoodSource(
        "other columns",
        _table(rows("path,label,width", "{n}.png,{c},9")),
        notes=(r"paths are read from 'path', classes from 'label'; not used: 'width'",),
    ),
    GoodSource(
        "endings in another case and slashes of Windows",
        _table(rows(row=".\\{n}.PNG,{c}")),
        notes=(
            r"8 names in labels\.csv are written otherwise than their files, such as '.*0\.PNG' for '0\.png', and "
            r"are taken for them",
        ),
    ),
    GoodSource(
        "parts in a table",
        _table(
            "path,label,Split\n" + "".join(f"{n}.png,{'ab'[n % 2]},{'Test' if n > 6 else 'train'}\n" for n in range(8))
        ),
        num_test=1,
    ),
    GoodSource("images in a folder beside the table", _table(rows(), images="images")),
    GoodSource("Parquet", _parquet(path=_PNGS, label=_AB, __index_level_0__=list(range(8)))),
    GoodSource("Parquet with numbers", _parquet(file_name=_PNGS, label=[3, 1] * 4), counts={"1": 4, "3": 4}),
    GoodSource("Meta-Album with NAN above its classes", _meta_album(rows(_SUPER, "{n}.png,{c},NAN"))),
    GoodSource(
        "Meta-Album with tabs and all images in one sub-folder, as its own checker calls images/",
        _meta_album(
            rows("FILE_NAME\tCATEGORY", "{n}.png\t{c}, x; y"), '{"csv_with_tab": true, "images_in_sub_folder": true}'
        ),
        counts={"a, x; y": 4, "b, x; y": 4},
    ),
    GoodSource(
        "Meta-Album with its images beside the table, as info.json says",
        _with(
            _table(rows("FILE_NAME,CATEGORY")),
            lambda path: (path.parent / "info.json").write_text('{"images_in_sub_folder": false}'),
            of_folder=True,
        ),
    ),
    GoodSource("Meta-Album with two columns and no info", _meta_album(rows("FILE_NAME,CATEGORY"), None)),
    GoodSource("images and a table as anyone writes it", _meta_album(rows("image,label"), None)),
    GoodSource(
        "Meta-Album with endings in another case",
        _meta_album(rows(_SUPER, '"{n}.PNG",{c},')),
        notes=(r"8 names in labels\.csv are written otherwise .*",),
    ),
)
