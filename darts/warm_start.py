"""Begin a search from the weights and architecture parameters of a source supernet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from darts.errors import WarmStartError
from darts.macro import stem_of
from darts.state import StateDifference
from darts.supernet import ARCH_NAMES, HEAD_PREFIX, Supernet

Parts = Literal["all", "weights", "architecture"]
"""What is inherited of theta = (w, A): both, the weights with their running statistics, or the alphas."""


@dataclass(frozen=True)
class WarmStartReport:
    """What became of every tensor: names, each in exactly one place of its side.

    Attributes:
        copied: tensors of the target that now equal the source's.
        reinitialised: tensors of the target that keep their fresh values (the classifier, and what was not asked for).
        unused: tensors of the source that went nowhere, sorted.
    """

    copied: tuple[str, ...]
    reinitialised: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{len(self.copied)} tensors copied; re-initialised: {_listed(self.reinitialised)}; "
            f"unused: {_listed(self.unused)}"
        )


def warm_start(
    net: Supernet,
    source_state: Mapping[str, Tensor],
    *,
    keep_head: bool = False,
    parts: Parts = "all",
    cells: int | None = None,
) -> WarmStartReport:
    """Copy weights, running statistics and alphas of a source supernet into ``net``.

    The classifier belongs to the source's classes and is left as it is, unless ``keep_head``. Whatever is inherited,
    the whole source has to fit: alphas alone do not tell which ops they mix.

    Args:
        net: the target supernet, of the source's space, family, channels, cells, stem and in_channels; any number
            of classes. Families ``darts`` and ``drnas`` have tensors of the same shapes: only their cards tell them
            apart.
        source_state: ``state_dict()`` of the source supernet.
        keep_head: copy the classifier too, with the weights (the same classes in the same order).
        parts: ``all``; ``weights``, which leaves the alphas fresh; or ``architecture``, which leaves weights and
            running statistics fresh.
        cells: so many first cells, and the stem, get the source's weights and statistics; 0 for the stem alone, all
            cells when absent. It does not concern alphas, which all cells of a kind share.

    Raises:
        WarmStartError: a tensor of the body is missing, has another shape, or belongs to a cell, an op or a stem that
            ``net`` does not have; unknown ``parts``; or ``cells`` that ``net`` does not have. ``net`` is left
            unchanged.

    Source: Singh & Vanschoren, "On Supernet Transfer Learning for Effective Task Adaptation" (arXiv:2407.20279),
    algorithm 2: both parts of theta = (w, A) are copied.
    """
    if parts not in get_args(Parts):
        raise WarmStartError(f"parts is {parts!r}; expected one of {', '.join(map(repr, get_args(Parts)))}.")
    if cells is not None and not 0 <= cells <= net.num_cells:
        raise WarmStartError(
            f"the weights of {cells} first cells are to be inherited, and the supernet has {net.num_cells}; expected "
            f"cells from 0 (the stem alone) to {net.num_cells}, or None for all."
        )
    target_state = net.state_dict()
    fitting = tuple(name for name in target_state if keep_head or not name.startswith(HEAD_PREFIX))
    surplus = [name for name in source_state if name.startswith(("stem.", "cells.")) and name not in target_state]
    difference = StateDifference.between(source_state, {name: target_state[name] for name in fitting}, surplus)
    if difference:
        source_stem = stem_of(source_state)
        other_stem = source_stem is not None and source_stem != net.stem_name
        raise WarmStartError(
            f"the source state does not fit a supernet of space {net.space.name!r} and family {net.family.name!r} with "
            f"channels={net.channels}, num_cells={net.num_cells}, stem={net.stem_name!r} and "
            f"in_channels={net.in_channels}: "
            + (f"its stem is {source_stem!r}, " if other_stem else "")
            + f"{difference}. Build the supernet with the source's space, family, channels, num_cells, stem and "
            "in_channels, or choose another source."
        )
    copied = tuple(name for name in fitting if _is_inherited(name, parts, cells))
    with torch.no_grad():
        for name in copied:
            target_state[name].copy_(source_state[name])
    kept = tuple(name for name in target_state if name not in copied)
    return WarmStartReport(copied, kept, tuple(sorted(set(source_state) - set(copied))))


def _is_inherited(name: str, parts: Parts, cells: int | None) -> bool:
    if name in ARCH_NAMES:
        return parts != "weights"
    if parts == "architecture":
        return False
    return cells is None or not name.startswith("cells.") or int(name.split(".")[1]) < cells


def _listed(names: tuple[str, ...], limit: int = 6) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return (", ".join(names[:limit]) or "none") + more
