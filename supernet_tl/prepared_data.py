"""Images split, decoded and normalised: what networks are trained and judged on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
from torch.utils.data import DataLoader, SequentialSampler

from supernet_tl.data import (
    WHOLE,
    Augmentation,
    BalancedSampler,
    Batch,
    EpochSampler,
    EvaluationBatches,
    ImageSet,
    ImageTensors,
    Loading,
    Normalisation,
    PixelRows,
    Progress,
    Shard,
    ShardedSampler,
    ShuffledSampler,
    Splits,
    StoredSplits,
    batch_loader,
    loader,
    make_splits,
    pixel_rows,
    to_grey,
)
from supernet_tl.data.batches.loaders import FullBatches
from supernet_tl.data.batches.loading import fits_beside
from supernet_tl.errors import RecipeError
from supernet_tl.recipe import Recipe
from supernet_tl.training.quiet import quiet_lightning

if TYPE_CHECKING:
    from lightning.pytorch.utilities import CombinedLoader

Loader = DataLoader[Batch]

Half = Literal["weight", "architecture"]
"""Of the search images: those that weights learn from, and those that the architecture does."""


@dataclass(frozen=True)
class PreparedData:
    """One dataset, or a mixture of several under one head, ready for training.

    Attributes:
        image_sets: where the images come from.
        splits: of each image set.
        normalisations: of each image set, over its search images.
        class_names: of the head; ``source/class`` in a mixture.
        weight: images of the weight split.
        architecture: images of the architecture split.
        validation: images of the validation split.
        test: images of the test split; touched once, at the end.
    """

    image_sets: tuple[ImageSet, ...]
    splits: tuple[Splits, ...]
    normalisations: tuple[Normalisation, ...]
    class_names: tuple[str, ...]
    weight: ImageTensors = field(repr=False)
    architecture: ImageTensors = field(repr=False)
    validation: ImageTensors = field(repr=False)
    test: ImageTensors = field(repr=False)

    @property
    def num_classes(self) -> int:
        """Outputs of the head."""
        return len(self.class_names)

    @property
    def in_channels(self) -> int:
        """Channels of the images: 3, or 1 for grey."""
        return self.weight.pixels.shape[1]

    @property
    def search(self) -> ImageTensors:
        """Weight and architecture images together: what the final network is trained on."""
        return ImageTensors.joined([self.weight, self.architecture])

    def near(self, device: torch.device, workers: int | None = None) -> PreparedData:
        """The data as training on a device takes it up fastest; the numbers stay the same.

        On a CPU that is as it is. A GPU keeps the images of training and validation, a byte a pixel, where these take
        at most a quarter of its free memory; otherwise batches travel there from pinned memory, made by workers where
        the images are more than fits into memory. The test images stay where they are.

        Args:
            device: that trains.
            workers: processes that make batches, instead of as many as pay.
        """
        parts = [self.weight, self.architecture, self.validation]
        joined = ImageTensors.joined(parts)
        if fits_beside(joined.pixels.num_bytes, device):
            joined = joined.to(device)
            bounds = torch.split(torch.arange(len(joined)), [len(part) for part in parts])
            parts = [joined.take(rows) for rows in bounds]
        loading = Loading.for_machine(device, joined.pixels, workers)
        weight, architecture, validation = (part.loaded(loading) for part in parts)
        return replace(self, weight=weight, architecture=architecture, validation=validation)

    def augmentation(self, recipe: Recipe) -> Augmentation:
        """The recipe's augmentation for these images; a mixture is mirrored only if all its sources may be."""
        mirror_safe = all(images.card.mirror_safe for images in self.image_sets)
        flip = mirror_safe if recipe.flip == "auto" else recipe.flip == "yes"
        augmentation = Augmentation.for_images(recipe.image_size, flip, recipe.augment)
        return augmentation if recipe.crop_padding is None else replace(augmentation, crop_padding=recipe.crop_padding)

    def search_loader(self, recipe: Recipe, shard: Shard = WHOLE) -> CombinedLoader:
        """Both halves at once: each batch is ``{"weight": (images, labels), "architecture": (images, labels)}``.

        Args:
            recipe: gives batch size, seed and balance.
            shard: the process that the batches are for; each process has batches of ``recipe.batch_size``.
        """
        loaders = {half: self.half_loader(half, recipe, shard) for half in get_args(Half)}
        from lightning.pytorch.utilities import CombinedLoader

        with quiet_lightning():
            return CombinedLoader(loaders, "max_size_cycle")

    def half_loader(self, half: Half, recipe: Recipe, shard: Shard = WHOLE) -> Loader:
        """The training batches of one half of the search images; arguments as :meth:`search_loader`."""
        images: ImageTensors = getattr(self, half)
        seed = 2 * recipe.seed + (half == "architecture")
        return loader(images, _sharded(self._sampler(images, seed, recipe), shard), recipe.batch_size, drop_last=True)

    def train_loader(self, recipe: Recipe) -> Loader:
        """Weight and architecture images in one, for the final network."""
        images = self.search
        batch_size = recipe.finetune_batch_size or recipe.batch_size
        return loader(images, self._sampler(images, 2 * recipe.seed, recipe), batch_size, drop_last=True)

    def _sampler(self, images: ImageTensors, seed: int, recipe: Recipe) -> EpochSampler:
        groups = [images.source] if len(self.image_sets) > 1 else []
        groups += [images.labels] if recipe.balance == "class" else []
        if recipe.balance == "image" or not groups:
            return ShuffledSampler(len(images), seed)
        return BalancedSampler(groups, seed)


