"""An image set as a Lightning data module, for plain LightningCLI runs."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_only

from supernet_tl.control import Control
from supernet_tl.data import WHOLE, Shard
from supernet_tl.prepared_data import Loader, PreparedData, evaluation_loader, pinned
from supernet_tl.recipe import Balance, Recipe, Stem
from supernet_tl.training.checkpoints import ORIGIN, require_same_origin


class SearchData(LightningDataModule):
    """Both halves of the search data in every training batch; validation and test splits to evaluate on.

    Args:
        target: what :func:`supernet_tl.data.open_image_set` takes: a folder, a table, ``openml:TAG/VERSION``, ….
        image_size: pixels a side; a multiple of 4, and of 16 with the imagenet stem.
        in_channels: of the images: 3, or 1 to turn them grey.
        stem: of the network that sees the images; the search's own in LightningCLI runs.
        batch_size: images of each half in a step, in each process: two processes take twice as many.
        seed: of splits and batches.
        test_frac: share of the images for the test split, where the data has no such part of its own.
        validation_frac: share of the images for the validation split, likewise.
        splits: ``splits.json`` of another run, or that run's folder: images that it knows stay in the split they were
            in, new ones are drawn by their content.
        max_search_images: cap on the images of the weight and architecture splits together.
        shots: so many images of each class in them, in place of ``max_search_images``.
        balance: ``class`` draws batches evenly over classes; else over images.
        skip_corrupt: leave unreadable images out instead of refusing the set.
        drop_small_classes: leave classes with fewer than four images out instead of refusing the set.
        workers: processes that make batches; as many as pay when absent, which is none unless a GPU waits for the disk.
    """

    def __init__(
        self,
        target: str,
        image_size: int = 32,
        in_channels: int = 3,
        stem: Stem = "cifar",
        batch_size: int = 64,
        seed: int = 0,
        test_frac: float = 0.2,
        validation_frac: float = 0.2,
        splits: str | None = None,
        max_search_images: int | None = None,
        shots: int | None = None,
        balance: Balance = "source",
        skip_corrupt: bool = False,
        drop_small_classes: bool = False,
        workers: int | None = None,
    ) -> None:
        super().__init__()
        recipe = Recipe(
            image_size=image_size,
            in_channels=in_channels,
            stem=stem,
            batch_size=batch_size,
            seed=seed,
            test_frac=test_frac,
            validation_frac=validation_frac,
            splits=splits,
            max_search_images=max_search_images,
            shots=shots,
            balance=balance,
        )
        self.recipe, self._stored = pinned(recipe)
        first_process = getattr(rank_zero_only, "rank", 0) == 0
        control = Control(
            quiet=not first_process,
            skip_corrupt=skip_corrupt,
            drop_small_classes=drop_small_classes,
            workers=workers,
        )
        self.image_set = control.open(target, image_size=self.recipe.size_of_all_images)
        self.num_classes = len(self.image_set.class_names)
        self.in_channels = in_channels
        self._control = control
        self._data: PreparedData | None = None

    @property
    def data(self) -> PreparedData:
        """The images, decoded when first asked for."""
        if self._data is None:
            splits = self._control.split(self.image_set, self.recipe, self._stored)
            data = self._control.prepare(self.image_set, self.recipe, splits)
            trains = torch.device("cpu") if self.trainer is None else self.trainer.strategy.root_device
            self._data = data.near(trains, self._control.workers)
        return self._data

    @property
    def shard(self) -> Shard:
        """The part of the images that belongs to this process."""
        return WHOLE if self.trainer is None else Shard(self.trainer.global_rank, self.trainer.world_size)

    def train_dataloader(self) -> Any:
        """Batches ``{"weight": (images, labels), "architecture": (images, labels)}``."""
        return self.data.search_loader(self.recipe, self.shard)

    def val_dataloader(self) -> Loader:
        """The validation split."""
        return evaluation_loader(self.data.validation, shard=self.shard)

    def test_dataloader(self) -> Loader:
        """The test split."""
        return evaluation_loader(self.data.test, shard=self.shard)

    def origin(self) -> dict[str, Any]:
        """What decides which image is in which split: plain values by name."""
        recipe = self.recipe
        return {
            "images": self.image_set.fingerprint(),
            "data.seed": recipe.seed,
            "data.test_frac": recipe.test_frac,
            "data.validation_frac": recipe.validation_frac,
            "data.splits": recipe.splits,
            "data.max_search_images": recipe.max_search_images,
            "data.shots": recipe.shots,
            "data.in_channels": recipe.in_channels,
        }

    def state_dict(self) -> dict[str, Any]:
        """Say in every checkpoint which images it was made with."""
        return {ORIGIN: self.origin()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Refuse other images or splits: what was trained on must not be what is tested on."""
        require_same_origin(state_dict, self.origin())
