"""An embedded image set as one file: features with their labels, and what is needed to compare them with others."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ot_select import EmbedderIdentity, LabelledCloud, OTSelectError
from supernet_tl.errors import EmbeddingFileError
from supernet_tl.files import write_whole

SUFFIX = ".safetensors"
_FORMAT = "supernet-tl embedding 1"
_AGAIN = "Write it again with `supernet-tl embed`."


@dataclass(frozen=True, eq=False)
class Embedding:
    """The features of an image set.

    Attributes:
        name: of the image set.
        part: which images: ``all``, or a split of them.
        features: shape (n, d), float32.
        class_indices: shape (n,), int64, positions in ``class_names``.
        class_names: k distinct names; a class of the set may have no image in the part.
        paths: of every image, relative to the folder that holds all of them; None for images that are no files.
        embedder: who made the features; only features of equal embedders can be compared.
        fingerprint: of the image set that the images are from, SHA-256 in hexadecimal.

    Raises:
        EmbeddingFileError: the parts do not fit together.
    """

    name: str
    part: str
    features: NDArray[np.float32]
    class_indices: NDArray[np.int64]
    class_names: tuple[str, ...]
    paths: tuple[str, ...] | None
    embedder: EmbedderIdentity
    fingerprint: str

    def __post_init__(self) -> None:
        n, k = len(self.class_indices), len(self.class_names)
        faults = []
        if self.features.shape != (n, self.embedder.dimension):
            faults.append(
                f"features of shape {self.features.shape}, but {n} labels and an embedder of "
                f"{self.embedder.dimension} features"
            )
        if n == 0 or self.class_indices.min() < 0 or self.class_indices.max() >= k:
            faults.append(f"{n} labels that do not all name one of {k} classes")
        if len(set(self.class_names)) < k:
            faults.append("a class name twice")
        if self.paths is not None and len(self.paths) != n:
            faults.append(f"{len(self.paths)} paths for {n} images")
        if not np.isfinite(self.features).all():
            faults.append("features that are not finite")
        if faults:
            raise EmbeddingFileError(f"the embedding of {self.name!r} has {'; '.join(faults)}. {_AGAIN}")

    @property
    def labels(self) -> tuple[str, ...]:
        """The class name of every image."""
        return tuple(self.class_names[index] for index in self.class_indices)

    def cloud(self) -> LabelledCloud:
        """The features as a labelled cloud whose labels are the class names."""
        return LabelledCloud(self.features, self.labels)

    def to_dict(self) -> dict[str, Any]:
        """What there is, without the numbers themselves, as plain JSON values."""
        counts = np.bincount(self.class_indices, minlength=len(self.class_names))
        return {
            "name": self.name,
            "part": self.part,
            "num_images": len(self.features),
            "num_classes": int((counts > 0).sum()),
            "num_features": self.features.shape[1],
            "images_of_class": {name: int(count) for name, count in zip(self.class_names, counts, strict=True)},
            "embedder": str(self.embedder),
            "fingerprint": self.fingerprint,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, whole or not at all; one that is there is replaced."""
        tensors = {
            "features": torch.from_numpy(np.ascontiguousarray(self.features)),
            "class_indices": torch.from_numpy(np.ascontiguousarray(self.class_indices)),
        }
        metadata = {
            "format": _FORMAT,
            "name": json.dumps(self.name),
            "part": self.part,
            "class_names": json.dumps(self.class_names),
            "paths": json.dumps(self.paths),
            "embedder": str(self.embedder),
            "fingerprint": self.fingerprint,
        }
        metadata["sha256"] = _sha256(tensors, metadata)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(Path(path), save(tensors, metadata=metadata))


def load_embedding(path: str | os.PathLike[str]) -> Embedding:
    """The embedding that ``supernet-tl embed`` or :meth:`Embedding.save` wrote.

    Args:
        path: the file.

    Raises:
        EmbeddingFileError: there is no such file, it is something else, or it was altered.
    """
    try:
        with safe_open(Path(path), framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # it is no mapping
    except (SafetensorError, OSError) as error:
        raise EmbeddingFileError(f"{path} cannot be read as an embedding ({error}). {_AGAIN}") from error
    if metadata.get("format") != _FORMAT:
        raise EmbeddingFileError(
            f"{path} has format {metadata.get('format')!r}; expected {_FORMAT!r}. Give a file that `supernet-tl embed` "
            "of this version wrote."
        )
    recorded = metadata.pop("sha256", None)
    if recorded != _sha256(tensors, metadata):
        raise EmbeddingFileError(f"{path} is not as it was written: its checksum does not fit. {_AGAIN}")
    try:
        paths = json.loads(metadata["paths"])
        return Embedding(
            name=json.loads(metadata["name"]),
            part=metadata["part"],
            features=tensors["features"].numpy(),
            class_indices=tensors["class_indices"].numpy(),
            class_names=tuple(json.loads(metadata["class_names"])),
            paths=None if paths is None else tuple(paths),
            embedder=EmbedderIdentity.from_string(metadata["embedder"]),
            fingerprint=metadata["fingerprint"],
        )
    except (KeyError, TypeError, ValueError, OTSelectError) as error:
        raise EmbeddingFileError(f"{path} is damaged ({error}). {_AGAIN}") from error


def _sha256(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().data)
    return digest.hexdigest()
