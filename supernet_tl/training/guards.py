"""Guards against collapse: rules that end a search whose architecture degenerates, and say which epoch's to take.

A search that a guard ends leaves its weights as they are after the last epoch that it ran; the architecture is that of
an earlier epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.nn import functional as F

import darts
from supernet_tl.errors import RecipeError
from supernet_tl.prepared_data import in_process
from supernet_tl.training.search_module import SearchModule
from supernet_tl.training.stopping import ArchitectureRule, StopRule, rules_of

EIGENVALUE = "hessian_eigenvalue"
"""Name under which the largest eigenvalue is logged."""


class Collapse(NamedTuple):
    """A search that a guard ended.

    Attributes:
        reason: why, as a clause.
        epoch: after which the architecture was still good; 0 for the one that the search began with.
    """

    reason: str
    epoch: int


class Guard(ArchitectureRule):
    """A rule that ends a search when its architecture degenerates."""

    def collapse(self) -> Collapse | None:
        """What is wrong, and the last epoch before; None where nothing is."""
        raise NotImplementedError

    def reason(self) -> str | None:
        """Why the search ends, as a clause; None where it goes on."""
        found = self.collapse()
        return None if found is None else found.reason


class SkipConnectionLimit(Guard):
    """Ends the search when one of its two discrete cells holds more skip connections than it may.

    The cells are those that the search would end with now, within its limits on size. The architecture is that of the
    last epoch before; where the search begins with too many, nothing is done until there have been few enough once.

    Args:
        max_skips: skip connections that either cell may hold.

    Source: Liang et al. 2019, arXiv:1909.06035 (DARTS+), criterion 1, which ends a search
    with two or more in the normal cell; on small sets it is the reduction cell that fills with them.
    """

    def __init__(self, max_skips: int) -> None:
        if max_skips < 0:
            raise RecipeError(f"max_skips is {max_skips}; expected 0 or more, or leave the guard out.")
        self.max_skips = max_skips
        self.counts: list[int] = []

    def collapse(self) -> Collapse | None:
        """More skip connections than may be, in the last epoch, after as few as may be in one before."""
        within = [epoch for epoch, count in enumerate(self.counts) if count <= self.max_skips]
        if not within or self.counts[-1] <= self.max_skips:
            return None
        return Collapse(f"a cell holds {self.counts[-1]} skip connections, more than {self.max_skips}", within[-1])

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count what the search begins with."""
        if not self.counts:
            self._count(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count, and judge."""
        self._count(pl_module)
        self.judge(trainer)

    def _count(self, module: LightningModule) -> None:
        genotype = cast(SearchModule, module).genotype()
        cells = (genotype.normal, genotype.reduction)
        self.counts.append(max(sum(primitive == "skip_connect" for primitive, _ in cell) for cell in cells))

    def state_dict(self) -> dict[str, Any]:
        """The counts as a checkpoint keeps them."""
        return {"counts": self.counts}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the counts of a checkpoint."""
        self.counts = list(state_dict["counts"])


class EigenvalueRise(Guard):
    """Ends the search when the largest eigenvalue of the architecture loss's Hessian in alpha has risen.

    It is measured after every ``every`` epochs on one batch of the architecture half without augmentation, and averaged
    over ``window`` measurements around each. Where an average is more than ``ratio`` times the one ``delay``
    measurements before it, the search ends, and the architecture is that of the epoch of that earlier measurement.

    Args:
        ratio: above 0; the paper's is 1.3.
        every: epochs between measurements.
        window: measurements averaged, an odd number.
        delay: measurements between the averages that are compared.
        first_epoch: no search ends before so many epochs in which alphas move.

    Source: RobustDARTS (Zela et al. 2020, arXiv:1909.09656), section 5.1: early stopping, with these defaults.
    """

    def __init__(
        self, ratio: float = 1.3, *, every: int = 2, window: int = 5, delay: int = 4, first_epoch: int = 10
    ) -> None:
        counts = {"every": every, "window": window, "delay": delay}
        wrong = [f"{name} is {value}; expected 1 or more" for name, value in counts.items() if value < 1]
        if not 0 < ratio < float("inf"):
            wrong.append(f"ratio is {ratio}; expected more than 0")
        if window % 2 == 0:
            wrong.append(f"window is {window}; expected an odd number")
        if wrong:
            raise RecipeError(f"the guard of the eigenvalue: {'; '.join(wrong)}. Correct it, or leave the guard out.")
        self.ratio, self.every, self.window, self.delay = ratio, every, window, delay
        self.first_epoch = first_epoch
        self.eigenvalues: list[float] = []
        self.epochs = self.held_epochs = 0

    def collapse(self) -> Collapse | None:
        """An eigenvalue that has risen."""
        if self.epochs - self.held_epochs < self.first_epoch or self.epochs % self.every:
            return None
        averages = local_averages(self.eigenvalues, self.window)
        if len(averages) <= self.delay or not averages[-1] > self.ratio * averages[-1 - self.delay] > 0:
            return None
        measured = len(averages) - self.delay + self.window // 2  # number of the measurement, counted from 1
        return Collapse(
            f"the largest eigenvalue of the architecture loss's Hessian has risen to "
            f"{averages[-1] / averages[-1 - self.delay]:.2f} times what it was after epoch {measured * self.every}",
            measured * self.every,
        )

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure where it is time, log, and judge."""
        module = cast(SearchModule, pl_module)
        self.epochs, self.held_epochs = trainer.current_epoch + 1, module.num_held_epochs
        if self.epochs % self.every:
            return
        batches = in_process(cast(Mapping[str, Any], trainer.train_dataloader)["architecture"])
        images, labels = module.transfer_batch_to_device(next(iter(batches)), module.device, 0)
        eigenvalue = darts.largest_alpha_eigenvalue(
            module.supernet, F.cross_entropy, (images, labels), num_micro_batches=module.num_micro_batches
        )
        if module.average is not None:  # each process has images of its own
            (mean,) = module.average((torch.tensor(eigenvalue, device=module.device),))
            eigenvalue = float(mean)
        self.eigenvalues.append(eigenvalue)
        pl_module.log(EIGENVALUE, eigenvalue, sync_dist=True)
        self.judge(trainer)

    def state_dict(self) -> dict[str, Any]:
        """The measurements as a checkpoint keeps them."""
        return {"eigenvalues": self.eigenvalues, "epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the measurements of a checkpoint."""
        self.eigenvalues = list(state_dict["eigenvalues"])
        self.epochs = state_dict["epochs"]


def local_averages(values: Sequence[float], window: int) -> list[float]:
    """Means over each ``window`` values in a row; none where there are fewer."""
    return [sum(values[start : start + window]) / window for start in range(len(values) - window + 1)]


def collapse_of(rules: Sequence[StopRule]) -> Collapse | None:
    """What the guards among some rules found; of several the one with the earliest epoch."""
    found = [collapse for rule in rules if isinstance(rule, Guard) and (collapse := rule.collapse()) is not None]
    return min(found, key=lambda one: one.epoch) if found else None


def eigenvalue_of_epoch(trainer: Trainer) -> float | None:
    """What a guard measured after the running epoch; None where none did."""
    for guard in rules_of(trainer):
        if isinstance(guard, EigenvalueRise) and (trainer.current_epoch + 1) % guard.every == 0:
            return guard.eigenvalues[-1]
    return None
