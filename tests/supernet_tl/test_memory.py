from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmarks.plain_search import PlainSupernet
from darts import SPACES
from supernet_tl.memory import kept_bytes, search_bytes
from supernet_tl.recipe import Recipe


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_what_a_pass_keeps_is_counted_once_and_weights_and_images_are_not(device: str) -> None:
    with torch.device(device):
        net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1))
        images = torch.empty(2, 3, 8, 8)
    # The map after the ReLU is kept for the ReLU and for the convolution that follows: once.
    assert kept_bytes(net, images) == 4 * (2 * 4 * 8 * 8)


@pytest.mark.parametrize("space", ["s1", "s3"])
def test_nothing_need_be_computed_to_know_what_a_supernet_keeps(space: str) -> None:
    # Oracle: the same network and images for real. The plain twin takes the same kernels on every device.
    kept = []
    for device in ("cpu", "meta"):
        with torch.device(device):
            net = PlainSupernet(SPACES[space], 10, 4, 3)
            images = torch.zeros(2, 3, 16, 16)
        kept.append(kept_bytes(net, images))
    assert kept[0] == pytest.approx(kept[1], rel=0.02)
    assert kept[1] > 0


def test_the_estimate_grows_with_the_area_and_the_batch_and_shrinks_with_its_parts() -> None:
    small = Recipe(channels=4, num_cells=3, image_size=16, batch_size=8)
    usual = search_bytes(small)
    assert search_bytes(small.replace(image_size=32)) == pytest.approx(4 * usual, rel=0.1)
    assert search_bytes(small.replace(batch_size=16)) == pytest.approx(2 * usual, rel=0.1)
    assert search_bytes(small.replace(batch_size=16, num_micro_batches=2)) == usual
    partial = small.replace(channels=16, family="pc-darts", perturbation="none")
    assert search_bytes(partial) < 0.6 * search_bytes(small.replace(channels=16))
