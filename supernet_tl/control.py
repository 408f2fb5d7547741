"""How a run behaves, as against what it computes."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from supernet_tl.console import counted, say
from supernet_tl.data import ImageSet, Splits, open_image_set
from supernet_tl.data.checks import MIN_IMAGES_PER_CLASS
from supernet_tl.errors import RecipeError
from supernet_tl.prepared_data import PreparedData, prepare
from supernet_tl.recipe import Recipe

_DEVICES = ("auto", "cpu", "cuda", "mps")

Source = str | os.PathLike[str] | ImageSet
"""A folder, a Meta-Album folder, ``pocket:NAME``, or an image set."""


@dataclass(frozen=True)
class Control:
    """Device, terminal and the treatment of bad input.

    Attributes:
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        quiet: say nothing on the terminal.
        overwrite: replace a run that the output folder holds.
        skip_corrupt: leave unreadable images out instead of refusing the set.
        drop_small_classes: leave classes with fewer than four images out instead of refusing the set.
        health: examine images before anything is trained on them: copies across parts, label conflicts and the like.

    Raises:
        RecipeError: a device that is unknown or that this machine does not have.
    """

    device: str = "auto"
    quiet: bool = False
    overwrite: bool = False
    skip_corrupt: bool = False
    drop_small_classes: bool = False
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

    def open(self, source: Source, *, to_split: bool = True) -> ImageSet:
        """Open and check an image set, and say what was left out; unless it is to be split, one image a class does."""
        with counted(f"checking {source}", quiet=self.quiet) as progress:
            images = open_image_set(
                source,
                skip_corrupt=self.skip_corrupt,
                drop_small_classes=self.drop_small_classes,
                min_images=MIN_IMAGES_PER_CLASS if to_split or self.drop_small_classes else 1,
                progress=progress,
            )
        if images.skipped:
            self.say(
                f"{images.name}: {len(images.skipped)} unreadable images skipped, the first {images.skipped[0].path} "
                f"({images.skipped[0].reason})"
            )
        if images.dropped_classes:
            dropped = ", ".join(f"{name} ({count})" for name, count in images.dropped_classes)
            self.say(f"{images.name}: classes with too few images dropped: {dropped}")
        return images

    def prepare(self, images: ImageSet, recipe: Recipe, splits: Splits | None = None) -> PreparedData:
        """Split, decode and normalise an image set."""
        with counted(f"reading {images.name}", quiet=self.quiet) as progress:
            return prepare(images, recipe, splits, progress)

    def say(self, text: str) -> None:
        """One line for the person."""
        say(text, quiet=self.quiet)
