"""Which part of a run each image belongs to, and how it is called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from supernet_tl.data.health.record import Sighting
from supernet_tl.data.image_set import ImageSet
from supernet_tl.data.splitting.splits import Splits

PARTS = ("search", "validation", "test", "unused")
SEARCH, VALIDATION, TEST, UNUSED = range(4)
_DEEPEST_NAME = 2  # a folder and a file: no path of this machine


@dataclass(frozen=True, eq=False, repr=False)
class Parts:
    """The part of each of n images.

    Args:
        images: the set.
        of_image: shape (n,), places in ``PARTS``; all ``UNUSED`` when the set is not split.
        known: whether it is split.
    """

    images: ImageSet
    of_image: NDArray[np.int8]
    known: bool

    def sighting(self, index: int) -> Sighting:
        """An image as examples name it."""
        images = self.images
        part = PARTS[self.of_image[index]] if self.known else ""
        return Sighting(int(index), self._name(index), images.class_names[images.labels[index]], part)

    def _name(self, index: int) -> str:
        """What the store calls it; of a file that lies outside the set's folder, only the end of its path."""
        name = self.images.store.name(index)
        path = PurePath(name)
        return "/".join(path.parts[-_DEEPEST_NAME:]) if path.is_absolute() or ".." in path.parts else name


def parts_of(images: ImageSet, splits: Splits | None) -> Parts:
    """The parts of a split; without one those that the set defines itself, if it defines any."""
    of_image = np.full(len(images), UNUSED, dtype=np.int8)
    if splits is not None:
        for part, indices in ((SEARCH, splits.search), (VALIDATION, splits.validation), (TEST, splits.test)):
            of_image[indices] = part
        return Parts(images, of_image, known=True)
    masks = ((VALIDATION, images.official_validation), (TEST, images.official_test))
    defined = [(part, mask) for part, mask in masks if mask is not None]
    if defined:
        of_image[:] = SEARCH
    for part, mask in defined:
        of_image[mask] = part
    return Parts(images, of_image, known=bool(defined))
