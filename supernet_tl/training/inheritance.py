"""What a warm schedule does to the steps of a search."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

import darts
from darts.supernet import ARCH_NAMES, HEAD_PREFIX
from supernet_tl.training.warm_schedule import Moving, WarmSchedule


class Inheritance:
    """The weights that a search has inherited, and how its schedule treats them.

    It keeps no state that changes: what it does follows from the schedule, the source and the weights alone, so that
    nothing of it is part of a checkpoint. Whatever it does to gradients is done element by element, so that gradients
    that are equal in several processes stay equal.

    Args:
        schedule: all off for a search from scratch.
        supernet: as it is right after the warm start; it is copied where the schedule pulls towards it.
        inherited: names of its tensors that came from the source.
    """

    def __init__(self, schedule: WarmSchedule, supernet: darts.Supernet, inherited: Collection[str] = ()) -> None:
        self.schedule = schedule
        self.is_warm = bool(inherited)
        self._source: dict[str, Tensor] = {
            name: weight.detach().clone()
            for name, weight in supernet.named_weight_parameters()
            if schedule.source_pull and name in inherited
        }

    def scale(self, weight_optimizer: Optimizer, arch_optimizer: Optimizer) -> None:
        """Multiply first rates and weight decay of optimizers that have just been made."""
        for group in weight_optimizer.param_groups:
            group["lr"] *= self.schedule.lr_factor
            group["weight_decay"] *= self.schedule.weight_decay_factor
        for group in arch_optimizer.param_groups:
            group["lr"] *= self.schedule.arch_lr_factor

    @torch.no_grad()
    def pull(self, supernet: darts.Supernet) -> None:
        """Add ``source_pull * (w - w_source)`` to the gradients of the inherited weights that have one."""
        if not self._source:
            return
        for name, weight in supernet.named_weight_parameters():
            if name in self._source and weight.grad is not None:
                self._source[name] = source = self._source[name].to(weight)  # once: to the device of the training
                weight.grad.add_(weight - source, alpha=self.schedule.source_pull)


def keep_head_alone(supernet: darts.Supernet) -> None:
    """Take the gradients of all weights but the classifier's away: optimizers then leave these weights as they are.

    They are formed nevertheless, because DDP waits for the gradient of every weight.
    """
    for name, weight in supernet.named_weight_parameters():
        if not name.startswith(HEAD_PREFIX):
            weight.grad = None


def freeze_all_but(net: nn.Module, moving: Moving) -> None:
    """Let nothing but what moves form gradients, for good: where only the head moves, no other pass goes backward.

    Args:
        net: a supernet, whose alphas stay as they are, or a discrete network.
        moving: as of a warm schedule.
    """
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    affine = {id(parameter) for norm in norms for parameter in norm.parameters()}
    for name, weight in net.named_parameters():
        if name not in ARCH_NAMES:
            moves = name.startswith(HEAD_PREFIX) or (moving == "batch_norm" and id(weight) in affine)
            weight.requires_grad_(moving == "all" or moves)


@contextmanager
def scaled_rate(optimizer: Optimizer, factor: float) -> Iterator[None]:
    """Multiply the rates of an optimizer for a while; afterwards they are exactly what they were."""
    rates = [group["lr"] for group in optimizer.param_groups]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate * factor
    try:
        yield
    finally:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
