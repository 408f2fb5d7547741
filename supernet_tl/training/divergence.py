"""Stops a training whose numbers are no longer finite, and says where it stood and how to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from supernet_tl.errors import DivergedError

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

    from supernet_tl.training.classification_module import ClassificationModule

Level = Literal["architecture", "weight", "training"]
"""What a loss is of: a half of a search batch, or the only batch of a training step."""


def require_finite_loss(module: ClassificationModule, level: Level, loss: Tensor, batch_idx: int) -> None:
    """Refuse to take a step with a loss that is not finite; every process refuses when one has such a loss.

    Args:
        module: in training.
        level: which loss it is.
        loss: scalar.
        batch_idx: of the batch in the epoch, counted from 0.

    Raises:
        DivergedError: with loss, step, batch, learning rate and the last checkpoint.
    """
    finite = bool(torch.isfinite(loss))
    if not module.trainer.strategy.reduce_boolean_decision(not finite, all=False):
        return
    half = "" if level == "training" else f" of the {level} half"
    found = "not finite in another process" if finite else f"{loss.item():g}"
    raise DivergedError(
        f"the {level} loss is {found} in {_step(module.trainer, batch_idx)}, on batch {batch_idx + 1}{half}, at "
        f"learning rate {_learning_rate(module.trainer):g}. {_next(module)}"
    )


def require_finite_state(module: ClassificationModule, batch_idx: int) -> None:
    """Refuse to go on, and to write a checkpoint, when a step has left weights that are not finite.

    Args:
        module: in training.
        batch_idx: of the batch in the epoch, counted from 0.

    Raises:
        DivergedError: with step, learning rate and the last checkpoint.
    """
    finite = is_finite(module.classifier)
    if module.trainer.strategy.reduce_boolean_decision(not finite, all=False):
        raise DivergedError(
            f"weights or statistics are not finite after {_step(module.trainer, batch_idx)}, at learning rate "
            f"{_learning_rate(module.trainer):g}. {_next(module)}"
        )


def is_finite(net: nn.Module) -> bool:
    """Whether every number of a network's state is finite."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in net.state_dict().values())


def _step(trainer: Trainer, batch_idx: int) -> str:
    return (
        f"epoch {trainer.current_epoch + 1}, step {batch_idx + 1} of {trainer.num_training_batches} "
        f"(step {trainer.fit_loop.total_batch_idx + 1} of the run)"
    )


def _learning_rate(trainer: Trainer) -> float:
    return float(trainer.optimizers[0].param_groups[0]["lr"])


def _next(module: ClassificationModule) -> str:
    checkpoint = _newest_checkpoint(module.trainer)
    advice = f"Lower {module.rate_setting} and begin anew, or look at the images of that batch"
    if checkpoint is None:
        return f"No checkpoint has been written yet. {advice}."
    return (
        f"The last checkpoint is {checkpoint}. {advice}; to go on from the checkpoint, repeat the command "
        "(`fit`: with --ckpt_path last)."
    )


def _newest_checkpoint(trainer: Trainer) -> str | None:
    """The file written last, or else the one that the run was resumed from."""
    for callback in trainer.checkpoint_callbacks:
        # Lightning's own callback keeps the first only with save_last; without a metric the second is the newest.
        for name in ("last_model_path", "best_model_path"):
            if path := getattr(callback, name, ""):
                return str(path)
    return None if trainer.ckpt_path is None else str(trainer.ckpt_path)
