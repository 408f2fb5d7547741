"""Begin a search from the weights and architecture parameters of a source supernet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from darts.errors import WarmStartError
from darts.macro import stem_of
from darts.state import StateDifference
from darts.supernet import HEAD_PREFIX, Supernet


@dataclass(frozen=True)
class WarmStartReport:
    """What became of every tensor: names, each in exactly one place of its side.

    Attributes:
        copied: tensors of the target that now equal the source's.
        reinitialised: tensors of the target that keep their fresh values (the classifier).
        unused: tensors of the source that went nowhere, sorted.
    """

    copied: tuple[str, ...]
    reinitialised: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{len(self.copied)} tensors copied; re-initialised: {', '.join(self.reinitialised) or 'none'}; "
            f"unused: {', '.join(self.unused) or 'none'}"
        )


def warm_start(net: Supernet, source_state: Mapping[str, Tensor], *, keep_head: bool = False) -> WarmStartReport:
    """Copy weights, running statistics and alphas of a source supernet into ``net``.

    The classifier belongs to the source's classes and is left as it is, unless ``keep_head``.

    Args:
        net: the target supernet, of the source's space, channels, cells, stem and in_channels; any number
            of classes.
        source_state: ``state_dict()`` of the source supernet.
        keep_head: copy the classifier too (the same classes in the same order).

    Raises:
        WarmStartError: a tensor of the body is missing, has another shape, or belongs to a cell, an op or a stem that
            ``net`` does not have; ``net`` is left unchanged.

    Source: Singh & Vanschoren, "On Supernet Transfer Learning for Effective Task Adaptation" (arXiv:2407.20279),
    algorithm 2: both parts of theta = (w, A) are copied.
    """
    target_state = net.state_dict()
    copied = tuple(name for name in target_state if keep_head or not name.startswith(HEAD_PREFIX))
    surplus = [name for name in source_state if name.startswith(("stem.", "cells.")) and name not in target_state]
    difference = StateDifference.between(source_state, {name: target_state[name] for name in copied}, surplus)
    if difference:
        source_stem = stem_of(source_state)
        other_stem = source_stem is not None and source_stem != net.stem_name
        raise WarmStartError(
            f"the source state does not fit a supernet of space {net.space.name!r} with channels={net.channels}, "
            f"num_cells={net.num_cells}, stem={net.stem_name!r} and in_channels={net.in_channels}: "
            + (f"its stem is {source_stem!r}, " if other_stem else "")
            + f"{difference}. Build the supernet with the source's space, channels, num_cells, stem and in_channels, "
            "or choose another source."
        )
    with torch.no_grad():
        for name in copied:
            target_state[name].copy_(source_state[name])
    kept = tuple(name for name in target_state if name not in copied)
    return WarmStartReport(copied, kept, tuple(sorted(set(source_state) - set(copied))))
