"""The data health of a run: examined once before anything is trained, told, and kept in the run's folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from safetensors.torch import save as save_tensors

from supernet_tl.control import Control
from supernet_tl.data import DataError, ImageSet, Splits, read_pixels
from supernet_tl.data.health import DataHealth, examine
from supernet_tl.data.health.wording import outcome
from supernet_tl.errors import RunFolderError
from supernet_tl.files import write_whole
from supernet_tl.run_folder import RunFolder
from supernet_tl.terminal.console import counted
from supernet_tl.terminal.health_tables import health_lines

HEALTH_FILE = "health.json"
PICTURES_FILE = "health.safetensors"

_PICTURE_SIZE = 48  # pixels a side


def examine_target(
    run: RunFolder, images: ImageSet, splits: Splits, control: Control, image_size: int | None
) -> DataHealth | None:
    """Examine the target of a run, or read what was found before it was interrupted.

    Args:
        run: gets ``health.json`` and pictures of the examples.
        images: the target.
        splits: of the target.
        control: whether to examine at all, and to say what was found.
        image_size: pixels a side that networks will see; None when that is not known yet.

    Returns:
        None when it is not to be examined.
    """
    health = _stored(run, control)
    if health is None and control.health:
        health = _examine(images, splits, control, image_size)
        run.write_json(HEALTH_FILE, health.to_dict())
        write_whole(run.path / PICTURES_FILE, save_tensors(_pictures(images, health)))
    if health is not None:
        _tell(health, control, run)
    return health


def examine_sources(
    images: Sequence[ImageSet], splits: Sequence[Splits], control: Control, image_size: int
) -> list[dict[str, Any]] | None:
    """Examine the sources of a pretraining: what a summary keeps of each; None when they are not to be examined."""
    if not control.health:
        return None
    found = []
    for source, drawn in zip(images, splits, strict=True):
        health = _examine(source, drawn, control, image_size)
        _tell(health, control, None)
        found.append(health.brief())
    return found


def copy_health(run: RunFolder, other: RunFolder) -> None:
    """Keep what was found in another run's folder too, of the same images and splits."""
    for name in (HEALTH_FILE, PICTURES_FILE):
        if run.has(name):
            write_whole(other.path / name, (run.path / name).read_bytes())


def _stored(run: RunFolder, control: Control) -> DataHealth | None:
    if not run.has(HEALTH_FILE) or not run.has(PICTURES_FILE):
        return None
    try:
        return DataHealth.from_dict(run.read_json(HEALTH_FILE))
    except (RunFolderError, DataError) as error:
        control.say(f"{run.path / HEALTH_FILE} cannot be read ({error}); examining the images again")
        return None


def _examine(images: ImageSet, splits: Splits, control: Control, image_size: int | None) -> DataHealth:
    with counted(f"examining {images.name}", quiet=control.quiet) as progress:
        return examine(images, splits, progress, image_size=image_size)


def _tell(health: DataHealth, control: Control, run: RunFolder | None) -> None:
    for line in health_lines(health):
        control.say(line)
    if health.warnings and run is not None:
        control.say(f"{health.name}: {outcome(health)}, with examples: {run.path / HEALTH_FILE}")


def _pictures(images: ImageSet, health: DataHealth) -> dict[str, torch.Tensor]:
    """Small pictures of the images that examples name: ``indices`` (n,) and ``images`` uint8 (n, 3, 48, 48)."""
    indices = health.example_indices
    return {
        "indices": torch.tensor(indices, dtype=torch.int64),
        "images": read_pixels(images, _PICTURE_SIZE, indices),
    }
