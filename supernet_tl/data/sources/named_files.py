"""Files by the names that a table gives them, also where table and disk write a name in two ways."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from supernet_tl.data.errors import LayoutError, listing
from supernet_tl.data.names import readable
from supernet_tl.data.sources.scan import walk


@dataclass(frozen=True)
class FoundFiles:
    """One file for each name.

    Args:
        paths: the files; where one is missing, the path at which it was expected.
        missing: names without a file.
        alike: names that are written otherwise on the disk, each with the name there.
    """

    paths: tuple[Path, ...]
    missing: tuple[str, ...]
    alike: tuple[tuple[str, str], ...]

    def notes(self, table: Path) -> tuple[str, ...]:
        """What the person should hear of names that are not quite the files'."""
        if not self.alike:
            return ()
        written, there = self.alike[0]
        return (
            f"{len(self.alike)} names in {table.name} are written otherwise than their files, such as {written!r} for "
            f"{there!r}, and are taken for them",
        )


def find_files(folder: Path, names: Sequence[str], *, alike: bool = True) -> FoundFiles:
    """The file of each name beneath a folder.

    A file that bears the very name is taken. Else the one file is taken whose name differs only in how accents are
    composed, in the case of its ending, or in the slashes between folders; where there are several, none is.

    Args:
        folder: to which names are relative.
        names: of files.
        alike: whether to look for names that are written otherwise; this reads the whole folder.
    """
    paths = [folder / name for name in names]
    missing, others = [], []
    lost = [row for row, path in enumerate(paths) if not os.path.isfile(path)]
    index = _index(folder) if lost and alike else {}
    for row in lost:
        candidates = index.get(_key(names[row]), [])
        if len(candidates) == 1:
            paths[row] = candidates[0]
            others.append((names[row], readable(str(candidates[0].relative_to(folder)))))
        else:
            missing.append(names[row])
    return FoundFiles(tuple(paths), tuple(missing), tuple(others))


def refuse_repeated(table: Path, names: Sequence[str], files: FoundFiles, class_names: Sequence[str]) -> None:
    """An image in two rows could be trained on and tested on, or have two classes.

    Args:
        table: in whose rows they are.
        names: of each row's file, as the row writes it.
        files: what was found for the names.
        class_names: of each row.

    Raises:
        LayoutError: several rows name one file.
    """
    places = [os.path.abspath(path) for path in files.paths]
    num_rows = Counter(places)
    num_classes = Counter(place for place, _ in set(zip(places, class_names, strict=True)))
    rows = list(zip(names, places, strict=True))
    several = sorted({name for name, place in rows if num_classes[place] > 1})
    same = sorted({name for name, place in rows if num_rows[place] > 1 and num_classes[place] == 1})
    if not several and not same:
        return
    told = [f"with several classes: {listing(several)}"] if several else []
    if same:
        told.append(f"more than once{' with the same' if several else ''}: {listing(same)}")
    raise LayoutError(
        f"{table} names images {', and '.join(told)}; expected one row and one class for each image, or the same image "
        f"could be trained on and tested on. Remove the repeated rows."
    )


def _index(folder: Path) -> dict[str, list[Path]]:
    index: dict[str, list[Path]] = defaultdict(list)
    for path in walk(folder) if folder.is_dir() else ():
        index[_key(readable(str(path.relative_to(folder))))].append(path)
    return index


def _key(name: str) -> str:
    stem, suffix = os.path.splitext(os.path.normpath(name.replace("\\", "/")))
    return unicodedata.normalize("NFC", stem) + suffix.lower()
