"""What a run does with the health of its data: it tells, keeps, and changes no number."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import supernet_tl
from supernet_tl import data_health
from supernet_tl.control import Control
from supernet_tl.data import ArrayStore, ImageSet
from supernet_tl.data.health import DataHealth, examine
from supernet_tl.run_folder import RunFolder
from supernet_tl.terminal import health_tables
from supernet_tl.terminal.output import _Output

QUICK: dict[str, Any] = {
    "channels": 2,
    "num_cells": 3,
    "image_size": 8,
    "epochs": 1,
    "finetune_epochs": 1,
    "batch_size": 8,
}
MakeImages = Callable[..., ImageSet]


@pytest.fixture
def conflicting(stripes: MakeImages) -> ImageSet:
    """Stripes, of which one image was put into the next class too."""
    images = stripes("striped")
    pixels = [np.asarray(images.image(index)) for index in range(len(images))]
    return replace(images, labels=np.append(images.labels, 1), store=ArrayStore([*pixels, pixels[0]]))


def test_a_search_keeps_what_was_found_tells_it_and_changes_no_number(
    conflicting: ImageSet, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output, other = tmp_path / "examined", tmp_path / "not"
    examined = supernet_tl.search(conflicting, output=output, control=Control(device="cpu"), **QUICK)
    told = capfd.readouterr().err
    assert "striped: warning: 2 of 49 images have an exact copy in another class" in told
    assert told.count("health.json") == 1

    health = DataHealth.from_dict(json.loads((output / "health.json").read_text()))
    assert health.findings[0].kind == "label_conflict"
    assert json.loads((output / "summary.json").read_text())["health"] == health.brief()
    pictures = load_file(output / "health.safetensors")
    assert pictures["indices"].tolist() == list(health.example_indices)
    assert pictures["images"].shape == (len(health.example_indices), 3, 48, 48)
    assert "<h2>Data health" in (output / "report.html").read_text()

    unexamined = supernet_tl.search(
        conflicting, output=other, control=Control(device="cpu", quiet=True, health=False), **QUICK
    )
    assert unexamined.metrics == examined.metrics
    assert unexamined.summary["health"] is None
    assert not (other / "health.json").exists()
    assert "<h2>Data health" not in (other / "report.html").read_text()


def test_a_pretraining_tells_of_each_source(stripes: MakeImages, tmp_path: Path, quiet: Control) -> None:
    sources = [stripes("near"), stripes("far", seed=3)]
    embedding = {"embedder": "tf_efficientnet_lite0", "embed_size": 32, "sketch_rows": 20}
    settings: dict[str, Any] = {**QUICK, **embedding}
    del settings["finetune_epochs"]
    supernet_tl.pretrain(sources, mixture=True, output=tmp_path, control=quiet, **settings)
    (summary,) = tmp_path.glob("*/summary.json")
    health = json.loads(summary.read_text())["health"]
    assert [source["num_images"] for source in health] == [48, 48]


def test_a_continued_run_does_not_examine_again(
    stripes: MakeImages, tmp_path: Path, quiet: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, run = stripes("striped"), RunFolder(tmp_path, continued=False)
    splits = quiet.split(images, supernet_tl.Recipe())
    first = data_health.examine_target(run, images, splits, quiet, 8)
    calls: list[int] = []

    def count(*args: Any, **options: Any) -> DataHealth:
        calls.append(1)
        return examine(*args, **options)

    monkeypatch.setattr(data_health, "examine", count)
    assert data_health.examine_target(run, images, splits, quiet, 8) == first
    assert not calls
    (tmp_path / "health.json").write_text('{"schema_version": 1}')
    assert data_health.examine_target(run, images, splits, quiet, 8) == first
    assert len(calls) == 1


def test_one_line_tells_that_all_is_well(stripes: MakeImages) -> None:
    images = stripes("striped", per_class=16)
    health = examine(images)
    assert health.findings == ()
    assert health_tables.health_lines(health) == ["data health: 48 images, 3 classes (16 each), nothing to report"]


def test_the_tables_show_classes_findings_and_examples_harmlessly(
    conflicting: ImageSet, capfd: pytest.CaptureFixture[str]
) -> None:
    hostile = replace(conflicting, class_names=("[red]\x1b[31mants", "bees", "gnus"))
    for item in health_tables.health_tables(examine(hostile)):
        _Output(width=200, highlight=False, markup=False).print(item)
    shown = capfd.readouterr().out
    assert "striped: 49 images, 3 classes (16 to 17), 1 warning" in shown
    assert "\x1b" not in shown
    assert "[red]\\x1b[31mants" in shown
    assert "image 0 ([red]\\x1b[31mants) = image 48 (bees)" in " ".join(shown.split())


def test_the_tables_show_several_examples_and_say_when_these_are_not_all(
    stripes: MakeImages, capfd: pytest.CaptureFixture[str]
) -> None:
    # Oracle: by hand. Eight images stand in the next class too, which makes 16 that have a copy; six pairs are shown.
    images = stripes("striped")
    pixels = [np.asarray(images.image(index)) for index in range(len(images))]
    twice = replace(images, labels=np.append(images.labels, [1] * 8), store=ArrayStore([*pixels, *pixels[:8]]))
    for item in health_tables.health_tables(examine(twice)):
        _Output(width=200, highlight=False, markup=False).print(item)
    told = " ".join(capfd.readouterr().out.split())
    assert told.count(" = image ") == 6
    assert "(12 of 16 shown; all of them with --json)" in told


def test_of_many_classes_the_table_shows_both_ends(stripes: MakeImages) -> None:
    table = health_tables.health_tables(examine(stripes("many", num_classes=30, per_class=2, size=8)))[2]
    assert not isinstance(table, str)
    assert table.row_count == 11
    assert "… 20 classes between" in list(table.columns[0].cells)
