"""Embeddings on disk, found by the content that they were made from."""

import hashlib
import os
import tempfile
import warnings
from pathlib import Path

import torch

from ot_select.identity import EmbedderIdentity


def default_cache_dir() -> Path:
    """``$SUPERNET_TL_CACHE/embeddings``, or ``~/.cache/supernet-tl/embeddings`` where the variable is not set."""
    root = os.environ.get("SUPERNET_TL_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "supernet-tl") / "embeddings"


class EmbeddingCache:
    """A folder of embeddings, one file for a set of images and an embedder.

    A file is written under another name first and then renamed, so that a reader never sees half of one; it carries a
    hash of its features, so that a damaged one is noticed and counts as absent.

    Args:
        folder: made when first needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def key(self, images: torch.Tensor, identity: EmbedderIdentity) -> str:
        """The name of an entry: a hash of the images, their shape and the embedder.

        Args:
            images: uint8, on the CPU.
            identity: of the embedder.
        """
        digest = hashlib.sha256(f"{identity} {tuple(images.shape)}\n".encode())
        digest.update(images.contiguous().numpy().data)
        return digest.hexdigest()

    def read(self, key: str, shape: tuple[int, int]) -> torch.Tensor | None:
        """The features under a key, float32 of the given shape, or ``None`` if there are none that can be trusted."""
        from safetensors import SafetensorError, safe_open

        path = self._path(key)
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                features: torch.Tensor = file.get_tensor("features")
                recorded = (file.metadata() or {}).get("sha256")
        except (SafetensorError, OSError):
            return None
        if features.dtype != torch.float32 or tuple(features.shape) != shape or _sha256(features) != recorded:
            return None
        return features

    def write(self, key: str, features: torch.Tensor) -> None:
        """Keep features under a key; warns, and keeps nothing, where the folder cannot be written."""
        from safetensors.torch import save

        content = save({"features": features.contiguous()}, metadata={"sha256": _sha256(features)})
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=f".{key[:16]}-", delete=False) as file:
                try:
                    file.write(content)
                    file.close()
                    os.replace(file.name, self._path(key))
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            warnings.warn(
                f"The embeddings could not be kept in {self.folder} ({error}), so they will be computed again next "
                "time. Set SUPERNET_TL_CACHE to a folder that can be written.",
                stacklevel=3,
            )

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"


def _sha256(features: torch.Tensor) -> str:
    return hashlib.sha256(features.contiguous().numpy().data).hexdigest()
