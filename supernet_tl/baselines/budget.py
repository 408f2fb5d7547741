"""How much of its budget a training has spent, in steps or in seconds, and the learning rate that follows from it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from supernet_tl.errors import BaselineError
from supernet_tl.training.stopping import StopRule

Spent = Callable[[Trainer], float]
"""The fraction of a training's budget that is spent: 0 before its first step, 1 or more when it is over."""


def cosine_rate(spent: float) -> float:
    """The share of the first learning rate that is left: half a cosine from 1 down to 0, and 0 from then on.

    Args:
        spent: fraction of the budget, 0 or more.

    Source: Li et al. 2020, arXiv:1905.04753 (budgeted training: the schedule is a function of the budget's part that
    is spent), with the cosine of Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5.
    """
    return (1 + math.cos(math.pi * min(spent, 1.0))) / 2


def spent_steps(trainer: Trainer) -> float:
    """The fraction of all steps that is done, where a number of epochs is the budget."""
    return trainer.global_step / (int(trainer.num_training_batches) * (trainer.max_epochs or 1))


class TimeBudget(StopRule):
    """Ends the training with the step, or the validation, in which its seconds are used up.

    The seconds are those of ``EpochRow.seconds``: validation is counted, writing checkpoints and the time of an
    interruption are not. The network is validated once more after its last step, so that a training takes the budget,
    the rest of that step, and at most one validation.

    Args:
        seconds: of the training.
        clock: gives seconds, from any beginning.

    Raises:
        BaselineError: the seconds are not a positive number, or the first step alone takes longer.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.perf_counter) -> None:
        if not (seconds > 0 and math.isfinite(seconds)):
            raise BaselineError(f"seconds is {seconds!r}; expected a positive number, or give epochs instead.")
        self.seconds = seconds
        self._clock = clock
        self._before_epoch = 0.0
        self._started: float | None = None

    @property
    def used(self) -> float:
        """Seconds used so far."""
        return self._before_epoch + (0.0 if self._started is None else self._clock() - self._started)

    def spent(self, trainer: Trainer) -> float:
        """The fraction of the seconds that is used."""
        return self.used / self.seconds

    def reason(self) -> str | None:
        """Why the training ends, as a clause; None where it goes on."""
        return None if self.used < self.seconds else f"its {self.seconds:g} seconds are used up"

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's clock."""
        self._started = self._clock()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Judge after every step."""
        used = self.used
        if trainer.global_step == 1 and used > self.seconds:
            raise BaselineError(
                f"the first step of training took {used:.3g} s, and the budget is {self.seconds:g} s; expected time "
                "for one step at least. Give more seconds, smaller batches or fewer parameters."
            )
        trainer.should_stop = trainer.should_stop or used >= self.seconds

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Judge after the validation, and stop the epoch's clock."""
        self._before_epoch, self._started = self.used, None
        trainer.should_stop = trainer.should_stop or self._before_epoch >= self.seconds

    def state_dict(self) -> dict[str, Any]:
        """The seconds used as a checkpoint keeps them."""
        return {"used": self.used}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the seconds of a checkpoint."""
        self._before_epoch = state_dict["used"]
