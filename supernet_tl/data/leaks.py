"""Images that a set's own definition puts on both sides of a split."""

from __future__ import annotations

import numpy as np

from supernet_tl.data.errors import listing
from supernet_tl.data.image_set import ImageSet


def note_shared_images(image_set: ImageSet) -> ImageSet:
    """Note in how many images of validation and test have the very content of a training image; none is left out.

    Sets without official splits are given back as they are: their splits are drawn so that copies stay together.
    """
    masks = {"validation": image_set.official_validation, "test": image_set.official_test}
    held_out = {part: np.flatnonzero(mask) for part, mask in masks.items() if mask is not None}
    if not held_out:
        return image_set
    contents = [row.tobytes() for row in image_set.digests]
    training = set(range(len(contents))).difference(*(rows.tolist() for rows in held_out.values()))
    seen = {contents[row] for row in training}
    notes = []
    for part, rows in held_out.items():
        shared = [image_set.store.name(row) for row in rows.tolist() if contents[row] in seen]
        if shared:
            notes.append(
                f"{len(shared)} of {len(rows)} {part} images are copies of training images ({listing(shared, 3)}), so "
                f"that accuracies on {part} images are too high; remove one of each pair"
            )
    new = tuple(note for note in notes if note not in image_set.notes)  # a set may be opened twice
    return image_set.described(notes=image_set.notes + new) if new else image_set
