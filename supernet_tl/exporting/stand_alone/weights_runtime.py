"""The network of ``network.safetensors``, built by ``network.py`` and run by PyTorch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from network import from_folder  # type: ignore[import-not-found]  # the file beside this one


def load(folder: Path) -> tuple[Callable[[Any], Any], dict[str, Any]]:
    """The network as a function, and its description.

    Returns:
        A function from images, (n, in_channels, size, size), uint8, to class probabilities, (n, num_classes), both
        NumPy arrays; and what is said of it, class names among it.
    """
    network = from_folder(folder)

    def predict(images: Any) -> Any:
        with torch.inference_mode():
            return network(torch.from_numpy(images)).numpy()

    return predict, json.loads((folder / "network.json").read_text(encoding="utf-8"))
