"""The numbers of a run, as its outcome keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import darts
from supernet_tl.adapt import Searched, Trained
from supernet_tl.prepared_data import PreparedData
from supernet_tl.recipe import Recipe
from supernet_tl.training.history import EpochRow, best_validation_accuracy

if TYPE_CHECKING:
    from supernet_tl.baselines import FinetunedBaseline

_CURVE = ("train_accuracy", "train_loss", "validation_accuracy", "validation_loss", "seconds")


def measure_run(
    data: PreparedData, recipe: Recipe, searched: Searched, trained: Trained, device: str, measure: str
) -> dict[str, Any]:
    """Scores of supernet and final network, sizes, curves, times, and the architecture.

    Args:
        data: the target.
        recipe: of the run.
        searched: the supernet.
        trained: the final network.
        device: that evaluates.
        measure: ``test`` evaluates on the test images; ``validation`` leaves them alone.
    """
    supernet, network = searched.supernet, trained.classifier.network
    shape = (data.in_channels, recipe.image_size, recipe.image_size)
    test = measure == "test"
    return {
        "supernet": {
            **searched.scores(data, device, test=test),
            "best_validation_accuracy": best_validation_accuracy(searched.rows),
            "num_parameters": sum(parameter.numel() for parameter in supernet.weight_parameters()),
        },
        "network": {
            **trained.scores(data, device, test=test),
            "num_parameters": darts.count_parameters(network),
            "macs": darts.count_macs(network, shape),
            "num_cells": network.num_cells,
            "channels": network.channels,
        },
        "genotype": network.genotype.to_dict(),
        "num_skip_connections": network.genotype.count("skip_connect"),
        "search": curve_of(searched.rows),
        "finetune": curve_of(trained.rows),
        "epochs": {"planned": recipe.epochs, "run": searched.rows[-1].epoch, "finetune": len(trained.rows)},
        "stopped_early": searched.stopped_early(recipe),
        "seconds": {
            "search": searched.rows[-1].seconds,
            **trained.seconds,
        },
        "images": data.splits[0].sizes(),
        "num_classes": data.num_classes,
        "warm_start": None
        if searched.warm_start is None
        else {"copied": len(searched.warm_start.copied), "reinitialised": list(searched.warm_start.reinitialised)},
    }


def measure_baseline(found: FinetunedBaseline, data: PreparedData, device: str, measure: str) -> dict[str, Any]:
    """Scores, sizes and times of a fine-tuned network of another kind."""
    scores = found.scores(data, device, test=measure == "test")
    return {
        "network": {**scores, "num_parameters": found.num_parameters, "macs": found.macs},
        "num_blocks": found.num_blocks,
        "num_blocks_of": found.num_blocks_of,
        "seconds": {"finetune": found.seconds},
        "epochs": {"finetune": found.epochs},
    }


def curve_of(rows: Sequence[EpochRow]) -> dict[str, list[float | None]]:
    """An epoch's numbers by name, one value an epoch, rounded to what they are good for."""
    return {name: [_rounded(getattr(row, name)) for row in rows] for name in _CURVE}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
