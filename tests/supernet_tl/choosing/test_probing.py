from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import supernet_tl
import zoo_store
from supernet_tl import adapt
from supernet_tl.choosing import probing
from supernet_tl.command_line.cli import main
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.report.run_reader import read_run
from supernet_tl.training import stages as stages_module
from tests.supernet_tl.conftest import write_class_folders

SCHEDULE: dict[str, Any] = {"epochs": 1, "finetune_epochs": 0, "batch_size": 8}
PROBES: dict[str, Any] = {"select": "probe", "probe_candidates": 2, "probe_epochs": 2}


class _Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def probed(zoo_path: Path, stripes: Callable[..., ImageSet], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transfer that probed both single sources and scratch."""
    output, control = tmp_path_factory.mktemp("probed") / "run", Control(device="cpu", quiet=True)
    supernet_tl.transfer(stripes("t", seed=1), zoo_path, output=output, control=control, **SCHEDULE, **PROBES)
    return output


def _read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_every_probe_is_what_a_search_of_as_many_epochs_reaches_and_the_best_goes_on(
    probed: Path, zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control
) -> None:
    summary, target = _read(probed / "summary.json"), stripes("t", seed=1)
    settings: dict[str, Any] = {**SCHEDULE, "epochs": 2, "control": quiet}
    network: dict[str, Any] = {"channels": 2, "num_cells": 3, "image_size": 8}
    # Oracle: the same starts by the public verbs, with the same seed, hence the same splits and batches
    expected = {
        "near": supernet_tl.transfer(target, zoo_path, "near", **settings).metrics["supernet_validation_accuracy"],
        "far": supernet_tl.transfer(target, zoo_path, "far", **settings).metrics["supernet_validation_accuracy"],
        "scratch": supernet_tl.search(target, **settings, **network).metrics["supernet_validation_accuracy"],
    }
    told = {probe["name"]: probe["accuracy"] for probe in summary["selection"]["probes"]}
    assert told == expected
    best = max(expected.values())
    winner = next(name for name in expected if expected[name] == best)
    assert summary["selection"]["name"] == winner
    assert (summary["source"] or {"name": "scratch"})["name"] == winner


def test_the_outcome_stands_in_ranking_summary_seconds_and_report(probed: Path) -> None:
    ranking, summary = _read(probed / "ranking.json"), _read(probed / "summary.json")
    assert ranking["probes"] == summary["selection"]["probes"]
    assert [probe["name"] for probe in ranking["probes"]] == ["near", "far", "scratch"]
    outcomes = [_read(path) for path in (probed / "probes").glob("*/probe.json")]
    # Oracle: the sum of what every probe noted
    assert summary["seconds"]["probe"] == pytest.approx(sum(outcome["seconds"] for outcome in outcomes))
    assert summary["seconds"]["selection"] >= 0
    record = read_run(probed)
    assert record.ranking is not None
    assert [(probe.name, probe.accuracy) for probe in record.ranking.probes] == [
        (probe["name"], probe["accuracy"]) for probe in ranking["probes"]
    ]
    assert sum(probe.chosen for probe in record.ranking.probes) == 1
    page = (probed / "report.html").read_text()
    assert 'class="probes"' in page
    assert "probed beside scratch, by a search of 2 epochs from each" in page


def test_a_stopped_transfer_does_not_repeat_finished_probes(
    probed: Path,
    zoo_path: Path,
    stripes: Callable[..., ImageSet],
    quiet: Control,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments: dict[str, Any] = {"output": tmp_path / "run", "control": quiet, **SCHEDULE, **PROBES}
    real = adapt.search_supernet

    def stop_at_scratch(run: Any, *rest: Any, **options: Any) -> Any:
        if run.path.name == "scratch":
            raise _Stopped
        return real(run, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(probing, "search_supernet", stop_at_scratch)
        with pytest.raises(_Stopped):
            supernet_tl.transfer(stripes("t", seed=1), zoo_path, **arguments)
    assert not (tmp_path / "run" / "ranking.json").exists()

    trained: list[str] = []
    real_stage = stages_module.run_stage

    def noted(*args: Any, **kwargs: Any) -> Any:
        trained.append(kwargs["folder"].name)
        return real_stage(*args, **kwargs)

    monkeypatch.setattr(adapt, "run_stage", noted)
    resumed = supernet_tl.transfer(stripes("t", seed=1), zoo_path, **arguments)
    assert trained == ["scratch", "run"]
    assert resumed.summary["selection"] == _read(probed / "summary.json")["selection"]
    outcomes = [_read(path) for path in (tmp_path / "run" / "probes").glob("*/probe.json")]
    assert resumed.summary["seconds"]["probe"] == pytest.approx(sum(outcome["seconds"] for outcome in outcomes))


@pytest.fixture
def harmful_zoo(zoo_path: Path, tmp_path: Path) -> Path:
    """A zoo whose only source has weights from which every search diverges."""
    path = tmp_path / "harmful"
    zoo = zoo_store.Zoo(path)
    whole = zoo_store.Zoo(zoo_path)
    near = whole.get(next(entry_id for entry_id, card in whole.cards().items() if card["name"] == "near"))
    state = {
        name: tensor * 1e30 if tensor.is_floating_point() and "alpha" not in name else tensor
        for name, tensor in near.state.items()
    }
    zoo.add(zoo_store.ZooEntry(state, near.sketch, near.card))
    return path


def test_where_no_source_helps_the_run_goes_on_from_scratch_and_says_so_everywhere(
    harmful_zoo: Path, stripes: Callable[..., ImageSet], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    control = Control(device="cpu")
    result = supernet_tl.transfer(
        stripes("t", seed=1), harmful_zoo, output=output, control=control, with_scratch=True, **SCHEDULE, **PROBES
    )
    said = capsys.readouterr().err
    assert "probe of near, 2 epochs: diverged" in said
    assert "starting from scratch: no probed source did better on validation than scratch" in said
    assert "this run is from scratch itself" in said
    assert not (output / "scratch").exists()
    assert (result.summary["verb"], result.summary["source"], result.summary["warm_start"]) == ("transfer", None, None)
    selection = result.summary["selection"]
    assert (selection["chosen"], selection["name"]) == (None, "scratch")
    assert [probe["accuracy"] is None for probe in selection["probes"]] == [True, False]
    assert result.summary["recipe"]["channels"] == 2  # as the nearest source has it
    page = (output / "report.html").read_text()
    assert "t: searched from scratch, because no probed source did better" in page
    assert "Why no source" in page
    # Oracle: a search from scratch with the same seed and settings
    network: dict[str, Any] = {"channels": 2, "num_cells": 3, "image_size": 8}
    quiet = Control(device="cpu", quiet=True)
    plain = supernet_tl.search(stripes("t", seed=1), control=quiet, **SCHEDULE, **network)
    assert result.metrics == plain.metrics


def test_a_run_from_scratch_by_choice_is_continued_as_one(
    harmful_zoo: Path,
    stripes: Callable[..., ImageSet],
    quiet: Control,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from supernet_tl import pipeline

    retrain = {"final": "retrain", "finetune_epochs": 1, "retrain_channels": 2, "retrain_num_cells": 3}
    arguments: dict[str, Any] = {"output": tmp_path / "run", "control": quiet, **SCHEDULE, **PROBES, **retrain}

    def stop(*_: object) -> None:
        raise _Stopped

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "train_final", stop)
        with pytest.raises(_Stopped):
            supernet_tl.transfer(stripes("t", seed=1), harmful_zoo, **arguments)
    shutil.rmtree(tmp_path / "run" / "probes")  # not needed any more
    result = supernet_tl.transfer(stripes("t", seed=1), harmful_zoo, **arguments)
    assert result.selection is not None
    assert result.selection.entry_id is None
    assert result.summary["source"] is None
    assert result.summary["seconds"]["probe"] > 0


def test_select_says_what_would_be_probed_and_trains_nothing(
    zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("select trained")

    monkeypatch.setattr(adapt, "run_stage", refuse)
    found = supernet_tl.select(stripes("t", seed=1), zoo_path, "probe", control=quiet, probe_candidates=1)
    values = found.to_dict()
    assert (values["chosen"], values["decided"]) == (None, False)
    assert [(probe["name"], probe["accuracy"]) for probe in values["probes"]] == [("near", None), ("scratch", None)]
    assert not any(row["chosen"] for row in values["ranking"])
    assert str(found).startswith("not decided: a transfer would search for 3 epochs from each of near and from scratch")


def test_the_command_line_shows_the_probes(
    zoo_path: Path, tmp_path: Path, stripes: Callable[..., ImageSet], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_class_folders(stripes("t", seed=1), tmp_path / "t")
    given = ["--target", str(folder), "--zoo", str(zoo_path), "--select", "probe", "--device", "cpu", "--quiet"]
    probes = ["--probe-candidates", "1", "--probe-epochs", "1"]
    assert main(["select", *given, *probes]) == 0
    shown = capsys.readouterr().out
    assert "not decided: a transfer would search for 1 epoch from each of near and from scratch" in shown
    schedule = ["--epochs", "1", "--finetune-epochs", "0", "--batch-size", "8"]
    assert main(["transfer", *given, *probes, *schedule, "--output", str(tmp_path / "run")]) == 0
    shown = capsys.readouterr().out
    validation = _read(tmp_path / "run" / "summary.json")["target"]["splits"]["validation"]
    assert "1 epoch from each" in shown
    assert f"accuracies of the probes: on {validation} validation images" in shown
    assert f"(accuracies on {validation} validation images)" in _read(tmp_path / "run" / "ranking.json")["reason"]
    accuracies = {probe["name"]: probe["accuracy"] for probe in _read(tmp_path / "run" / "ranking.json")["probes"]}
    for name, accuracy in accuracies.items():
        assert any(name in line and f"{accuracy:.4f}" in line for line in shown.splitlines())
