"""The zoo that the package ships: small, whole, as good as it says, and enough for a first transfer offline."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch

import darts
import ot_select
import supernet_tl
import zoo_store
from supernet_tl.cards import num_images_of
from supernet_tl.command_line.cli import main
from supernet_tl.control import Control
from supernet_tl.data import ArrayStore, DataCard, ImageSet, Splits, open_image_set
from supernet_tl.errors import StarterZooError
from supernet_tl.pipeline import select
from supernet_tl.prepared_data import evaluation_loader, prepare
from supernet_tl.recipe import PRETRAIN_DEFAULTS, Recipe
from supernet_tl.starter import STARTER_PATH
from supernet_tl.starter.page import page
from supernet_tl.starter.plan import PLAN, SHARED, PlannedEntry
from supernet_tl.zoos import open_zoo
from tests.supernet_tl.conftest import write_class_folders

ALIASES = [planned.alias for planned in PLAN]
STORED_SPLITS = Path(__file__).parents[2] / "fixtures" / "starter_splits_schema1.json"


@pytest.fixture(scope="module")
def starter() -> zoo_store.Zoo:
    return open_zoo("starter")


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of everything in a folder."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


# What is shipped.


def test_it_takes_at_most_12_megabytes_and_holds_entries_and_aliases_alone(starter: zoo_store.Zoo) -> None:
    files = _files(STARTER_PATH)
    assert sum(size for size, _ in files.values()) <= 12_000_000
    assert {Path(name).parts[0] for name in files} == {*starter, "aliases"}


def test_every_byte_is_as_its_id_says(starter: zoo_store.Zoo) -> None:
    assert starter.verify() == []


def test_every_planned_entry_is_there_under_its_alias_and_no_other(starter: zoo_store.Zoo) -> None:
    assert sorted(starter.aliases()) == sorted(ALIASES)
    assert sorted(starter.aliases().values()) == list(starter)


@pytest.mark.parametrize("planned", PLAN, ids=lambda planned: planned.alias)
def test_an_entry_was_pretrained_as_planned(planned: PlannedEntry, starter: zoo_store.Zoo) -> None:
    card = starter.card(planned.alias)
    recipe = Recipe.from_options({**PRETRAIN_DEFAULTS, **SHARED, **planned.settings})
    assert recipe.same_pretraining(card["recipe"])
    assert [f"pocket:{data['name']}" for data in card["data"]] == list(planned.sources)
    assert all(data["licence"] for data in card["data"])


@pytest.mark.parametrize("alias", ALIASES)
def test_an_entry_loads_as_a_supernet_with_a_sketch_of_its_classes(alias: str, starter: zoo_store.Zoo) -> None:
    net, card = supernet_tl.load_supernet("starter", alias), starter.card(alias)
    assert (net.space, net.channels, net.num_cells, net.num_classes) == (darts.S1, 8, 4, len(card["classes"]))
    assert net(torch.zeros(1, 3, 32, 32)).shape == (1, net.num_classes)
    sketch = ot_select.Sketch.from_tensors(starter.sketch(alias))
    assert sorted(sketch.class_names) == sorted(card["classes"])
    assert sketch.num_sampled <= 300


@pytest.mark.parametrize("name", ["digits", "textures", "faces"])
def test_a_supernet_reaches_the_recorded_accuracy_on_the_recorded_test_images(
    name: str, starter: zoo_store.Zoo
) -> None:
    card = starter.card(f"{name}-s1-c8")
    images = open_image_set(f"pocket:{name}")
    # These cards were written when a fingerprint was of the content alone; textures has a test split of its own.
    assert card["data"][0]["fingerprint"] == images.content_fingerprint()
    # The splits that the entry was pretrained with, which were drawn and stored before images went by their content.
    stored = json.loads(STORED_SPLITS.read_text())[name]
    data = prepare(images, Recipe.from_options(card["recipe"]), Splits.from_dict(stored, images))
    assert card["data"][0]["splits"] == data.splits[0].sizes()
    assert num_images_of(card) == len(data.search)
    net = supernet_tl.load_supernet("starter", f"{name}-s1-c8")
    with torch.no_grad():
        hits = torch.cat([net(pixels).argmax(dim=1) == labels for pixels, labels in evaluation_loader(data.test)])
    # other machines round differently: one image may tip over
    assert hits.float().mean().item() == pytest.approx(card["metrics"]["test_accuracy"], abs=1.01 / len(hits))


def test_the_page_is_made_from_the_zoo(starter: zoo_store.Zoo) -> None:
    assert (STARTER_PATH.parent / "README.md").read_text() == page(starter)


# The word, and a zoo that is never written to.


def test_the_word_names_the_packaged_zoo_and_a_folder_of_that_name_is_written_with_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_zoo("starter").path == STARTER_PATH
    for folder in ("./starter", Path("starter"), str(tmp_path / "starter")):
        assert open_zoo(folder).path == tmp_path / "starter"


def test_it_is_never_written_to(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], embedding: dict[str, Any], quiet: Control
) -> None:
    before = _files(STARTER_PATH)
    for zoo in ("starter", STARTER_PATH, zoo_store.Zoo(STARTER_PATH)):
        with pytest.raises(StarterZooError, match=r"is never written to; copy it first: supernet-tl zoo copy starter"):
            supernet_tl.pretrain(stripes("own"), zoo, control=quiet, **tiny, **embedding)
    assert _files(STARTER_PATH) == before


def test_pretraining_into_it_is_refused_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", "--source", "pocket:faces", "--zoo", "starter"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: the starter zoo is part of the installed package")
    assert "supernet-tl zoo copy starter my_zoo/" in error


# What it is for.


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def image_folder(tmp_path: Path, stripes: Callable[..., ImageSet]) -> Path:
    return write_class_folders(stripes("mine", per_class=12), tmp_path / "my_images")


@pytest.mark.usefixtures("no_network")
def test_a_transfer_from_it_takes_images_and_nothing_else(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], starter: zoo_store.Zoo
) -> None:
    before = _files(STARTER_PATH)
    paths = ["--target", str(image_folder), "--output", str(tmp_path / "run")]
    short = ["--epochs", "1", "--finetune-epochs", "1", "--batch-size", "16", "--device", "cpu"]
    assert main(["transfer", "--zoo", "starter", *paths, *short, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["source"]["entry"] in starter
    assert starter.card(summary["source"]["entry"])["kind"] == "single"
    assert summary["recipe"]["embedder"] == "tf_efficientnet_lite0"
    assert (summary["recipe"]["channels"], summary["recipe"]["num_cells"]) == (8, 4)
    assert (tmp_path / "run" / "report.html").is_file()
    assert supernet_tl.load_classifier(tmp_path / "run" / "network").network.num_classes == 3
    assert _files(STARTER_PATH) == before


def _held_out(name: str) -> ImageSet:
    """The test images of a set as a set of their own: no entry has learnt from them."""
    images = open_image_set(f"pocket:{name}")
    assert images.official_test is not None
    rows = np.flatnonzero(images.official_test)
    pixels = images.pixels(32, rows.tolist()).numpy().transpose(0, 2, 3, 1)
    return ImageSet(
        name=f"held-out {name}",
        class_names=images.class_names,
        labels=images.labels[rows],
        store=ArrayStore([np.ascontiguousarray(image) for image in pixels]),
        card=DataCard(f"held-out {name}", "made for a test", "as its origin", "", "test", len(rows), 10, False),
    )


@pytest.mark.parametrize("name", ["glyphs_greek", "photos"])
def test_the_nearest_entry_to_held_out_images_is_of_their_kin(name: str, quiet: Control) -> None:
    # Oracle: what the images are; the fonts of the letters, and the tiles of the photographs, are in no entry.
    found = select(_held_out(name), "starter", control=quiet)
    assert found.ranking.names
    assert found.name.startswith(name.partition("_")[0])
    if name.startswith("glyphs"):
        nearest = [found.cards[entry_id]["name"] for entry_id in found.ranking.names[:3]]
        assert all(name.startswith("glyphs") for name in nearest)


def test_the_mixture_can_be_chosen(quiet: Control, starter: zoo_store.Zoo) -> None:
    found = select(_held_out("photos"), "starter", "mixture", control=quiet)
    assert found.entry_id == starter.resolve("mixture-s1-c8")


def test_a_copy_that_may_only_be_read_serves_as_well(tmp_path: Path, quiet: Control) -> None:
    copy = tmp_path / "zoo"
    shutil.copytree(STARTER_PATH, copy, ignore=shutil.ignore_patterns(".lock"))
    for folder, _, files in os.walk(copy):
        for name in files:
            Path(folder, name).chmod(0o444)
        Path(folder).chmod(0o555)
    try:
        assert zoo_store.Zoo(copy).verify() == []
        net = supernet_tl.load_supernet(copy, "digits-s1-c8")
        assert net.num_classes == 10
        assert not (copy / ".lock").exists()  # also for the superuser, who may write all the same
    finally:
        for folder, _, _ in os.walk(copy):
            Path(folder).chmod(0o755)


def test_a_supernet_for_own_classes_starts_from_an_entry_in_four_lines() -> None:
    source = supernet_tl.load_supernet("starter", "digits-s1-c8")
    net = source.like(num_classes=5)
    report = darts.warm_start(net, source.state_dict())
    logits = net(torch.zeros(2, 3, 32, 32))
    assert report.reinitialised == ("classifier.weight", "classifier.bias")
    assert torch.equal(net.normal_alpha, source.normal_alpha)
    assert logits.shape == (2, 5)
