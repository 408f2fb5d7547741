"""Running statistics of batch normalisations, estimated anew on other images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from darts.errors import BatchError
from darts.gradients import Average
from darts.modes import training


@torch.no_grad()
def reestimate_batch_norm(net: nn.Module, batches: Iterable[Tensor], *, average: Average | None = None) -> int:
    """Replace running means and variances by their plain means over batches; no weight is changed.

    Each batch is normalised by its own statistics, as in training, so that the result does not depend on the order of
    the batches nor on what the statistics were before.

    Args:
        net: its modes and the momentum of its normalisations are as before afterwards.
        batches: images, shape (batch, channels, h, w) each; read once.
        average: over processes, each of which has as many batches of its own; one process when absent.

    Returns:
        How many batches there were.

    Raises:
        BatchError: there were none; the statistics are left as they were.

    Source: Izmailov et al. 2018, arXiv:1803.05407, algorithm 1, last step; the variances are unbiased.
    """
    iterator = iter(batches)
    first = next(iterator, None)
    if first is None:
        raise BatchError(
            "statistics were to be estimated on 0 batches; expected at least 1. Give batches of the images that the "
            "network is to normalise."
        )
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    num_batches = 0
    with training(net), _cumulative(norms):
        for images in chain([first], iterator):
            net(images)
            num_batches += 1
    if average is not None:
        statistics = [tensor for norm in norms for tensor in (norm.running_mean, norm.running_var)]
        held = tuple(tensor for tensor in statistics if tensor is not None)
        for tensor, mean in zip(held, average(held), strict=True):
            tensor.copy_(mean)
    return num_batches


@contextmanager
def _cumulative(norms: Iterable[_BatchNorm]) -> Iterator[None]:
    """Let normalisations forget their statistics and average those of all batches with equal weights."""
    momenta = [(norm, norm.momentum) for norm in norms]
    for norm, _ in momenta:
        norm.reset_running_stats()
        norm.momentum = None
    try:
        yield
    finally:
        for norm, momentum in momenta:
            norm.momentum = momentum
