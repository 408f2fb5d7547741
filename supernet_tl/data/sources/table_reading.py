"""Tables as people save them, as columns of text: separated values in the usual encodings, and Parquet."""

from __future__ import annotations

import codecs
import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supernet_tl.data.errors import EmptySourceError, LayoutError, MissingPackageError, listing

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet", ".pq"})  # compared in lower case

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class Table:
    """Columns of text.

    Args:
        path: the file.
        columns: by name, one value a row without white space around it; empty where the row has none.
        pictures: columns that hold images themselves, or other things that are no text.
        notes: sentences for the person.
    """

    path: Path
    columns: dict[str, list[str]]
    pictures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def num_rows(self) -> int:
        """Rows beneath the header."""
        return max(map(len, self.columns.values()), default=0)

    def refuse_rows(self, lacking: list[int], what: str) -> None:
        """Refuse the table if there are rows (counted from 0) that lack something."""
        if lacking:
            rows = listing([f"row {row + 1}" for row in lacking])
            raise LayoutError(
                f"{self.path} has rows without {what}: {rows}; expected both in every row. Complete or remove these "
                f"rows."
            )


def read_table(path: Path) -> Table:
    """Read a table, its format told by its ending.

    Text is UTF-8, UTF-16 with a mark, or else Latin-1, and separated by commas, semicolons or tabs; the first line
    names the columns.

    Raises:
        LayoutError: it is not such a table.
        EmptySourceError: it has no rows.
        MissingPackageError: pyarrow, which reads Parquet, is not installed.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise LayoutError(
            f"{path} is no regular file; expected a table of paths and classes that can be read twice. Write what it "
            f"gives into a file, and give that."
        )
    table = _read_parquet(path) if path.suffix.lower() in {".parquet", ".pq"} else _read_text(path)
    if not table.num_rows and not table.pictures:
        raise EmptySourceError(f"{path} has no rows; expected one for each image. Write or download it again.")
    return table


def _read_text(path: Path) -> Table:
    raw = _bytes_of(path)
    text, notes = _decode(path, raw)
    try:
        if "\0" in text:
            raise csv.Error("it holds zero bytes")
        rows = _rows(path, text)
    except csv.Error as error:
        raise LayoutError(
            f"{path} is not a table of separated values ({error}); expected UTF-8 text with one row for each image. "
            f"Save it again as CSV."
        ) from error
    header = [name.strip() for name in rows[0]] if rows else []
    while header and not header[-1]:  # a line that ends with a separator
        header.pop()
    body = [[value.strip() for value in row] for row in rows[1:]]
    _refuse_repeated(path, header)
    for number, row in enumerate(body, start=1):
        if any(row[len(header) :]):
            raise LayoutError(
                f"{path} has {len(row)} values in row {number} and {len(header)} columns; expected one value a column. "
                f"Put quotation marks around values that hold a separator."
            )
    return Table(
        path,
        {name: [row[place] if place < len(row) else "" for row in body] for place, name in enumerate(header)},
        notes=notes,
    )


def _refuse_repeated(path: Path, header: list[str]) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise LayoutError(
            f"{path} has several columns of the same name: {listing([repr(name) for name in twice])}; expected each "
            f"once. Rename or remove one."
        )


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LayoutError(
            f"{path} cannot be read ({error.strerror}); expected a table this user can open. Change its permissions or "
            f"move it."
        ) from error


def _decode(path: Path, raw: bytes) -> tuple[str, tuple[str, ...]]:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", errors="replace"), ()
    try:
        return raw.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        return raw.decode("latin-1"), (f"{path.name} is not UTF-8 and is read as Latin-1",)


def _rows(path: Path, text: str) -> list[list[str]]:
    """All rows that hold something, cut at the separator that makes a table of them."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    usable = [separator for separator in _SEPARATORS if len(_cut(first, separator, strict=False)[0]) > 1]
    if len(usable) > 1:
        shapes = {separator: {len(row) for row in _cut(text, separator)} for separator in usable}
        even = [separator for separator, widths in shapes.items() if len(widths) == 1]
        usable = even or usable
    if len(usable) > 1:
        found = listing([_SEPARATORS[separator] for separator in usable])
        raise LayoutError(
            f"{path} may be cut into columns at {found}; expected one kind of separator. Save it again with "
            f"quotation marks around values that hold the other."
        )
    return [row for row in _cut(text, usable[0] if usable else ",") if any(value.strip() for value in row)]


def _cut(text: str, separator: str, *, strict: bool = True) -> list[list[str]]:
    lines = io.StringIO(text, newline="")
    rows = list(csv.reader(lines, delimiter=separator, skipinitialspace=separator != "\t", strict=strict))
    return rows or [[]]


def _read_parquet(path: Path) -> Table:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingPackageError(
            f"{path} is a Parquet table, and the package 'pyarrow', which reads it, is not installed; expected it "
            f"beside this package. Install it with: pip install pyarrow"
        ) from error
    try:
        file = parquet.ParquetFile(path)
        _refuse_repeated(path, file.schema_arrow.names)
        pictures = tuple(field.name for field in file.schema_arrow if not _is_text_like(field.type))
        found = file.read(columns=[name for name in file.schema_arrow.names if name not in pictures])
        columns = {name: [_as_text(value) for value in found.column(name).to_pylist()] for name in found.column_names}
    except UnicodeDecodeError as error:
        raise LayoutError(
            f"{path} holds text that is not UTF-8; expected a column of paths and one of classes in UTF-8. Write it "
            f"again."
        ) from error
    except (pyarrow.ArrowException, OSError) as error:
        raise LayoutError(
            f"{path} is not a Parquet table ({str(error).splitlines()[0].rstrip('.')}); expected one with a column of "
            f"paths and one of classes. Write or download it again."
        ) from error
    return Table(path, columns, pictures=pictures)


def _is_text_like(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        return _is_text_like(kind.value_type)
    checks = (types.is_string, types.is_large_string, types.is_integer, types.is_floating, types.is_boolean)
    return any(check(kind) for check in checks)


def _as_text(value: Any) -> str:
    """A value as a person would write it; empty for null and for what is not a number."""
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if missing else str(value).strip()
