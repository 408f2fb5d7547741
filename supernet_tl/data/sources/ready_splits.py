"""Image sets that are already split: ``root/train/<class>/...`` with validation, test, or both beside it."""

from __future__ import annotations

from pathlib import Path

from supernet_tl.data.errors import LayoutError, listing
from supernet_tl.data.image_set import ImageSet
from supernet_tl.data.sources.labelled_files import PARTS, TRAIN, LabelledFile, image_set_of
from supernet_tl.data.sources.scan import (
    ClassScan,
    entries,
    first_level,
    holds_images,
    notes_on,
    relative,
    scan,
    scan_classes,
)
from supernet_tl.data.sources.table_reading import TABLE_SUFFIXES

_EXPECTED = "root/train/<class>/*.png|jpg|... with validation/<class>, test/<class>, or both beside it"


def find_ready_splits(root: Path) -> dict[str, Path] | None:
    """The folders of each part, if the folders of ``root`` are parts of a set that is already split.

    Names count in any case: train, training; val, valid, validation; test, testing. They are parts where no other
    folder with images lies beside them, and classes elsewhere; ``train`` alone is a part if it holds folders of images.

    Raises:
        LayoutError: the folders are named as parts, but cannot be used as such, or could be either.
    """
    _, folders = first_level(root)
    named = [(PARTS[folder.name.lower()], folder) for folder in folders if folder.name.lower() in PARTS]
    parts = dict(named)
    others = [folder for folder in folders if folder.name.lower() not in PARTS and holds_images(folder)]
    if not named or (len(named) == 1 and (others or TRAIN not in parts or not _class_names(parts[TRAIN]))):
        return None
    if others:
        _refuse_parts_among_classes(root, parts, others)
        return None
    shown = listing([folder.name for _, folder in named])
    if len(parts) < len(named):
        raise LayoutError(
            f"{root} holds the folders {shown}, of which several mean the same part; expected {_EXPECTED}. Join these "
            f"folders."
        )
    if TRAIN not in parts:
        raise LayoutError(
            f"{root} holds the folders {shown}, which look like splits and not like classes; expected {_EXPECTED}. "
            f"Give one of them, such as {named[0][1]}, or name the one to learn from train."
        )
    if not _class_names(parts[TRAIN]):
        _refuse_train_without_classes(root, parts[TRAIN], shown)
    return parts


def open_ready_splits(root: Path, parts: dict[str, Path]) -> ImageSet:
    """The images of all parts, with masks for those of validation and test.

    A part that is not there stays to be drawn from the training images. A part whose images have no classes, as the
    test images of a competition, is left out, listed in ``ignored`` and told in ``notes``. No image is decoded here.

    Args:
        root: an existing folder.
        parts: from ``find_ready_splits``.

    Raises:
        LayoutError: a class has images for validation or test and none for training.
    """
    files: list[LabelledFile] = []
    class_names: set[str] = set()
    loose_files, others = first_level(root)
    ignored = [relative(path, root) for path in (*loose_files.images, *loose_files.ignored)]
    ignored += [name for folder in others if folder not in parts.values() for name in scan(folder, root).ignored]
    loose, notes = list(loose_files.images), []
    for part, folder in sorted(parts.items(), key=lambda item: list(dict.fromkeys(PARTS.values())).index(item[0])):
        found = scan_classes(folder, root)
        if part != TRAIN and _has_no_classes(found, class_names):
            left_out = [*found.loose, *(path for paths in found.images.values() for path in paths)]
            ignored += [*found.ignored, *(relative(path, root) for path in left_out)]
            what = (
                f"{len(left_out)} image{'s' if len(left_out) > 1 else ''} without classes" if left_out else "no images"
            )
            instead = f"the {part} split is drawn from {parts[TRAIN].name}/ instead"
            notes.append(f"{folder.name}/ holds {what} and is left out; {instead}")
            continue
        class_names |= set(found.images) if part == TRAIN else set()
        files += [LabelledFile(path, name, part) for name, paths in found.images.items() for path in paths]
        ignored += [*found.ignored, *(relative(path, root) for path in found.loose)]
        loose += found.loose
    return image_set_of(
        files,
        root=root,
        name=root.resolve().name,
        origin=f"folder {root.resolve().name}, split into {listing([folder.name for folder in parts.values()])}",
        description="Images in one folder for each class, already split.",
        class_names=class_names,
        ignored=ignored,
        notes=(*notes, *notes_on(ignored, loose, root)),
    )


def _class_names(folder: Path) -> set[str]:
    return {path.name for path in entries(folder) if path.is_dir() and holds_images(path)}


def _has_no_classes(found: ClassScan, known: set[str]) -> bool:
    """Whether the images of a part lie directly in it, or in a folder that merely repeats the part's name."""
    named = {name for name, paths in found.images.items() if paths}
    return not named or (len(named) == 1 and not named & known and {name.lower() for name in named} <= set(PARTS))


def _refuse_parts_among_classes(root: Path, parts: dict[str, Path], others: list[Path]) -> None:
    """``train`` and ``test`` beside other folders are classes, unless both hold the same folders of images."""
    if TRAIN not in parts:
        return
    classes = _class_names(parts[TRAIN])
    for part, folder in parts.items():
        if part != TRAIN and len(classes & _class_names(folder)) > 1:
            raise LayoutError(
                f"{root} holds {parts[TRAIN].name} and {folder.name}, whose folders bear the same names "
                f"({listing(sorted(classes & _class_names(folder)), 3)}), beside {listing([p.name for p in others])}; "
                f"expected either splits or classes. Move the folders that are neither elsewhere."
            )


def _refuse_train_without_classes(root: Path, train: Path, shown: str) -> None:
    tables = [str(path) for path in entries(root) if path.suffix.lower() in TABLE_SUFFIXES]
    remedy = f"If a table names their classes, give it: {listing(tables)}" if tables else "Sort the images into folders"
    raise LayoutError(
        f"{root} holds the folders {shown}, which look like splits, but {train.name} has no folders of images; "
        f"expected {_EXPECTED}. {remedy}."
    )
