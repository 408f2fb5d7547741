"""Examine an image set: it only tells, and no number of a run depends on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from supernet_tl.data.errors import DataError
from supernet_tl.data.health.copies import MAX_EXAMPLES, contents, exact_copies
from supernet_tl.data.health.findings import Measured, findings
from supernet_tl.data.health.headers import read_headers
from supernet_tl.data.health.near_copies import FLAT, near_copies
from supernet_tl.data.health.parts import PARTS, Parts, parts_of
from supernet_tl.data.health.record import ClassCount, DataHealth, Spread
from supernet_tl.data.health.squares import Squares, read_squares
from supernet_tl.data.image_set import ImageSet, Progress
from supernet_tl.data.splitting.splits import Splits


def examine(
    images: ImageSet,
    splits: Splits | None = None,
    progress: Progress | None = None,
    *,
    image_size: int | None = None,
    max_examples: int = MAX_EXAMPLES,
) -> DataHealth:
    """What should be known of a set before anything is trained on it.

    One pass over small squares of the images; of each, about 1.1 KB is kept.

    Args:
        images: any set with at least one image.
        splits: parts between which there should be no copies; those that the set defines itself when absent.
        progress: called as images are read.
        image_size: pixels a side that networks will see; how many images are smaller is told when it is given.
        max_examples: of each finding.

    Raises:
        DataError: the set is empty, or the splits are of another.
        DecodeError: an image cannot be decoded.
    """
    if not len(images):
        raise DataError(f"image set {images.name!r} has no images to examine; give a set with at least one.")
    if splits is not None and sum(splits.sizes().values()) != len(images):
        raise DataError(
            f"image set {images.name!r} has {len(images)} images and the splits {sum(splits.sizes().values())}; "
            "expected splits of the same set. Draw them for these images."
        )
    parts, headers = parts_of(images, splits), read_headers(images)
    squares = read_squares(images, progress)
    first = contents(images, squares)
    measured = Measured(
        parts=parts,
        first=first,
        exact=exact_copies(first, parts, max_examples),
        near=near_copies(first, squares, parts, max_examples=max_examples),
        constant=_constant(images, squares),
        colourless=squares.colourless,
        headers=headers,
        image_size=image_size,
        max_examples=max_examples,
    )
    return DataHealth(
        name=images.name,
        num_images=len(images),
        classes=_class_counts(parts),
        width=_spread(headers.width),
        height=_spread(headers.height),
        num_grey=int(squares.colourless.sum()),
        formats=headers.formats,
        findings=findings(measured),
    )


def _constant(images: ImageSet, squares: Squares) -> NDArray[np.bool_]:
    """Images whose deviation is under 2 grey levels; what is flat when small is looked at again in its own size."""
    constant = squares.deviation < FLAT
    for index in np.flatnonzero(constant):
        pixels = np.asarray(images.image(int(index)))
        constant[index] = pixels.std(axis=(0, 1)).max() < FLAT
    return constant


def _class_counts(parts: Parts) -> tuple[ClassCount, ...]:
    names = parts.images.class_names
    table = np.zeros((len(names), len(PARTS)), dtype=np.int64)
    np.add.at(table, (parts.images.labels, parts.of_image), 1)
    return tuple(
        ClassCount(name, int(row.sum()), dict(zip(PARTS, row.tolist(), strict=True)) if parts.known else {})
        for name, row in zip(names, table, strict=True)
    )


def _spread(values: NDArray[np.int64]) -> Spread:
    return Spread(int(values.min()), float(np.median(values)), int(values.max()))
