"""What searching and training share: metrics, evaluation, augmentation, seeds of an epoch."""

from __future__ import annotations

import math
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MetricCollection
from torchmetrics.aggregation import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from supernet_tl.data import Augmentation, Batch, augmented
from supernet_tl.training.checkpoints import ORIGIN, require_same_origin
from supernet_tl.training.divergence import require_finite_state
from supernet_tl.training.scores import score_metrics
from supernet_tl.training.seeds import epoch_seed


class ClassificationModule(LightningModule):
    """A network that classifies normalised images; subclasses say how it is trained.

    Everything random follows from (seed, epoch, rank), so that a run resumed at an epoch goes on as if never stopped,
    and every process augments its images by itself.

    Args:
        network: takes images (b, c, s, s), in evaluation mode gives logits (b, num_classes).
        num_classes: of the dataset.
        augmentation: of training batches; none when absent.
        seed: of augmentation and whatever else is random in training.

    Attributes:
        rate_setting: how the command line calls the learning rate to lower when training diverges.
    """

    rate_setting = "the learning rate"

    def __init__(self, network: nn.Module, num_classes: int, augmentation: Augmentation | None, seed: int) -> None:
        super().__init__()
        self.classifier = network.to(memory_format=torch.channels_last)
        self.augmentation = augmentation
        self.seed = seed
        self.train_accuracy = MulticlassAccuracy(num_classes, average="micro")
        # Lightning's own mean over processes goes wrong where they evaluate unequally many images. NaN stays NaN.
        self.validation_loss = MeanMetric(nan_strategy=math.nan)
        self.test_loss = MeanMetric(nan_strategy=math.nan)
        self.validation_scores = score_metrics(num_classes, "validation")
        self.test_scores = score_metrics(num_classes, "test")
        self.generator = torch.Generator()

    @property
    def num_epochs(self) -> int:
        """Epochs of the whole run, over which schedules are laid out."""
        return max(self.trainer.max_epochs or 0, self.current_epoch + 1)

    @property
    def epoch_rate(self) -> float:
        """The learning rate of the current epoch, as its row shows it."""
        return float(self.trainer.optimizers[0].param_groups[0]["lr"])

    def origin(self) -> dict[str, Any]:
        """What a checkpoint and the module that goes on with it must have in common: plain values by name."""
        return {"seed": self.seed}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say what the checkpoint was made with."""
        checkpoint[ORIGIN] = self.origin()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint that was made with something else, before any of it is taken over."""
        path = None if self._trainer is None else self.trainer.ckpt_path
        require_same_origin(checkpoint, self.origin(), path)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, num_classes) of normalised images (batch, c, s, s)."""
        logits: Tensor = self.classifier(images.contiguous(memory_format=torch.channels_last))
        return logits

    def on_train_epoch_start(self) -> None:
        """Seed everything random of this epoch and note its learning rate."""
        of_process = f"/rank {self.global_rank}" if self.global_rank else ""
        torch.manual_seed(epoch_seed(self.seed, self.current_epoch, f"network{of_process}"))
        self.generator.manual_seed(epoch_seed(self.seed, self.current_epoch, f"batches{of_process}"))
        self.log("learning_rate", self.epoch_rate, sync_dist=True)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Go on from finite numbers only: at the end of an epoch, before they are validated and saved."""
        if self.trainer.is_last_batch or self.trainer.should_stop:
            require_finite_state(self, batch_idx)

    def augmented(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A training batch as the network is to see it."""
        if self.augmentation is not None:
            batch = augmented(batch, self.augmentation, self.generator)
        images, labels = self._unpacked(batch)
        return images.contiguous(memory_format=torch.channels_last), labels

    def _unpacked(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Images in the network's precision, which Lightning gives to tensors alone, and labels."""
        images, labels = batch
        return images.to(self.dtype), labels

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Loss and scores on the validation split."""
        self._evaluate(batch, "validation", self.validation_loss, self.validation_scores)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Loss and scores on the test split."""
        self._evaluate(batch, "test", self.test_loss, self.test_scores)

    def _evaluate(self, batch: Batch, split: str, loss: MeanMetric, scores: MetricCollection) -> None:
        images, labels = self._unpacked(batch)
        logits = self(images)
        loss(F.cross_entropy(logits, labels), weight=len(labels))
        scores.update(logits, labels)
        self.log_mean(f"{split}_loss", loss, len(labels))
        self.log_dict(scores, on_step=False, on_epoch=True, batch_size=len(labels))

    def log_mean(self, name: str, value: Any, batch_size: int) -> None:
        """Log the epoch's mean over images, those of all processes."""
        self.log(name, value, on_step=False, on_epoch=True, batch_size=batch_size, sync_dist=True)
