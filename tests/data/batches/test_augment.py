"""Random shifts and mirror images of whole batches."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from supernet_tl.data import Augmentation, BatchError, Normalisation
from supernet_tl.data.batches.augment import Strength


def random_bytes(num: int, channels: int = 3, size: int = 16) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (num, channels, size, size), dtype=torch.uint8, generator=generator)


def random_images(num: int, size: int = 8) -> Tensor:
    return torch.rand((num, 3, size, size), generator=torch.Generator().manual_seed(0))


def all_crops(image: Tensor, padding: int, mirrored: bool) -> list[Tensor]:
    """Oracle: every crop out of the image padded by repetition, made one by one by torch's own pad."""
    size = image.shape[-1]
    padded = pad(image[None], (padding,) * 4, mode="replicate")[0]
    places = range(2 * padding + 1)
    crops = [padded[:, top : top + size, left : left + size] for top in places for left in places]
    return crops + [crop.flip(-1) for crop in crops] if mirrored else crops


@pytest.mark.parametrize("flip", [False, True])
def test_every_result_is_one_of_the_crops_out_of_the_padded_image(flip: bool) -> None:
    images = random_images(20)
    results = Augmentation(crop_padding=2, flip=flip)(images, torch.Generator().manual_seed(1))
    assert results.shape == images.shape
    for image, result in zip(images, results, strict=True):
        assert sum(torch.equal(crop, result) for crop in all_crops(image, 2, flip)) == 1


def test_all_shifts_come_equally_often_and_half_of_the_images_are_mirrored() -> None:
    image = random_images(1)
    results = Augmentation(1, flip=True)(image.expand(3600, -1, -1, -1), torch.Generator().manual_seed(2))
    crops = all_crops(image[0], 1, mirrored=True)
    counts = torch.tensor([int((results == crop).flatten(1).all(1).sum()) for crop in crops])
    assert int(counts.sum()) == 3600
    # Oracle: a multinomial of 18 equal parts, mean 200, standard deviation 13.7; five deviations.
    assert int((counts - 200).abs().max()) < 69
    # Oracle: a binomial with mean 1800 and standard deviation 30; five deviations.
    assert abs(int(counts[len(crops) // 2 :].sum()) - 1800) < 150


def test_each_image_has_its_own_draw_and_the_input_is_left_alone() -> None:
    images = random_images(1).repeat(30, 1, 1, 1)
    before = images.clone()
    results = Augmentation(2, flip=False)(images, torch.Generator().manual_seed(0))
    assert len({result.numpy().tobytes() for result in results}) > 10
    assert torch.equal(images, before)


def test_the_same_generator_state_gives_the_same_images() -> None:
    images, augment = random_images(5), Augmentation(2, flip=True)
    first, second = (augment(images, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, second)


def test_nothing_to_do_gives_the_images_back() -> None:
    images = random_images(5)
    assert torch.equal(Augmentation(0, flip=False)(images, torch.Generator()), images)


def test_the_usual_choice_follows_size_and_mirror_safety() -> None:
    assert Augmentation.for_images(64, mirror_safe=True) == Augmentation(8, flip=True)
    assert Augmentation.for_images(16, mirror_safe=False) == Augmentation(2, flip=False)
    assert Augmentation.for_images(4, mirror_safe=False) == Augmentation(1, flip=False)


def test_a_negative_shift_is_refused() -> None:
    with pytest.raises(BatchError, match="crop_padding is -1; expected 0 or more pixels"):
        Augmentation(-1, flip=False)


@pytest.mark.parametrize("shape", [(3, 3, 8, 8), (2, 1, 6, 10)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_shifts_read_past_the_edges_by_clamped_indices(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    # Oracle: the same draws, one pixel index for every pixel.
    images = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    generator = torch.Generator().manual_seed(5)
    down, right = torch.randint(-4, 5, (2, shape[0], 1), generator=generator)
    mirrored = torch.rand((shape[0], 1), generator=generator) < 0.5
    for found, image, y, x, mirror in zip(
        Augmentation(4, flip=True)(images, torch.Generator().manual_seed(5)), images, down, right, mirrored, strict=True
    ):
        rows = (torch.arange(shape[2]) + y).clamp(0, shape[2] - 1)
        columns = (torch.arange(shape[3]) + x).clamp(0, shape[3] - 1)
        expected = image[:, rows[:, None], columns.flip(0) if mirror else columns]
        assert torch.equal(found, expected)


def test_shifts_commute_with_normalisation_to_the_bit() -> None:
    images, normalise = random_bytes(20), Normalisation((0.3, 0.4, 0.5), (0.2, 0.1, 0.3))
    before, after = (torch.Generator().manual_seed(4) for _ in range(2))
    augment = Augmentation(2, flip=True)
    assert torch.equal(normalise(augment(images, before)), augment(normalise(images), after))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("strength", ["colour", "strong"])
def test_stronger_changes_follow_the_generator_and_leave_every_other_one_alone(
    strength: Strength, channels: int
) -> None:
    images, augment = random_bytes(40, channels), Augmentation(2, flip=True, strength=strength)
    states = torch.random.get_rng_state(), random.getstate(), str(np.random.get_state())
    first, again, other = (augment(images, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (first.shape, first.dtype) == (images.shape, torch.uint8)
    assert torch.equal(torch.random.get_rng_state(), states[0])
    assert (random.getstate(), str(np.random.get_state())) == states[1:]


def test_colours_are_drawn_for_eight_groups_of_a_batch() -> None:
    # Oracle: copies of one image that are only changed in colour are equal exactly where they were drawn together.
    images = random_bytes(1).repeat(64, 1, 1, 1)
    found = Augmentation(0, flip=False, strength="colour")(images, torch.Generator().manual_seed(0))
    assert [len({image.numpy().tobytes() for image in group}) for group in found.chunk(8)] == [1] * 8
    assert len({image.numpy().tobytes() for image in found}) == 8


def test_stronger_changes_of_normalised_images_are_refused() -> None:
    with pytest.raises(BatchError, match=r"type torch\.float32 .* with strength 'colour'; expected torch\.uint8"):
        Augmentation(1, flip=False, strength="colour")(random_images(2), torch.Generator())
    with pytest.raises(BatchError, match=r"strength of augmentation is 'weak'; expected one of 'shift', 'colour'"):
        Augmentation(1, flip=False, strength="weak")  # type: ignore[arg-type]
