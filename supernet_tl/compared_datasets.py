"""Datasets to be compared, wherever they come from: images, an embedding file, or the sketch of a zoo entry."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import ot_select
import zoo_store
from ot_select.rows import stratified_sample
from supernet_tl import adapters
from supernet_tl.console import counted
from supernet_tl.control import Control, Source
from supernet_tl.data import ImageSet
from supernet_tl.embedding import embed_rows
from supernet_tl.embedding_file import SUFFIX, Embedding, load_embedding
from supernet_tl.entry_facts import readable_cards
from supernet_tl.errors import ComparisonError
from supernet_tl.recipe import Recipe

THUMBNAIL_SIZE = 32
"""Pixels a side of the image that stands for a class."""


@dataclass(frozen=True, eq=False)
class ComparedDataset:
    """The part of a dataset that comparisons draw their rows from.

    Attributes:
        name: how the outcome calls it.
        kind: ``images``, ``embedding`` or ``zoo entry``.
        given: what the caller named it by.
        content: says in a word what it holds, before anything is embedded: a fingerprint, a checksum or an entry's id.
        num_images: of the whole dataset.
        num_classes: likewise.
        features: shape (m, d), float32.
        labels: class name of each of these rows.
        embedder: who made the features.
        thumbnails: one image for each class, uint8 (3, 32, 32), by class name; empty where no images are at hand.
    """

    name: str
    kind: Literal["images", "embedding", "zoo entry"]
    given: str
    content: str
    num_images: int
    num_classes: int
    features: NDArray[np.float32]
    labels: tuple[str, ...]
    embedder: str
    thumbnails: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)

    @property
    def num_rows(self) -> int:
        """Rows that draws are made from, m."""
        return len(self.features)

    def cloud(self) -> ot_select.LabelledCloud:
        """The rows as a labelled cloud whose labels are the class names."""
        return ot_select.LabelledCloud(self.features, self.labels)

    def digest(self) -> str:
        """SHA-256, in hexadecimal, over everything that a distance depends on."""
        found = hashlib.sha256(json.dumps([self.embedder, self.features.shape, self.labels]).encode())
        found.update(np.ascontiguousarray(self.features).data)
        return found.hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The dataset as plain JSON values, without its features."""
        names = ("name", "kind", "given", "content", "num_images", "num_rows", "num_classes")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Found:
    """A dataset that was found and not yet embedded.

    Attributes:
        name: its own name.
        given: what the caller named it by.
        content: see :class:`ComparedDataset`.
        embedder: of features that exist already; None for images, which any embedder can embed.
        load: embeds it, with at most so many rows, by an embedder of the recipe.
    """

    name: str
    given: str
    content: str
    embedder: ot_select.EmbedderIdentity | None
    load: Callable[[Recipe, int], ComparedDataset] = field(repr=False)


def find_datasets(given: Sequence[Source], zoo: zoo_store.Zoo | None, control: Control) -> list[Found]:
    """The datasets of some words, each under a name of its own.

    Args:
        given: folders, Meta-Album folders, ``pocket:NAME``, embedding files, image sets; with a zoo also names and ids
            of its entries, which go before folders of the same name. None at all stands for all entries of the zoo.
        zoo: the zoo.
        control: device, bad images.

    Raises:
        ComparisonError: fewer than two datasets are found, or a word names several entries.
        DataError: a word names nothing.
    """
    cards, damaged = ({}, {}) if zoo is None else readable_cards(zoo)
    if zoo is not None and not given:
        for reason in damaged.values():
            control.say(f"left out: {reason}")
        found = [_entry(zoo, entry_id, cards[entry_id], entry_id[:12]) for entry_id in cards]
    else:
        found = [_find(source, zoo, cards, control) for source in given]
    if len(found) < 2:
        raise ComparisonError(
            f"{len(found)} dataset(s) were named; expected at least two: folders, pocket:NAME, files that "
            "`supernet-tl embed` wrote, or a zoo of two or more entries."
        )
    return _distinct(found)


def common_recipe(found: Sequence[Found], options: Mapping[str, Any]) -> Recipe:
    """The settings that images are embedded with: what is given, else those of the features that exist already.

    Raises:
        ComparisonError: features that exist already are of several embedders.
    """
    existing = {item.name: item.embedder for item in found if item.embedder is not None}
    if len(set(existing.values())) > 1:
        listed = "; ".join(f"{name}: {embedder}" for name, embedder in existing.items())
        raise ComparisonError(
            f"the datasets were embedded by {len(set(existing.values()))} different embedders, so their features "
            f"cannot be compared ({listed}). Name only those of one embedder, or give images instead."
        )
    agreed = next(iter(existing.values()), None)
    defaults = {} if agreed is None else {"embedder": agreed.name, "embed_size": agreed.image_size}
    return Recipe.from_options({**defaults, **{name: value for name, value in options.items() if value is not None}})


def load_datasets(found: Sequence[Found], recipe: Recipe, max_rows: int) -> list[ComparedDataset]:
    """Embed what is not embedded yet, at most so many rows of each.

    Raises:
        ComparisonError: features were made by another embedder than the recipe's.
    """
    # What is embedded already goes first: if it does not fit, that is known before any work is done.
    loaded = {item.name: item.load(recipe, max_rows) for item in sorted(found, key=lambda item: item.embedder is None)}
    datasets = [replace(loaded[item.name], name=item.name) for item in found]
    for other in datasets[1:]:
        if other.embedder != datasets[0].embedder:
            raise ComparisonError(
                f"{datasets[0].name!r} was embedded by {datasets[0].embedder!r} and {other.name!r} by "
                f"{other.embedder!r}, so their features cannot be compared. Give --embedder NAME@FILE with the "
                "weights that made the stored features, or embed both again."
            )
    return datasets


