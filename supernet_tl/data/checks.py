"""What every image set must satisfy before anything is trained on it, wherever it came from."""

from __future__ import annotations

from supernet_tl.data.errors import (
    CorruptImagesError,
    SmallClassesError,
    TooFewClassesError,
    listing,
)
from supernet_tl.data.image_set import ImageSet, Progress
from supernet_tl.data.pixels.readable import unreadable

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
    small = {name: count for name, count in image_set.class_counts().items() if count < min_images}
    if len(image_set.class_names) < 2:
        raise TooFewClassesError(
            f"image set {image_set.name!r} has too few classes: {listing(image_set.class_names) or 'none'}; "
            f"expected at least 2. Give the folder that holds one sub-folder for each class."
        )
    if small and not drop_small_classes:
        named = [f"{name!r} ({count})" for name, count in small.items()]
        raise SmallClassesError(
            f"image set {image_set.name!r} has {len(small)} of {len(image_set.class_names)} classes with fewer than "
            f"{min_images} images: {listing(named)}; expected at least one for each of the four splits. "
            f"Add images, or leave these classes out with --drop-small-classes.",
            small,
        )
    if not small:
        return image_set
    kept = image_set.keep_classes([name for name in image_set.class_names if name not in small])
    if len(kept.class_names) < 2:
        raise TooFewClassesError(
            f"image set {image_set.name!r} has too few classes left, {listing(kept.class_names) or 'none'}, after "
            f"leaving out {len(small)} with fewer than {min_images} images; expected at least 2. Add images."
        )
    return kept


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
    return readable.described(skipped=image_set.skipped + tuple(problems.values()))
