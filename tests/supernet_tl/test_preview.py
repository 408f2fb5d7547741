from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import darts
from supernet_tl.command_line.cli import main
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.errors import SelectionError, TooLargeError
from supernet_tl.memory import search_bytes
from supernet_tl.preview import preview
from supernet_tl.recipe import Recipe
from supernet_tl.step_times import StepTimes

SMALL: dict[str, Any] = {"channels": 2, "num_cells": 3, "image_size": 8, "batch_size": 8}


def test_steps_are_those_that_a_run_takes(
    stripes: Callable[..., ImageSet], quiet: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StepTimes, "search_step", lambda self, recipe: 2.0)
    monkeypatch.setattr(StepTimes, "final_step", lambda self, recipe, batch: 0.5)
    images = stripes("target", per_class=40)
    settings = {**SMALL, "epochs": 3, "finetune_epochs": 4, "finetune_batch_size": 16}
    (found,) = preview("search", [images], control=quiet, **settings)
    # Oracle: the loaders that a run has.
    data = quiet.prepare(images, Recipe(**settings))
    search_steps = max(len(data.half_loader(half, Recipe(**settings))) for half in ("weight", "architecture"))
    assert [(stage.name, stage.steps) for stage in found.stages] == [
        ("search", 3 * search_steps),
        ("final network", 4 * len(data.train_loader(Recipe(**settings)))),
    ]
    assert found.to_dict()["seconds"] == 3 * search_steps * 2.0 + found.stages[1].steps * 0.5
    assert sum(found.splits.values()) == 120


def test_a_pretraining_makes_no_final_network_and_a_mixture_is_one(
    stripes: Callable[..., ImageSet], quiet: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StepTimes, "search_step", lambda self, recipe: 1.0)
    sources = [stripes("a", seed=1), stripes("b", seed=2)]
    singles = preview("pretrain", sources, control=quiet, **SMALL)
    (mixed,) = preview("pretrain", sources, mixture=True, control=quiet, **SMALL)
    assert [one.name for one in singles] == ["a", "b"]
    assert [[stage.name for stage in one.stages] for one in singles] == [["search"], ["search"]]
    assert (mixed.name, mixed.num_classes) == ("a + b", 6)
    assert mixed.splits["weight"] == sum(one.splits["weight"] for one in singles)


def test_a_transfer_has_the_sizes_of_the_zoo(
    zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Recipe] = []

    def see(times: StepTimes, recipe: Recipe) -> float:
        seen.append(recipe)
        return 1.0

    monkeypatch.setattr(StepTimes, "search_step", see)
    monkeypatch.setattr(StepTimes, "final_step", lambda self, recipe, batch: 1.0)
    (found,) = preview("transfer", [stripes("target")], zoo=str(zoo_path), control=quiet)
    assert (seen[0].channels, seen[0].num_cells, seen[0].image_size) == (2, 3, 8)
    assert found.recipe["channels"] == 2
    with pytest.raises(SelectionError, match=r"none of the zoo's 3 entries fits \{'channels': 16\}"):
        preview("transfer", [stripes("target")], zoo=str(zoo_path), control=quiet, channels=16)


def test_all_that_is_trained_is_counted_and_what_is_not_is_told(
    stripes: Callable[..., ImageSet], quiet: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StepTimes, "search_step", lambda self, recipe: 1.0)
    monkeypatch.setattr(StepTimes, "final_step", lambda self, recipe, batch: 1.0)
    further: dict[str, Any] = {"discretization": "perturbation", "projection_epochs": 2, "finetune_patience": 3}
    (found,) = preview("transfer", [stripes("t")], control=quiet, with_scratch=True, sweep=2, **SMALL, **further)
    names = [stage.name for stage in found.stages]
    own = ["search", "choosing ops", "final network"]
    of_sweep = ["network 1 of the sweep", "network 2 of the sweep"]
    assert names == [*own, *(f"{name}, from scratch" for name in own), *of_sweep]
    assert found.stages[1].epochs == 2 * (darts.num_decisions(darts.S1) - 1)
    assert "training that ends early takes less" in found.notes


def test_what_does_not_fit_is_told_with_the_estimate(
    stripes: Callable[..., ImageSet], quiet: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(times: StepTimes, recipe: Recipe) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(StepTimes, "search_step", too_large)
    with pytest.raises(TooLargeError, match=r"a search step takes about .* \(estimated\). Lower --batch-size"):
        preview("search", [stripes("t")], control=quiet, **SMALL)


def test_the_command_line_says_what_would_be_done_and_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    switches = ["--channels", "2", "--num-cells", "3", "--image-size", "8", "--max-search-images", "64", "--quiet"]
    run = ["search", "--target", "pocket:digits", "--output", str(tmp_path / "run"), "--dry-run", *switches]
    assert main(run) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert re.search(r"digits: weight \d+, architecture \d+, validation 358, test 365, unused", told)
    assert "from steps timed here with images of noise" in told
    zoo = ["pretrain", "--source", "pocket:digits", "--zoo", str(tmp_path / "zoo"), "--dry-run", "--json", *switches]
    assert main(zoo) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["stages"][0]["step_seconds"] > 0
    assert found["memory_bytes"] == search_bytes(Recipe.from_options(found["recipe"]))
    assert list(tmp_path.iterdir()) == []


def test_an_error_is_a_sentence_unless_it_is_to_be_looked_into(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "--target", "no_such_folder", "--output", "o", "--dry-run"]) == 1
    assert capsys.readouterr().err.startswith("error: no_such_folder does not exist")
    with pytest.raises(FileNotFoundError, match="no_such_folder does not exist"):
        main(["search", "--debug", "--target", "no_such_folder", "--output", "o", "--dry-run"])
