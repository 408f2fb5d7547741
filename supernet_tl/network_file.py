"""The result of a run as files: ``network.safetensors`` and ``network.json``, enough to classify new images."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

import darts
from supernet_tl.adapters import plain_state
from supernet_tl.data import Normalisation, to_grey
from supernet_tl.errors import NetworkFileError
from supernet_tl.files import read_json, write_json, write_whole
from supernet_tl.training.seeds import own_random_numbers

SCHEMA = 1
WEIGHTS_FILE = "network.safetensors"
DESCRIPTION_FILE = "network.json"


@dataclass(frozen=True)
class Classifier:
    """A trained network with all that is needed to use it.

    Attributes:
        network: in evaluation mode.
        class_names: of its outputs.
        normalisation: of its images.
        image_size: pixels a side that it was trained at.
    """

    network: darts.DiscreteNetwork
    class_names: tuple[str, ...]
    normalisation: Normalisation
    image_size: int

    def predict(self, images: Tensor, batch_size: int = 256) -> Tensor:
        """Class probabilities.

        Args:
            images: shape (n, 3, image_size, image_size), uint8; a network for grey images turns them grey, and takes
                shape (n, 1, image_size, image_size) too.
            batch_size: images in memory at once.

        Returns:
            Shape (n, num_classes), float32, on the CPU.

        Raises:
            NetworkFileError: images of another shape or type.
        """
        size, in_channels = self.image_size, self.network.in_channels
        shapes = [(channels, size, size) for channels in sorted({3, in_channels}, reverse=True)]
        if images.dtype != torch.uint8 or tuple(images.shape[1:]) not in shapes:
            expected = " or ".join(f"(n, {channels}, {size}, {size})" for channels, _, _ in shapes)
            raise NetworkFileError(
                f"images are {images.dtype} of shape {tuple(images.shape)}; expected torch.uint8 of shape {expected}, "
                f"as ImageSet.pixels({size}) gives them."
            )
        device = next(self.network.parameters()).device
        self.network.eval()
        probabilities = [torch.empty(0, len(self.class_names))]
        with torch.inference_mode(), own_random_numbers():
            torch.manual_seed(0)  # ops that draw noise give the same prediction each time
            for batch in torch.split(images, batch_size):
                pixels = batch.to(device)
                if pixels.shape[1] > in_channels:
                    pixels = to_grey(pixels)
                logits = cast(Tensor, self.network(self.normalisation(pixels)))
                probabilities.append(logits.softmax(dim=-1).float().cpu())
        return torch.cat(probabilities)


def save_classifier(folder: Path, classifier: Classifier, facts: dict[str, Any] | None = None) -> None:
    """Write a network; the description comes last, so that a folder with one is complete.

    An auxiliary head serves training only and is left out.

    Args:
        folder: created when absent.
        classifier: the network.
        facts: further plain JSON values that the description keeps, such as accuracies.
    """
    network = classifier.network
    state = {name: tensor for name, tensor in plain_state(network).items() if not name.startswith("auxiliary_head.")}
    data = save_tensors(state)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DESCRIPTION_FILE).unlink(missing_ok=True)
    write_whole(folder / WEIGHTS_FILE, data)
    description = {
        "schema_version": SCHEMA,
        "genotype": network.genotype.to_dict(),
        "channels": network.channels,
        "num_cells": network.num_cells,
        "in_channels": network.in_channels,
        "stem": network.stem_name,
        "pool_norm": network.pool_norm,
        "image_size": classifier.image_size,
        "normalisation": classifier.normalisation.to_dict(),
        "class_names": list(classifier.class_names),
        "weights_sha256": hashlib.sha256(data).hexdigest(),
        **(facts or {}),
    }
    write_json(folder / DESCRIPTION_FILE, description)


def load_classifier(folder: Path) -> Classifier:
    """Read what :func:`save_classifier` wrote.

    Raises:
        NetworkFileError: the folder holds no network, or it was cut short or altered.
    """
    description_path, weights_path = folder / DESCRIPTION_FILE, folder / WEIGHTS_FILE
    if not description_path.is_file() or not weights_path.is_file():
        nested = folder / "network" / DESCRIPTION_FILE
        hint = f" Did you mean {folder / 'network'}?" if nested.is_file() else ""
        raise NetworkFileError(
            f"{folder} holds no network; expected {DESCRIPTION_FILE} and {WEIGHTS_FILE}, as a transfer leaves them in "
            f"its folder network/.{hint}"
        )
    data = weights_path.read_bytes()
    try:
        description = read_json(description_path)
        if description["schema_version"] != SCHEMA:
            raise NetworkFileError(
                f"{description_path} has schema {description['schema_version']}; this supernet-tl reads {SCHEMA}. "
                "Upgrade it."
            )
        if hashlib.sha256(data).hexdigest() != description["weights_sha256"]:
            raise NetworkFileError(
                f"{weights_path} is not the file that {DESCRIPTION_FILE} describes: its SHA-256 differs, so it was cut "
                "short or altered. Copy the folder again."
            )
        network = darts.DiscreteNetwork(
            darts.Genotype.from_dict(description["genotype"]),
            num_classes=len(description["class_names"]),
            channels=description["channels"],
            num_cells=description["num_cells"],
            pool_norm=description["pool_norm"],
            in_channels=description["in_channels"],
            stem=description.get("stem", "cifar"),  # what networks had before the stem was written down
        )
        network.load_state_dict(load_tensors(data))
        return Classifier(
            network.eval(),
            tuple(description["class_names"]),
            Normalisation.from_dict(description["normalisation"]),
            description["image_size"],
        )
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        if isinstance(error, NetworkFileError):
            raise
        raise NetworkFileError(f"{folder} does not hold a whole network ({error}). Copy the folder again.") from error
