"""Batches of images that are in memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import SequentialSampler

from supernet_tl.data import BatchError, ImageTensors, Normalisation, ShuffledSampler, loader


def random_images(num: int, seed: int = 0, size: int = 6, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (num, channels, size, size), dtype=torch.uint8, generator=generator)


def make_data(num: int, seed: int = 0) -> ImageTensors:
    return ImageTensors.of(random_images(num, seed), torch.arange(num) % 3)


def sizes(num: int, batch_size: int, drop_last: bool) -> list[int]:
    batches = loader(make_data(num), range(num), batch_size, drop_last=drop_last)
    found = [len(labels) for _, labels in batches]
    assert len(batches) == len(found)
    return found


@pytest.mark.parametrize("channels", [1, 3])
def test_normalisation_is_the_mean_and_deviation_of_each_channel(channels: int) -> None:
    images = random_images(20, channels=channels)
    found = Normalisation.of(images)
    pixels = images.numpy().astype(np.float64) / 255  # oracle: NumPy over all pixels
    np.testing.assert_allclose(found.mean, pixels.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(found.std, pixels.std(axis=(0, 2, 3)), rtol=1e-12)
    normalised = found(images)
    assert normalised.dtype == torch.float32
    torch.testing.assert_close(normalised.mean((0, 2, 3)), torch.zeros(channels), atol=1e-5, rtol=0)
    torch.testing.assert_close(normalised.std((0, 2, 3), correction=0), torch.ones(channels), atol=1e-5, rtol=0)


def test_a_constant_channel_is_centred_and_never_divided_by_nothing() -> None:
    black = torch.zeros((4, 3, 5, 5), dtype=torch.uint8)
    found = Normalisation.of(black)
    assert found.std == (1 / 255,) * 3
    assert torch.equal(found(black), torch.zeros((4, 3, 5, 5)))


@pytest.mark.parametrize("channels", [1, 3])
def test_normalisation_is_read_back_as_it_was(channels: int) -> None:
    found = Normalisation.of(random_images(5, channels=channels))
    assert Normalisation.from_dict(found.to_dict()) == found


@pytest.mark.parametrize(
    "stored", [{"mean": [0.5]}, {"mean": [0.5] * 3, "std": [0.5]}, {"mean": [0.5] * 2, "std": [0.5] * 2}]
)
def test_a_stored_normalisation_that_is_none_is_refused(stored: dict[str, list[float]]) -> None:
    with pytest.raises(BatchError, match="expected 'mean' and 'std' with three numbers each, or one each for grey"):
        Normalisation.from_dict(stored)


def test_images_of_other_channels_than_the_normalisation_are_refused() -> None:
    colour, grey = random_images(4), random_images(4, channels=1)
    with pytest.raises(BatchError, match="images of 1 channels met the normalisation of 3; expected as many"):
        Normalisation.of(colour)(grey)
    with pytest.raises(BatchError, match=r"mean has shape \(1, 3\) and std \(1, 3\); expected \(num_sources, 1\)"):
        ImageTensors.of(grey, torch.arange(4), Normalisation.of(colour))


def test_normalisation_of_nothing_is_refused() -> None:
    with pytest.raises(BatchError, match="over 0 images; expected at least 1"):
        Normalisation.of(random_images(0))


def test_a_batch_is_normalised_and_in_the_order_asked_for() -> None:
    images = random_images(9)
    data = ImageTensors.of(images, torch.arange(9))
    batch, labels = data.__getitems__([7, 2])
    torch.testing.assert_close(batch, Normalisation.of(images)(images[[7, 2]]))
    assert labels.tolist() == [7, 2]
    one, label = data[7]
    assert torch.equal(one, batch[0])
    assert label == 7


def test_each_source_of_a_mixture_is_normalised_by_itself() -> None:
    dark, light = random_images(6, seed=1) // 4, 255 - random_images(6, seed=2) // 4
    parts = [ImageTensors.of(images, torch.arange(6) % 2) for images in (dark, light)]
    mixed = ImageTensors.mixture(parts, num_classes=[2, 2])
    batch, labels = mixed.__getitems__(range(12))
    torch.testing.assert_close(batch[:6], Normalisation.of(dark)(dark))
    torch.testing.assert_close(batch[6:], Normalisation.of(light)(light))
    assert labels.tolist() == [0, 1] * 3 + [2, 3] * 3
    assert mixed.source.tolist() == [0] * 6 + [1] * 6


def test_labels_of_a_mixture_leave_room_for_classes_without_images() -> None:
    parts = [ImageTensors.of(random_images(2), torch.tensor([0, 1])) for _ in range(3)]
    assert ImageTensors.mixture(parts, num_classes=[2, 5, 2]).labels.tolist() == [0, 1, 2, 3, 7, 8]


def test_taking_images_keeps_the_statistics_of_the_whole() -> None:
    data = make_data(9)
    taken = data.take(np.array([8, 0]))
    assert len(taken) == 2
    assert torch.equal(taken.__getitems__([0, 1])[0], data.__getitems__([8, 0])[0])
    assert torch.equal(data.to("cpu").__getitems__([3])[0], data.__getitems__([3])[0])


@pytest.mark.parametrize(
    ("num", "batch_size", "dropping", "keeping"),
    [
        (12, 4, [4, 4, 4], [4, 4, 4]),
        (11, 4, [4, 4], [4, 4, 3]),
        (9, 4, [4, 4], [4, 5]),  # the single image left over joins the batch before it
        (3, 4, [3], [3]),  # fewer images than a batch: one smaller batch
        (1, 4, [1], [1]),
        (3, 1, [1, 1, 1], [1, 1, 1]),
    ],
)
def test_no_epoch_is_without_batches_and_no_image_is_left_alone(
    num: int, batch_size: int, dropping: list[int], keeping: list[int]
) -> None:
    assert sizes(num, batch_size, drop_last=True) == dropping
    assert sizes(num, batch_size, drop_last=False) == keeping


def test_a_loader_gives_every_image_once_in_the_order_of_its_sampler() -> None:
    data = ImageTensors.of(random_images(10), torch.arange(10))
    sampler = ShuffledSampler(10, seed=3)
    batches = loader(data, sampler, 4, drop_last=False)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        assert torch.cat([labels for _, labels in batches]).tolist() == list(sampler)
    in_order = loader(data, SequentialSampler(range(10)), 4, drop_last=False)
    assert torch.cat([labels for _, labels in in_order]).tolist() == list(range(10))


def test_a_loader_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    for _ in loader(make_data(9), ShuffledSampler(9, seed=0), 4, drop_last=False):
        pass
    assert torch.equal(torch.random.get_rng_state(), before)


def test_parts_that_do_not_fit_together_are_refused() -> None:
    images, ones = random_images(2), torch.ones((1, 3))
    labels = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(BatchError, match=r"images have shape \(2, 6, 6, 3\).*; expected \(n, 3, size, size\)"):
        ImageTensors.of(images.permute(0, 2, 3, 1), labels)
    with pytest.raises(BatchError, match=r"type torch\.float32; expected .*uint8"):
        Normalisation.of(images.float())
    with pytest.raises(BatchError, match="2 images have 1 labels and 2 sources"):
        ImageTensors(images, labels[:1], labels, ones, ones)
    with pytest.raises(BatchError, match=r"mean has shape \(1, 3\) and std \(2, 3\)"):
        ImageTensors(images, labels, labels, ones, ones.repeat(2, 1))
    with pytest.raises(BatchError, match="sources are numbered 1 to 1, but there are statistics for 1"):
        ImageTensors(images, labels, labels + 1, ones, ones)
    with pytest.raises(BatchError, match="source 1 has label 2 with 2 classes; expected labels below"):
        ImageTensors.mixture([make_data(3), make_data(3)], num_classes=[3, 2])
    with pytest.raises(BatchError, match=r"2 sources .* and 1 class counts cannot be mixed"):
        ImageTensors.mixture([make_data(3), make_data(3)], num_classes=[3])
    with pytest.raises(BatchError, match="the batch size is 0; expected at least 1"):
        loader(make_data(3), range(3), 0, drop_last=True)
    with pytest.raises(BatchError, match="a loader was asked for over 0 images"):
        loader(make_data(3).take([]), range(0), 4, drop_last=True)