def _find(source: Source, zoo: zoo_store.Zoo | None, cards: Mapping[str, Any], control: Control) -> Found:
    if isinstance(source, ImageSet):
        return _images(source, source.name, control)
    text = os.fspath(source)
    if zoo is not None:
        entries = [entry_id for entry_id, card in cards.items() if card.get("name") == text]
        if not entries and len(text) >= 6:
            entries = [entry_id for entry_id in cards if entry_id.startswith(text)]
        if len(entries) > 1:
            raise ComparisonError(
                f"{text!r} names {len(entries)} entries of the zoo: {', '.join(item[:12] for item in entries)}. "
                "Give the beginning of an id."
            )
        if entries:
            return _entry(zoo, entries[0], cards[entries[0]], text)
        if not Path(text).expanduser().exists() and os.sep not in text and ":" not in text:
            known = ", ".join(f"{card.get('name')} ({entry_id[:12]})" for entry_id, card in cards.items())
            raise ComparisonError(
                f"{text!r} is neither an entry of the zoo nor a folder or file. The zoo has {known or 'no entries'}."
            )
    if text.endswith(SUFFIX) and not Path(text).is_dir():
        return _embedding(load_embedding(Path(text).expanduser()), text)
    return _images(control.open(source), text, control)


def _images(images: ImageSet, given: str, control: Control) -> Found:
    def load(recipe: Recipe, max_rows: int) -> ComparedDataset:
        embedder = adapters.embedder_for(recipe.embedder, recipe.embed_size, control.device)
        rows = _proportional(images.labels, max_rows, recipe.seed)
        with counted(f"embedding {images.name}", quiet=control.quiet) as progress:
            features = embed_rows(images, rows.tolist(), embedder, recipe.embed_size, progress)
        labels = images.labels[rows]
        firsts = {images.class_names[label]: int(rows[np.argmax(labels == label)]) for label in np.unique(labels)}
        pictures = images.pixels(THUMBNAIL_SIZE, list(firsts.values())).numpy()
        return ComparedDataset(
            name=images.name,
            kind="images",
            given=given,
            content=images.fingerprint(),
            num_images=len(images),
            num_classes=len(images.class_names),
            features=features,
            labels=tuple(images.class_names[label] for label in labels),
            embedder=str(embedder.identity),
            thumbnails=dict(zip(firsts, pictures, strict=True)),
        )

    return Found(images.name, given, images.fingerprint(), None, load)


def _embedding(embedding: Embedding, given: str) -> Found:
    name = embedding.name if embedding.part == "all" else f"{embedding.name} ({embedding.part})"

    def load(recipe: Recipe, max_rows: int) -> ComparedDataset:
        rows = _proportional(embedding.class_indices, max_rows, recipe.seed)
        return ComparedDataset(
            name=name,
            kind="embedding",
            given=given,
            content=f"{embedding.fingerprint} {embedding.part}",
            num_images=len(embedding.features),
            num_classes=len(set(embedding.labels)),
            features=embedding.features[rows],
            labels=tuple(embedding.class_names[index] for index in embedding.class_indices[rows]),
            embedder=str(embedding.embedder),
        )

    return Found(name, given, f"{embedding.fingerprint} {embedding.part}", embedding.embedder, load)


def _entry(zoo: zoo_store.Zoo, entry_id: str, card: Mapping[str, Any], given: str) -> Found:
    sketch = ot_select.Sketch.from_tensors(zoo.sketch(entry_id))
    name = str(card.get("name") or entry_id[:12])

    def load(recipe: Recipe, max_rows: int) -> ComparedDataset:
        cloud = sketch.cloud()
        classes = [str(label) for label in cloud.classes]
        rows = _proportional(cloud.class_indices, max_rows, recipe.seed)
        return ComparedDataset(
            name=name,
            kind="zoo entry",
            given=given,
            content=entry_id,
            num_images=sketch.num_rows,
            num_classes=len(sketch.class_names),
            features=cloud.features[rows].astype(np.float32),
            labels=tuple(classes[index] for index in cloud.class_indices[rows]),
            embedder=sketch.embedder,
        )

    return Found(name, given, entry_id, ot_select.EmbedderIdentity.from_string(sketch.embedder), load)


def _proportional(labels: NDArray[np.int64], max_rows: int, seed: int) -> NDArray[np.int64]:
    """At most so many rows, each class in proportion, drawn by the seed; sorted."""
    blocks = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return np.sort(np.concatenate(stratified_sample(blocks, max_rows, seed)))


def _distinct(found: Sequence[Found]) -> list[Found]:
    """The same datasets with names that tell them apart: by what they were called by, and then by number."""
    shared = Counter(item.name for item in found)
    named = [replace(item, name=f"{item.name} ({item.given})") if shared[item.name] > 1 else item for item in found]
    seen: Counter[str] = Counter()
    distinct = []
    for item in named:
        seen[item.name] += 1
        distinct.append(item if seen[item.name] == 1 else replace(item, name=f"{item.name} ({seen[item.name]})"))
    return distinct
