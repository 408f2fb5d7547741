"""Short searches that decide between sources: each in a folder of its own within the run's, none made twice."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zoo_store
from supernet_tl.adapt import search_supernet
from supernet_tl.control import Control
from supernet_tl.data import ImageSet, Splits
from supernet_tl.errors import DivergedError
from supernet_tl.files import read_json
from supernet_tl.prepared_data import PreparedData
from supernet_tl.recipe import STOPPING_SETTINGS, Recipe
from supernet_tl.run_folder import RunFolder, run_folder

OUTCOME_FILE = "probe.json"


@dataclass
class Prober:
    """Searches on the target for ``recipe.probe_epochs`` epochs, with the run's own splits and seed.

    Attributes:
        run: gets a folder ``probes/ENTRY`` for each.
        zoo: holds the entries.
        images: the target.
        splits: of the target; the test images are not touched.
        recipe: of the run.
        control: device, terminal.
        wall_seconds: spent by this process.
        search_seconds: of the searches, those of an interrupted process included.
    """

    run: RunFolder
    zoo: zoo_store.Zoo
    images: ImageSet
    splits: Splits
    recipe: Recipe
    control: Control
    wall_seconds: float = field(default=0.0, init=False)
    search_seconds: float = field(default=0.0, init=False)
    _prepared: dict[tuple[int, int], PreparedData] = field(default_factory=dict, init=False, repr=False)

    @property
    def num_validation_images(self) -> int:
        """Images that the accuracies rest on."""
        return len(self.splits.validation)

    def __call__(self, entry_id: str | None, name: str, settings: Mapping[str, Any]) -> float | None:
        """The supernet's validation accuracy after the last epoch; None where the search diverged.

        Args:
            entry_id: where to start; None for scratch.
            name: of the entry, for the terminal.
            settings: of the supernet, by the names of the recipe's.
        """
        started = time.perf_counter()
        recipe = self.recipe.replace(
            **settings,
            epochs=self.recipe.probe_epochs,
            first_alpha_epoch=min(self.recipe.first_alpha_epoch, self.recipe.probe_epochs - 1),
            **dict.fromkeys(STOPPING_SETTINGS),
        )
        asked = {"entry": entry_id, "recipe": recipe.to_dict()}
        outcome = self._stored(asked) or self._search(asked, entry_id, name, recipe)
        accuracy: float | None = outcome["accuracy"]
        told = "diverged" if accuracy is None else f"validation accuracy {accuracy:.4f}"
        epochs = f"{recipe.epochs} epoch{'' if recipe.epochs == 1 else 's'}"
        self.control.say(f"probe of {name}, {epochs}: {told}")
        self.search_seconds += outcome["seconds"]
        self.wall_seconds += time.perf_counter() - started
        return accuracy

    def _search(self, asked: Mapping[str, Any], entry_id: str | None, name: str, recipe: Recipe) -> dict[str, Any]:
        """Search, or go on with a search that was interrupted; what is left over from other settings is replaced."""
        with run_folder(self._folder(entry_id), "probe", dict(asked), overwrite=True) as run:
            source = None if entry_id is None else self.zoo.get(entry_id)
            started = time.perf_counter()
            try:
                searched = search_supernet(
                    run, self._data(recipe), recipe, self.control, source=source, title=f"probing {name}"
                )
                last = searched.rows[-1]
                outcome = {"asked": asked, "accuracy": last.validation_accuracy, "seconds": last.seconds}
            except DivergedError:
                outcome = {"asked": asked, "accuracy": None, "seconds": time.perf_counter() - started}
            run.write_json(OUTCOME_FILE, outcome)
            run.finish()
        return outcome

    def _stored(self, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        """The outcome of the same probe, if it was finished before."""
        try:
            outcome: dict[str, Any] = read_json(self._folder(asked["entry"]) / OUTCOME_FILE)
            return outcome if outcome["asked"] == asked and {"accuracy", "seconds"} <= set(outcome) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _folder(self, entry_id: str | None) -> Path:
        return self.run.path / "probes" / ("scratch" if entry_id is None else entry_id[:12])

    def _data(self, recipe: Recipe) -> PreparedData:
        key = (recipe.image_size, recipe.in_channels)
        if key not in self._prepared:
            self._prepared[key] = self.control.prepare(self.images, recipe, self.splits)
        return self._prepared[key]
