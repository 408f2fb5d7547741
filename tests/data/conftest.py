"""Image files and folders, made for one test at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SaveImage = Callable[..., Path]
MakeFolders = Callable[[Mapping[str, int]], Path]
MakeMetaAlbum = Callable[..., Path]


def random_pixels(seed: int, height: int = 12, width: int = 16) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, size=(height, width, 3), dtype=np.uint8)


@pytest.fixture
def save_image() -> SaveImage:
    """Write a random RGB image, or a given one, creating the folders above it."""

    def save(path: Path, seed: int = 0, image: Image.Image | None = None) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        (image or Image.fromarray(random_pixels(seed))).save(path)
        return path

    return save


@pytest.fixture
def make_folders(tmp_path: Path, save_image: SaveImage) -> MakeFolders:
    """Class folders with as many PNG images as asked for."""

    def make(counts: Mapping[str, int]) -> Path:
        root = tmp_path / "my_images"
        for label, (name, count) in enumerate(counts.items()):
            (root / name).mkdir(parents=True)
            for number in range(count):
                save_image(root / name / f"{number}.png", seed=1000 * label + number)
        return root

    return make


@pytest.fixture
def make_meta_album(tmp_path: Path, save_image: SaveImage) -> MakeMetaAlbum:
    """A folder in the Meta-Album format: two classes of four images, header and info.json as given."""

    def make(
        header: str = "FILE_NAME,CATEGORY,SUPER_CATEGORY",
        info: str | None = "{}",
        categories: tuple[str, str] = ("bee", "ant"),
        encoding: str = "utf-8",
    ) -> Path:
        root = tmp_path / "SET_Micro"
        rows = [header]
        for number in range(8):
            name = f"{number}.JPG"
            save_image(root / "images" / name, seed=number)
            rows.append(f"{name},{categories[number % 2]},")
        (root / "labels.csv").write_bytes("\n".join(rows).encode(encoding))
        if info is not None:
            (root / "info.json").write_text(info, encoding="utf-8")
        return root

    return make


@pytest.fixture(autouse=True)
def _own_pixels(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds what another has decoded."""
    monkeypatch.setenv("SUPERNET_TL_CACHE", str(tmp_path_factory.mktemp("cache")))
