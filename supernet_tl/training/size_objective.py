"""An objective in numbers of one supernet: tables of costs, limits and penalties."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

import darts
from supernet_tl.errors import RecipeError
from supernet_tl.training.objective import Objective

LIMIT_WEIGHT = 1.0
"""Weight of what exceeds a limit, where none is given."""


class SizeObjective:
    """An objective in numbers of one supernet.

    Args:
        objective: what is wanted; kept as ``wanted``.
        net: whose architectures are meant; its sizes are read, nothing else.

    Raises:
        LimitError: no architecture of the space keeps the limits.
    """

    def __init__(self, objective: Objective, net: darts.Supernet) -> None:
        self.wanted = objective
        self._most: dict[darts.Unit, int | None] = {"parameters": objective.max_params, "macs": objective.max_macs}
        self._weights: dict[darts.Unit, float | None] = {
            "parameters": objective.params_weight,
            "macs": objective.macs_weight,
        }
        self._space = net.space
        self._sizes = (
            net.num_classes,
            objective.channels or net.channels,
            objective.num_cells or net.num_cells,
            (net.in_channels, objective.image_size, objective.image_size),
            net.stem_name,
        )
        if self.limits:
            darts.check_limits(self.limits)

    def check_images(self, images: Tensor) -> None:
        """Refuse images of another size than the one that multiply-adds are counted for.

        Raises:
            RecipeError: their size is another, and multiply-adds matter.
        """
        size, counted = tuple(images.shape[-2:]), self.wanted.image_size
        if size != (counted, counted) and "macs" in self.tables:
            raise RecipeError(
                f"the images are {size[0]}x{size[1]}, and the objective counts multiply-adds for {counted}x{counted}; "
                f"expected the same size. Give --model.objective.image_size {size[0]}."
            )

    @cached_property
    def tables(self) -> dict[darts.Unit, darts.CostTable]:
        """The costs that count."""
        return {
            unit: darts.cost_table(unit, self._space, *self._sizes)
            for unit, most in self._most.items()
            if most is not None or self._weights[unit]
        }

    @cached_property
    def limits(self) -> list[darts.Limit]:
        """Those on the final network."""
        return [
            darts.Limit(table, most) for unit, table in self.tables.items() if (most := self._most[unit]) is not None
        ]

    @cached_property
    def penalties(self) -> list[darts.Penalty]:
        """Those on the expected size."""
        limited = [limit.table.unit for limit in self.limits]
        weights = {unit: LIMIT_WEIGHT if weight is None else weight for unit, weight in self._weights.items()}
        return [
            *(darts.limit_penalty(limit, weights[limit.table.unit]) for limit in self.limits),
            *(darts.cost_penalty(table, weights[unit]) for unit, table in self.tables.items() if unit not in limited),
        ]

    def expected(self, net: darts.Supernet) -> dict[str, float]:
        """What the network is expected to cost that the alphas are about to choose, by unit."""
        strengths = net.strengths().detach()
        return {unit: float(darts.expected_cost(table, strengths)) for unit, table in self.tables.items()}

    def discretize(self, net: darts.Supernet) -> darts.Genotype:
        """The architecture of the supernet's alphas: the best one within the limits."""
        if self.limits:
            return darts.strongest_within(self.limits, net.strengths())
        return darts.strongest(net.space, net.strengths())
