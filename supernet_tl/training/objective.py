"""What a search wants beside a low loss: a small network, as one value."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from supernet_tl.errors import RecipeError

if TYPE_CHECKING:
    import darts
    from supernet_tl.training.size_objective import SizeObjective


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Limits on the final network and penalties on its expected size; by default none.

    Attributes:
        max_params: most trainable numbers that the final network may have.
        max_macs: most multiply-adds for one image.
        params_weight: of the penalty that is added to the architecture loss: times the share by which the expected
            parameters exceed ``max_params`` (1 when absent), or without that limit times the expected parameters as a
            share of the largest network's (0 when absent).
        macs_weight: the same for multiply-adds and ``max_macs``.
        channels: of the final network's first cells; the supernet's when absent.
        num_cells: of the final network; the supernet's when absent.
        image_size: pixels a side that multiply-adds are counted for.

    Raises:
        RecipeError: naming every value that cannot be.
    """

    max_params: int | None = None
    max_macs: int | None = None
    params_weight: float | None = None
    macs_weight: float | None = None
    channels: int | None = None
    num_cells: int | None = None
    image_size: int = 32

    def __post_init__(self) -> None:
        wrong = {field.name: objective_expectation(field.name, getattr(self, field.name)) for field in fields(self)}
        faults = [
            f"{name} is {getattr(self, name)!r}; expected {what}" for name, what in wrong.items() if what is not None
        ]
        if faults:
            raise RecipeError("objective: " + "; ".join(faults) + ".")

    @property
    def is_off(self) -> bool:
        """Whether nothing but the loss counts."""
        return self.max_params is None and self.max_macs is None and not self.params_weight and not self.macs_weight

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return dataclasses.asdict(self)

    def of(self, net: darts.Supernet) -> SizeObjective:
        """What is wanted of the networks that a supernet holds.

        Raises:
            LimitError: no architecture of the space keeps the limits.
        """
        from supernet_tl.training.size_objective import SizeObjective  # heavy, and the command line reads recipes

        return SizeObjective(self, net)


def objective_expectation(name: str, value: object) -> str | None:
    """What a field of an objective must be, where a value is something else; None where it can be."""
    if value is None and name != "image_size":
        return None
    if name in ("params_weight", "macs_weight"):
        good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
        return None if good else "a finite number, 0 or more, or None"
    good = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return None if good else "a positive whole number"
