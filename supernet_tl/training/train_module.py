"""Training of the final, discrete network as a Lightning module."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR
from torch.optim.swa_utils import AveragedModel
from torchvision.transforms import v2

import darts
from supernet_tl.data import Augmentation, Batch
from supernet_tl.training.classification_module import ClassificationModule
from supernet_tl.training.divergence import require_finite_loss
from supernet_tl.training.final_schedule import FinalSchedule

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
        seed: of augmentation, drop-path and mixing.
        schedule: what is done beside; with its warm-up a ``scheduler`` cannot be given.
        class_weights: shape (num_classes,), of each class in the loss; all 1 when absent.

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
        schedule: FinalSchedule | None = None,
        class_weights: Tensor | None = None,
    ) -> None:
        num_classes = cast(int, network.num_classes)
        super().__init__(network, num_classes, augmentation, seed)
        self.schedule = schedule or FinalSchedule()
        self.averaged: AveragedModel | None = None
        if (decay := self.schedule.ema_decay) is not None:
            self.averaged = AveragedModel(self.classifier, multi_avg_fn=partial(_move, decay), use_buffers=True)
        self.mixing = _mixing(self.schedule, num_classes)
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.drop_path_prob = drop_path_prob
        self.auxiliary_weight = auxiliary_weight

    @property
    def network(self) -> nn.Module:
        """The network that is trained."""
        return self.classifier

    @property
    def result(self) -> nn.Module:
        """The network that is validated and kept: that which is trained, or the moving average of it."""
        return self.classifier if self.averaged is None else self.averaged.module

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, num_classes) of normalised images (batch, c, s, s), by the network that is kept."""
        logits: Tensor = self.result(images.contiguous(memory_format=torch.channels_last))
        return logits

    def on_train_epoch_start(self) -> None:
        """Seed the epoch and set its drop-path."""
        super().on_train_epoch_start()
        if isinstance(self.network, darts.DiscreteNetwork):
            self.network.drop_path_prob = self.drop_path_prob * self.current_epoch / self.num_epochs

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Cross-entropy, plus that of the auxiliary head where there is one."""
        images, labels = self.augmented(batch)
        targets = labels
        if self.mixing is not None:
            images, targets = self.mixing(images, labels)
            labels = targets.argmax(dim=1)  # the accuracy is that of the larger share
        output = self.network(images)
        logits, auxiliary_logits = output if isinstance(output, tuple) else (output, None)
        loss = self._loss(logits, targets)
        self.train_accuracy(logits, labels)
        self.log_mean("train_loss", loss, len(labels))
        self.log_mean("train_accuracy", self.train_accuracy, len(labels))
        if auxiliary_logits is not None:
            loss = loss + self.auxiliary_weight * self._loss(auxiliary_logits, targets)
        require_finite_loss(self, "training", loss, batch_idx)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Take the step into the moving average."""
        if self.averaged is not None:
            self.averaged.update_parameters(self.network)
        super().on_train_batch_end(outputs, batch, batch_idx)

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        smoothing, weights = self.schedule.label_smoothing, cast(Tensor | None, self.class_weights)
        return F.cross_entropy(logits, targets, weight=weights, label_smoothing=smoothing)

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[Any]]:
        """One optimizer and its schedule."""
        optimizer = self.optimizer(self.network.parameters())
        if self.scheduler is not None:
            return [optimizer], [self.scheduler(optimizer)]
        if self.schedule.warmup_epochs:
            factor = partial(self.schedule.rate_factor, num_epochs=self.num_epochs)
            return [optimizer], [LambdaLR(optimizer, factor)]
        return [optimizer], [CosineAnnealingLR(optimizer, T_max=self.num_epochs)]


@torch.no_grad()
def _move(decay: float, averages: list[Tensor], values: list[Tensor], num_averaged: Tensor) -> None:
    """Move averages of one type towards values; early ones have a smaller decay, so that the first are soon forgotten.

    Whole numbers, such as how many batches a normalisation has seen, are taken as they are.
    """
    if averages[0].is_floating_point():
        num = int(num_averaged)
        torch._foreach_lerp_(averages, values, 1 - min(decay, (1 + num) / (10 + num)))
    else:
        torch._foreach_copy_(averages, values)


def _mixing(schedule: FinalSchedule, num_classes: int) -> nn.Module | None:
    """What mixes a batch of images, and their labels into probabilities."""
    kinds: list[nn.Module] = []
    if schedule.mixup:
        kinds.append(v2.MixUp(alpha=schedule.mixup, num_classes=num_classes))
    if schedule.cutmix:
        kinds.append(v2.CutMix(alpha=schedule.cutmix, num_classes=num_classes))
    return v2.RandomChoice(kinds) if kinds else None
