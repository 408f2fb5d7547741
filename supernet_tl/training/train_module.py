"""Training of the final, discrete network as a Lightning module."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR

import darts
from supernet_tl.data import Augmentation, Batch
from supernet_tl.training.classification_module import ClassificationModule
from supernet_tl.training.divergence import require_finite_loss

DEFAULT_OPTIMIZER = partial(torch.optim.SGD, lr=0.025, momentum=0.9, weight_decay=3e-4)


class TrainModule(ClassificationModule):
    """Fine-tune or train a network, a discrete one or any other that classifies.

    Args:
        network: gives logits, in training mode perhaps those of an auxiliary head too; its ``num_classes`` says how
            many.
        optimizer: over all its parameters.
        scheduler: stepped once an epoch; cosine down to 0 over ``max_epochs`` when absent.
        drop_path_prob: of a discrete network; grows linearly from 0 towards this over ``max_epochs``.
        auxiliary_weight: of the auxiliary head's loss, where the network has one.
        augmentation: none when absent.
        seed: of augmentation and drop-path.

    Source: DARTS (Liu et al. 2019, arXiv:1806.09055), architecture evaluation.
    """

    rate_setting = "--finetune-lr"

    def __init__(
        self,
        network: nn.Module,
        optimizer: OptimizerCallable = DEFAULT_OPTIMIZER,
        scheduler: LRSchedulerCallable | None = None,
        drop_path_prob: float = 0.0,
        auxiliary_weight: float = 0.4,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(network, cast(int, network.num_classes), augmentation, seed)
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.drop_path_prob = drop_path_prob
        self.auxiliary_weight = auxiliary_weight

    @property
    def network(self) -> nn.Module:
        """The network that is trained."""
        return self.classifier

    def on_train_epoch_start(self) -> None:
        """Seed the epoch and set its drop-path."""
        super().on_train_epoch_start()
        if isinstance(self.network, darts.DiscreteNetwork):
            self.network.drop_path_prob = self.drop_path_prob * self.current_epoch / self.num_epochs

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Cross-entropy, plus that of the auxiliary head where there is one."""
        images, labels = self.augmented(batch)
        output = self.network(images)
        logits, auxiliary_logits = output if isinstance(output, tuple) else (output, None)
        loss = F.cross_entropy(logits, labels)
        self.train_accuracy(logits, labels)
        self.log_mean("train_loss", loss, len(labels))
        self.log_mean("train_accuracy", self.train_accuracy, len(labels))
        if auxiliary_logits is not None:
            loss = loss + self.auxiliary_weight * F.cross_entropy(auxiliary_logits, labels)
        require_finite_loss(self, "training", loss, batch_idx)
        return loss

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[Any]]:
        """One optimizer and its schedule."""
        optimizer = self.optimizer(self.network.parameters())
        scheduler = (
            self.scheduler(optimizer)
            if self.scheduler is not None
            else CosineAnnealingLR(optimizer, T_max=self.num_epochs)
        )
        return [optimizer], [scheduler]
