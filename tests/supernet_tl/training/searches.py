"""A search as a stage in a folder, on a CPU and without a word."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from supernet_tl.prepared_data import PreparedData, evaluation_loader
from supernet_tl.recipe import Recipe
from supernet_tl.training.callbacks import History
from supernet_tl.training.search_module import SearchModule
from supernet_tl.training.stages import run_stage
from supernet_tl.training.stopping import StopRule


def run_search(
    module: SearchModule,
    data: PreparedData,
    recipe: Recipe,
    folder: Path,
    *,
    num_epochs: int | None = None,
    rules: Sequence[StopRule] = (),
) -> History:
    """The record of so many epochs of a search, the recipe's when absent."""
    return run_stage(
        module,
        data.search_loader(recipe),
        evaluation_loader(data.validation),
        stage="search",
        num_epochs=num_epochs or recipe.epochs,
        folder=folder,
        device="cpu",
        stop_rules=rules,
        quiet=True,
    )
