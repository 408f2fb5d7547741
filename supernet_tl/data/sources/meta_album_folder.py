"""Image sets in the on-disk format of Meta-Album: ``images/``, ``labels.csv``, ``info.json``.

Source: Ullah et al. 2022, "Meta-Album: Multi-domain Meta-Dataset for Few-Shot Image Classification" (data format).
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from supernet_tl.data.card import DataCard
from supernet_tl.data.errors import EmptySourceError, LayoutError, MissingFilesError, listing
from supernet_tl.data.image_set import ImageSet
from supernet_tl.data.pixels.stores import FileStore
from supernet_tl.data.sources.names import is_clutter

_STRING_OR_TRAILING_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])')


def is_meta_album(root: Path) -> bool:
    """Whether a folder is laid out as Meta-Album: at least two of ``images/``, ``labels.csv`` and ``info.json``."""
    found = [(root / "images").is_dir(), (root / "labels.csv").is_file(), (root / "info.json").is_file()]
    return sum(found) >= 2


def open_meta_album(root: Path) -> ImageSet:
    """The images that labels.csv names, with the classes it gives them. No image is decoded here.

    The names of the columns come from info.json, else they are FILE_NAME and CATEGORY. Text is UTF-8, or Latin-1 where
    it is not UTF-8. Files of ``images/`` that labels.csv does not name are listed in ``ignored``.

    Args:
        root: a folder for which ``is_meta_album`` holds.

    Raises:
        LayoutError: a part is missing or cannot be understood.
        EmptySourceError: labels.csv has no rows.
        MissingFilesError: labels.csv names images that do not exist.
    """
    for part in (root / "images", root / "labels.csv"):
        if not part.exists():
            raise LayoutError(
                f"{root} looks like a Meta-Album folder, but has no {part.name}; expected images/, labels.csv and "
                f"info.json. Download or unpack it again."
            )
    info = _read_info(root / "info.json")
    names, categories = _read_labels(root / "labels.csv", info)
    paths = [root / "images" / name for name in names]
    missing = [name for name, path in zip(names, paths, strict=True) if not _is_inside(name) or not path.is_file()]
    if missing:
        raise MissingFilesError(
            f"{root / 'labels.csv'} names {len(missing)} of {len(names)} images that are not in {root / 'images'}: "
            f"{listing(missing)}; expected a file for each row. Download or unpack the set again, or remove these "
            f"rows.",
            missing,
        )
    class_names = tuple(sorted(set(categories)))
    place = {name: label for label, name in enumerate(class_names)}
    order = sorted(range(len(names)), key=lambda row: (place[categories[row]], names[row]))
    named = set(names)
    name = _text(info, "dataset_name") or root.resolve().name
    return ImageSet(
        name=name,
        class_names=class_names,
        labels=np.array([place[categories[row]] for row in order], dtype=np.int64),
        store=FileStore([paths[row] for row in order]),
        card=DataCard(
            name=name,
            origin=_text(info, "source", "origin", "url") or f"folder {root.resolve().name} in the Meta-Album format",
            licence=_text(info, "licence", "license", "licenses", "license_name") or "not stated",
            description=_text(info, "dataset_description") or "Images in the Meta-Album format.",
            domain=_text(info, "domain", "domain_name"),
            num_images=len(names),
            num_classes=len(class_names),
            mirror_safe=False,
        ),
        ignored=tuple(
            sorted(
                f"images/{path.name}"
                for path in (root / "images").iterdir()
                if path.name not in named and not is_clutter(path.name) and path.is_file()
            )
        ),
    )


def _is_inside(name: str) -> bool:
    """Whether a file name stays beneath the folder it is read from."""
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def _read_info(path: Path) -> dict[str, Any]:
    """info.json as a dictionary, trailing commas forgiven; empty if there is no such file."""
    if not path.is_file():
        return {}
    text = _decode(path.read_bytes())
    try:
        info = json.loads(_STRING_OR_TRAILING_COMMA.sub(lambda match: match.group(1) or "", text))
    except json.JSONDecodeError as error:
        raise LayoutError(
            f"{path} is not JSON (line {error.lineno}: {error.msg}); expected the description of a Meta-Album set. "
            f"Repair it, or remove it if the columns of labels.csv are FILE_NAME and CATEGORY."
        ) from error
    if not isinstance(info, dict):
        raise LayoutError(
            f"{path} holds a JSON {type(info).__name__}; expected an object with the description of a Meta-Album set. "
            f"Repair it, or remove it if the columns of labels.csv are FILE_NAME and CATEGORY."
        )
    return info


def _read_labels(path: Path, info: dict[str, Any]) -> tuple[list[str], list[str]]:
    """File names and categories, row by row."""
    header, rows = _read_table(path)
    file_column = _column(path, header, _text(info, "image_column_name"), "FILE_NAME")
    category_column = _column(path, header, _text(info, "category_column_name"), "CATEGORY")
    names, categories, lacking = [], [], []
    for number, row in enumerate(rows, start=1):
        name = (row[file_column] or "").strip()
        category = unicodedata.normalize("NFC", (row[category_column] or "").strip())
        if name and category:
            names.append(name)
            categories.append(category)
        else:
            lacking.append(f"row {number}")
    if lacking:
        raise LayoutError(
            f"{path} has rows without a file name or a category: {listing(lacking)}; expected both in "
            f"every row. Complete or remove these rows."
        )
    if not names:
        raise EmptySourceError(f"{path} has no rows; expected one for each image. Download or unpack the set again.")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise LayoutError(
            f"{path} names images more than once: {listing(twice)}; expected one row for each image, or "
            f"the same image could be trained on and tested on. Remove the repeated rows."
        )
    return names, categories


def _read_table(path: Path) -> tuple[list[str], list[dict[str, str | None]]]:
    """Header and rows; a value that a row lacks is None."""
    raw = path.read_bytes()
    try:
        if b"\0" in raw:
            raise csv.Error("it holds zero bytes, as text in UTF-16 does")
        reader = csv.DictReader(io.StringIO(_decode(raw), newline=""), skipinitialspace=True)
        header = [column.strip() for column in reader.fieldnames or []]
        reader.fieldnames = header
        return header, list(reader)
    except csv.Error as error:
        raise LayoutError(
            f"{path} is not a table of comma-separated values ({error}); expected UTF-8 text with one row for each "
            f"image. Save it again as CSV."
        ) from error


def _column(path: Path, header: list[str], from_info: str, usual: str) -> str:
    for candidate in (from_info, usual):
        if candidate in header:
            return candidate
    wanted = " or ".join(dict.fromkeys(repr(name) for name in (from_info, usual) if name))
    raise LayoutError(
        f"{path} has the columns {listing([repr(name) for name in header], 8) or 'none'}; expected {wanted}. "
        f"Name the column in info.json (image_column_name, category_column_name)."
    )


def _text(info: dict[str, Any], *keys: str) -> str:
    """The first of these keys that holds text."""
    for key in keys:
        value = info.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
