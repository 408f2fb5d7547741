"""From what a user types to an image set that has passed its checks."""

from __future__ import annotations

import dataclasses
import difflib
import os
import zipfile
from pathlib import Path

from supernet_tl.data.album.fetching import Fetching
from supernet_tl.data.album.source import OPENML_PREFIX, open_openml
from supernet_tl.data.checks import MIN_IMAGES_PER_CLASS, check_classes, check_images
from supernet_tl.data.errors import LayoutError, SourceNotFoundError, TooFewClassesError, listing
from supernet_tl.data.image_set import ImageSet, Progress
from supernet_tl.data.offered_sources import open_offered
from supernet_tl.data.sources.class_folders import EXPECTED_LAYOUT, open_class_folders
from supernet_tl.data.sources.meta_album_folder import is_meta_album, open_meta_album
from supernet_tl.data.sources.pocket import POCKET_NAMES, open_pocket
from supernet_tl.data.sources.ready_splits import find_ready_splits, open_ready_splits
from supernet_tl.data.sources.table_reading import TABLE_SUFFIXES
from supernet_tl.data.sources.tables import EXPECTED_TABLE, open_table, table_in

POCKET_PREFIX = "pocket:"
_ARCHIVE_SUFFIXES = frozenset({".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst"})
_SHEET_SUFFIXES = frozenset({".xlsx", ".xls", ".ods", ".json", ".jsonl", ".txt", ".feather", ".arrow"})


def open_image_set(
    spec: str | os.PathLike[str] | ImageSet,
    *,
    skip_corrupt: bool = False,
    drop_small_classes: bool = False,
    min_images: int = MIN_IMAGES_PER_CLASS,
    mirror_safe: bool | None = None,
    progress: Progress | None = None,
    fetching: Fetching | None = None,
    image_size: int | None = None,
) -> ImageSet:
    """Open and check an image set.

    Args:
        spec: ``pocket:NAME``; ``openml:TAG/VERSION`` of Meta-Album, or ``openml:ID``; ``PREFIX:...`` of a source that
            an installed distribution offers; a folder ``root/<class>/*.png|jpg|...``; a folder
            ``root/train/<class>/...`` with validation, test or both beside it; a table of paths and classes, or a
            folder that holds one beside its images; a Meta-Album folder; or an image set.
        skip_corrupt: leave images that cannot be decoded out, listed in ``skipped``, instead of refusing the set.
        drop_small_classes: leave classes with fewer than four images out, listed in ``dropped_classes``.
        min_images: of each class; fewer than four where nothing is split.
        mirror_safe: whether a left-right mirrored image keeps its class; None keeps what the set's card says, which for
            folders is no.
        progress: called after each image that is decoded; one that was decoded before on this machine is not again.
        fetching: who is told of a download, and whether there may be one; by default it is logged.
        image_size: pixels a side that the images are wanted in afterwards: what is decoded is then kept at that size.

    Returns:
        At least two classes with at least ``min_images`` images each, every image decodable.

    Raises:
        DataError: of the kind that fits, with a sentence that says what to do.
    """
    found = spec if isinstance(spec, ImageSet) else _find(spec, fetching)
    if mirror_safe is not None:
        found = found.described(card=dataclasses.replace(found.card, mirror_safe=mirror_safe))
    # Counting is cheap and decoding is not: complain about classes first, and again once unreadable images are gone.
    checked = check_classes(found, drop_small_classes=drop_small_classes, min_images=min_images)
    checked = check_images(checked, skip_corrupt=skip_corrupt, progress=progress, image_size=image_size)
    return check_classes(checked, drop_small_classes=drop_small_classes, min_images=min_images)


def _find(spec: str | os.PathLike[str], fetching: Fetching | None) -> ImageSet:
    text = os.fspath(spec)
    if text.startswith(POCKET_PREFIX):
        return open_pocket(text.removeprefix(POCKET_PREFIX))
    if text.startswith(OPENML_PREFIX):
        return open_openml(text.removeprefix(OPENML_PREFIX), fetching)
    if (opened := open_offered(text)) is not None:
        return opened
    if not text.strip():
        raise SourceNotFoundError(f"an empty name was given for an image set; expected {_expected()}.")
    if "://" in text:
        raise SourceNotFoundError(
            f"{text} is an address elsewhere; image sets are read on this machine. Copy it here first; expected "
            f"{_expected()}."
        )
    root = Path(text).expanduser()
    if not root.exists():
        raise SourceNotFoundError(_not_found(text, root))
    if not root.is_dir():
        if root.suffix.lower() in TABLE_SUFFIXES:
            return open_table(root)
        raise LayoutError(_not_a_folder(root))
    if is_meta_album(root):
        return open_meta_album(root)
    parts = find_ready_splits(root)
    if parts is not None:
        return open_ready_splits(root, parts)
    table = table_in(root)
    if table is not None:
        return open_table(table)
    folders = open_class_folders(root)
    if len(folders.class_names) == 1:
        _refuse_one_folder_too_high(root, folders.class_names[0])
    return folders


def _expected() -> str:
    return (
        f"a folder ({EXPECTED_LAYOUT}), {EXPECTED_TABLE}, a Meta-Album folder, {POCKET_PREFIX}NAME, or "
        f"{OPENML_PREFIX}TAG/VERSION"
    )


def _not_found(text: str, root: Path) -> str:
    if root.is_symlink():
        return (
            f"{root} is a symbolic link to {root.readlink()}, which cannot be reached; expected {_expected()}. "
            f"Mend the link."
        )
    sentence = f"{root} does not exist; expected {_expected()}."
    if text in POCKET_NAMES:
        return f"{sentence} Did you mean {POCKET_PREFIX}{text}?"
    near = _near_names(root)
    return f"{sentence} Near it there is {listing(near)}." if near else f"{sentence} Check the path."


def _near_names(root: Path) -> list[str]:
    """Folders beside the missing one whose names are written almost alike."""
    parent = root.parent
    if not parent.is_dir():
        return []
    by_lower_name = {path.name.lower(): path for path in sorted(parent.iterdir()) if path.is_dir()}
    close = difflib.get_close_matches(root.name.lower(), by_lower_name, n=3, cutoff=0.6)
    return [str(by_lower_name[name]) for name in close]


def _not_a_folder(root: Path) -> str:
    if root.suffix.lower() in _SHEET_SUFFIXES:
        return f"{root} is a spreadsheet or a table of another kind; expected {_expected()}. Save it as CSV."
    if root.suffix.lower() in _ARCHIVE_SUFFIXES or zipfile.is_zipfile(root):
        return f"{root} is an archive; expected {_expected()}. Unpack it, and give the folder that comes out."
    return f"{root} is a file; expected {_expected()}. Give the folder that holds the images."


def _refuse_one_folder_too_high(root: Path, only_class: str) -> None:
    """A folder with a single sub-folder is often an image set one level further down: say so."""
    for child in (path for path in root.iterdir() if path.is_dir() and path.name == only_class):
        if is_meta_album(child) or any(path.is_dir() for path in child.iterdir()):
            raise TooFewClassesError(
                f"{root} holds the single folder {only_class!r}, which has folders of its own; expected at least 2 "
                f"classes. If its folders are the classes, give {child}."
            )
