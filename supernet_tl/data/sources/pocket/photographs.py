"""Tiles of photographs that scikit-image carries: one class a photograph, train and test from different regions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from supernet_tl.data.card import DataCard
from supernet_tl.data.image_set import ImageSet
from supernet_tl.data.pixels.stores import ArrayStore
from supernet_tl.data.sources.pocket.packages import package_file

_TEXTURES = {"brick": "brick.png", "grass": "grass.png", "gravel": "gravel.png"}
_TEXTURE_EDGE = 64  # pixels; 8 x 8 tiles of a photograph of 512 x 512

# Only photographs whose terms scikit-image states; those that it would download are not used.
_PHOTOS = {
    "astronaut": "astronaut.png",
    "cameraman": "camera.png",
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "galaxies": "hubble_deep_field.jpg",
    "retina": "retina.jpg",
    "print": "text.png",
    "rocket": "rocket.jpg",
    "tissue": "ihc.png",
}
_PHOTO_TILES = 60  # about as many of each photograph, whatever its size
_MIN_CONTRAST = 4.0  # standard deviation in grey levels; flatter tiles (sky, the black around a retina) show nothing


def textures() -> ImageSet:
    """Tiles of brick, grass and gravel; the right-hand quarter of each photograph is the test split."""
    return _tile_set(
        name="textures",
        files=_TEXTURES,
        edge_of=lambda width, height: _TEXTURE_EDGE,
        is_test_column=lambda column, num_columns: column >= num_columns - num_columns // 4,
        min_contrast=0.0,
        licence="CC0 1.0 (each photograph, as stated by scikit-image)",
        description=(
            "Grey tiles of 64 x 64 pixels that do not overlap; test tiles come from the right-hand quarter of the "
            "photograph."
        ),
        domain="textures",
    )


def photos() -> ImageSet:
    """Tiles of ten photographs; every fourth column of tiles is the test split."""
    return _tile_set(
        name="photos",
        files=_PHOTOS,
        edge_of=lambda width, height: int(math.sqrt(width * height / _PHOTO_TILES)),
        is_test_column=lambda column, num_columns: column % 4 == 2,
        min_contrast=_MIN_CONTRAST,
        licence="CC0, public domain or no known copyright restrictions (each photograph, as stated by scikit-image)",
        description=(
            "About sixty square tiles of each photograph, which do not overlap, nearly flat ones left out; test tiles "
            "come from every fourth column."
        ),
        domain="photographs",
    )


def _tile_set(
    name: str,
    files: Mapping[str, str],
    edge_of: Callable[[int, int], int],
    is_test_column: Callable[[int, int], bool],
    min_contrast: float,
    licence: str,
    description: str,
    domain: str,
) -> ImageSet:
    tiles: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    official_test: list[bool] = []
    for label, file in enumerate(files.values()):
        with Image.open(package_file("skimage", f"data/{file}")) as opened:
            photo = np.asarray(opened)
        height, width = photo.shape[:2]
        edge = edge_of(width, height)
        num_columns = width // edge
        for row in range(height // edge):
            for column in range(num_columns):
                tile = photo[row * edge : (row + 1) * edge, column * edge : (column + 1) * edge]
                if tile.std() < min_contrast:
                    continue
                tiles.append(np.ascontiguousarray(tile))
                labels.append(label)
                official_test.append(is_test_column(column, num_columns))
    names = ", ".join(PurePath(file).stem for file in files.values())
    return ImageSet(
        name=name,
        class_names=tuple(files),
        labels=np.array(labels),
        store=ArrayStore(tiles),
        card=DataCard(
            name=name,
            origin=f"scikit-image, photographs inside the package: {names}",
            licence=licence,
            description=description,
            domain=domain,
            num_images=len(tiles),
            num_classes=len(files),
            mirror_safe=True,
        ),
        official_test=np.array(official_test),
    )
