"""An image set as a Lightning data module, for plain LightningCLI runs."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningDataModule

from supernet_tl.checkpoints import ORIGIN, require_same_origin
from supernet_tl.control import Control
from supernet_tl.prepared_data import Loader, PreparedData, evaluation_loader
from supernet_tl.recipe import Recipe


class SearchData(LightningDataModule):
    """Both halves of the search data in every training batch; validation and test splits to evaluate on.

    Args:
        target: a folder, a Meta-Album folder, or ``pocket:NAME``.
        image_size: pixels a side, a multiple of 4.
        batch_size: images of each half in a step.
        seed: of splits and batches.
        test_frac: share of the images for the test split.
        validation_frac: share of the images for the validation split.
        max_search_images: cap on the images of the weight and architecture splits together.
        skip_corrupt: leave unreadable images out instead of refusing the set.
        drop_small_classes: leave classes with fewer than four images out instead of refusing the set.
    """

    def __init__(
        self,
        target: str,
        image_size: int = 32,
        batch_size: int = 64,
        seed: int = 0,
        test_frac: float = 0.2,
        validation_frac: float = 0.2,
        max_search_images: int | None = None,
        skip_corrupt: bool = False,
        drop_small_classes: bool = False,
    ) -> None:
        super().__init__()
        self.recipe = Recipe(
            image_size=image_size,
            batch_size=batch_size,
            seed=seed,
            test_frac=test_frac,
            validation_frac=validation_frac,
            max_search_images=max_search_images,
        )
        control = Control(skip_corrupt=skip_corrupt, drop_small_classes=drop_small_classes)
        self.image_set = control.open(target)
        self.num_classes = len(self.image_set.class_names)
        self._control = control
        self._data: PreparedData | None = None

    @property
    def data(self) -> PreparedData:
        """The images, decoded when first asked for."""
        if self._data is None:
            self._data = self._control.prepare(self.image_set, self.recipe)
        return self._data

    def train_dataloader(self) -> Any:
        """Batches ``{"weight": (images, labels), "architecture": (images, labels)}``."""
        return self.data.search_loader(self.recipe)

    def val_dataloader(self) -> Loader:
        """The validation split."""
        return evaluation_loader(self.data.validation)

    def test_dataloader(self) -> Loader:
        """The test split."""
        return evaluation_loader(self.data.test)

    def origin(self) -> dict[str, Any]:
        """What decides which image is in which split: plain values by name."""
        recipe = self.recipe
        return {
            "images": self.image_set.fingerprint(),
            "data.seed": recipe.seed,
            "data.test_frac": recipe.test_frac,
            "data.validation_frac": recipe.validation_frac,
            "data.max_search_images": recipe.max_search_images,
        }

    def state_dict(self) -> dict[str, Any]:
        """Say in every checkpoint which images it was made with."""
        return {ORIGIN: self.origin()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Refuse other images or splits: what was trained on must not be what is tested on."""
        require_same_origin(state_dict, self.origin())
