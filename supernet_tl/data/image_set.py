"""A labelled image set, held as a value: whoever made it, the rest of the project sees only this."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from supernet_tl.data.card import DataCard
from supernet_tl.data.errors import DataError, ImageProblem
from supernet_tl.data.pixels.decode import to_square
from supernet_tl.data.pixels.stores import ImageStore
from supernet_tl.data.pixels.threads import in_threads

Progress = Callable[[int, int], None]
"""Called after each image with how many are done and how many there are."""


@dataclass(frozen=True, eq=False, repr=False)
class ImageSet:
    """Images with a class each.

    Args:
        name: how messages and reports call the set.
        class_names: a class's label is its place in this tuple.
        labels: shape (n,), integers; stored as int64.
        store: gives the n images, in the order of the labels.
        card: provenance.
        official_test: shape (n,), bool: the images that belong to the test split by the set's own definition; None if
            the set defines no test split.
        official_validation: likewise of the validation split.
        skipped: images left out because they cannot be decoded.
        dropped_classes: classes left out for want of images, with the number of images they had.
        ignored: what was found beside the images and not used.
        notes: what the person should hear of how the set was read, in sentences without a full stop.
    """

    name: str
    class_names: tuple[str, ...]
    labels: NDArray[np.int64]
    store: ImageStore
    card: DataCard
    official_test: NDArray[np.bool_] | None = None
    official_validation: NDArray[np.bool_] | None = None
    skipped: tuple[ImageProblem, ...] = ()
    dropped_classes: tuple[tuple[str, int], ...] = ()
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        labels = np.array(self.labels, dtype=np.int64)
        if labels.shape != (len(self.store),):
            raise DataError(
                f"image set {self.name!r} has labels of shape {labels.shape} for {len(self.store)} images; "
                f"give one label an image."
            )
        if labels.size and not (0 <= labels.min() and labels.max() < len(self.class_names)):
            raise DataError(
                f"image set {self.name!r} has labels from {labels.min()} to {labels.max()} for "
                f"{len(self.class_names)} classes; a label is the place of its class in class_names."
            )
        if len(set(self.class_names)) != len(self.class_names):
            raise DataError(f"image set {self.name!r} names a class twice: {self.class_names}; give each its own name.")
        labels.setflags(write=False)
        object.__setattr__(self, "labels", labels)
        for name in ("official_test", "official_validation"):
            self._freeze_mask(name)

    def _freeze_mask(self, name: str) -> None:
        given = getattr(self, name)
        if given is None:
            return
        mask = np.array(given, dtype=np.bool_)
        if mask.shape != self.labels.shape:
            raise DataError(
                f"image set {self.name!r} has {name} of shape {mask.shape} for {len(self.labels)} images; give one "
                f"truth value an image."
            )
        mask.setflags(write=False)
        object.__setattr__(self, name, mask)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"ImageSet({self.name!r}, {len(self)} images, {len(self.class_names)} classes)"

    def image(self, index: int) -> Image.Image:
        """One image as 8-bit RGB, in its own size.

        Raises:
            DecodeError: the image cannot be decoded.
        """
        return self.store.image(index)

    def pixels(self, size: int, indices: Sequence[int] | None = None, progress: Progress | None = None) -> Tensor:
        """Images as squares of one size: centre-cropped, shrunk by area averages or enlarged bicubically.

        Args:
            size: pixels a side.
            indices: which images, in which order; all by default.
            progress: called after each image.

        Returns:
            Shape (n, 3, size, size), uint8.

        Raises:
            DecodeError: an image cannot be decoded.
        """
        if size < 1:
            raise DataError(f"an image size of {size} pixels was asked for; give at least 1.")
        wanted = range(len(self)) if indices is None else [int(index) for index in indices]
        pixels = torch.empty((len(wanted), 3, size, size), dtype=torch.uint8)
        rows = pixels.numpy()

        def decode(row: int) -> None:
            rows[row] = self.square(wanted[row], size)

        for done, _ in enumerate(in_threads(decode, range(len(wanted))), start=1):
            if progress is not None:
                progress(done, len(wanted))
        return pixels

    def square(self, index: int, size: int) -> NDArray[np.uint8]:
        """One image as a square, shape (3, size, size); see :meth:`pixels`."""
        return np.asarray(to_square(self.image(index), size)).transpose(2, 0, 1)

    def class_counts(self) -> dict[str, int]:
        """Images of each class, by class name, in the order of the labels."""
        counts = np.bincount(self.labels, minlength=len(self.class_names))
        return {name: int(count) for name, count in zip(self.class_names, counts, strict=True)}

    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, over class names, labels, every image's content and the splits that the set defines.

        Equal wherever the images lie; that of :meth:`content_fingerprint` where the set defines no split.
        """
        masks = {"test": self.official_test, "validation": self.official_validation}
        official = [name.encode() + mask.tobytes() for name, mask in masks.items() if mask is not None]
        content = self.content_fingerprint()
        return hashlib.sha256(b"".join([content.encode(), *official])).hexdigest() if official else content

    def content_fingerprint(self) -> str:
        """SHA-256, in hexadecimal, over class names, labels and the content of every image (of files: their bytes).

        Equal for the same images in whatever splits; computed once.
        """
        return self._content_fingerprint

    @cached_property
    def _content_fingerprint(self) -> str:
        digest = hashlib.sha256(json.dumps(self.class_names).encode())
        digest.update(self.labels.astype("<i8").tobytes())
        digest.update(self.digests.tobytes())
        return digest.hexdigest()

    @cached_property
    def digests(self) -> NDArray[np.uint8]:
        """SHA-256 of the content of every image (of files: their bytes), shape (n, 32); computed once."""
        return self._digests_of(range(len(self)))

    def digests_of(self, indices: Sequence[int]) -> NDArray[np.uint8]:
        """Those of some images, shape (m, 32); no other image is read."""
        known: NDArray[np.uint8] | None = self.__dict__.get("digests")
        return self._digests_of(indices) if known is None else known[np.asarray(indices, dtype=np.int64)]

    def _digests_of(self, indices: Sequence[int]) -> NDArray[np.uint8]:
        digests = b"".join(in_threads(self.store.digest, indices))
        return np.frombuffer(digests, dtype=np.uint8).reshape(len(indices), -1)

    def take(self, indices: Sequence[int]) -> ImageSet:
        """The set of these images, in this order, with the same classes."""
        rows = np.asarray(indices, dtype=np.int64)
        taken = dataclasses.replace(
            self,
            labels=self.labels[rows],
            store=self.store.take(rows.tolist()),
            card=dataclasses.replace(self.card, num_images=len(rows)),
            official_test=None if self.official_test is None else self.official_test[rows],
            official_validation=None if self.official_validation is None else self.official_validation[rows],
        )
        if "digests" in self.__dict__:
            taken.__dict__["digests"] = self.digests[rows]
        return taken

    def described(self, **changes: Any) -> ImageSet:
        """The same images with other fields changed; their content is not read again."""
        described = dataclasses.replace(self, **changes)
        if "digests" in self.__dict__:
            described.__dict__["digests"] = self.digests
        return described

    def keep_classes(self, class_names: Sequence[str]) -> ImageSet:
        """The set of these classes' images, labelled anew; the classes left out are added to ``dropped_classes``."""
        wanted = set(class_names)
        kept = tuple(name for name in self.class_names if name in wanted)
        dropped = tuple((name, count) for name, count in self.class_counts().items() if name not in wanted)
        place = {name: label for label, name in enumerate(kept)}
        new_label = np.array([place.get(name, -1) for name in self.class_names], dtype=np.int64)
        taken = self.take(np.flatnonzero(new_label[self.labels] >= 0).tolist())
        return taken.described(
            class_names=kept,
            labels=new_label[taken.labels],
            card=dataclasses.replace(taken.card, num_classes=len(kept)),
            dropped_classes=self.dropped_classes + dropped,
        )
