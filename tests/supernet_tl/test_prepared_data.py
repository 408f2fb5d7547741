from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from supernet_tl import prepared_data
from supernet_tl.data import ImageSet, Shard
from supernet_tl.data.decoded import pixel_cache
from supernet_tl.data.pixels.decode import to_square
from supernet_tl.errors import RecipeError
from supernet_tl.prepared_data import evaluation_loader, mix, prepare, refuse_unshared
from supernet_tl.recipe import Recipe

RECIPE = Recipe(image_size=8, batch_size=8)


def test_splits_are_disjoint_and_search_images_set_the_normalisation(stripes: Callable[..., ImageSet]) -> None:
    images = stripes("target")
    data = prepare(images, RECIPE)
    (splits,) = data.splits
    assert sum(splits.sizes().values()) == len(images)
    assert len(data.search) == len(splits.search)
    # Oracle: mean and standard deviation of the search images' pixels, computed here.
    pixels = images.pixels(8, splits.search.tolist()).double() / 255
    assert data.normalisations[0].mean == pytest.approx(pixels.mean(dim=(0, 2, 3)).tolist(), abs=1e-9)
    seen = data.search.__getitems__(range(len(data.search)))
    torch.testing.assert_close(seen[0].mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)


def test_each_search_batch_carries_both_halves(stripes: Callable[..., ImageSet]) -> None:
    data = prepare(stripes("target"), RECIPE)
    batches = list(data.search_loader(RECIPE))
    assert len(batches) == len(data.weight) // 8
    for batch, _, _ in batches:
        assert batch["weight"][0].shape == batch["architecture"][0].shape == (8, 3, 8, 8)


def test_a_mixture_has_one_head_over_source_and_class_and_draws_evenly_over_sources(
    stripes: Callable[..., ImageSet],
) -> None:
    small, large = stripes("small", 1, 2, 8), stripes("large", 2, 3, 40)
    data = mix([prepare(small, RECIPE), prepare(large, RECIPE)])
    assert data.class_names == ("small/stripe0", "small/stripe1", "large/stripe0", "large/stripe1", "large/stripe2")
    labels = torch.cat([batch["weight"][1] for batch, _, _ in data.search_loader(RECIPE)])
    from_small = (labels < 2).float().mean().item()
    assert from_small == pytest.approx(0.5, abs=0.05)
    by_image = RECIPE.replace(balance="image")
    labels = torch.cat([batch["weight"][1] for batch, _, _ in data.search_loader(by_image)])
    assert (labels < 2).float().mean().item() < 0.25


@pytest.mark.parametrize("in_mixture", [False, True])
def test_batches_are_drawn_evenly_over_classes_of_unequal_size(
    in_mixture: bool, stripes: Callable[..., ImageSet]
) -> None:
    recipe = RECIPE.replace(balance="class", batch_size=6)
    whole = stripes("uneven", 1, 3, 60)
    uneven = whole.take([*range(60), *range(60, 72), *range(120, 128)])
    data = prepare(uneven, recipe)
    if in_mixture:
        data = mix([data, prepare(stripes("other", 2, 3, 12), recipe)])
    halves = [[batch[half][1] for batch, _, _ in data.search_loader(recipe)] for half in ("weight", "architecture")]
    for batches in (*halves, [labels for _, labels in data.train_loader(recipe)]):
        counts = torch.stack([labels.bincount(minlength=data.num_classes) for labels in batches])
        # Oracle: six images of three classes are two each; of two sources with three classes each, one each.
        assert set(counts.flatten().tolist()) == ({1} if in_mixture else {2})
    plain = torch.cat([labels for _, labels in data.train_loader(RECIPE.replace(balance="image"))])
    assert plain.bincount()[0] > 3 * plain.bincount()[1]


def test_shots_hold_for_search_and_final_network_and_leave_what_is_evaluated(stripes: Callable[..., ImageSet]) -> None:
    images = stripes("target")
    few, whole = prepare(images, RECIPE.replace(shots=2)), prepare(images, RECIPE)
    assert few.weight.labels.bincount().tolist() == few.architecture.labels.bincount().tolist() == [1, 1, 1]
    assert few.search.labels.bincount().tolist() == [2, 2, 2]
    assert torch.equal(few.test.images, whole.test.images)
    assert torch.equal(few.validation.images, whole.validation.images)
    labels = torch.cat([labels for _, labels in few.train_loader(RECIPE)])
    assert labels.bincount().tolist() == [2, 2, 2]


def test_evaluation_sees_every_image_once_in_order(stripes: Callable[..., ImageSet]) -> None:
    data = prepare(stripes("target"), RECIPE)
    labels = torch.cat([labels for _, labels in evaluation_loader(data.validation, batch_size=4)])
    assert torch.equal(labels, data.validation.labels)


def test_images_are_mirrored_only_where_the_card_allows_it_or_the_recipe_says_so(
    stripes: Callable[..., ImageSet],
) -> None:
    data = prepare(stripes("target"), RECIPE)
    assert not data.augmentation(RECIPE).flip
    assert data.augmentation(RECIPE.replace(flip="yes")).flip
    assert data.augmentation(RECIPE.replace(crop_padding=3)).crop_padding == 3


