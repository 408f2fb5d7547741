"""Learning rates over the epochs of a run."""

from __future__ import annotations

import math
from functools import partial

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def cosine_over(num_epochs: int, optimizer: Optimizer, minimum: float) -> LambdaLR:
    """The cosine from each group's rate down to a minimum, evaluated at the epoch, counted from 0.

    The length is not part of its state: a run that is resumed with more epochs follows the cosine over all of them.

    Args:
        num_epochs: of the whole run.
        optimizer: whose rates are scheduled.
        minimum: reached at the end; a group whose rate lies below keeps it.
    """
    rates = [group.get("initial_lr", group["lr"]) for group in optimizer.param_groups]
    return LambdaLR(optimizer, [partial(_factor, rate=rate, minimum=minimum, num_epochs=num_epochs) for rate in rates])


def take_rates(schedule: LambdaLR) -> None:
    """Give the optimizer the schedule's rates of this epoch, whatever it had: after a run is resumed."""
    for group, rate, factor in zip(
        schedule.optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True
    ):
        group["lr"] = rate * factor(schedule.last_epoch)


def _factor(epoch: int, rate: float, minimum: float, num_epochs: int) -> float:
    if rate <= minimum:
        return 1.0
    return (minimum + (rate - minimum) * (1 + math.cos(math.pi * epoch / num_epochs)) / 2) / rate
