"""The network of ``network.pt2``, a program of torch.export, run by PyTorch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def load(folder: Path) -> tuple[Callable[[Any], Any], dict[str, Any]]:
    """The network as a function, and its description.

    Returns:
        A function from images, (n, in_channels, size, size), uint8, to class probabilities, (n, num_classes), both
        NumPy arrays; and what the file says of itself, class names among it.
    """
    found = {"description.json": ""}
    network = torch.export.load(str(folder / "network.pt2"), extra_files=found).module()

    def predict(images: Any) -> Any:
        with torch.inference_mode():
            return network(torch.from_numpy(images)).numpy()

    return predict, json.loads(found["description.json"])
