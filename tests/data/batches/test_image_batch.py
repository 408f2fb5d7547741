"""Batches on their way: bytes until they are used."""

from __future__ import annotations

import pytest
import torch
from lightning.fabric.utilities.apply_func import move_data_to_device
from torch import Tensor
from torch.utils.data._utils.pin_memory import pin_memory

from supernet_tl.data import Augmentation, ImageBatch, Normalisation, augmented

MEAN, STD = torch.tensor([[0.2, 0.4, 0.6]]), torch.tensor([[0.1, 0.2, 0.3]])


def make_batch(num: int = 4) -> ImageBatch:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (num, 3, 6, 6), dtype=torch.uint8, generator=generator)
    return ImageBatch(pixels, torch.arange(num), MEAN, STD)


def test_a_batch_unpacks_as_normalised_images_and_labels() -> None:
    batch = make_batch()
    images, labels = batch
    # Oracle: the normalisation of whole sets.
    torch.testing.assert_close(images, Normalisation((0.2, 0.4, 0.6), (0.1, 0.2, 0.3))(batch.pixels))
    assert labels.tolist() == [0, 1, 2, 3]
    assert len(batch) == 2
    assert torch.equal(batch[0], images)
    assert torch.equal(batch[-1], labels)
    with pytest.raises(IndexError, match=r"tuple index out of range"):
        batch[2]


def test_lightning_moves_the_bytes_of_both_halves_to_the_device() -> None:
    # The device "meta" stands for a GPU: what is there has a type and a shape, and no content.
    moved = move_data_to_device({"weight": make_batch(), "architecture": make_batch(2)}, torch.device("meta"))
    for half, num in (("weight", 4), ("architecture", 2)):
        assert (moved[half].pixels.device.type, moved[half].pixels.dtype) == ("meta", torch.uint8)
        images, labels = moved[half]
        assert (images.device.type, images.dtype, images.shape) == ("meta", torch.float32, (num, 3, 6, 6))
        assert labels.device.type == "meta"
    kept, _, _ = move_data_to_device((make_batch(), 0, 0), torch.device("cpu"))
    assert torch.equal(kept[0], make_batch()[0])


class Pinned(ImageBatch):
    """Says that it was pinned: memory can be pinned only where there is a GPU."""

    def pin_memory(self) -> Pinned:
        return Pinned(self.pixels, self.labels + 10, self.mean, self.std)


def test_a_loader_pins_a_batch_by_its_own_method() -> None:
    batch = make_batch()
    found = pin_memory(Pinned(batch.pixels, batch.labels, MEAN, STD))  # type: ignore[no-untyped-call]
    assert isinstance(found, Pinned)
    assert found.labels.tolist() == [10, 11, 12, 13]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_pinned_batch_reaches_the_gpu_as_it_is() -> None:
    batch = make_batch().pin_memory()
    assert batch.pixels.is_pinned()
    torch.testing.assert_close(batch.to("cuda")[0].cpu(), make_batch()[0])


def test_our_batches_are_augmented_as_bytes_and_others_as_they_come() -> None:
    seen: list[torch.dtype] = []

    def augmentation(images: Tensor, generator: torch.Generator) -> Tensor:
        seen.append(images.dtype)
        return Augmentation(1, flip=True)(images, generator)

    batch = make_batch()
    ours, others = (
        augmented(given, augmentation, torch.Generator().manual_seed(2)) for given in (batch, (batch[0], batch[1]))
    )
    assert seen == [torch.uint8, torch.float32]
    assert torch.equal(ours[0], others[0])
    assert torch.equal(ours[1], others[1])
