"""The one place where types of two packages meet: images to sketches, supernets to zoo entries, and back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import darts
import ot_select
import zoo_store
from ot_select.embedding.embedder import Embedder, parse_embedder
from ot_select.sketches.sketch import MIN_CLASS_ROWS
from supernet_tl.data import ImageSet, Progress, Splits, read_pixels
from supernet_tl.entry_facts import family_of, in_channels_of, stem_of
from supernet_tl.errors import RecipeError, SelectionError
from supernet_tl.prepared_data import PreparedData
from supernet_tl.recipe import Precision, Recipe
from supernet_tl.spaces import find_space
from supernet_tl.zoos import find_entry, open_zoo

THUMBNAILS = "thumbnails"
"""Name of the tensor of small source images beside a sketch: uint8 (n, 3, size, size)."""

_IMAGES_IN_MEMORY = 1024
_THUMBNAIL_SIZE = 48
_LIBRARIES = ("supernet-tl", "torch", "lightning", "timm", "POT", "numpy")


def torch_device(device: str) -> torch.device:
    """A device name as torch's; ``auto`` is the first GPU where there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


@cache
def embedder_for(spec: str, image_size: int, device: str, precision: Precision = "float32") -> Embedder:
    """The embedder of ``NAME``, ``NAME@FILE`` or ``FILE``; kept, so that a process loads it once."""
    name, weights = parse_embedder(spec)
    return Embedder(name, weights=weights, image_size=image_size, device=str(torch_device(device)), precision=precision)


def embedder_of(recipe: Recipe, device: str) -> Embedder:
    """The embedder that a recipe names."""
    return embedder_for(recipe.embedder, recipe.embed_size, device, recipe.embed_precision)


def embed_rows(
    images: ImageSet, rows: NDArray[np.int64], embedder: Embedder, progress: Progress | None = None
) -> Tensor:
    """Features of some images, float32 of shape (n, d), in the order asked for; images are decoded a part at a time."""
    size, step = embedder.identity.image_size, _IMAGES_IN_MEMORY
    parts = (read_pixels(images, size, rows[start : start + step].tolist()) for start in range(0, len(rows), step))
    return embedder.embed(parts, progress, len(rows))


