"""Image sets as most people have them: one folder for each class, ``root/<class>/*.png|jpg|...``."""

from __future__ import annotations

from pathlib import Path

from supernet_tl.data.errors import EmptySourceError, LayoutError, listing
from supernet_tl.data.image_set import ImageSet
from supernet_tl.data.names import IMAGE_SUFFIXES, suffix_of
from supernet_tl.data.sources.labelled_files import PARTS, LabelledFile, image_set_of
from supernet_tl.data.sources.scan import notes_on, scan_classes
from supernet_tl.data.sources.table_reading import TABLE_SUFFIXES

EXPECTED_LAYOUT = "one sub-folder for each class, root/<class>/*.png|jpg|..."


def open_class_folders(root: Path) -> ImageSet:
    """The images beneath each sub-folder of ``root``; the sub-folder's name is the class.

    Sub-folders of a class belong to it. Hidden files and folders, and what desktops leave behind, are passed over;
    other files that are not images are listed in ``ignored``. No image is decoded here.

    Args:
        root: an existing folder.

    Raises:
        EmptySourceError: there is no image in it.
        LayoutError: images lie directly in it, or its links are broken.
    """
    found = scan_classes(root, root)
    if not found.images and found.loose:
        raise LayoutError(
            f"{root} holds {len(found.loose)} images directly ({listing([p.name for p in found.loose], 3)}); "
            f"expected {EXPECTED_LAYOUT}. Move the images of each class into a folder named after it, or give a table "
            f"of paths and classes."
        )
    notes = notes_on(found.ignored, found.loose, root)
    if not found.num_images:
        others = [*found.ignored, *(path.name for path in found.loose)]
        raise EmptySourceError(
            f"{root} holds no image (found {f'other files: {listing(others, 3)}' if others else 'nothing'}); expected "
            f"{EXPECTED_LAYOUT}, where the endings may be {', '.join(sorted(IMAGE_SUFFIXES))}. Give a folder of images"
            f"{', and convert those that are not read here to PNG or JPEG' if notes else ''}."
        )
    tables = [name for name in found.ignored if suffix_of(name) in TABLE_SUFFIXES and (root / name).parent == root]
    if tables:
        notes += (f"{listing(tables)} not used, for the folders are the classes; to use a table, give it by name",)
    if _is_split_within(found.images, root):
        notes += (
            "the folders within the classes look like splits and are not taken for such; put them above the classes",
        )
    return image_set_of(
        [LabelledFile(path, name) for name, paths in found.images.items() for path in paths],
        root=root,
        name=root.resolve().name,
        origin=f"folder {root.resolve().name}",
        description="Images in one folder for each class.",
        class_names=found.images,
        ignored=[*found.ignored, *(path.name for path in found.loose)],
        notes=notes,
    )


def _is_split_within(images: dict[str, list[Path]], root: Path) -> bool:
    """Whether all images lie in ``root/<class>/train``, ``root/<class>/test`` and the like."""
    inner = {path.relative_to(root).parts[1:-1][:1] for paths in images.values() for path in paths}
    return all(folder and folder[0].lower() in PARTS for folder in inner)
