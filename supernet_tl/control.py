"""How a run behaves, as against what it computes."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from supernet_tl.data import Fetching, ImageSet, Splits, StoredSplits, open_image_set
from supernet_tl.data.checks import MIN_IMAGES_PER_CLASS
from supernet_tl.errors import RecipeError
from supernet_tl.prepared_data import PreparedData, prepare, split
from supernet_tl.recipe import Recipe
from supernet_tl.terminal.console import counted, say

_DEVICES = ("auto", "cpu", "cuda", "mps")

Source = str | os.PathLike[str] | ImageSet
"""What :func:`supernet_tl.data.open_image_set` takes: a folder, a table, ``openml:TAG/VERSION``, an image set, …."""


@dataclass(frozen=True)
class Control:
    """Device, terminal and the treatment of bad input.

    Attributes:
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        quiet: say nothing on the terminal.
        overwrite: replace a run that the output folder holds.
        skip_corrupt: leave unreadable images out instead of refusing the set.
        drop_small_classes: leave classes with fewer than four images out instead of refusing the set.
        workers: processes that make batches; as many as pay when absent, which is none unless a GPU waits for the disk.
        health: examine images before anything is trained on them: copies across parts, label conflicts and the like.

    Raises:
        RecipeError: a device that is unknown or that this machine does not have.
    """

    device: str = "auto"
    quiet: bool = False
    overwrite: bool = False
    skip_corrupt: bool = False
    drop_small_classes: bool = False
    workers: int | None = None
    health: bool = True

    def __post_init__(self) -> None:
        kind, _, index = self.device.partition(":")
        if kind not in _DEVICES or (index and not (kind == "cuda" and index.isdigit())):
            raise RecipeError(f"device is {self.device!r}; expected one of {', '.join(_DEVICES)} or cuda:N.")
        count = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}.get(kind, 1)
        if int(index or 0) >= count:
            raise RecipeError(
                f"device {self.device!r} was asked for, but PyTorch sees {count} of that kind; give another --device, "
                "or leave it out for the best there is."
            )
        if self.workers is not None and self.workers < 0:
            raise RecipeError(f"workers is {self.workers}; expected 0 or more, or leave --workers out.")

    def open(self, source: Source, *, to_split: bool = True, image_size: int | None = None) -> ImageSet:
        """Open and check an image set, and say what was left out; unless it is to be split, one image a class does.

        Args:
            source: of the images.
            to_split: whether every class needs an image for each split.
            image_size: pixels a side that all images are wanted in next, so that they are decoded only once.
        """
        with (
            counted(f"downloading {source}", quiet=self.quiet, in_bytes=True) as fetched,
            counted(f"checking {source}", quiet=self.quiet) as progress,
        ):
            images = open_image_set(
                source,
                skip_corrupt=self.skip_corrupt,
                drop_small_classes=self.drop_small_classes,
                min_images=MIN_IMAGES_PER_CLASS if to_split or self.drop_small_classes else 1,
                progress=progress,
                fetching=Fetching(notify=self.say, progress=fetched, checked=progress),
                image_size=image_size,
            )
        for note in images.notes:
            self.say(f"{images.name}: {note}")
        if images.skipped:
            self.say(
                f"{images.name}: {len(images.skipped)} unreadable images skipped, the first {images.skipped[0].path} "
                f"({images.skipped[0].reason})"
            )
        if images.dropped_classes:
            dropped = ", ".join(f"{name} ({count})" for name, count in images.dropped_classes)
            self.say(f"{images.name}: classes with too few images dropped: {dropped}")
        return images

    def split(self, images: ImageSet, recipe: Recipe, stored: StoredSplits | None = None) -> Splits:
        """Split an image set, and say what a person should know of it."""
        splits = split(images, recipe, stored)
        for note in splits.notes:
            self.say(note)
        return splits

    def prepare(self, images: ImageSet, recipe: Recipe, splits: Splits | None = None) -> PreparedData:
        """Split, decode and normalise an image set."""
        splits = self.split(images, recipe) if splits is None else splits
        with counted(f"reading {images.name}", quiet=self.quiet) as progress:
            return prepare(images, recipe, splits, progress)

    def say(self, text: str) -> None:
        """One line for the person."""
        say(text, quiet=self.quiet)
