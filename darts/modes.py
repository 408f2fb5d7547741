"""Modes that a network is in for a while."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Put a network in evaluation mode, and at the end every module of it back in the mode it was in."""
    with _in_mode(net, training=False):
        yield


@contextmanager
def training(net: nn.Module) -> Iterator[None]:
    """Put a network in training mode, and at the end every module of it back in the mode it was in."""
    with _in_mode(net, training=True):
        yield


@contextmanager
def _in_mode(net: nn.Module, *, training: bool) -> Iterator[None]:
    modes = [(module, module.training) for module in net.modules()]
    net.train(training)
    try:
        yield
    finally:
        for module, was_training in modes:
            module.training = was_training


@contextmanager
def frozen(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Take parameters as constants, so that no gradient of theirs is formed, and give them back as they were."""
    held = [parameter for parameter in parameters if parameter.requires_grad]
    for parameter in held:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_(True)
