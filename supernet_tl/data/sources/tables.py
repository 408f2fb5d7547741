"""Image sets as a table of paths and classes: CSV, TSV or Parquet."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from supernet_tl.data.errors import LayoutError, listing
from supernet_tl.data.image_set import ImageSet
from supernet_tl.data.sources.labelled_files import PARTS, TRAIN, LabelledFile, image_set_of
from supernet_tl.data.sources.named_files import refuse_repeated
from supernet_tl.data.sources.scan import entries, first_level, holds_images
from supernet_tl.data.sources.table_columns import Columns, recognise
from supernet_tl.data.sources.table_reading import TABLE_SUFFIXES, Table, read_table

EXPECTED_TABLE = "a table of paths and classes (.csv, .tsv, .parquet)"


def table_in(root: Path) -> Path | None:
    """The table of a folder that holds images and no class folders: all images directly, or in one sub-folder.

    Raises:
        LayoutError: there are several tables.
    """
    tables = [path for path in entries(root) if path.suffix.lower() in TABLE_SUFFIXES and path.is_file()]
    if not tables:
        return None
    files, folders = first_level(root)
    with_images = [folder for folder in folders if holds_images(folder)]
    if len(with_images) > 1 or not (with_images or files.images):
        return None
    if len(tables) > 1:
        raise LayoutError(
            f"{root} holds several tables: {listing([path.name for path in tables])}; expected one beside the images. "
            f"Give the one to use, such as {tables[0]}."
        )
    return tables[0]


def open_table(path: Path) -> ImageSet:
    """The images that a table names, with the classes it gives them. No image is decoded here.

    Classes are text, as it is written. A table may name any file of this machine. Images beside it that it does not
    name are none of the set.

    Args:
        path: of the table.

    Raises:
        LayoutError: the table cannot be understood, or names an image twice.
        EmptySourceError: it has no rows.
        MissingFilesError: it names images that do not exist.
    """
    table = read_table(path)
    columns = recognise(table)
    labels = [unicodedata.normalize("NFC", label) for label in table.columns[columns.label]]
    table.refuse_rows([row for row, label in enumerate(labels) if not label], "a class")
    refuse_repeated(path, table.columns[columns.path], columns.files, labels)
    _refuse_numbers(table, columns.label, labels)
    parts = [TRAIN] * len(labels)
    if columns.part is not None:
        parts = [PARTS[value.lower()] for value in table.columns[columns.part]]
    folder = path.resolve().parent.name
    alone = sum(entry.suffix.lower() in TABLE_SUFFIXES for entry in entries(path.parent)) == 1
    rows = sorted(zip(columns.files.paths, labels, parts, strict=True))
    return image_set_of(
        [LabelledFile(file, label, part) for file, label, part in rows],
        root=path,
        name=folder if alone else f"{folder}-{path.stem}",
        origin=f"table {path.name} in folder {folder}",
        description="Images with the classes that a table gives them.",
        notes=(*table.notes, *columns.files.notes(path), *_notes_on(columns)),
    )


def _notes_on(columns: Columns) -> tuple[str, ...]:
    if not columns.unused:
        return ()
    parts = "" if columns.part is None else f", parts from {columns.part!r}"
    unused = listing([repr(name) for name in columns.unused])
    return (f"paths are read from {columns.path!r}, classes from {columns.label!r}{parts}; not used: {unused}",)


def _refuse_numbers(table: Table, name: str, labels: list[str]) -> None:
    """Labels that are no classes: quantities, identifiers, one number written in two ways."""
    distinct = sorted(set(labels))
    numbers = {label: _number(label) for label in distinct}
    fractions = [label for label, number in numbers.items() if number is not None and number != int(number)]
    if len(distinct) == len(labels) > 1 or (len(fractions) > len(distinct) / 2 and len(distinct) > len(labels) / 4):
        raise LayoutError(
            f"{table.path} has {len(distinct)} different values in the {len(labels)} rows of the column {name!r}, such "
            f"as {listing(distinct, 3)}; expected classes that several images share. Give a column of classes: "
            f"quantities and identifiers cannot be learned here."
        )
    by_number: dict[float, list[str]] = {}
    for label, number in numbers.items():
        if number is not None:
            by_number.setdefault(number, []).append(label)
    alike = [" and ".join(map(repr, written)) for written in by_number.values() if len(written) > 1]
    if alike:
        raise LayoutError(
            f"{table.path} writes numbers in several ways in the column {name!r}: {listing(alike)}; expected one "
            f"spelling for each class. Write them alike, or name the classes in words."
        )


def _number(label: str) -> float | None:
    try:
        number = float(label)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None
