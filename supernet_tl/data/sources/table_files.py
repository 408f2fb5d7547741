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
        The reading that finds most files.

    Raises:
        LayoutError: several readings find all files.
    """
    folder = table.parent
    readings: list[tuple[Path, str, FoundFiles]] = []  # base, ending, what they find
    bases = [folder, *first_level(folder)[1]]
    bare = not any(is_image_name(value) for value in values[:_SAMPLE])
    for base in bases:
        for suffix in _suffixes(base, values) if bare else [""]:
            found = find_files(base, [value + suffix for value in values], alike=False)
            readings.append((base, suffix, found))
            if base == folder and not suffix and not found.missing:
                return found
    complete = [reading for reading in readings if not reading[2].missing]
    if len(complete) > 1:
        shown = [f"{base.relative_to(folder) / '*'}{suffix}" for base, suffix, _ in complete]
        raise LayoutError(
            f"{table} names files that are in several places: {listing(shown)}; expected one. Write the folder and "
            f"the ending into the names, or move the other files elsewhere."
        )
    if complete:
        return complete[0][2]
    fewest = min((len(found.missing) for _, _, found in readings), default=len(values))
    nearest = [(base, suffix) for base, suffix, found in readings if len(found.missing) == fewest] or [(folder, "")]
    again = [find_files(base, [value + suffix for value in values], alike=alike) for base, suffix in nearest]
    return min(again, key=lambda found: len(found.missing))


def _suffixes(base: Path, values: Sequence[str]) -> list[str]:
    """Endings of images with which one of the first names is a file."""
    suffixes: set[str] = set()
    for value in values[:_SAMPLE]:
        wanted = base / value
        if value and os.path.isdir(wanted.parent):
            siblings = (name for name in os.listdir(wanted.parent) if name.startswith(f"{wanted.name}."))
            suffixes |= {name.removeprefix(wanted.name) for name in siblings if is_image_name(name)}
    return sorted(suffix for suffix in suffixes if suffix.count(".") == 1)
