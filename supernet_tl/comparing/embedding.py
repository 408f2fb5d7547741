"""From an image set to its features, and to a file of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from supernet_tl import adapters
from supernet_tl.comparing.embedding_file import SUFFIX, Embedding
from supernet_tl.control import Control, Source
from supernet_tl.data import FileStore, ImageSet
from supernet_tl.errors import EmbeddingFileError
from supernet_tl.recipe import Recipe
from supernet_tl.terminal.console import counted

Part = Literal["all", "search", "validation", "test"]


def embed(
    source: Source,
    output: str | os.PathLike[str] | None = None,
    part: Part = "all",
    *,
    control: Control | None = None,
    **options: Any,
) -> Embedding:
    """Embed the images of a set, and write the features to a file.

    Args:
        source: a folder, Meta-Album folder, ``pocket:NAME`` or image set.
        output: a file ending in ``.safetensors``; none is written when absent.
        part: ``all`` images, or those of the split ``search``, ``validation`` or ``test`` that a transfer with the
            same seed and fractions makes.
        control: device, overwriting, bad images.
        **options: of :class:`supernet_tl.Recipe`: ``embedder``, ``embed_size``, ``embed_precision``, and for
            splits ``seed``, ``test_frac``, ``validation_frac``.

    Raises:
        EmbeddingFileError: ``output`` is there already, or has another suffix.
        DataError: the images cannot be used.
    """
    control, recipe = control or Control(), Recipe.from_options(options)
    path = None if output is None else _writable(Path(output), overwrite=control.overwrite)
    if part not in get_args(Part):
        raise EmbeddingFileError(f"part is {part!r}; expected one of {', '.join(get_args(Part))}.")
    images = control.open(source, to_split=part != "all")
    rows = np.arange(len(images)) if part == "all" else np.asarray(getattr(control.split(images, recipe), part))
    embedder = adapters.embedder_of(recipe, control.device)
    with counted(f"embedding {images.name}", quiet=control.quiet) as progress:
        features = adapters.embed_rows(images, rows, embedder, progress).numpy()
    embedding = Embedding(
        name=images.name,
        part=part,
        features=features,
        class_indices=images.labels[rows],
        class_names=images.class_names,
        paths=_relative_paths(images, rows.tolist()),
        embedder=embedder.identity,
        fingerprint=images.fingerprint(),
    )
    if path is not None:
        embedding.save(path)
    return embedding


def _writable(path: Path, *, overwrite: bool) -> Path:
    if path.suffix != SUFFIX:
        raise EmbeddingFileError(
            f"the output is {path}; expected a name that ends in {SUFFIX}, such as {path.stem}{SUFFIX}."
        )
    if path.is_dir() or (path.exists() and not overwrite):
        remedy = "Choose another --output." if path.is_dir() else "Choose another --output, or give --overwrite."
        raise EmbeddingFileError(f"{path} exists already; nothing was changed. {remedy}")
    return path


def _relative_paths(images: ImageSet, rows: Sequence[int]) -> tuple[str, ...] | None:
    """Paths of files below the folder that all images of the set share."""
    if not isinstance(images.store, FileStore):
        return None
    root = os.path.commonpath([path.parent for path in images.store.paths])
    return tuple(images.store.paths[row].relative_to(root).as_posix() for row in rows)
