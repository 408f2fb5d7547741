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
        if size != (counted, counted) and any(table.unit == "macs" for table in self.tables):
            raise RecipeError(
                f"the images are {size[0]}x{size[1]}, and the objective counts multiply-adds for {counted}x{counted}; "
                f"expected the same size. Give --model.objective.image_size {size[0]}."
            )

    @cached_property
    def limits(self) -> list[darts.Limit]:
        """Those on the final network."""
        wanted = {"parameters": self.wanted.max_params, "macs": self.wanted.max_macs}
        return [darts.Limit(table, most) for table in self.tables if (most := wanted[table.unit]) is not None]

    @cached_property
    def penalties(self) -> list[darts.Penalty]:
        """Those on the expected size."""
        weights = {"parameters": self.wanted.params_weight, "macs": self.wanted.macs_weight}
        limits = {limit.table.unit: limit for limit in self.limits}
        found = []
        for table in self.tables:
            weight, limit = weights[table.unit], limits.get(table.unit)
            if limit is not None:
                found.append(darts.limit_penalty(limit, LIMIT_WEIGHT if weight is None else weight))
            elif weight:
                found.append(darts.cost_penalty(table, weight))
        return found

    @property
    def tables(self) -> list[darts.CostTable]:
        """The costs that count, each once."""
        wanted = self.wanted
        params = [self._params] if wanted.max_params is not None or wanted.params_weight else []
        macs = [self._macs] if wanted.max_macs is not None or wanted.macs_weight else []
        return [*params, *macs]

    def expected(self, net: darts.Supernet) -> dict[str, float]:
        """What the network is expected to cost that the alphas are about to choose, by unit."""
        mixing = net.mixing_weights().detach()
        return {table.unit: float(darts.expected_cost(table, mixing)) for table in self.tables}

    def discretize(self, net: darts.Supernet) -> darts.Genotype:
        """The architecture of the supernet's alphas: the best one within the limits."""
        if self.limits:
            return darts.discretize_within(self.limits, net.normal_alpha, net.reduction_alpha)
        return darts.discretize(net.space, net.normal_alpha, net.reduction_alpha)

    @cached_property
    def _params(self) -> darts.CostTable:
        return darts.cost_table("parameters", self._space, *self._sizes)

    @cached_property
    def _macs(self) -> darts.CostTable:
        return darts.cost_table("macs", self._space, *self._sizes)
