"""From files with a class each to an image set, however they were found."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from supernet_tl.data.card import DataCard
from supernet_tl.data.errors import LayoutError, listing
from supernet_tl.data.image_set import ImageSet
from supernet_tl.data.pixels.stores import FileStore

TRAIN, VALIDATION, TEST = "train", "validation", "test"
PARTS = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
    "testing": TEST,
}
"""What people call the parts of a set that is already split, in lower case, and which part they mean."""


@dataclass(frozen=True)
class LabelledFile:
    """An image file, its class, and the part of the set that it belongs to."""

    path: Path
    class_name: str
    part: str = TRAIN


def image_set_of(
    files: Sequence[LabelledFile],
    *,
    root: Path,
    name: str,
    origin: str,
    description: str,
    class_names: Iterable[str] = (),
    licence: str = "not stated",
    domain: str = "",
    ignored: Iterable[str] = (),
    notes: Iterable[str] = (),
) -> ImageSet:
    """An image set of files, class by class, and within a class in the order given.

    Args:
        files: all images.
        root: what the set is called in messages, and the folder to which results name images relatively.
        name: of the set.
        origin: for its card.
        description: for its card.
        class_names: classes that count though they have no image.
        licence: for its card.
        domain: for its card.
        ignored: files that are not used, relative to the root.
        notes: sentences for the person.

    Raises:
        LayoutError: a class has images in validation or test, and none to learn it from.
    """
    names = sorted({*class_names, *(file.class_name for file in files)})
    learnt = {file.class_name for file in files if file.part == TRAIN}
    unlearnt = sorted({file.class_name for file in files} - learnt)
    if unlearnt:
        raise LayoutError(
            f"{root} has {len(unlearnt)} classes with images for validation or test and none for training: "
            f"{listing(unlearnt)}; expected every class among the training images. Name these classes as in training, "
            f"add training images, or remove them; images without a class belong in no class's folder."
        )
    notes = (*notes, *_note_on_likeness(names))
    place = {class_name: label for label, class_name in enumerate(names)}
    ordered = sorted(files, key=lambda file: place[file.class_name])
    parts = np.array([file.part for file in ordered])
    return ImageSet(
        name=name,
        class_names=tuple(names),
        labels=np.array([place[file.class_name] for file in ordered], dtype=np.int64),
        store=FileStore([file.path for file in ordered], root=_common_root(root, [file.path for file in files])),
        card=DataCard(
            name=name,
            origin=origin,
            licence=licence,
            description=description,
            domain=domain,
            num_images=len(ordered),
            num_classes=len(names),
            mirror_safe=False,
        ),
        official_test=parts == TEST if TEST in parts else None,
        official_validation=parts == VALIDATION if VALIDATION in parts else None,
        ignored=tuple(sorted(ignored)),
        notes=tuple(notes),
    )


def _note_on_likeness(class_names: Sequence[str]) -> list[str]:
    """What the person should hear of classes that may be one class written in two ways."""
    written: dict[str, list[str]] = {}
    for name in class_names:
        written.setdefault(" ".join(name.casefold().split()), []).append(name)
    alike = [" and ".join(map(repr, names)) for names in written.values() if len(names) > 1]
    if not alike:
        return []
    return [
        f"classes whose names differ only in case or white space are kept apart: {listing(alike)}; name them alike if "
        f"they are one"
    ]


def _common_root(root: Path, paths: Sequence[Path]) -> Path:
    """The root if all files lie beneath it, else the deepest folder beneath which they do."""
    folder = root if root.is_dir() else root.parent
    if all(path.is_relative_to(folder) and ".." not in path.parts for path in paths):
        return folder
    return Path(os.path.commonpath([os.path.abspath(path.parent) for path in paths]))
