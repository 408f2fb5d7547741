"""What lies in a folder: the images, the folders, and everything else by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from supernet_tl.data.errors import LayoutError, listing
from supernet_tl.data.names import UNREAD_SUFFIXES, is_clutter, is_image_name, readable, suffix_of


@dataclass
class Scan:
    """What lies in a folder and beneath it.

    Args:
        images: files that are named as images, sorted by path.
        ignored: other files that are not hidden, relative to the folder where the scan began.
    """

    images: list[Path] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


@dataclass
class ClassScan:
    """What lies in a folder whose sub-folders are classes.

    Args:
        images: by class, the files that are named as images, sorted by path; classes in the order of their names.
        loose: images that lie in no class's folder.
        ignored: files that are no images, relative to the folder where the scan began.
    """

    images: dict[str, list[Path]]
    loose: list[Path]
    ignored: list[str]

    @property
    def num_images(self) -> int:
        """Images in all classes."""
        return sum(map(len, self.images.values()))


def scan_classes(folder: Path, root: Path) -> ClassScan:
    """The images beneath each sub-folder; the sub-folder's name is the class.

    Args:
        folder: where the classes lie.
        root: to which ignored names are relative.

    Raises:
        LayoutError: two folders bear the same name once accents are composed, or links are broken.
    """
    loose, folders = first_level(folder)
    names = [readable(path.name) for path in folders]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LayoutError(
            f"{folder} holds several folders whose names are written alike: {listing(twice)}; expected one folder for "
            f"each class. Rename or join them."
        )
    scans = {name: scan(path, root) for name, path in sorted(zip(names, folders, strict=True))}
    ignored = [relative(path, root) for path in loose.ignored]
    return ClassScan(
        images={name: found.images for name, found in scans.items()},
        loose=loose.images,
        ignored=ignored + [name for found in scans.values() for name in found.ignored],
    )


@dataclass
class FirstLevel:
    """Files that lie directly in a folder."""

    images: list[Path] = field(default_factory=list)
    ignored: list[Path] = field(default_factory=list)


def first_level(folder: Path) -> tuple[FirstLevel, list[Path]]:
    """Files that lie directly in a folder, and its sub-folders, sorted.

    Raises:
        LayoutError: the folder may not be read, or a link in it leads nowhere.
    """
    files, folders = FirstLevel(), []
    for path in entries(folder):
        if path.is_dir():
            folders.append(path)
        elif path.is_symlink() and not path.exists() and not is_image_name(path.name):
            raise LayoutError(
                f"{path} is a symbolic link to {path.readlink()}, which cannot be reached; expected a folder of "
                f"images. Mend the link or remove it."
            )
        elif is_image_name(path.name):
            files.images.append(path)
        else:
            files.ignored.append(path)
    return files, folders


def scan(folder: Path, root: Path) -> Scan:
    """Everything beneath a folder."""
    found = Scan()
    for path in walk(folder):
        if is_image_name(path.name):
            found.images.append(path)
        else:
            found.ignored.append(relative(path, root))
    return found


def holds_images(folder: Path) -> bool:
    """Whether there is an image beneath a folder; the search ends at the first."""
    return any(is_image_name(path.name) for path in walk(folder))


def walk(folder: Path, ancestors: frozenset[tuple[int, int]] = frozenset()) -> Iterator[Path]:
    """All files beneath a folder, sorted; links are followed, and a link back to its own parents is an error."""
    status = folder.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in ancestors:
        raise LayoutError(
            f"{folder} is a symbolic link back to a folder that contains it ({folder.resolve()}); expected folders "
            f"that end somewhere. Remove the link."
        )
    for path in entries(folder):
        if path.is_dir():
            yield from walk(path, ancestors | {identity})
        else:
            yield path


def entries(folder: Path) -> list[Path]:
    """Files and folders in a folder that are the user's own, sorted."""
    try:
        return sorted(path for path in folder.iterdir() if not is_clutter(path.name))
    except PermissionError as error:
        raise LayoutError(
            f"{folder} may not be read ({error.strerror}); expected a folder this user can open. Change its "
            f"permissions or move it."
        ) from error


def relative(path: Path, root: Path) -> str:
    """How results call a file of the folder ``root``."""
    return readable(str(path.relative_to(root)))


def notes_on(ignored: list[str], loose: list[Path], root: Path) -> tuple[str, ...]:
    """What the person should hear of files that are left out."""
    notes = []
    if loose:
        one = len(loose) == 1
        notes.append(
            f"{len(loose)} image{' lies' if one else 's lie'} in no class's folder and {'is' if one else 'are'} left "
            f"out: {listing([relative(path, root) for path in loose], 3)}"
        )
    unread = Counter(suffix_of(name) for name in ignored if suffix_of(name) in UNREAD_SUFFIXES)
    if unread:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in sorted(unread.items()))
        notes.append(
            f"images of kinds that are not read here are left out ({kinds}); to have them used, convert them to PNG or "
            f"JPEG"
        )
    return tuple(notes)
