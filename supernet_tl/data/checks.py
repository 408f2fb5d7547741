"""What every image set must satisfy before anything is trained on it, wherever it came from."""

from __future__ import annotations

import numpy as np

from supernet_tl.data.decoded.readable import unreadable
from supernet_tl.data.errors import (
    CorruptImagesError,
    ImageProblem,
    SmallClassesError,
    TooFewClassesError,
    listing,
)
from supernet_tl.data.image_set import ImageSet, Progress

MIN_IMAGES_PER_CLASS = 4  # one for each split: weight, architecture, validation, test


def check_classes(
    image_set: ImageSet, *, drop_small_classes: bool = False, min_images: int = MIN_IMAGES_PER_CLASS
) -> ImageSet:
    """At least two classes, each with an image for every split.

    Args:
        image_set: any.
        drop_small_classes: leave classes with too few images out instead of refusing the set.
        min_images: of each class; fewer than four where nothing is split.

    Raises:
        SmallClassesError: classes with too few images, by name.
        TooFewClassesError: fewer than two classes (are left).
    """
    small, least = _small_classes(image_set, min_images)
    if len(image_set.class_names) < 2:
        raise TooFewClassesError(
            f"image set {image_set.name!r} has too few classes: {listing(image_set.class_names) or 'none'}; "
            f"expected at least 2. Give the folder that holds one sub-folder for each class.{_told(image_set)}"
        )
    if small and not drop_small_classes:
        named = [f"{name!r} ({count})" for name, count in small.items()]
        raise SmallClassesError(
            f"image set {image_set.name!r} has {len(small)} of {len(image_set.class_names)} classes with fewer than "
            f"{least}: {listing(named)}; expected at least one for each split that is drawn. "
            f"Add images, or leave these classes out with --drop-small-classes.{_told(image_set)}",
            small,
        )
    if not small:
        return image_set
    kept = image_set.keep_classes([name for name in image_set.class_names if name not in small])
    if len(kept.class_names) < 2:
        raise TooFewClassesError(
            f"image set {image_set.name!r} has too few classes left, {listing(kept.class_names) or 'none'}, after "
            f"leaving out {len(small)} with fewer than {least}; expected at least 2. Add images.{_told(image_set)}"
        )
    return kept


def _small_classes(image_set: ImageSet, min_images: int) -> tuple[dict[str, int], str]:
    """Images of each class that has too few, and how many are needed, in words.

    Where images are to be split, a split that the set itself defines needs none of the others.
    """
    official = [mask for mask in (image_set.official_test, image_set.official_validation) if mask is not None]
    if not official or min_images < MIN_IMAGES_PER_CLASS:
        counts, needed, where = image_set.class_counts(), min_images, ""
    else:
        drawn = ~np.any(official, axis=0)
        numbers = np.bincount(image_set.labels[drawn], minlength=len(image_set.class_names)).tolist()
        counts = dict(zip(image_set.class_names, numbers, strict=True))
        needed, where = min_images - len(official), " outside the splits that it defines"
    return {name: count for name, count in counts.items() if count < needed}, f"{needed} images{where}"


def _told(image_set: ImageSet) -> str:
    """What was noted while the set was read, for it may be the cause."""
    return "".join(f" Noted: {note}." for note in image_set.notes)


def check_images(
    image_set: ImageSet,
    *,
    skip_corrupt: bool = False,
    progress: Progress | None = None,
    image_size: int | None = None,
) -> ImageSet:
    """Every image can be decoded; all that cannot are found before the first complaint.

    Images whose content has been decoded before on this machine are not decoded again.

    Args:
        image_set: any.
        skip_corrupt: leave unreadable images out, listed in ``skipped``, instead of refusing the set.
        progress: called after each image that is decoded.
        image_size: pixels a side that the images are wanted in afterwards: what is decoded is then kept at that size.

    Raises:
        CorruptImagesError: unreadable images, by name.
    """
    problems = unreadable(image_set, image_size, progress)
    if not problems:
        return image_set
    if not skip_corrupt:
        named = [f"{problem.path} ({problem.reason})" for problem in problems.values()]
        raise CorruptImagesError(
            f"image set {image_set.name!r} has {len(problems)} of {len(image_set)} images that cannot be read: "
            f"{listing(named)}; expected every image to decode. Repair or remove them, or leave them out with "
            f"--skip-corrupt.",
            list(problems.values()),
        )
    readable = image_set.take([index for index in range(len(image_set)) if index not in problems])
    left_out = tuple(ImageProblem(image_set.store.name(index), found.reason) for index, found in problems.items())
    return readable.described(skipped=image_set.skipped + left_out)
