"""What the states of a cell are called in pictures."""

from __future__ import annotations

from darts.space import NUM_INPUTS


def state_name(state: int, num_nodes: int) -> str:
    """``c_{k-2}`` and ``c_{k-1}`` for the inputs, then the nodes from ``0``, then ``output``."""
    if state < NUM_INPUTS:
        return ("c_{k-2}", "c_{k-1}")[state]
    return "output" if state == NUM_INPUTS + num_nodes else str(state - NUM_INPUTS)
