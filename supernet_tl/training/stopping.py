"""When a search has seen enough: callbacks that end it before its last epoch.

Schedules stay laid out over all epochs, so a search that ends early is the beginning of the one that does not; what it
leaves is the state after the last epoch that it ran. A resumed run ends where the run that was not interrupted does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

import darts
from supernet_tl.errors import RecipeError
from supernet_tl.training.search_module import SearchModule
from supernet_tl.training.train_module import TrainModule


class ArchitectureRow(NamedTuple):
    """What the alphas stood for at the end of an epoch, or before the first.

    Attributes:
        genotype: the discrete architecture.
        entropy: of the mixing weights, in nats, averaged over the edges of both cell types.
    """

    genotype: darts.Genotype
    entropy: float


def has_settled(rows: Sequence[ArchitectureRow], num_epochs: int, entropy_tolerance: float) -> bool:
    """Whether the last epochs changed neither the genotype nor, by as much as the tolerance, the entropy.

    Which of a node's two edges is the stronger does not count: the architecture is the same.

    Args:
        rows: of every epoch so far, led by the state before the first.
        num_epochs: how many epochs must have passed so.
        entropy_tolerance: in nats; the lowest and the highest entropy of these epochs, and of the state that they began
            with, lie closer than this.
    """
    if len(rows) <= num_epochs:
        return False
    recent = rows[-num_epochs - 1 :]
    architectures = {row.genotype.edge_sets for row in recent}
    entropies = [row.entropy for row in recent]
    return len(architectures) == 1 and max(entropies) - min(entropies) < entropy_tolerance


class StopRule(Callback):
    """A rule that ends the training after an epoch; its memory is part of the checkpoint."""

    def reason(self) -> str | None:
        """Why the training ends, as a clause; None where it goes on."""
        raise NotImplementedError

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Train no further from a checkpoint that the rule had ended."""
        if (reason := self.reason()) is not None:
            trainer.should_stop = True
            rank_zero_info(f"The training in this checkpoint had stopped early: {reason}.")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say why training ended early."""
        if (reason := self.reason()) is not None and trainer.current_epoch != trainer.max_epochs:
            of = "" if trainer.max_epochs == -1 else f" of {trainer.max_epochs}"
            rank_zero_info(f"Training stopped after epoch {trainer.current_epoch}{of}: {reason}.")

    def judge(self, trainer: Trainer) -> None:
        """End the training with the running epoch where there is a reason to."""
        trainer.should_stop = trainer.should_stop or self.reason() is not None


class ArchitectureRule(StopRule):
    """A rule about the alphas; every process judges alike, because their alphas are equal."""

    instead = "Leave the callback out."
    """What to do where there are no alphas."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a module without an architecture to watch."""
        if not isinstance(pl_module, SearchModule):
            raise RecipeError(
                f"{type(self).__name__} was given to a run of {type(pl_module).__name__}, which has no alphas; "
                f"expected a SearchModule. {self.instead}"
            )


class AccuracyPlateau(StopRule, EarlyStopping):
    """Ends the training when validation accuracy has not got better for some epochs: Lightning's early stopping.

    Args:
        patience: validations in a row, one an epoch unless the trainer says otherwise, without an accuracy above the
            best before them.
    """

    def __init__(self, patience: int) -> None:
        _require_positive("patience", patience)
        # Judged right after validation, so that the epoch's record, which is written next, can tell the outcome.
        super().__init__("validation_accuracy", mode="max", patience=patience, check_on_train_epoch_end=False)

    def reason(self) -> str | None:
        """Why the training ends, as a clause; None where it goes on."""
        if self.wait_count < self.patience:
            return None
        return (
            f"validation accuracy has not risen above {float(self.best_score):.4f} in {self.wait_count} "
            f"validation{'' if self.wait_count == 1 else 's'}"
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the memory of a checkpoint, but not its patience: who resumes with more of it trains on."""
        super().load_state_dict({**state_dict, "patience": self.patience})


class BestEpoch(AccuracyPlateau):
    """Ends training when validation accuracy has not got better for some epochs, and keeps the best epoch's network.

    Args:
        patience: as of :class:`AccuracyPlateau`.

    Attributes:
        state: of the network that was validated in the best epoch, on the CPU; empty before the first.
    """

    def __init__(self, patience: int) -> None:
        super().__init__(patience)
        self.state: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Judge, and keep the network where it is the best so far."""
        super().on_validation_end(trainer, pl_module)
        if self.wait_count == 0 and isinstance(pl_module, TrainModule):
            self.state = {name: tensor.detach().cpu().clone() for name, tensor in pl_module.result.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {**super().state_dict(), "state": self.state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what a checkpoint kept."""
        self.state = state_dict["state"]
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "state"})


class ArchitectureStability(ArchitectureRule):
    """Ends the search when its architecture has settled: see :func:`has_settled`.

    Args:
        num_epochs: epochs in a row that must leave the genotype as it is.
        entropy_tolerance: by less than this, in nats, the mixing weights' mean entropy must move over these epochs.
    """

    instead = "Use AccuracyPlateau instead."

    def __init__(self, num_epochs: int, entropy_tolerance: float = 0.01) -> None:
        _require_positive("num_epochs", num_epochs)
        _require_positive("entropy_tolerance", entropy_tolerance)
        self.num_epochs = num_epochs
        self.entropy_tolerance = entropy_tolerance
        self.rows: list[ArchitectureRow] = []

    def reason(self) -> str | None:
        """Why the search ends, as a clause; None where it goes on."""
        if not has_settled(self.rows, self.num_epochs, self.entropy_tolerance):
            return None
        return (
            f"the genotype has not changed for {self.num_epochs} epoch{'' if self.num_epochs == 1 else 's'}, in which "
            f"the mixing weights' mean entropy moved by less than {self.entropy_tolerance:g} nats"
        )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note what the search begins with."""
        if not self.rows:
            self._note(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note what the epoch has made of it, and judge; alphas that are held have not settled."""
        if (
            isinstance(pl_module, SearchModule)
            and pl_module.holds_alphas
            and pl_module.num_held_epochs < pl_module.num_epochs
        ):
            self.rows.clear()
        self._note(pl_module)
        self.judge(trainer)

    def state_dict(self) -> dict[str, Any]:
        """The rows as a checkpoint keeps them."""
        return {"rows": [(row.genotype.to_json(), row.entropy) for row in self.rows]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the rows of a checkpoint."""
        self.rows = [
            ArchitectureRow(darts.Genotype.from_json(genotype), entropy) for genotype, entropy in state_dict["rows"]
        ]

    def _note(self, module: LightningModule) -> None:
        if isinstance(module, SearchModule):
            entropy = darts.mean_entropy(module.supernet.mixing_weights().detach())
            self.rows.append(ArchitectureRow(module.genotype(), float(entropy)))


def reason_to_stop(trainer: Trainer) -> str | None:
    """Why the running epoch is the last although more were to come, as a clause; None where it is not."""
    if not trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs:
        return None
    return "; ".join(reason for rule in rules_of(trainer) if (reason := rule.reason()) is not None) or None


def rules_of(trainer: Trainer) -> list[StopRule]:
    """The rules among the trainer's callbacks."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set by a connector
    return [callback for callback in callbacks if isinstance(callback, StopRule)]


def _require_positive(name: str, value: float) -> None:
    if not value > 0:
        raise RecipeError(f"{name} of early stopping is {value!r}; expected more than 0, or leave the callback out.")
