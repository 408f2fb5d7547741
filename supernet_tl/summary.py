"""``summary.json``: the numbers of a run, versioned, for people and programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import darts
import zoo_store
from supernet_tl import adapters
from supernet_tl.adapt import Searched, Trained
from supernet_tl.choosing.selection import Selection
from supernet_tl.data.health import DataHealth
from supernet_tl.left_out import left_out
from supernet_tl.prepared_data import PreparedData
from supernet_tl.recipe import Recipe
from supernet_tl.training.history import best_validation_accuracy, time_to_accuracy

SCHEMA = 1
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.99)
"""Validation accuracies whose first epoch is noted."""


def summarise(
    data: PreparedData,
    recipe: Recipe,
    selection: Selection | None,
    searched: Searched,
    trained: Trained,
    seconds: Mapping[str, float],
    device: str,
    health: DataHealth | None = None,
) -> dict[str, Any]:
    """The run in plain JSON values; this evaluates on the test images.

    Accuracies are fractions after the last epoch that their stage ran, those of a final network with
    ``finetune_patience`` after its best epoch; a supernet's after a collapse with the alphas of
    an earlier one (``stopped_early.alphas_of``). ``time_to_accuracy`` tells of the supernet's
    validation accuracy: epochs counted from 1, seconds of the search stage, null where it was never reached.
    ``health`` is null where the images were not examined; the run's ``health.json`` tells more.
    ``sweep`` is null unless further networks of other sizes were asked for.
    ``source`` is null for a search from scratch, and for a transfer whose ``selection`` found scratch to be better.
    """
    images, network, supernet = data.image_sets[0], trained.classifier.network, searched.supernet
    image_shape = (data.in_channels, recipe.image_size, recipe.image_size)
    best = best_validation_accuracy(searched.rows)
    return {
        "schema_version": SCHEMA,
        "verb": "search" if selection is None else "transfer",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "target": {
            **adapters.data_cards(data)[0],
            "class_names": list(data.class_names),
            **left_out(images),
        },
        "health": None if health is None else health.brief(),
        "source": None if selection is None else selection.source_dict(),
        "selection": None if selection is None else selection.decision(),
        "warm_start": None if searched.warm_start is None else _warm_start(searched.warm_start, recipe),
        "recipe": recipe.to_dict(),
        "stopped_early": searched.stopped_early(recipe),
        "genotype": network.genotype.to_dict(),
        "discretization": _discretization(supernet, network.genotype, recipe),
        "num_skip_connections": network.genotype.count("skip_connect"),
        "supernet": {
            **searched.scores(data, device),
            "best_validation_accuracy": best,
            "num_parameters": sum(parameter.numel() for parameter in supernet.weight_parameters()),
            "macs": darts.count_macs(supernet, image_shape),
        },
        "network": network_numbers(trained, data, recipe, device),
        "sweep": None,
        "time_to_accuracy": _times(searched),
        "time_to_best": None if best is None else asdict(time_to_accuracy(searched.rows, best)),
        "seconds": {
            **seconds,
            "search": searched.rows[-1].seconds,
            **trained.seconds,
        },
        "versions": adapters.library_versions(),
    }


def network_numbers(trained: Trained, data: PreparedData, recipe: Recipe, device: str) -> dict[str, Any]:
    """Scores and sizes of a final network in plain JSON values; this evaluates on the test images."""
    network = trained.classifier.network
    return {
        **trained.scores(data, device),
        "final": recipe.final,
        "channels": network.channels,
        "num_cells": network.num_cells,
        "num_parameters": darts.count_parameters(network),
        "macs": darts.count_macs(network, (data.in_channels, recipe.image_size, recipe.image_size)),
    }


def pretraining_summary(
    entry_id: str,
    entry: zoo_store.ZooEntry,
    data: PreparedData,
    recipe: Recipe,
    searched: Searched,
    health: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """A pretraining in plain JSON values: the entry's id and card, its sources, and when accuracies were reached.

    ``health`` tells of each source; null where they were not examined.
    """
    return {
        "schema_version": SCHEMA,
        "verb": "pretrain",
        "entry": entry_id,
        "card": dict(entry.card),
        "sources": [{"name": images.name, **left_out(images)} for images in data.image_sets],
        "health": None if health is None else [dict(source) for source in health],
        "stopped_early": searched.stopped_early(recipe),
        "time_to_accuracy": _times(searched),
    }


def metrics_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The summary's results by flat names, such as ``network_test_accuracy``, and ``stopped_early``."""
    results = {f"{part}_{name}": value for part in ("supernet", "network") for name, value in summary[part].items()}
    return {**results, "stopped_early": summary["stopped_early"]}


def _times(searched: Searched) -> list[dict[str, Any]]:
    return [asdict(time_to_accuracy(searched.rows, accuracy)) for accuracy in THRESHOLDS]


def _discretization(supernet: darts.Supernet, genotype: darts.Genotype, recipe: Recipe) -> dict[str, Any]:
    """The ``rule`` that gave the genotype, its ``limits``, and whether the alphas alone would give another."""
    alone = darts.strongest(supernet.space, supernet.strengths())
    limits = {name: value for name in ("max_params", "max_macs") if (value := getattr(recipe, name)) is not None}
    return {
        "rule": recipe.discretization,
        "limits": limits,
        "differs_from_magnitude": genotype.edge_sets != alone.edge_sets,
    }


def _warm_start(report: darts.WarmStartReport, recipe: Recipe) -> dict[str, Any]:
    """What became of the tensors, and the ``schedule`` with its phases as long as they were in this run."""
    return {
        "copied": len(report.copied),
        "reinitialised": list(report.reinitialised),
        "unused": list(report.unused),
        "schedule": recipe.warm.within(recipe.epochs).to_dict(),
    }
