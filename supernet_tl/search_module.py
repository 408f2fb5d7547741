"""The bilevel search as a Lightning module: it conducts, the maths is in ``darts``."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, cast

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler

import darts
from supernet_tl.classification_module import ClassificationModule
from supernet_tl.data import Augmentation
from supernet_tl.errors import RecipeError

SearchBatch = dict[str, tuple[Tensor, Tensor]]
"""``weight`` and ``architecture``: normalised images (b, 3, s, s) and labels (b,) of the two halves."""

DEFAULT_WEIGHT_OPTIMIZER = partial(torch.optim.SGD, lr=0.025, momentum=0.9, weight_decay=3e-4)
DEFAULT_ARCH_OPTIMIZER = partial(torch.optim.Adam, lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3)


class SearchModule(ClassificationModule):
    """First-order bilevel search with SmoothDARTS' random perturbation.

    Each step moves alpha on the architecture batch, then the weights on the weight batch with perturbed mixing weights.

    Args:
        num_classes: of the target dataset.
        space: name of the search space.
        channels: of the supernet's first cells.
        num_cells: of the supernet.
        weight_optimizer: over the weights only.
        arch_optimizer: over the alphas only.
        weight_scheduler: stepped once an epoch; cosine from the optimizer's rate down to 0.001 over ``max_epochs`` when
            absent.
        perturbation: of the mixing weights in the weight step.
        max_radius: the perturbation's radius grows from 0.03 towards this over ``max_epochs``.
        max_gradient_norm: weight gradients are clipped to this norm, alphas never.
        augmentation: applied to both batches of a step; none when absent.
        init_from: ``ZOO#ENTRY``: warm-start from this zoo entry (``--ckpt_path`` resumes a run instead).
        seed: of initial weights, augmentation and perturbation.

    Source: SmoothDARTS (Chen & Hsieh 2020, arXiv:2002.05283), algorithm 1.
    """

    def __init__(
        self,
        num_classes: int,
        space: str = "s1",
        channels: int = 16,
        num_cells: int = 8,
        weight_optimizer: OptimizerCallable = DEFAULT_WEIGHT_OPTIMIZER,
        arch_optimizer: OptimizerCallable = DEFAULT_ARCH_OPTIMIZER,
        weight_scheduler: LRSchedulerCallable | None = None,
        perturbation: Literal["random", "none"] = "random",
        max_radius: float = 0.3,
        max_gradient_norm: float = 5.0,
        augmentation: Augmentation | None = None,
        init_from: str | None = None,
        seed: int = 0,
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            supernet = darts.Supernet(darts.SPACES[space], num_classes, channels, num_cells)
        super().__init__(supernet, num_classes, augmentation, seed)
        self.automatic_optimization = False
        self.weight_optimizer = weight_optimizer
        self.arch_optimizer = arch_optimizer
        self.weight_scheduler = weight_scheduler
        self.perturbation = perturbation
        self.max_radius = max_radius
        self.max_gradient_norm = max_gradient_norm
        if init_from is not None:
            from supernet_tl.adapters import state_from

            darts.warm_start(supernet, state_from(init_from))

    @property
    def supernet(self) -> darts.Supernet:
        """The supernet that is searched."""
        return cast(darts.Supernet, self.classifier)

    def origin(self) -> dict[str, Any]:
        """Also the sizes of the supernet."""
        net = self.supernet
        sizes = {"channels": net.channels, "num_cells": net.num_cells, "num_classes": net.num_classes}
        return {**super().origin(), "space": net.space.name, **sizes}

    @property
    def radius(self) -> float:
        """Radius of the perturbation in the current epoch."""
        return darts.perturbation_radius(self.current_epoch, self.num_epochs, self.max_radius)

    def on_fit_start(self) -> None:
        """Refuse what would change the gradients of alpha without a word."""
        if self.trainer.world_size > 1:
            raise RecipeError(
                f"the search was started in {self.trainer.world_size} processes, whose alphas would drift apart; "
                "expected one. Give --trainer.devices 1, and search several targets side by side instead."
            )
        if getattr(self.trainer.precision_plugin, "scaler", None) is not None:
            raise RecipeError(
                f"precision {self.trainer.precision!r} scales the loss, which alpha's gradients do not pass through; "
                "expected 32-true or bf16-mixed."
            )

    def training_step(self, batch: SearchBatch, batch_idx: int) -> None:
        """One step of bilevel search: alpha, then the weights."""
        weight_optimizer, arch_optimizer = cast(tuple[LightningOptimizer, LightningOptimizer], self.optimizers())
        images, labels = self.augmented(batch["architecture"])
        gradient = darts.first_order_gradient(self.supernet, F.cross_entropy, images, labels)
        darts.assign_alpha_gradient(self.supernet, gradient)
        arch_optimizer.step()
        self.log_mean("arch_loss", gradient.loss, len(labels))

        mixing = self.supernet.mixing_weights().detach()
        if self.perturbation == "random":
            mixing = darts.perturb_random(mixing, self.radius, self.generator)
        images, labels = self.augmented(batch["weight"])
        logits = self.supernet(images, mixing=mixing)
        loss = F.cross_entropy(logits, labels)
        weight_optimizer.zero_grad(set_to_none=True)
        self.manual_backward(loss)
        self.clip_gradients(weight_optimizer.optimizer, self.max_gradient_norm, "norm")
        weight_optimizer.step()
        self.train_accuracy(logits, labels)
        self.log_mean("train_loss", loss, len(labels))
        self.log_mean("train_accuracy", self.train_accuracy, len(labels))

    def on_train_epoch_end(self) -> None:
        """Step the weights' learning rate; alpha's is constant."""
        cast(LRScheduler, self.lr_schedulers()).step()

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:
        """The two optimizers, over disjoint parameters."""
        weight_optimizer = self.weight_optimizer(self.supernet.weight_parameters())
        scheduler = (
            self.weight_scheduler(weight_optimizer)
            if self.weight_scheduler is not None
            else CosineAnnealingLR(weight_optimizer, T_max=self.num_epochs, eta_min=1e-3)
        )
        return [weight_optimizer, self.arch_optimizer(self.supernet.arch_parameters())], [scheduler]

    def genotype(self) -> darts.Genotype:
        """The discrete architecture that the current alphas stand for."""
        net = self.supernet
        return darts.discretize(net.space, net.normal_alpha, net.reduction_alpha)
