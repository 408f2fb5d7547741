"""Searches in as many processes as asked for: run as a script, because each process of DDP runs it from the start.

Usage: two_processes.py FOLDER NUM_PROCESSES. Each process leaves what it found in ``FOLDER/RANK.json``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from supernet_tl.data import ArrayStore, DataCard, ImageSet, Shard
from supernet_tl.errors import SupernetTLError
from supernet_tl.prepared_data import PreparedData, evaluation_loader, prepare
from supernet_tl.recipe import Recipe
from supernet_tl.training.callbacks import History
from supernet_tl.training.quiet import quiet_lightning
from supernet_tl.training.search_module import SearchModule
from supernet_tl.training.warm_schedule import WarmSchedule

WARM = WarmSchedule(lr_factor=0.4, source_pull=0.5, head_epochs=1, warmup_epochs=1)
SEARCHES: dict[str, dict[str, Any]] = {
    "first order, random": {"order": "first", "perturbation": "random"},
    "unrolled": {"order": "unrolled", "perturbation": "none"},
    "adversarial": {"order": "first", "perturbation": "adversarial", "attack_steps": 2},
    "all in parts": {"order": "unrolled", "perturbation": "adversarial", "attack_steps": 2, "num_micro_batches": 2},
    "warm, head alone, then pulled": {"perturbation": "none", "warm": WARM},
    "drawn mixing weights": {"perturbation": "none", "family": "drnas"},
    "weights of edges": {"family": "pc-darts", "channels": 8},
}
NUM_STEPS = 5
BATCH_SIZE = 4  # of all processes together


def _data() -> PreparedData:
    draws = np.random.default_rng(0)
    images = [
        draws.integers(0, 256, (8, 8, 3)).astype(np.uint8) for _ in range(75)
    ]  # 15 to validate on: unequal shares
    card = DataCard("squares", "made for a test", "CC0", "squares", "test", len(images), 2, mirror_safe=False)
    labels = np.arange(len(images)) % 2
    image_set = ImageSet("squares", ("even", "odd"), labels, ArrayStore(images), card)
    return prepare(image_set, Recipe(image_size=8))


class Frozen(SearchModule):
    """Normalisations use statistics of some images that no step moves, so that images do not see each other."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # the mean of all passes, of which there is one
        with torch.no_grad():
            self.supernet(torch.randn(32, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.1  # as searched: mixing weights are folded in

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


class Corrupted(SearchModule):
    """One alpha of the second process moves by a hair in the second epoch."""

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        if self.current_epoch == 1 and self.global_rank == 1 and batch_idx == 0:
            with torch.no_grad():
                self.supernet.reduction_alpha[3, 1] += 1e-6


class Images(Callback):
    """Keeps the images as the network sees them."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        pl_module.get_submodule("classifier").register_forward_pre_hook(lambda _, given: self.seen.append(given[0]))


def _fit(module: SearchModule, data: PreparedData, batch_size: int, **options: Any) -> Trainer:
    trainer = Trainer(
        accelerator="cpu",
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **options,
    )
    shard = Shard(trainer.global_rank, trainer.world_size)
    recipe = Recipe(image_size=8, batch_size=batch_size)
    trainer.fit(module, data.search_loader(recipe, shard), evaluation_loader(data.validation, shard=shard))
    return trainer


def main(folder: Path, num_processes: int) -> None:
    """Search, and leave what was found."""
    processes = {"devices": num_processes, "strategy": "ddp" if num_processes > 1 else "auto"}
    exact = {"max_epochs": 1, "limit_train_batches": NUM_STEPS, "precision": "64-true"}
    tiny: dict[str, Any] = {"num_classes": 2, "space": "s2", "channels": 2, "num_cells": 3, "seed": 1}
    data, found, rank = _data(), dict[str, Any](), 0
    with quiet_lightning():
        for name, settings in SEARCHES.items():
            module = Frozen(**{**tiny, **settings})
            epochs = {}
            if "warm" in settings:
                module.start_from(Frozen(**{**tiny, "seed": 2}).supernet.state_dict())
                epochs = {"max_epochs": 3}
            trainer = _fit(module, data, BATCH_SIZE // num_processes, **{**exact, **epochs}, **processes)
            parameters = {name: tensor.flatten().tolist() for name, tensor in module.supernet.named_parameters()}
            metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
            found[name] = {"parameters": parameters, "metrics": metrics}
            rank = trainer.global_rank
        if num_processes > 1:
            found["normal"] = _normal(tiny, data, processes)
            try:
                _fit(Corrupted(**tiny), data, 4, max_epochs=3, **processes)
            except SupernetTLError as error:
                found["corrupted"] = {"error": type(error).__name__, "sentence": str(error)}
    (folder / f"{rank}.json").write_text(json.dumps(found))


def _normal(tiny: dict[str, Any], data: PreparedData, processes: dict[str, Any]) -> dict[str, Any]:
    """A search with normal settings, begun with other alphas in the second process, which must not matter."""
    module = SearchModule(**tiny, augmentation=data.augmentation(Recipe(image_size=8)))
    history, images = History("search"), Images()
    if torch.distributed.get_rank() == 1:
        nn.init.zeros_(module.supernet.normal_alpha)
    _fit(module, data, 4, max_epochs=2, callbacks=[history, images], **processes)
    return {
        "alphas": [alpha.tolist() for alpha in module.supernet.arch_parameters()],
        "genotype": module.genotype().to_dict(),
        "rows": [vars(row) | {"seconds": None} for row in history.rows],
        "augmentation seed": module.generator.initial_seed(),
        "noise seed": module.noise.initial_seed(),
        "images": [batch.flatten().tolist() for batch in images.seen[:2]],
        "statistics": module.supernet.get_buffer("stem.1.running_mean").tolist(),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]))
