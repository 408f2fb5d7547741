from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

import supernet_tl
from supernet_tl import adapters
from supernet_tl.comparing.embedding_file import Embedding, load_embedding
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.errors import EmbeddingFileError
from supernet_tl.prepared_data import split
from supernet_tl.recipe import Recipe

LITE: dict[str, Any] = {"embedder": "tf_efficientnet_lite0", "embed_size": 32}


@pytest.fixture
def folder(stripes: Callable[..., ImageSet], tmp_path: Path) -> Path:
    images = stripes("target", seed=1, per_class=5)
    for index, label in enumerate(images.labels):
        path = tmp_path / "images" / images.class_names[label] / "deeper" / f"{index:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        images.image(index).save(path)
    return tmp_path / "images"


def test_a_file_gives_back_what_was_embedded(folder: Path, tmp_path: Path, quiet: Control) -> None:
    path = tmp_path / "new" / "target.safetensors"
    made = supernet_tl.embed(folder, path, control=quiet, **LITE)
    found = supernet_tl.load_embedding(path)
    assert np.array_equal(found.features, made.features)
    assert found.features.dtype == np.float32
    assert found.to_dict() == made.to_dict()
    assert found.paths == made.paths
    assert found.labels == ("stripe0",) * 5 + ("stripe1",) * 5 + ("stripe2",) * 5
    # oracle: the embedder itself, shown the whole set at once
    images = quiet.open(folder)
    embedder = adapters.embedder_for("tf_efficientnet_lite0", 32, "cpu")
    assert found.features == pytest.approx(embedder.embed(images.pixels(32)).numpy(), abs=1e-4)
    assert found.embedder == embedder.identity
    assert found.fingerprint == images.fingerprint()


def test_paths_are_relative_to_the_folder_that_holds_all_images(folder: Path, quiet: Control) -> None:
    found = supernet_tl.embed(folder, control=quiet, **LITE)
    assert found.paths is not None
    for path, label in zip(found.paths, found.labels, strict=True):
        assert (folder / path).is_file()
        assert path.startswith(f"{label}/deeper/")


def test_images_that_are_no_files_have_no_paths(stripes: Callable[..., ImageSet], quiet: Control) -> None:
    assert supernet_tl.embed(stripes("here", per_class=4), control=quiet, **LITE).paths is None


def test_a_set_is_embedded_in_pieces_without_changing_a_feature(
    stripes: Callable[..., ImageSet], quiet: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, calls = stripes("pieces", seed=5, per_class=4), []
    embedder = adapters.embedder_for("tf_efficientnet_lite0", 32, "cpu")
    whole = embedder.embed(images.pixels(32)).numpy()
    monkeypatch.setattr(adapters, "_IMAGES_IN_MEMORY", 5)
    found = adapters.embed_rows(images, np.arange(12), embedder, lambda done, total: calls.append((done, total)))
    assert found.numpy() == pytest.approx(whole, abs=1e-4)
    assert calls[-1] == (12, 12)


@pytest.mark.parametrize("part", ["search", "validation", "test"])
def test_a_part_is_the_split_that_a_transfer_makes(part: Any, stripes: Callable[..., ImageSet], quiet: Control) -> None:
    images = stripes("target")
    found = supernet_tl.embed(images, part=part, control=quiet, seed=3, **LITE)
    rows = getattr(split(images, Recipe(seed=3)), part)
    everything = supernet_tl.embed(images, control=quiet, **LITE)
    assert found.features == pytest.approx(everything.features[rows], abs=1e-4)
    assert np.array_equal(found.class_indices, images.labels[rows])
    assert found.part == part


def test_a_file_that_is_there_stays_unless_it_may_be_replaced(folder: Path, tmp_path: Path, quiet: Control) -> None:
    path = tmp_path / "there.safetensors"
    path.write_bytes(b"precious")
    with pytest.raises(EmbeddingFileError, match=r"there\.safetensors exists already; nothing was changed\. .*--overw"):
        supernet_tl.embed(folder, path, control=quiet, **LITE)
    assert path.read_bytes() == b"precious"
    supernet_tl.embed(folder, path, control=Control(device="cpu", quiet=True, overwrite=True), **LITE)
    assert len(load_embedding(path).features) == 15


@pytest.mark.parametrize(
    ("name", "part", "sentence"),
    [
        ("features.npz", "all", r"expected a name that ends in \.safetensors, such as features\.safetensors"),
        ("folder.safetensors", "all", "exists already; nothing was changed. Choose another --output"),
        ("new.safetensors", "train", "part is 'train'; expected one of all, search, validation, test"),
    ],
)
def test_outputs_that_cannot_be_are_refused_before_anything_is_embedded(
    name: str, part: Any, sentence: str, tmp_path: Path, quiet: Control
) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(EmbeddingFileError, match=sentence):
        supernet_tl.embed(tmp_path / "no such images", tmp_path / name, part, control=quiet)


@pytest.fixture
def made(stripes: Callable[..., ImageSet], quiet: Control) -> Embedding:
    return supernet_tl.embed(stripes("made", per_class=4), control=quiet, **LITE)


def test_a_changed_byte_is_noticed(made: Embedding, tmp_path: Path) -> None:
    path = tmp_path / "made.safetensors"
    made.save(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(EmbeddingFileError, match="not as it was written: its checksum does not fit"):
        load_embedding(path)


def test_what_is_no_embedding_is_refused_with_a_sentence(made: Embedding, tmp_path: Path) -> None:
    path = tmp_path / "made.safetensors"
    with pytest.raises(EmbeddingFileError, match="cannot be read as an embedding"):
        load_embedding(path)
    path.write_bytes(b"no tensors here")
    with pytest.raises(EmbeddingFileError, match="cannot be read as an embedding"):
        load_embedding(path)
    made.save(path)
    save_file(load_file(path), path, metadata={"format": "pt"})
    with pytest.raises(EmbeddingFileError, match="has format 'pt'; expected 'supernet-tl embedding 1'"):
        load_embedding(path)


def test_parts_that_do_not_fit_together_are_named_all_at_once(made: Embedding) -> None:
    with pytest.raises(EmbeddingFileError, match=r"a class name twice; 1 paths for 12 images"):
        replace(made, class_names=("a", "a", "b"), paths=("one.png",))
    with pytest.raises(EmbeddingFileError, match="12 labels that do not all name one of 2 classes"):
        replace(made, class_names=("a", "b"))
    with pytest.raises(EmbeddingFileError, match=r"features of shape \(12, 3\), but 12 labels and an embedder of 1280"):
        replace(made, features=made.features[:, :3])
    with pytest.raises(EmbeddingFileError, match="features that are not finite"):
        replace(made, features=np.full_like(made.features, np.nan))