def sketch_of(
    image_sets: Sequence[ImageSet],
    all_splits: Sequence[Splits],
    recipe: Recipe,
    device: str,
    progress: Progress | None = None,
) -> ot_select.Sketch:
    """Embed the search images of a dataset, or of each source of a mixture in equal parts.

    At most ``recipe.sketch_rows`` images are embedded, drawn in proportion to the classes.
    """
    embedder = embedder_of(recipe, device)
    quota = max(2, recipe.sketch_rows // len(image_sets))
    features: list[Tensor] = []
    labels: list[str] = []
    for images, splits in zip(image_sets, all_splits, strict=True):
        rows = _proportional(np.asarray(splits.search), images.labels, quota, recipe.seed)
        features.append(embed_rows(images, rows, embedder, progress))
        prefix = f"{images.name}/" if len(image_sets) > 1 else ""
        labels += [prefix + images.class_names[label] for label in images.labels[rows]]
    cloud = ot_select.LabelledCloud(torch.cat(features), labels)
    if recipe.sketch == "gaussians":
        _refuse_small_classes(cloud)
        return ot_select.sketch_gaussians(
            cloud, embedder=embedder.identity, rank=recipe.sketch_rank, max_samples=recipe.sketch_rows
        )
    return ot_select.sketch(cloud, embedder=embedder.identity, max_samples=recipe.sketch_rows, seed=recipe.seed)


def _refuse_small_classes(cloud: ot_select.LabelledCloud) -> None:
    """Say of classes that Gaussians would tell too much of, in the terms of a recipe, what to do."""
    counts = dict(zip(cloud.class_names, cloud.class_counts, strict=True))
    small = [f"{name!r} ({count})" for name, count in counts.items() if count < MIN_CLASS_ROWS]
    if small:
        raise RecipeError(
            f"sketch is 'gaussians', but {len(small)} classes have fewer than {MIN_CLASS_ROWS} embedded images: "
            f"{', '.join(small[:5])}; their statistics would tell too much of single images. Add images of them, raise "
            "--sketch-rows, --max-search-images or --shots where these leave images out, or keep --sketch rows."
        )


def thumbnails(images: Sequence[ImageSet], splits: Sequence[Splits], num: int = Recipe.num_thumbnails) -> Tensor:
    """A few search images, classes in turn: uint8 (n, 3, 48, 48)."""
    parts = []
    for image_set, split in zip(images, splits, strict=True):
        rows = _in_turn(np.asarray(split.search), image_set.labels, max(1, num // len(images)))
        parts.append(read_pixels(image_set, _THUMBNAIL_SIZE, rows))
    return torch.cat(parts)


def entry_of(
    data: PreparedData,
    recipe: Recipe,
    supernet: darts.Supernet,
    sketch: ot_select.Sketch,
    metrics: Mapping[str, float | None],
    timings: Mapping[str, float],
    tags: Sequence[str] = (),
) -> zoo_store.ZooEntry:
    """A pretrained supernet with its provenance."""
    embedder = ot_select.EmbedderIdentity.from_string(sketch.embedder)
    genotype = darts.strongest(supernet.space, supernet.strengths())
    card = {
        "kind": "mixture" if len(data.image_sets) > 1 else "single",
        "name": dataset_name(data),
        "space": supernet.space.to_dict(),
        "channels": supernet.channels,
        "num_cells": supernet.num_cells,
        "num_classes": data.num_classes,
        "classes": list(data.class_names),
        "image_size": recipe.image_size,
        "in_channels": supernet.in_channels,
        "stem": supernet.stem_name,
        "family": supernet.family.name,
        "recipe": recipe.pretraining_settings(),
        "seed": recipe.seed,
        "metrics": dict(metrics),
        "genotype": genotype.to_dict(),
        "data": data_cards(data),
        "embedder": asdict(embedder),
        **({"tags": list(tags)} if tags else {}),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": library_versions(),
        "timings": dict(timings),
    }
    tensors = sketch.to_tensors()
    if recipe.sketch == "rows" and recipe.num_thumbnails:  # thumbnails are images of the source
        tensors[THUMBNAILS] = thumbnails(data.image_sets, data.splits, recipe.num_thumbnails)
    return zoo_store.ZooEntry(state=supernet.state_dict(), sketch=tensors, card=card)


def dataset_name(data: PreparedData) -> str:
    """How people call the dataset: its name, or those of a mixture's sources."""
    return "+".join(images.name for images in data.image_sets)


def data_cards(data: PreparedData) -> list[dict[str, Any]]:
    """Provenance of each image set, with its fingerprint, split sizes and normalisation."""
    return [
        {
            **images.card.to_dict(),
            "fingerprint": images.fingerprint(),
            "content_fingerprint": images.content_fingerprint(),
            "splits": splits.sizes(),
            "normalisation": normalisation.to_dict(),
            "skipped": len(images.skipped),
            "dropped_classes": [name for name, _ in images.dropped_classes],
        }
        for images, splits, normalisation in zip(data.image_sets, data.splits, data.normalisations, strict=True)
    ]


def supernet_of(entry: zoo_store.ZooEntry) -> darts.Supernet:
    """The supernet of an entry, ready to use, in evaluation mode.

    Raises:
        SelectionError: the card and the tensors do not describe a supernet that this version can build.
    """
    with _explained(entry):
        sizes = _checked_sizes(entry)
        net = darts.Supernet(**sizes)
        net.load_state_dict(dict(entry.state))
    return net.eval()


def check_sizes(entry: zoo_store.ZooEntry) -> None:
    """Refuse an entry whose card tells of another supernet than its tensors are, before one of that size is made.

    Raises:
        SelectionError: with what differs.
    """
    with _explained(entry):
        _checked_sizes(entry)


@contextmanager
def _explained(entry: zoo_store.ZooEntry) -> Iterator[None]:
    try:
        yield
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise SelectionError(
            f"the zoo entry {entry.card.get('name', '(no name)')!r} holds no supernet that can be built: {error}. "
            "Its card needs space, channels, num_cells and num_classes that agree with its tensors."
        ) from error


def _checked_sizes(entry: zoo_store.ZooEntry) -> dict[str, Any]:
    card, state = entry.card, entry.state
    space = card["space"] if isinstance(card["space"], Mapping) else {"name": card["space"]}
    sizes: dict[str, Any] = {
        "space": darts.SearchSpace.from_dict(space) if "normal" in space else find_space(str(space["name"])),
        "num_classes": int(card["num_classes"]),
        "channels": int(card["channels"]),
        "num_cells": int(card["num_cells"]),
        "in_channels": in_channels_of(card),
        "stem": stem_of(card),
        "family": darts.FAMILIES[family_of(card)],
    }
    if sizes["num_cells"] > len(state):
        raise ValueError(f"its card tells of {sizes['num_cells']} cells, and it has {len(state)} tensors in all")
    expected = darts.Supernet.state_shapes(**sizes)
    for name in sorted(expected.keys() | state.keys()):
        found = tuple(state[name].shape) if name in state else None
        if found != expected.get(name):
            raise ValueError(
                f"its tensor {name!r} {'is missing' if found is None else f'has the shape {found}'}; by its card "
                f"{'there is none' if name not in expected else f'it has the shape {expected[name]}'}"
            )
    return sizes


def load_supernet(zoo: zoo_store.Zoo | str | os.PathLike[str], entry_id: str) -> darts.Supernet:
    """The supernet of a zoo entry, ready to use, in evaluation mode.

    Args:
        zoo: a zoo, its address, or ``starter``.
        entry_id: an alias, an id, the beginning of one, or the name of the source.

    Raises:
        SelectionError: several entries have this name, or the entry holds no supernet that can be built.
        ZooError: there is no such entry, or it is damaged.
    """
    store = open_zoo(zoo)
    return supernet_of(store.get(find_entry(store, entry_id)))


def state_from(reference: str, family: str) -> Mapping[str, Tensor]:
    """The supernet's tensors of ``ZOO#ENTRY``.

    Args:
        reference: the entry.
        family: what it must be of: tensors of two families may have the same shapes.

    Raises:
        SelectionError: the reference is not of that form, or its entry is of another family.
    """
    address, separator, entry_id = reference.rpartition("#")
    if not separator or not address or not entry_id:
        raise SelectionError(f"{reference!r} names no zoo entry; expected ZOO#ENTRY, for example zoo/#1a2b3c4d.")
    store = open_zoo(address)
    entry = store.get(find_entry(store, entry_id))
    with _explained(entry):
        found = family_of(entry.card)
    if found != family:
        raise SelectionError(
            f"the entry {entry.card.get('name')!r} is of family {found!r}, and the search of {family!r}; expected one "
            f"family, whose alphas mean the same. Give --model.family {found}, or another entry."
        )
    return entry.state


def plain_state(net: torch.nn.Module) -> dict[str, Tensor]:
    """A network's state on the CPU in the default layout, as safetensors stores it."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in net.state_dict().items()}


def library_versions() -> dict[str, str]:
    """Versions of the libraries that numbers depend on."""
    return {name: metadata.version(name) for name in _LIBRARIES}


def _proportional(rows: NDArray[np.int64], labels: NDArray[np.int64], quota: int, seed: int) -> NDArray[np.int64]:
    """At most ``quota`` of the rows, each class in proportion (largest remainder), drawn by the seed; sorted."""
    if len(rows) <= quota:
        return np.sort(rows)
    generator = np.random.default_rng([seed, 0x5C])
    order = generator.permutation(rows)
    # Walking through the classes in step with their shares: the i-th image of a class of n stands at (i + u) / n.
    position = np.empty(len(order))
    for label in np.unique(labels[order]):
        members = np.flatnonzero(labels[order] == label)
        position[members] = (np.arange(len(members)) + generator.random()) / len(members)
    return np.sort(order[np.argsort(position, kind="stable")[:quota]])


def _in_turn(rows: NDArray[np.int64], labels: NDArray[np.int64], num: int) -> list[int]:
    """Up to ``num`` of the rows: the first of each class, then the second of each, and so on."""
    turn = np.empty(len(rows), dtype=np.int64)
    for label in np.unique(labels[rows]):
        members = np.flatnonzero(labels[rows] == label)
        turn[members] = np.arange(len(members))
    return [int(row) for row in rows[np.lexsort((labels[rows], turn))][:num]]
