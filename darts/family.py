"""Families of supernets: how the ops of an edge are mixed, and which channels they see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """What distinguishes a supernet from another of the same space, width and depth.

    Supernets of one family can be warm-started from each other.

    Attributes:
        name: the key in :data:`FAMILIES`.
        divisor: K: ops see one in K channels of a state, and the others pass by (partial channels).
        edge_weights: whether each edge into a node has a weight of its own (edge normalisation).
        dirichlet: whether mixing weights are drawn from Dirichlet distributions whose concentrations are searched.
    """

    name: str
    divisor: int = 1
    edge_weights: bool = False
    dirichlet: bool = False

    @property
    def channel_multiple(self) -> int:
        """The channels of a supernet's first cells are a multiple of this: reductions split those that ops see."""
        return 2 * self.divisor


_FAMILIES = (
    Family("darts"),
    *(Family(name, divisor, edge_weights=True) for name, divisor in (("pc-darts-2", 2), ("pc-darts", 4))),
    Family("pc-darts-8", 8, edge_weights=True),
    Family("drnas", dirichlet=True),
)

FAMILIES: Mapping[str, Family] = {family.name: family for family in _FAMILIES}
"""Families by name: ``darts`` (also SmoothDARTS), ``pc-darts`` with K = 4, ``pc-darts-2``, ``pc-darts-8``, ``drnas``.

Sources: DARTS (Liu et al. 2019, arXiv:1806.09055); PC-DARTS (Xu et al. 2020, arXiv:1907.05737); DrNAS (Chen et al.
2021, arXiv:2006.10355), without its partial channels and progressive pruning.
"""
