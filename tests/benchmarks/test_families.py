from __future__ import annotations

import pytest

import darts
from benchmarks.families import measure


def test_partial_channels_keep_a_small_part_where_most_is_of_ops() -> None:
    for space, most in (("s1", 0.6), ("darts", 0.4)):
        usual, partial = measure(space, ("darts", "pc-darts"), channels=8, num_cells=3, batch_size=2, steps=1)
        assert (usual.memory_share, usual.time_share) == (1.0, 1.0)
        assert partial.memory_share == partial.activation_bytes / usual.activation_bytes < most
        assert partial.share_of_plain < partial.memory_share
        assert len(partial.step_seconds) == 1


@pytest.mark.parametrize("family", darts.FAMILIES)
def test_every_family_can_be_measured(family: str) -> None:
    (cost,) = measure("s1", (family,), channels=16, num_cells=3, batch_size=2, steps=1)
    assert cost.activation_bytes > 0
