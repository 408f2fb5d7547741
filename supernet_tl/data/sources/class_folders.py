"""Image sets as most people have them: one folder for each class, ``root/<class>/*.png|jpg|...``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from supernet_tl.data.card import DataCard
from supernet_tl.data.errors import EmptySourceError, LayoutError, listing
from supernet_tl.data.image_set import ImageSet
from supernet_tl.data.pixels.stores import FileStore
from supernet_tl.data.sources.names import IMAGE_SUFFIXES, is_clutter, is_image_name, readable

EXPECTED_LAYOUT = "one sub-folder for each class, root/<class>/*.png|jpg|..."

_SPLIT_NAMES = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})


@dataclass
class Scan:
    """What lies in a folder and beneath it.

    Args:
        images: files that are named as images, sorted by path.
        ignored: other files that are not hidden, relative to the folder where the scan began.
    """

    images: list[Path] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def open_class_folders(root: Path) -> ImageSet:
    """The images beneath each sub-folder of ``root``; the sub-folder's name is the class.

    Sub-folders of a class belong to it. Hidden files and folders, and what desktops leave behind, are passed over;
    other files that are not images are listed in ``ignored``. No image is decoded here.

    Args:
        root: an existing folder.

    Raises:
        EmptySourceError: there is no image in it.
        LayoutError: images lie directly in it, it is already split into train and test, or its links are broken.
    """
    loose, folders = _first_level(root)
    if not folders and loose.images:
        raise LayoutError(
            f"{root} holds {len(loose.images)} images directly ({listing([p.name for p in loose.images], 3)}); "
            f"expected {EXPECTED_LAYOUT}. Move the images of each class into a folder named after it."
        )
    scans = {folder: _scan(folder, root) for folder in folders}
    ignored = [*loose.ignored, *(str(path.relative_to(root)) for path in loose.images)]
    ignored += [name for scan in scans.values() for name in scan.ignored]
    if not any(scan.images for scan in scans.values()):
        found = f"other files: {listing(ignored, 3)}" if ignored else "nothing"
        raise EmptySourceError(
            f"{root} holds no image (found {found}); expected {EXPECTED_LAYOUT}, where the endings may be "
            f"{', '.join(sorted(IMAGE_SUFFIXES))}. Give a folder of images."
        )
    class_names = _class_names(root, folders)
    _refuse_ready_splits(root, class_names)
    order = sorted(range(len(folders)), key=class_names.__getitem__)
    paths = [path for place in order for path in scans[folders[place]].images]
    counts = [len(scans[folders[place]].images) for place in order]
    return ImageSet(
        name=root.resolve().name,
        class_names=tuple(class_names[place] for place in order),
        labels=np.repeat(np.arange(len(order)), counts),
        store=FileStore(paths),
        card=DataCard(
            name=root.resolve().name,
            origin=f"folder {root.resolve().name}",
            licence="not stated",
            description="Images in one folder for each class.",
            domain="",
            num_images=len(paths),
            num_classes=len(order),
            mirror_safe=False,
        ),
        ignored=tuple(sorted(ignored)),
    )


def _first_level(root: Path) -> tuple[Scan, list[Path]]:
    """Files that lie directly in the root, and its sub-folders, sorted."""
    scan, folders = Scan(), []
    for path in _entries(root):
        if path.is_dir():
            folders.append(path)
        elif path.is_symlink() and not path.exists() and not is_image_name(path.name):
            raise LayoutError(
                f"{path} is a symbolic link to {path.readlink()}, which cannot be reached; expected a folder of "
                f"images. Mend the link or remove it."
            )
        elif is_image_name(path.name):
            scan.images.append(path)
        else:
            scan.ignored.append(path.name)
    return scan, folders


def _scan(folder: Path, root: Path) -> Scan:
    scan = Scan()
    for path in _walk(folder, ancestors=frozenset()):
        if is_image_name(path.name):
            scan.images.append(path)
        else:
            scan.ignored.append(str(path.relative_to(root)))
    return scan


def _walk(folder: Path, ancestors: frozenset[tuple[int, int]]) -> Iterator[Path]:
    """All files beneath a folder, sorted; links are followed, and a link back to its own parents is an error."""
    status = folder.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in ancestors:
        raise LayoutError(
            f"{folder} is a symbolic link back to a folder that contains it ({folder.resolve()}); expected folders "
            f"that end somewhere. Remove the link."
        )
    for path in _entries(folder):
        if path.is_dir():
            yield from _walk(path, ancestors | {identity})
        else:
            yield path


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not is_clutter(path.name))
    except PermissionError as error:
        raise LayoutError(
            f"{folder} may not be read ({error.strerror}); expected a folder this user can open. Change its "
            f"permissions or move it."
        ) from error


def _class_names(root: Path, folders: list[Path]) -> list[str]:
    names = [readable(folder.name) for folder in folders]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LayoutError(
            f"{root} holds several folders whose names are written alike: {listing(twice)}; expected one folder for "
            f"each class. Rename or join them."
        )
    return names


def _refuse_ready_splits(root: Path, class_names: list[str]) -> None:
    if len(class_names) > 1 and {name.lower() for name in class_names} <= _SPLIT_NAMES:
        raise LayoutError(
            f"{root} holds the folders {listing(class_names)}, which look like splits and not like classes; expected "
            f"{EXPECTED_LAYOUT}. Give one of them, such as {root / class_names[0]}, or put all images of a class "
            f"into one folder: the splits are made here."
        )