def test_grey_images_are_those_of_pillow_and_are_normalised_by_one_mean(stripes: Callable[..., ImageSet]) -> None:
    images, recipe = stripes("target"), RECIPE.replace(in_channels=1)
    data = prepare(images, recipe)
    assert (data.in_channels, prepare(images, RECIPE).in_channels) == (1, 3)
    # Oracle: Pillow's convert("L") of the square that colour networks see, and NumPy over the search images.
    searched = [*data.splits[0].weight, *data.splits[0].architecture]
    squares = [to_square(images.image(int(index)), 8).convert("L") for index in searched]
    expected = np.stack([np.asarray(square) for square in squares])[:, None]
    np.testing.assert_array_equal(data.search.images.numpy(), expected)
    assert data.normalisations[0].mean == pytest.approx([expected.mean() / 255], abs=1e-9)
    assert data.normalisations[0].std == pytest.approx([expected.std() / 255], abs=1e-9)
    batch, _, _ = next(iter(data.search_loader(recipe)))
    assert batch["weight"][0].shape == (8, 1, 8, 8)
    assert mix([data, prepare(stripes("other", 1), recipe)]).in_channels == 1


def test_processes_share_both_halves_and_what_is_evaluated(stripes: Callable[..., ImageSet]) -> None:
    # Oracle: the batches of one process, twice as large.
    data = prepare(stripes("target"), RECIPE)
    shards = [Shard(rank, 2) for rank in range(2)]
    whole = [batch for batch, _, _ in data.search_loader(RECIPE)]
    shares = [[batch for batch, _, _ in data.search_loader(RECIPE.replace(batch_size=4), shard)] for shard in shards]
    for half in ("weight", "architecture"):
        for one, first, second in zip(whole, *shares, strict=True):
            both = torch.stack([first[half][0], second[half][0]], dim=1).flatten(0, 1)
            assert torch.equal(both, one[half][0])
    labels = [labels for shard in shards for _, labels in evaluation_loader(data.validation, shard=shard)]
    assert torch.equal(torch.cat(labels), data.validation.labels)


def test_batches_that_are_not_those_of_this_process_are_refused(stripes: Callable[..., ImageSet]) -> None:
    data = prepare(stripes("target"), RECIPE)
    unshared = data.search_loader(RECIPE).iterables
    shared = data.search_loader(RECIPE, Shard(1, 2)).iterables
    refuse_unshared(unshared, Shard())
    refuse_unshared(shared, Shard(1, 2))
    refuse_unshared([{"weight": "batches from elsewhere"}], Shard(1, 2))
    with pytest.raises(RecipeError, match="made for process 0 of 1, but this is process 1 of 2; expected each process"):
        refuse_unshared(unshared, Shard(1, 2))
    with pytest.raises(RecipeError, match="made for process 1 of 2, but this is process 0 of 2"):
        refuse_unshared(shared, Shard(0, 2))


def test_grey_and_colour_images_are_the_same_from_the_cache(
    stripes: Callable[..., ImageSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    for recipe in (RECIPE, RECIPE.replace(in_channels=1)):
        fresh = prepare(stripes("target"), recipe)
        with monkeypatch.context() as patch:
            patch.setattr(pixel_cache, "FEW_BYTES", 0)
            cached = prepare(stripes("target"), recipe)
        assert (fresh.weight.pixels.is_mapped, cached.weight.pixels.is_mapped) == (False, recipe.in_channels == 3)
        assert cached.normalisations == fresh.normalisations
        for one, other in zip(fresh.search_loader(recipe), cached.search_loader(recipe), strict=True):
            for half in ("weight", "architecture"):
                assert torch.equal(one[0][half][0], other[0][half][0])
                assert torch.equal(one[0][half][1], other[0][half][1])


def test_a_gpu_with_room_keeps_the_images_that_training_sees_and_another_is_sent_batches(
    stripes: Callable[..., ImageSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The device "meta" stands for a GPU: what is there has a type and a shape, and no content.
    data, device = prepare(stripes("target"), RECIPE), torch.device("meta")
    on_cpu = data.near(torch.device("cpu"))
    assert torch.equal(next(iter(on_cpu.train_loader(RECIPE)))[0], next(iter(data.train_loader(RECIPE)))[0])
    asked: list[int] = []

    def fits(num_bytes: int, device: torch.device) -> bool:
        asked.append(num_bytes)
        return True

    monkeypatch.setattr(prepared_data, "fits_beside", fits)
    near = data.near(device)
    assert asked == [sum(len(part) for part in (data.weight, data.architecture, data.validation)) * 3 * 8 * 8]
    for name in ("weight", "architecture", "validation"):
        part, before = getattr(near, name), getattr(data, name)
        assert (part.pixels.device, part.pixels.shape) == (device, before.pixels.shape)
    assert near.weight.pixels.blocks == near.validation.pixels.blocks
    assert near.test is data.test
    monkeypatch.setattr(prepared_data, "fits_beside", lambda num_bytes, device: False)
    assert data.near(torch.device("cpu"), workers=2).weight.loading.workers == 2


def test_the_recipe_says_how_strongly_images_are_changed(stripes: Callable[..., ImageSet]) -> None:
    data = prepare(stripes("target"), RECIPE)
    assert data.augmentation(RECIPE).strength == "shift"
    assert data.augmentation(RECIPE.replace(augment="strong", crop_padding=2)).strength == "strong"
    with pytest.raises(RecipeError, match=r"augment is 'color'; expected one of 'shift', 'colour', 'strong' \(did you"):
        RECIPE.replace(augment="color")
