"""Rows of images wherever they lie, and the processes that make batches of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from supernet_tl.data import BatchError, ImageTensors, Loading, Normalisation, ShuffledSampler, loader
from supernet_tl.data.batches import loading
from supernet_tl.data.decoded.pixel_rows import Block, PixelRows


def random_bytes(num: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (num, 3, 4, 4), dtype=np.uint8))


def map_file(path: Path, pixels: Tensor) -> PixelRows:
    path.write_bytes(pixels.numpy().tobytes())
    return PixelRows.of_block(Block.mapped(path, tuple(pixels.shape)))


def test_rows_of_several_blocks_are_those_of_all_images_in_one_tensor(tmp_path: Path) -> None:
    parts = [random_bytes(5, 1), random_bytes(7, 2)]
    joined = PixelRows.joined([map_file(tmp_path / "0", parts[0]), PixelRows.of(parts[1])])
    whole = torch.cat(parts)  # oracle
    order = torch.tensor([11, 0, 4, 5, 5, 1])
    assert torch.equal(joined.gather(), whole)
    assert torch.equal(joined.gather(order), whole[order])
    assert torch.equal(joined.take(order).gather(torch.tensor([3, 0])), whole[order][[3, 0]])
    assert torch.equal(torch.cat(list(joined.parts())), whole)
    assert (joined.shape, joined.num_bytes, joined.is_mapped) == ((12, 3, 4, 4), 12 * 48, True)


def test_splits_of_one_set_share_its_pixels() -> None:
    data = ImageTensors.of(random_bytes(10), torch.arange(10) % 2)
    halves = [data.take([1, 3, 5]), data.take([0, 2])]
    both = ImageTensors.joined(halves)
    assert len(both.pixels.blocks) == 1
    assert both.pixels.blocks[0].pixels.data_ptr() == data.pixels.blocks[0].pixels.data_ptr()
    assert torch.equal(both.images, random_bytes(10)[[1, 3, 5, 0, 2]])
    assert both.labels.tolist() == [1, 1, 1, 0, 0]


def test_images_of_other_shapes_are_not_joined() -> None:
    other = PixelRows.of(torch.zeros((2, 3, 6, 6), dtype=torch.uint8))
    with pytest.raises(BatchError, match=r"images of shapes \[\(3, 4, 4\), \(3, 6, 6\)\] were to be one set; expected"):
        PixelRows.joined([PixelRows.of(random_bytes(2)), other])


def test_moving_to_a_device_takes_only_the_images_that_are_used() -> None:
    moved = PixelRows.of(random_bytes(100)).take(torch.tensor([3, 50])).to("meta")
    assert len(moved.blocks[0].pixels) == 2
    assert (moved.device.type, moved.shape) == ("meta", (2, 3, 4, 4))


def test_statistics_do_not_depend_on_the_parts_that_images_come_in() -> None:
    images = random_bytes(20)
    assert Normalisation.of_parts(images.split(3)) == Normalisation.of(images)  # type: ignore[no-untyped-call]
    with pytest.raises(BatchError, match=r"over 0 images; expected at least 1"):
        Normalisation.of_parts([])


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")
def test_batches_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    sources = [map_file(tmp_path / str(seed), random_bytes(15, seed)) for seed in (1, 2)]
    mixed = ImageTensors.mixture([ImageTensors.of(source, torch.arange(15) % 3) for source in sources], [3, 3])
    found: list[list[tuple[Tensor, Tensor]]] = []
    for workers in (0, 2):
        sampler = ShuffledSampler(30, seed=4)
        batches = loader(mixed.loaded(Loading(workers)), sampler, 8, drop_last=False)
        found.append([])
        for epoch in range(2):
            sampler.set_epoch(epoch)
            found[-1] += [(images, labels) for images, labels in batches]
    for (images, labels), (worker_images, worker_labels) in zip(*found, strict=True):
        assert torch.equal(images, worker_images)
        assert torch.equal(labels, worker_labels)
    assert not torch.equal(found[0][0][1], found[0][4][1])  # epochs differ


def test_pinned_memory_and_workers_are_for_a_gpu_that_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory, mapped = PixelRows.of(random_bytes(4)), map_file(tmp_path / "0", random_bytes(4))
    assert Loading.for_machine("cpu", mapped) == Loading(0, pin_memory=False)
    assert Loading.for_machine("cpu", memory, workers=3) == Loading(3, pin_memory=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert Loading.for_machine("cuda", memory) == Loading.for_machine("cuda:1", mapped) == Loading(0, pin_memory=True)
    monkeypatch.setattr(loading, "_memory_bytes", lambda: mapped.num_bytes - 1)
    monkeypatch.setattr(loading, "num_processors", lambda: 6)
    assert Loading.for_machine("cuda", mapped) == Loading(6, pin_memory=True)
    assert Loading.for_machine("cuda", memory) == Loading(0, pin_memory=True)
    assert Loading.for_machine("cuda", mapped, workers=0) == Loading(0, pin_memory=True)
    assert Loading.for_machine("cuda", memory.to("meta"), workers=2) == Loading(0)  # there already
    with pytest.raises(BatchError, match=r"number of workers is -1; expected 0 or more"):
        Loading(-1)


def test_images_stay_on_a_gpu_that_has_four_times_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 2000))
    assert loading.fits_beside(250, "cuda")
    assert not loading.fits_beside(251, "cuda:0")
    assert not loading.fits_beside(1, "cpu")
