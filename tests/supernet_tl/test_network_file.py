from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import darts
from supernet_tl.data import Normalisation
from supernet_tl.errors import NetworkFileError
from supernet_tl.network_file import Classifier, load_classifier, save_classifier


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    alpha = torch.randn(14, 2)
    network = darts.DiscreteNetwork(darts.discretize(darts.S1, alpha, alpha), 3, 4, 3, auxiliary=True)
    for _ in range(5):
        network(torch.rand(8, 3, 8, 8))
    normalisation = Normalisation((0.4, 0.5, 0.6), (0.2, 0.2, 0.3))
    return Classifier(network.eval(), ("a", "b", "ç"), normalisation, 8)


def test_a_network_survives_its_files_bit_for_bit(classifier: Classifier, tmp_path: Path) -> None:
    save_classifier(tmp_path / "network", classifier)
    found = load_classifier(tmp_path / "network")
    images = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(found.predict(images), classifier.predict(images))
    assert (found.class_names, found.normalisation, found.image_size) == (("a", "b", "ç"), classifier.normalisation, 8)
    assert found.network.auxiliary_head is None
    assert found.network.genotype == classifier.network.genotype


def test_probabilities_are_the_softmax_of_the_logits_of_normalised_images(classifier: Classifier) -> None:
    images = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    mean, std = torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1), torch.tensor([0.2, 0.2, 0.3]).view(3, 1, 1)
    with torch.no_grad():
        expected = classifier.network((images / 255 - mean) / std)
    assert isinstance(expected, torch.Tensor)
    torch.testing.assert_close(classifier.predict(images, batch_size=2), expected.softmax(dim=-1))


def test_images_of_another_size_or_type_are_refused(classifier: Classifier) -> None:
    with pytest.raises(NetworkFileError, match=r"expected torch.uint8 of shape \(n, 3, 8, 8\)"):
        classifier.predict(torch.zeros(1, 3, 16, 16, dtype=torch.uint8))


def _truncate(folder: Path) -> None:
    weights = folder / "network.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])


def _edit(folder: Path) -> None:
    weights = folder / "network.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))


def _rewrite(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "network.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_truncate, "SHA-256 differs, so it was cut short or altered"),
        (_edit, "SHA-256 differs"),
        (_rewrite(channels=8), "does not hold a whole network"),
        (_rewrite(genotype={"normal": []}), "does not hold a whole network"),
        (_rewrite(schema_version=2), "has schema 2; this supernet-tl reads 1"),
        (lambda folder: (folder / "network.json").write_text("{"), "does not hold a whole network"),
        (lambda folder: (folder / "network.json").unlink(), "holds no network; expected network.json"),
    ],
)
def test_a_damaged_network_is_refused(
    damage: Callable[[Path], object], sentence: str, classifier: Classifier, tmp_path: Path
) -> None:
    save_classifier(tmp_path, classifier)
    damage(tmp_path)
    with pytest.raises(NetworkFileError, match=sentence):
        load_classifier(tmp_path)


def test_the_folder_of_a_run_is_told_from_that_of_its_network(classifier: Classifier, tmp_path: Path) -> None:
    save_classifier(tmp_path / "network", classifier)
    with pytest.raises(NetworkFileError, match=r"Did you mean .*network"):
        load_classifier(tmp_path)


@pytest.fixture
def grey_classifier() -> Classifier:
    torch.manual_seed(0)
    alpha = torch.randn(14, 2)
    network = darts.DiscreteNetwork(darts.discretize(darts.S1, alpha, alpha), 2, 4, 3, in_channels=1, stem="imagenet")
    for _ in range(5):
        network(torch.rand(8, 1, 32, 32))
    return Classifier(network.eval(), ("a", "b"), Normalisation((0.4,), (0.2,)), 32)


def test_a_network_for_grey_images_turns_colour_grey_as_pillow_does(
    grey_classifier: Classifier, tmp_path: Path
) -> None:
    colour = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8)
    # Oracle: Pillow's convert("L").
    grey = torch.from_numpy(
        np.stack([np.asarray(Image.fromarray(image.numpy()).convert("L")) for image in colour.permute(0, 2, 3, 1)])
    )[:, None]
    expected = grey_classifier.predict(grey)
    assert expected.std(dim=0).max() > 1e-3
    assert torch.equal(grey_classifier.predict(colour), expected)
    save_classifier(tmp_path, grey_classifier)
    found = load_classifier(tmp_path)
    assert (found.network.in_channels, found.network.stem_name) == (1, "imagenet")
    assert torch.equal(found.predict(colour), expected)
    with pytest.raises(NetworkFileError, match=r"expected torch.uint8 of shape \(n, 3, 32, 32\) or \(n, 1, 32, 32\)"):
        found.predict(torch.zeros(1, 2, 32, 32, dtype=torch.uint8))


def test_a_network_for_colour_does_not_take_grey(classifier: Classifier) -> None:
    with pytest.raises(NetworkFileError, match=r"expected torch.uint8 of shape \(n, 3, 8, 8\), as"):
        classifier.predict(torch.zeros(1, 1, 8, 8, dtype=torch.uint8))


def test_a_network_from_before_stems_has_the_cifar_stem(classifier: Classifier, tmp_path: Path) -> None:
    save_classifier(tmp_path, classifier)
    path = tmp_path / "network.json"
    description = json.loads(path.read_text())
    assert description.pop("stem") == "cifar"
    path.write_text(json.dumps(description))
    images = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(load_classifier(tmp_path).predict(images), classifier.predict(images))
