"""Which part of a run each image belongs to, and how it is called."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from supernet_tl.data.health.record import Sighting
from supernet_tl.data.image_set import ImageSet
from supernet_tl.data.pixels.stores import FileStore
from supernet_tl.data.sources.names import readable
from supernet_tl.data.splitting.splits import Splits

PARTS = ("search", "validation", "test", "unused")
SEARCH, VALIDATION, TEST, UNUSED = range(4)
_DEEPEST_NAME = 3  # folders and file: files from all over a disk have no root of their own


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
        """A file's path from the folder that holds all files of the set; never a path of this machine."""
        if not isinstance(self.images.store, FileStore):
            return f"image {index}"
        below = os.path.relpath(self.images.store.paths[index], self._root)
        return "/".join(readable(name) for name in Path(below).parts[-_DEEPEST_NAME:])

    @cached_property
    def _root(self) -> str:
        paths = self.images.store.paths if isinstance(self.images.store, FileStore) else ()
        return os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths])


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
