"""The whole chain on grey images and behind the imagenet stem."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import darts
import supernet_tl
import zoo_store
from supernet_tl.command_line.cli import main
from supernet_tl.control import Control
from supernet_tl.data import ImageSet, Splits
from supernet_tl.data_module import SearchData
from supernet_tl.errors import RecipeError
from supernet_tl.prediction import predict

ONCE: dict[str, Any] = {"epochs": 1, "finetune_epochs": 1, "batch_size": 8}


def test_a_grey_source_and_its_transfer_predict_colour_files(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], embedding: dict[str, Any], quiet: Control, tmp_path: Path
) -> None:
    zoo = tmp_path / "zoo"
    settings = {**tiny, **embedding, "epochs": 1}
    entry = supernet_tl.pretrain(stripes("near", seed=1), zoo, control=quiet, **settings, in_channels=1)
    colour = supernet_tl.pretrain(stripes("near", seed=1), zoo, control=quiet, **settings)
    assert isinstance(entry, zoo_store.ZooEntry)
    assert isinstance(colour, zoo_store.ZooEntry)
    assert (entry.card["in_channels"], entry.card["stem"], colour.card["in_channels"]) == (1, "cifar", 3)
    assert entry.state["stem.0.weight"].shape == (6, 1, 3, 3)
    for name, tensor in entry.sketch.items():  # embeddings and thumbnails are of the images in colour
        assert torch.equal(torch.as_tensor(tensor), torch.as_tensor(colour.sketch[name])), name

    target = stripes("target", seed=1, per_class=24)
    result = supernet_tl.transfer(target, zoo, output=tmp_path / "run", control=quiet, in_channels=1, **ONCE)
    assert result.selection is not None
    assert list(result.selection.excluded.values()) == ["its in_channels is 3, not 1"]
    assert result.summary["warm_start"]["reinitialised"] == ["classifier.weight", "classifier.bias"]
    assert result.network.in_channels == 1
    assert result.summary["network"]["macs"] == darts.count_macs(result.network, (1, 8, 8))
    assert json.loads((tmp_path / "run" / "network" / "network.json").read_text())["in_channels"] == 1

    # Oracle: accuracy of the stored network on the stored test split, computed here from the images in colour.
    classifier = supernet_tl.load_classifier(tmp_path / "run" / "network")
    splits = Splits.from_dict(json.loads((tmp_path / "run" / "splits.json").read_text()), target)
    probabilities = classifier.predict(target.pixels(8, splits.test.tolist()))
    accuracy = float(np.mean(probabilities.argmax(dim=-1).numpy() == target.labels[splits.test]))
    assert result.summary["network"]["test_accuracy"] == pytest.approx(accuracy)

    (tmp_path / "files").mkdir()
    for number, index in enumerate(splits.test):
        target.image(int(index)).save(tmp_path / "files" / f"{number:03d}.png")
    rows = predict(tmp_path / "run" / "network", tmp_path / "files", control=quiet).rows
    assert [row.probability for row in rows] == pytest.approx(probabilities.amax(dim=-1).tolist())


@pytest.mark.parametrize("final", ["inherit", "retrain"])
def test_a_search_behind_the_imagenet_stem_ends_in_a_network_with_that_stem(
    final: str, stripes: Callable[..., ImageSet], tiny: dict[str, Any], quiet: Control
) -> None:
    settings = {**tiny, **ONCE, "image_size": 32, "stem": "imagenet", "in_channels": 1}
    result = supernet_tl.search(
        stripes("t", size=32), final=final, retrain_channels=4, retrain_num_cells=4, control=quiet, **settings
    )
    assert (result.network.stem_name, result.network.in_channels) == ("imagenet", 1)
    assert result.classifier.predict(stripes("t").pixels(32)).shape == (48, 3)


def test_the_stem_of_the_chosen_source_is_adopted(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], embedding: dict[str, Any], quiet: Control, tmp_path: Path
) -> None:
    settings = {**tiny, **embedding, "epochs": 1, "image_size": 32, "stem": "imagenet"}
    entry = supernet_tl.pretrain(stripes("near", seed=1), tmp_path / "zoo", control=quiet, **settings)
    assert isinstance(entry, zoo_store.ZooEntry)
    assert entry.card["stem"] == "imagenet"
    result = supernet_tl.transfer(stripes("t", seed=1), tmp_path / "zoo", control=quiet, **ONCE)
    assert result.network.stem_name == "imagenet"
    assert (result.summary["recipe"]["stem"], result.summary["recipe"]["image_size"]) == ("imagenet", 32)


def test_an_entry_made_before_the_newer_settings_is_not_made_again(
    zoo_path: Path,
    stripes: Callable[..., ImageSet],
    tiny: dict[str, Any],
    embedding: dict[str, Any],
    quiet: Control,
    tmp_path: Path,
) -> None:
    made = next(
        entry for entry in map(zoo_store.Zoo(zoo_path).get, zoo_store.Zoo(zoo_path)) if entry.card["name"] == "near"
    )
    newer = ("stem", "in_channels")
    old_card = {name: value for name, value in made.card.items() if name not in newer}
    old_card["recipe"] = {name: value for name, value in made.card["recipe"].items() if name not in newer}
    zoo = zoo_store.Zoo(tmp_path / "zoo")
    old = zoo.add(zoo_store.ZooEntry(made.state, made.sketch, old_card))
    assert old not in zoo_store.Zoo(zoo_path)
    supernet_tl.pretrain(stripes("near", seed=1), zoo, control=quiet, **tiny, **embedding)
    assert list(zoo) == [old]


@pytest.mark.filterwarnings("ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning")
def test_a_lightning_run_takes_the_channels_from_the_data_and_holds_its_image_size_against_the_stem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["supernet-tl"])  # LightningCLI warns of a command line beside its arguments
    recipes = Path(__file__).parents[2] / "recipes" / "search"
    settings = {
        "trainer.max_epochs": 1,
        "trainer.log_every_n_steps": 1,
        "trainer.default_root_dir": tmp_path,
        "model.channels": 2,
        "model.stem": "imagenet",
        "data.batch_size": 8,
        "data.max_search_images": 40,
        "data.image_size": 32,
        "data.in_channels": 1,
    }
    fit = ["fit", f"--config={recipes / 'base.yaml'}", f"--config={recipes / 'tiny.yaml'}"]
    fit += [f"--{name}={value}" for name, value in settings.items()]
    assert main(fit) == 0
    (checkpoint,) = tmp_path.rglob("*.ckpt")
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert state["classifier.stem.0.weight"].shape == (3, 1, 3, 3)
    assert state["classifier.stem.3.weight"].shape == (6, 3, 3, 3)
    assert main([*fit, "--data.image_size=40", f"--trainer.default_root_dir={tmp_path / 'other'}"]) == 1
    assert "image_size is 40; expected a multiple of 16" in capsys.readouterr().err


def test_the_data_module_refuses_a_size_that_its_stem_cannot_take() -> None:
    with pytest.raises(RecipeError, match=r"image_size is 20; .* the imagenet stem"):
        SearchData("pocket:digits", image_size=20, stem="imagenet")
    assert SearchData("pocket:digits", image_size=20, in_channels=1).in_channels == 1
