"""Random shifts and mirror images of whole batches."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from supernet_tl.data import Augmentation, BatchError


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
