"""Datasets to be compared: images, an embedding file, or the sketch of a zoo entry, as features with labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import ot_select
import zoo_store
from ot_select.rows import stratified_sample
from supernet_tl import adapters
from supernet_tl.comparing.embedding_file import Embedding
from supernet_tl.control import Control
from supernet_tl.data import ImageSet, read_pixels
from supernet_tl.recipe import Recipe
from supernet_tl.terminal.console import counted

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


def from_images(images: ImageSet, given: str, control: Control) -> Found:
    """Images, to be embedded when it is known by what; with an image for each class."""

    def load(recipe: Recipe, max_rows: int) -> ComparedDataset:
        embedder = adapters.embedder_of(recipe, control.device)
        rows = _proportional(images.labels, max_rows, recipe.seed)
        with counted(f"embedding {images.name}", quiet=control.quiet) as progress:
            features = adapters.embed_rows(images, rows, embedder, progress).numpy()
        labels = images.labels[rows]
        firsts = {images.class_names[label]: int(rows[np.argmax(labels == label)]) for label in np.unique(labels)}
        pictures = read_pixels(images, THUMBNAIL_SIZE, list(firsts.values())).numpy()
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


def from_embedding(embedding: Embedding, given: str) -> Found:
    """The content of an embedding file; one of a split is called by it."""
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


def from_entry(zoo: zoo_store.Zoo, entry_id: str, card: Mapping[str, Any], given: str) -> Found:
    """The sketch of a zoo entry.

    Raises:
        ZooError: the entry cannot be read.
        OTSelectError: its sketch is damaged.
    """
    sketch = ot_select.Sketch.from_tensors(zoo.sketch(entry_id))
    name = str(card.get("name") or entry_id[:12])

    def load(recipe: Recipe, max_rows: int) -> ComparedDataset:
        cloud = sketch.cloud(max_rows, recipe.seed)
        return ComparedDataset(
            name=name,
            kind="zoo entry",
            given=given,
            content=entry_id,
            num_images=sketch.num_rows,
            num_classes=len(sketch.class_names),
            features=cloud.features.astype(np.float32),
            labels=tuple(str(cloud.classes[index]) for index in cloud.class_indices),
            embedder=sketch.embedder,
        )

    return Found(name, given, entry_id, ot_select.EmbedderIdentity.from_string(sketch.embedder), load)


def _proportional(labels: NDArray[np.int64], max_rows: int, seed: int) -> NDArray[np.int64]:
    """At most so many rows, each class in proportion, drawn by the seed; sorted."""
    blocks = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return np.sort(np.concatenate(stratified_sample(blocks, max_rows, seed)))
