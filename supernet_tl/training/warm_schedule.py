"""How a warm-started search treats what it has inherited, as one value."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Literal, get_args

from supernet_tl.errors import RecipeError

Parts = Literal["all", "weights", "architecture"]
Moving = Literal["all", "batch_norm", "head"]

_LENGTHS = ("warmup_epochs", "head_epochs", "held_alpha_epochs")


@dataclass(frozen=True, kw_only=True)
class WarmSchedule:
    """What a warm-started search does otherwise than one from scratch; by default nothing.

    Three phases may follow each other: the classifier alone moves, the weights' rate rises, all goes on as usual; the
    alphas may be held in the meantime. Each of their lengths is cut to a third of the run's epochs, rounded down
    (:meth:`within`), so that a short search, such as a probe of 3 epochs, still ends with all of its parts moving.

    Attributes:
        lr_factor: times the weights' first learning rate, above 0.
        weight_decay_factor: times the weights' L2 penalty.
        warmup_epochs: the weights' rate rises linearly, step by step, from 0 to the usual one over so many epochs,
            counted from when all weights move. Source: Goyal et al. 2017, arXiv:1706.02677, section 2.2.
        head_epochs: in so many first epochs only the new classifier's weights move, and the alphas are held; running
            statistics follow the target's images. Source: Kumar et al. 2022, arXiv:2202.10054 (linear probing, then
            fine-tuning).
        held_alpha_epochs: in so many first epochs the alphas stay as they were inherited, while weights move.
        arch_lr_factor: times the alphas' learning rate.
        source_pull: this times (w - w_source) is added to the gradient of each inherited weight, after clipping, like
            weight decay; the classifier and the alphas are free. The alphas' look-ahead (order ``unrolled``) does not
            see it. Source: Li et al. 2018, arXiv:1802.01483, equation 2 (L2-SP).
        reestimate_batch_norm: before the first epoch running means and variances become those of the target's weight
            half, by one pass without augmentation; no weight moves. Source: Li et al. 2016, arXiv:1603.04779.
        parts: what is inherited of theta = (w, A): ``all``; ``weights`` with statistics, and fresh alphas; or the
            ``architecture`` alone.
        moving: what is trained at all, in the search and in training the final network: ``all``; ``batch_norm``, the
            classifier and the scales and shifts of batch normalisations; or the ``head``, the classifier alone. Unless
            it is ``all`` the alphas stay as inherited; running statistics follow the target's images in any case.
        cells: only the stem's weights and those of so many first cells are inherited, 0 for the stem alone; all when
            absent.

    Raises:
        RecipeError: naming every value that cannot be.
    """

    lr_factor: float = 1.0
    weight_decay_factor: float = 1.0
    warmup_epochs: int = 0
    head_epochs: int = 0
    held_alpha_epochs: int = 0
    arch_lr_factor: float = 1.0
    source_pull: float = 0.0
    reestimate_batch_norm: bool = False
    parts: Parts = "all"
    moving: Moving = "all"
    cells: int | None = None

    def __post_init__(self) -> None:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        wrong = {name: expectation(name, value) for name, value in values.items()}
        faults = [f"{name} is {values[name]!r}; expected {what}" for name, what in wrong.items() if what is not None]
        if not faults and self.parts == "architecture" and (self.source_pull or self.cells is not None):
            faults = [
                f"source_pull {self.source_pull} and cells {self.cells} are about inherited weights, and parts "
                "'architecture' inherits none; expected source_pull 0 and no cells"
            ]
        if not faults and self.moving != "all" and (self.parts == "architecture" or self.cells is not None):
            faults = [
                f"moving {self.moving!r} leaves weights as they are, and parts {self.parts!r} with cells {self.cells} "
                "leave random ones among them; expected parts 'all' or 'weights' and no cells"
            ]
        if faults:
            raise RecipeError("warm start: " + "; ".join(faults) + ".")

    def within(self, num_epochs: int) -> WarmSchedule:
        """The schedule of a run of so many epochs: no phase is longer than a third of them."""
        longest = num_epochs // 3
        lengths = {name: min(getattr(self, name), longest) for name in _LENGTHS}
        return dataclasses.replace(self, **lengths)

    def moves_head_alone(self, epoch: int) -> bool:
        """Whether in this epoch, counted from 0, only the classifier moves."""
        return self.moving == "head" or epoch < self.head_epochs

    def holds_alphas(self, epoch: int) -> bool:
        """Whether the alphas are held in this epoch, counted from 0."""
        return self.moving != "all" or epoch < max(self.head_epochs, self.held_alpha_epochs)

    def rate_factor(self, epoch: int, step: float, num_steps: float) -> float:
        """By how much the weights' usual rate is multiplied in a step.

        Args:
            epoch: counted from 0.
            step: of the epoch, counted from 0.
            num_steps: of an epoch; infinite where it is not known.

        Returns:
            (steps since all weights move, this one included) / (steps of the warm-up), at most 1; 1 while the
            classifier alone moves.

        Raises:
            RecipeError: the step is of the warm-up of epochs of unknown length.
        """
        since = epoch - self.head_epochs
        if not 0 <= since < self.warmup_epochs:
            return 1.0
        if math.isinf(num_steps):
            raise RecipeError(
                "the training batches do not tell how many they are, and the learning rate was to rise over them; "
                "expected a loader with a length. Give one, or warmup_epochs 0."
            )
        return (since * num_steps + step + 1) / (self.warmup_epochs * num_steps)

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return dataclasses.asdict(self)


def expectation(name: str, value: object) -> str | None:
    """What a field of the schedule must be, where a value is something else; None where it can be."""
    if name in ("parts", "moving"):
        choices = get_args(Parts if name == "parts" else Moving)
        return None if value in choices else f"one of {', '.join(map(repr, choices))}"
    if name == "reestimate_batch_norm":
        return None if isinstance(value, bool) else "true or false"
    if name == "cells" and value is None:
        return None
    if name == "cells" or name in _LENGTHS:
        good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return None if good else "a whole number, 0 or more"
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "a finite number"
    if name == "lr_factor":
        return None if value > 0 else "more than 0"
    return None if value >= 0 else "0 or more"


WARM_SCHEDULES: Mapping[str, WarmSchedule] = MappingProxyType(
    {
        "paper": WarmSchedule(),
        "gentle": WarmSchedule(head_epochs=3, reestimate_batch_norm=True),
    }
)
"""Schedules by name: ``paper`` treats a warm start as a search from scratch; ``gentle`` lets the new classifier settle
before it moves what was inherited. ``docs/results.md`` compares these and others."""
