"""The network of ``network.onnx``, run by ONNX Runtime."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime


def load(folder: Path) -> tuple[Callable[[Any], Any], dict[str, Any]]:
    """The network as a function, and its description.

    Returns:
        A function from images, (n, in_channels, size, size), uint8, to class probabilities, (n, num_classes), both
        NumPy arrays; and what the file says of itself, class names among it.
    """
    session = onnxruntime.InferenceSession(str(folder / "network.onnx"), providers=["CPUExecutionProvider"])
    description = json.loads(session.get_modelmeta().custom_metadata_map["description"])
    return lambda images: session.run(["probabilities"], {"images": images})[0], description
