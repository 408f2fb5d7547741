"""Where the files lie that a table's column names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from supernet_tl.data.errors import LayoutError, listing
from supernet_tl.data.names import is_image_name
from supernet_tl.data.sources.named_files import FoundFiles, find_files
from supernet_tl.data.sources.scan import first_level

_SAMPLE = 20


def find_table_files(table: Path, values: Sequence[str], *, alike: bool) -> FoundFiles:
    """The image files that a column names.

    Names are relative to the table's folder, or to one of its sub-folders; absolute ones, and such that lead out of the
    folder, are taken as they are. Names without an ending get the one ending of images that fits all.

    Args:
        table: the file.
        values: the column.
        alike: whether files count whose names are written a little otherwise.

    Returns:
        The reading that finds most files of some rows, and then of all.

    Raises:
        LayoutError: several readings find all files.
    """
    folder = table.parent
    bare = not any(is_image_name(value) for value in values[:_SAMPLE])
    found = find_files(folder, values, alike=False)
    if not bare and not found.missing:
        return found
    bases = [folder, *first_level(folder)[1]]
    readings = [(base, suffix) for base in bases for suffix in (_suffixes(base, values) if bare else [""])]
    for otherwise in (False, True) if alike else (False,):
        likely = _likeliest(readings, values, alike=otherwise)
        tried = [find_files(base, _with_suffix(values, suffix), alike=otherwise) for base, suffix in likely]
        complete = [files for files in tried if not files.missing]
        if len(complete) > 1:
            _refuse_several(table, [reading for reading, files in zip(likely, tried, strict=True) if not files.missing])
        found = min([*tried, found], key=lambda files: len(files.missing))
        if complete:
            break
    return found


def _likeliest(
    readings: Sequence[tuple[Path, str]], values: Sequence[str], *, alike: bool
) -> Sequence[tuple[Path, str]]:
    """The readings that find most files of a sample of rows, and thus any that finds all files; none that finds none.

    To look for every file wherever it might lie would take as long as there are files times folders.
    """
    sample = values[:: max(1, len(values) // _SAMPLE)][:_SAMPLE]
    missing = {
        (base, suffix): len(find_files(base, _with_suffix(sample, suffix), alike=alike).missing)
        for base, suffix in readings
    }
    fewest = min(missing.values(), default=0)
    return [reading for reading, number in missing.items() if number == fewest < len(sample)]


def _with_suffix(values: Sequence[str], suffix: str) -> list[str]:
    return [value + suffix for value in values]


def _refuse_several(table: Path, readings: Sequence[tuple[Path, str]]) -> None:
    shown = [f"{base.relative_to(table.parent) / '*'}{suffix}" for base, suffix in readings]
    raise LayoutError(
        f"{table} names files that are in several places: {listing(shown)}; expected one. Write the folder and "
        f"the ending into the names, or move the other files elsewhere."
    )


def _suffixes(base: Path, values: Sequence[str]) -> list[str]:
    """Endings of images with which one of the first names is a file."""
    suffixes: set[str] = set()
    for value in values[:_SAMPLE]:
        wanted = base / value
        if value and os.path.isdir(wanted.parent):
            siblings = (name for name in os.listdir(wanted.parent) if name.startswith(f"{wanted.name}."))
            suffixes |= {name.removeprefix(wanted.name) for name in siblings if is_image_name(name)}
    return sorted(suffix for suffix in suffixes if suffix.count(".") == 1)