def evaluation_loader(images: ImageTensors, batch_size: int = 256, shard: Shard = WHOLE) -> Loader:
    """Every image once, in order; of several processes each gets its share, in as many batches as every other."""
    if shard == WHOLE:
        return loader(images, SequentialSampler(images), batch_size, drop_last=False)
    return batch_loader(images, EvaluationBatches(len(images), batch_size, shard))


def _sharded(sampler: EpochSampler, shard: Shard) -> EpochSampler | ShardedSampler:
    return sampler if shard == WHOLE else ShardedSampler(sampler, shard)


def refuse_unshared(loaders: Any, shard: Shard) -> None:
    """Refuse training batches of this package that are not the ones of this process.

    Args:
        loaders: one loader, or several by name; those with batches from elsewhere are let be.
        shard: of this process.

    Raises:
        RecipeError: the batches are of another process, or of all of them.
    """
    for one in loaders.values() if isinstance(loaders, Mapping) else [loaders]:
        batches = getattr(one, "batch_sampler", None)
        found = getattr(batches.sampler, "shard", WHOLE) if isinstance(batches, FullBatches) else shard
        if found != shard:
            raise RecipeError(
                f"the training batches are made for process {found.index} of {found.count}, but this is process "
                f"{shard.index} of {shard.count}; expected each process to see images of its own. Build the loader "
                "with PreparedData.search_loader(recipe, shard), and give the trainer use_distributed_sampler=False."
            )


def in_process(batches: Iterable[Batch]) -> Iterable[Batch]:
    """The batches of a loader made by this process, so that workers that are on their way with them are let be."""
    if not isinstance(batches, DataLoader) or batches.batch_sampler is None:
        return batches
    return DataLoader(
        batches.dataset,
        batch_sampler=batches.batch_sampler,
        collate_fn=batches.collate_fn,
        generator=torch.Generator(),  # unused, but without it the global generator would be drawn from
    )


def pinned(recipe: Recipe) -> tuple[Recipe, StoredSplits | None]:
    """Read the recipe's stored splits, and put the digest of their file in the place of its path.

    Raises:
        SplitError: there are none.
    """
    if recipe.splits is None:
        return recipe, None
    stored = StoredSplits.read(recipe.splits)
    return recipe.replace(splits=f"sha256:{stored.sha256}"), stored


def split(images: ImageSet, recipe: Recipe, stored: StoredSplits | None = None) -> Splits:
    """The four splits that the recipe draws of an image set; no image is decoded.

    Args:
        images: the set.
        recipe: gives seed, fractions, cap and shots.
        stored: the recipe's stored splits, where they are read already.
    """
    stored = pinned(recipe)[1] if stored is None else stored
    return make_splits(
        images,
        recipe.seed,
        test_frac=recipe.test_frac,
        validation_frac=recipe.validation_frac,
        max_search_images=recipe.max_search_images,
        shots=recipe.shots,
        stored=None if stored is None else stored.of(images),
    )


def prepare(
    images: ImageSet, recipe: Recipe, splits: Splits | None = None, progress: Progress | None = None
) -> PreparedData:
    """Split, decode and normalise one image set.

    Args:
        images: the set.
        recipe: gives image size, channels, split sizes and seed.
        splits: stored splits of the same images; made from the recipe when absent.
        progress: called while images are decoded.
    """
    splits = split(images, recipe) if splits is None else splits
    parts = {name: np.asarray(getattr(splits, name)) for name in ("weight", "architecture", "validation", "test")}
    pixels = pixel_rows(images, recipe.image_size, np.concatenate(list(parts.values())).tolist(), progress)
    if recipe.in_channels == 1:
        pixels = PixelRows.of(torch.cat([to_grey(part) for part in pixels.parts()]))
    places = torch.split(torch.arange(len(pixels)), [len(indices) for indices in parts.values()])
    normalisation = Normalisation.of_parts(pixels.take(torch.cat(places[:2])).parts())
    tensors = {
        name: ImageTensors.of(pixels.take(rows), images.labels[indices], normalisation)
        for (name, indices), rows in zip(parts.items(), places, strict=True)
    }
    return PreparedData((images,), (splits,), (normalisation,), images.class_names, **tensors)


def mix(parts: Sequence[PreparedData]) -> PreparedData:
    """A mixture: one head over the union of (source, class); every image keeps its source's normalisation.

    Source: Singh & Vanschoren (arXiv:2407.20279), algorithm 3.
    """
    num_classes = [part.num_classes for part in parts]
    return PreparedData(
        image_sets=tuple(images for part in parts for images in part.image_sets),
        splits=tuple(splits for part in parts for splits in part.splits),
        normalisations=tuple(normalisation for part in parts for normalisation in part.normalisations),
        class_names=tuple(f"{part.image_sets[0].name}/{name}" for part in parts for name in part.class_names),
        **{
            name: ImageTensors.mixture([getattr(part, name) for part in parts], num_classes)
            for name in ("weight", "architecture", "validation", "test")
        },
    )
