"""Fine-tuning of a pretrained network as a Lightning module: two rates, one budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from lightning.pytorch.cli import OptimizerCallable

from supernet_tl.baselines.budget import Spent, cosine_rate
from supernet_tl.baselines.classifier import PretrainedClassifier
from supernet_tl.data import Augmentation
from supernet_tl.training.train_module import TrainModule


class FinetuneModule(TrainModule):
    """Fine-tune all layers, the new classifier at a higher rate; rates fall along a cosine of the spent budget.

    Args:
        network: the pretrained network and its new classifier.
        optimizer: over two groups of parameters, the pretrained ones and the new; its rate is the first of the former.
        head_lr_factor: by which the new classifier's rate is higher.
        spent: tells how much of the budget is spent.
        made_with: plain values by name that a checkpoint must have been made with.
        augmentation: none when absent.
        seed: of augmentation and of what else is random in the network.
    """

    rate_setting = "lr"

    def __init__(
        self,
        network: PretrainedClassifier,
        *,
        optimizer: OptimizerCallable,
        head_lr_factor: float,
        spent: Spent,
        made_with: Mapping[str, Any],
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(network, optimizer, augmentation=augmentation, seed=seed)
        self.head_lr_factor = head_lr_factor
        self._spent = spent
        self._made_with = made_with
        self._first_rates: list[float] = []

    def origin(self) -> dict[str, Any]:
        """What a checkpoint and the module that goes on with it must have in common: plain values by name."""
        return {**super().origin(), **self._made_with}

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[Any]]:
        """One optimizer; its rates are set before every step, so that no schedule is needed."""
        network = cast(PretrainedClassifier, self.network)
        optimizer = self.optimizer([{"params": network.body.parameters()}, {"params": network.head.parameters()}])
        rate = optimizer.param_groups[0]["lr"]
        self._first_rates = [rate, rate * self.head_lr_factor]
        return [optimizer], []

    def on_train_epoch_start(self) -> None:
        """Set the rates, of which that of the pretrained layers is noted, and seed the epoch."""
        self._set_rates()
        super().on_train_epoch_start()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set the rates of the step by the budget spent before it."""
        self._set_rates()

    def _set_rates(self) -> None:
        left = cosine_rate(self._spent(self.trainer))
        for optimizer in self.trainer.optimizers:
            for group, rate in zip(optimizer.param_groups, self._first_rates, strict=True):
                group["lr"] = rate * left
