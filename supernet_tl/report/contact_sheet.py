"""Sample images as data that stands in the page itself."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray


def image_urls(images: NDArray[np.uint8]) -> tuple[str, ...]:
    """Each of the images, uint8 (n, 3, height, width), as a PNG data URL."""
    return tuple(_png_url(image) for image in images)


def _png_url(image: NDArray[np.uint8]) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
