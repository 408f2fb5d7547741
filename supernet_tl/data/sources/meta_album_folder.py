"""Image sets in the on-disk format of Meta-Album: ``images/``, ``labels.csv``, ``info.json``.

Source: Ullah et al. 2022, "Meta-Album: Multi-domain Meta-Dataset for Few-Shot Image Classification" (data format).
"""

from __future__ import annotations

import dataclasses
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

from supernet_tl.data.errors import LayoutError, MissingFilesError, listing
from supernet_tl.data.image_set import ImageSet
from supernet_tl.data.sources.labelled_files import LabelledFile, image_set_of
from supernet_tl.data.sources.named_files import FoundFiles, find_files, refuse_repeated
from supernet_tl.data.sources.scan import relative, walk
from supernet_tl.data.sources.table_reading import Table, read_table

_FILE, _CATEGORY = "FILE_NAME", "CATEGORY"
_STRING_OR_TRAILING_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])')


def is_meta_album(root: Path) -> bool:
    """Whether a folder is laid out as Meta-Album: at least two of ``images/``, ``labels.csv`` and ``info.json``.

    Without info.json, the columns of labels.csv must bear their usual names, for tables called so are everywhere.
    """
    images, labels, info = (root / "images").is_dir(), (root / "labels.csv").is_file(), (root / "info.json").is_file()
    if info:
        return images or labels
    return images and labels and {_FILE, _CATEGORY} <= set(read_table(root / "labels.csv").columns)


def open_meta_album(root: Path) -> ImageSet:
    """The images that labels.csv names, with the classes it gives them. No image is decoded here.

    The names of the columns come from info.json, else they are FILE_NAME and CATEGORY. Where there is no ``images/``
    and info.json says that the images are in no sub-folder, they lie beside labels.csv. Files among the images that
    labels.csv does not name are listed in ``ignored``.

    Args:
        root: a folder for which ``is_meta_album`` holds.

    Raises:
        LayoutError: a part is missing or cannot be understood, or an image is named twice.
        EmptySourceError: labels.csv has no rows.
        MissingFilesError: labels.csv names images that do not exist.
    """
    info = _read_info(root / "info.json")
    folder = root / "images"
    if not folder.exists() and info.get("images_in_sub_folder") is False:
        folder = root
    for part in (folder, root / "labels.csv"):
        if not part.exists():
            raise LayoutError(
                f"{root} looks like a Meta-Album folder, but has no {part.name}; expected images/, labels.csv and "
                f"info.json. Download or unpack it again."
            )
    table = read_table(root / "labels.csv")
    names, categories = _labels(table, info)
    found = _find(folder, names)
    if found.missing:
        raise MissingFilesError(
            f"{root / 'labels.csv'} names {len(found.missing)} of {len(names)} images that are not in "
            f"{folder}: {listing(found.missing)}; expected a file for each row. Download or unpack the set "
            f"again, or remove these rows.",
            found.missing,
        )
    refuse_repeated(table.path, names, found, categories)
    used = {*found.paths, root / "labels.csv", root / "info.json"}
    ignored = [path for path in walk(folder) if path not in used]
    name = _text(info, "dataset_name") or root.resolve().name
    return image_set_of(
        [
            LabelledFile(path, category)
            for _, path, category in sorted(zip(names, found.paths, categories, strict=True))
        ],
        root=root,
        name=name,
        origin=_text(info, "source", "origin", "url") or f"folder {root.resolve().name} in the Meta-Album format",
        description=_text(info, "dataset_description") or "Images in the Meta-Album format.",
        licence=_text(info, "licence", "license", "licenses", "license_name") or "not stated",
        domain=_text(info, "domain", "domain_name"),
        ignored=[relative(path, root) for path in ignored],
        notes=(*table.notes, *found.notes(table.path)),
    )


def _find(folder: Path, names: list[str]) -> FoundFiles:
    """The files of all names; those that lead out of the folder count as missing."""
    outside = [name for name in names if Path(name).is_absolute() or ".." in Path(name).parts]
    found = find_files(folder, names)
    return dataclasses.replace(found, missing=tuple(dict.fromkeys((*found.missing, *outside))))


def _read_info(path: Path) -> dict[str, Any]:
    """info.json as a dictionary, trailing commas forgiven; empty if there is no such file."""
    if not path.is_file():
        return {}
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    try:
        info = json.loads(_STRING_OR_TRAILING_COMMA.sub(lambda match: match.group(1) or "", text))
    except (ValueError, RecursionError) as error:
        raise LayoutError(
            f"{path} is not JSON ({_why(error)}); expected the description of a Meta-Album set. "
            f"Repair it, or remove it if the columns of labels.csv are FILE_NAME and CATEGORY."
        ) from error
    if not isinstance(info, dict):
        raise LayoutError(
            f"{path} holds a JSON {type(info).__name__}; expected an object with the description of a Meta-Album set. "
            f"Repair it, or remove it if the columns of labels.csv are FILE_NAME and CATEGORY."
        )
    return info


def _why(error: ValueError | RecursionError) -> str:
    """Why a text is not JSON that can be read."""
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}: {error.msg}"
    return "its values are nested too deeply" if isinstance(error, RecursionError) else str(error)


def _labels(table: Table, info: dict[str, Any]) -> tuple[list[str], list[str]]:
    """File names and categories, row by row."""
    names = table.columns[_column(table, _text(info, "image_column_name"), _FILE)]
    categories = table.columns[_column(table, _text(info, "category_column_name"), _CATEGORY)]
    pairs = enumerate(zip(names, categories, strict=True))
    table.refuse_rows([row for row, pair in pairs if not all(pair)], "a file name or a category")
    return names, [unicodedata.normalize("NFC", category) for category in categories]


def _column(table: Table, from_info: str, usual: str) -> str:
    for candidate in (from_info, usual):
        if candidate in table.columns:
            return candidate
    wanted = " or ".join(dict.fromkeys(repr(name) for name in (from_info, usual) if name))
    raise LayoutError(
        f"{table.path} has the columns {listing([repr(name) for name in table.columns], 8) or 'none'}; expected "
        f"{wanted}. Name the column in info.json (image_column_name, category_column_name)."
    )


def _text(info: dict[str, Any], *keys: str) -> str:
    """The first of these keys that holds text."""
    for key in keys:
        value = info.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""
