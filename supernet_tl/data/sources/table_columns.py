"""Which column of a table holds paths, which classes, which the part of the set."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from supernet_tl.data.errors import LayoutError, MissingFilesError, listing
from supernet_tl.data.names import is_image_name
from supernet_tl.data.sources.labelled_files import PARTS
from supernet_tl.data.sources.named_files import FoundFiles
from supernet_tl.data.sources.table_files import find_table_files
from supernet_tl.data.sources.table_reading import Table

# Compared without white space, case and punctuation.
_PATH_NAMES = frozenset(
    "path paths file files filename filenames filepath fname image images imagefile imagefilename imageid imagename "
    "imagepath img imgfile imgid imgname imgpath id photo picture relativepath".split()
)
_LABEL_NAMES = frozenset(
    "label labels class classes classlabel classname category categories categoryname target targets y".split()
)
_PART_NAMES = frozenset("split set fold subset partition part phase usage".split())


@dataclass(frozen=True)
class Columns:
    """What a table's columns mean.

    Args:
        path: name of the column of paths.
        files: the files that it names.
        label: name of the column of classes.
        part: name of the column that tells train, validation and test apart; None if there is none.
        unused: names of the other columns.
    """

    path: str
    files: FoundFiles
    label: str
    part: str | None
    unused: tuple[str, ...]


def recognise(table: Table) -> Columns:
    """Recognise columns by their names, and else by what they hold.

    Raises:
        LayoutError: a column is missing, or several could be it.
        MissingFilesError: the column of paths names files that do not exist.
    """
    counting = [name for name, values in table.columns.items() if _is_row_number(name, values)]
    candidates = [name for name in table.columns if name not in counting]
    _refuse_missing_header(table, candidates)
    part = _part_column(table, candidates)
    path, files = _path_column(table, [name for name in candidates if name != part])
    label = _label_column(table, path, [name for name in candidates if name not in (path, part)])
    used = (path, label, part)
    unused = tuple(name for name in (*candidates, *table.pictures) if name not in used)
    return Columns(path, files, label, part, unused)


def _path_column(table: Table, names: list[str]) -> tuple[str, FoundFiles]:
    by_name = [name for name in names if _plain(name) in _PATH_NAMES]
    if not by_name and not names:
        raise _no_paths(table)
    found = {name: find_table_files(table.path, table.columns[name], alike=bool(by_name)) for name in by_name or names}
    whole = [name for name, files in found.items() if not files.missing]
    chosen = whole if len(by_name) != 1 else by_name
    if len(chosen) > 1:
        raise LayoutError(
            f"{table.path} has several columns that name images: {_quoted(chosen)}; expected one. Rename the one to "
            f"use to 'path', and remove the others."
        )
    if chosen:
        files = found[chosen[0]]
        table.refuse_rows([row for row, value in enumerate(table.columns[chosen[0]]) if not value], "a file name")
        _refuse_missing_files(table, chosen[0], files)
        return chosen[0], files
    nearest = min(found, key=lambda name: len(found[name].missing))
    if len(found[nearest].missing) < table.num_rows or by_name:
        _refuse_missing_files(table, nearest, found[nearest])
    raise _no_paths(table)


def _no_paths(table: Table) -> LayoutError:
    if table.pictures:
        return LayoutError(
            f"{table.path} holds images, or other things that are no text, in {_quoted(table.pictures)}; expected a "
            f"column of paths to image files. Write the images into files, and their paths into the table."
        )
    return LayoutError(
        f"{table.path} has the columns {_quoted(table.columns) or 'none'}, of which none names image files; expected a "
        f"column of paths relative to {table.path.parent}. Add one called 'path'."
    )


def _refuse_missing_files(table: Table, name: str, files: FoundFiles) -> None:
    if not files.missing:
        return
    if any(value.startswith(("http://", "https://")) for value in files.missing):
        raise LayoutError(
            f"{table.path} names web addresses in the column {name!r}, such as {files.missing[0]}; expected paths to "
            f"files. Download the images, and write their paths into the table."
        )
    raise MissingFilesError(
        f"{table.path} names {len(files.missing)} of {table.num_rows} images that do not exist: "
        f"{listing([_short(value) for value in files.missing])}; expected paths relative to {table.path.parent} in the "
        f"column {name!r}. Correct them, add the files, or remove these rows.",
        files.missing,
    )


def _label_column(table: Table, path: str, names: list[str]) -> str:
    chosen = [name for name in names if _plain(name) in _LABEL_NAMES] or names
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        raise LayoutError(
            f"{table.path} has several columns that may hold the classes: {_quoted(chosen)}; expected one. Rename the "
            f"one to use to 'label', and remove those of like meaning."
        )
    raise LayoutError(
        f"{table.path} has no column beside {path!r} that may hold the classes; expected one. Add a column called "
        f"'label'."
    )


def _part_column(table: Table, names: list[str]) -> str | None:
    """The column that is called like a split and names parts of one."""
    chosen = []
    for name in names:
        values = {value.lower() for value in table.columns[name]}
        if _plain(name) in _PART_NAMES and values & set(PARTS):
            strange = sorted(values - set(PARTS))
            if strange:
                raise LayoutError(
                    f"{table.path} has other values than train, validation and test in the column {name!r}: "
                    f"{_quoted(strange)}; expected one of {', '.join(PARTS)} in every row. Correct or remove these "
                    f"rows."
                )
            chosen.append(name)
    if len(chosen) > 1:
        raise LayoutError(
            f"{table.path} has several columns that tell training and test images apart: {_quoted(chosen)}; expected "
            f"one. Remove the others."
        )
    return chosen[0] if chosen else None


def _refuse_missing_header(table: Table, names: list[str]) -> None:
    like_data = [name for name in names if is_image_name(name)]
    if like_data:
        raise LayoutError(
            f"{table.path} begins with {like_data[0]!r}, which looks like an image and not like the name of a column; "
            f"expected the names of the columns in the first line. Add the line path,label, or what fits."
        )


def _is_row_number(name: str, values: list[str]) -> bool:
    """Whether a column is the count of rows that data frames write before the first column."""
    nameless = not name or name.lower().startswith(("unnamed:", "__index_level_"))
    return nameless and Counter(values) == Counter(str(row) for row in range(len(values)))


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _quoted(names: Counter[str] | dict[str, list[str]] | list[str] | tuple[str, ...]) -> str:
    return listing([repr(_short(name)) for name in names], 8)


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:100]}..."
