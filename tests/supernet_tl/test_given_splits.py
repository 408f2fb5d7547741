"""Runs with stored splits, few shots and batches even over classes, from the outside."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import balanced_accuracy_score, f1_score

import supernet_tl
import zoo_store
from supernet_tl.command_line.cli import main
from supernet_tl.control import Control
from supernet_tl.data import ImageSet, SplitError, Splits
from supernet_tl.data_module import SearchData
from supernet_tl.errors import RunFolderError
from supernet_tl.training.history import read_csv
from tests.supernet_tl.conftest import write_class_folders

Images = Callable[..., ImageSet]
ONCE: dict[str, Any] = {"epochs": 1, "finetune_epochs": 1}


@pytest.fixture
def folder(stripes: Images, tmp_path: Path) -> Path:
    return write_class_folders(stripes("target", per_class=20), tmp_path / "images")


def _settings(tiny: dict[str, Any], *switches: str) -> list[str]:
    told = {**tiny, **ONCE, "device": "cpu"}
    return [*(f"--{name.replace('_', '-')}={value}" for name, value in told.items()), *switches]


def _test_names(run: Path, folder: Path) -> set[str]:
    """Files of a run's test split, by the keys that its splits.json lists."""
    keys = {key for keys in json.loads((run / "splits.json").read_text())["test"].values() for key in keys}
    files = {hashlib.sha256(path.read_bytes()).hexdigest()[:16]: path.name for path in folder.rglob("*.png")}
    return {files[key] for key in keys if key in files}


def test_a_search_takes_the_splits_of_another_run_though_files_came_and_went_and_says_so(
    folder: Path, tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = ["search", f"--target={folder}"]
    assert main([*search, f"--output={tmp_path / 'first'}", *_settings(tiny)]) == 0
    tested = _test_names(tmp_path / "first", folder)
    gone = next(path for path in sorted(folder.rglob("*.png")) if path.name not in tested)
    gone.unlink()
    for number in range(30):
        pixels = np.random.default_rng(number).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "stripe0" / f"new{number}.png")
    capsys.readouterr()
    again = _settings(tiny, "--seed=7", f"--splits={tmp_path / 'first'}")
    assert main([*search, f"--output={tmp_path / 'second'}", *again]) == 0
    told = capsys.readouterr().err
    assert (
        "images: 59 images stay in the splits they were in, 30 new ones are drawn by their content, 1 are gone" in told
    )
    assert tested <= _test_names(tmp_path / "second", folder)
    stored = (tmp_path / "first" / "splits.json").read_bytes()
    # Oracle: hashlib over the file. Settings name no path, so that the folder may move.
    digest = f"sha256:{hashlib.sha256(stored).hexdigest()}"
    assert json.loads((tmp_path / "second" / "run.json").read_text())["settings"]["recipe"]["splits"] == digest
    assert json.loads((tmp_path / "second" / "summary.json").read_text())["recipe"]["splits"] == digest


def test_a_run_may_take_its_own_splits_when_it_is_replaced(folder: Path, tiny: dict[str, Any], tmp_path: Path) -> None:
    search = ["search", f"--target={folder}", f"--output={tmp_path / 'run'}", *_settings(tiny, "--quiet")]
    assert main(search) == 0
    before = json.loads((tmp_path / "run" / "splits.json").read_text())
    assert main([*search, "--seed=3", f"--splits={tmp_path / 'run'}", "--overwrite"]) == 0
    assert json.loads((tmp_path / "run" / "splits.json").read_text()) == before


def test_another_file_of_splits_is_another_run_and_the_same_one_elsewhere_is_not(
    stripes: Images, tiny: dict[str, Any], quiet: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from supernet_tl import pipeline

    images, settings = stripes("t"), {**tiny, **ONCE, "control": quiet}
    for seed in range(2):
        stored = supernet_tl.data.make_splits(images, seed).to_dict(images)
        (tmp_path / f"{seed}.json").write_text(json.dumps(stored))
    (tmp_path / "moved.json").write_bytes((tmp_path / "0.json").read_bytes())

    def stop(*_: object, **__: object) -> None:
        raise ConnectionError("the machine went away")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "train_final", stop)
        with pytest.raises(ConnectionError, match=r"went away"):
            supernet_tl.search(images, output=tmp_path / "run", splits=str(tmp_path / "0.json"), **settings)
    with pytest.raises(RunFolderError, match=r"other settings \(recipe\.splits: there 'sha256:"):
        supernet_tl.search(images, output=tmp_path / "run", splits=str(tmp_path / "1.json"), **settings)
    result = supernet_tl.search(images, output=tmp_path / "run", splits=str(tmp_path / "moved.json"), **settings)
    stored = json.loads((tmp_path / "run" / "splits.json").read_text())
    assert stored == json.loads((tmp_path / "0.json").read_text())
    assert result.summary["target"]["splits"] == Splits.from_dict(stored, images).sizes()


def test_a_transfer_and_the_scratch_beside_it_take_stored_splits_and_so_does_selection(
    zoo_path: Path, stripes: Images, quiet: Control, tmp_path: Path
) -> None:
    images = stripes("t")
    stored = supernet_tl.data.make_splits(images, 5, shots=4).to_dict(images)
    (tmp_path / "splits.json").write_text(json.dumps(stored))
    given: dict[str, Any] = {"splits": str(tmp_path), "shots": 4, "control": quiet}
    supernet_tl.transfer(images, zoo_path, output=tmp_path / "run", with_scratch=True, batch_size=8, **ONCE, **given)
    for run in (tmp_path / "run", tmp_path / "run" / "scratch"):
        assert json.loads((run / "splits.json").read_text()) == stored
    # Oracle: shots of each of three classes are what is embedded.
    assert supernet_tl.select(images, zoo_path, **given).ranking.rows_compared == 12


def test_pretraining_takes_stored_splits_and_its_entry_is_another_than_without(
    stripes: Images, tiny: dict[str, Any], embedding: dict[str, Any], quiet: Control, tmp_path: Path
) -> None:
    sources = [stripes("near", seed=1), stripes("far", seed=2, num_classes=4)]
    stored = [supernet_tl.data.make_splits(images, 5).to_dict(images) for images in sources]
    (tmp_path / "splits.json").write_text(json.dumps(stored))
    settings = {**tiny, **embedding, "epochs": 1, "control": quiet}
    plain = supernet_tl.pretrain(sources[0], tmp_path / "zoo", **settings)
    made = supernet_tl.pretrain(sources, tmp_path / "zoo", mixture=True, splits=str(tmp_path), **settings)
    single = supernet_tl.pretrain(sources[0], tmp_path / "zoo", splits=str(tmp_path), **settings)
    assert len(zoo_store.Zoo(tmp_path / "zoo")) == 3
    for entry, count in ((made, 2), (single, 1)):
        assert isinstance(entry, zoo_store.ZooEntry)
        assert [data["splits"] for data in entry.card["data"]] == [split["sizes"] for split in stored[:count]]
        assert str(tmp_path) not in json.dumps(dict(entry.card))
    assert isinstance(plain, zoo_store.ZooEntry)
    assert plain.card["recipe"]["splits"] is None
    assert {
        *("validation_accuracy", "validation_balanced_accuracy", "validation_macro_f1"),
        *("test_accuracy", "test_balanced_accuracy", "test_macro_f1"),
    } <= set(plain.card["metrics"])


def test_balanced_accuracy_and_macro_f1_stand_beside_accuracy_everywhere(
    folder: Path, tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sorted((folder / "stripe2").glob("*.png"))[6:]:
        path.unlink()
    switches = _settings(tiny, "--quiet", "--balance=class", "--test-frac=0.4")
    assert main(["search", f"--target={folder}", f"--output={tmp_path / 'run'}", *switches]) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    images = supernet_tl.data.open_image_set(folder)
    splits = Splits.from_dict(json.loads((tmp_path / "run" / "splits.json").read_text()), images)
    # Oracle: scikit-learn on the stored network's own predictions.
    classifier = supernet_tl.load_classifier(tmp_path / "run" / "network")
    predicted = classifier.predict(images.pixels(8, splits.test.tolist())).argmax(dim=-1).numpy()
    labels = images.labels[splits.test]
    assert summary["network"]["test_balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert summary["network"]["test_macro_f1"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    rows = read_csv(tmp_path / "run" / "metrics.csv")
    assert summary["supernet"]["validation_balanced_accuracy"] == rows[0].validation_balanced_accuracy is not None
    assert summary["supernet"]["validation_macro_f1"] == rows[0].validation_macro_f1 is not None
    shown = capsys.readouterr().out
    assert "balanced test" in shown
    assert f"{summary['network']['test_macro_f1']:.4f}" in shown
    page = (tmp_path / "run" / "report.html").read_text()
    assert "balanced accuracy, mean over classes (test)" in page
    assert "macro-F1 (validation)" in page


def test_shots_bound_what_is_trained_on_and_classes_with_fewer_are_said(
    folder: Path, tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sorted((folder / "stripe2").glob("*.png"))[5:]:
        path.unlink()
    search = ["search", f"--target={folder}", f"--output={tmp_path / 'run'}", *_settings(tiny, "--shots=4")]
    assert main(search) == 0
    # Oracle: the run's own file; which of the five are searched with follows from the bytes that Pillow writes.
    stored = json.loads((tmp_path / "run" / "splits.json").read_text())
    count = {name: len(stored["weight"][name]) + len(stored["architecture"][name]) for name in stored["class_names"]}
    assert count["stripe0"] == count["stripe1"] == 4
    assert 2 <= count["stripe2"] <= 3
    told = f"images: 1 class has fewer than 4 different images to search with: 'stripe2' ({count['stripe2']})"
    assert told in capsys.readouterr().err
    sizes = json.loads((tmp_path / "run" / "summary.json").read_text())["target"]["splits"]
    assert sizes["weight"] + sizes["architecture"] == sum(count.values())


def test_a_run_is_recognised_by_what_its_table_of_the_past_says(
    zoo_path: Path, stripes: Images, quiet: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from supernet_tl import pipeline

    def stop(*_: object, **__: object) -> None:
        raise ConnectionError("the machine went away")

    past = [tmp_path / "past.json", tmp_path / "moved.json"]
    for path in past:
        path.write_text('{"near": 0.5}')
    settings: dict[str, Any] = {**ONCE, "batch_size": 8, "output": tmp_path / "run", "control": quiet}
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "search_supernet", stop)
        with pytest.raises(ConnectionError, match=r"went away"):
            supernet_tl.transfer(stripes("t"), zoo_path, "fixed-best", past_accuracies=str(past[0]), **settings)
        with pytest.raises(ConnectionError, match=r"went away"):
            supernet_tl.transfer(stripes("t"), zoo_path, "fixed-best", past_accuracies=str(past[1]), **settings)
        past[0].write_text('{"near": 0.6}')
        with pytest.raises(RunFolderError, match=r"recipe\.past_accuracies: there 'sha256:"):
            supernet_tl.transfer(stripes("t"), zoo_path, "fixed-best", past_accuracies=str(past[0]), **settings)


def test_the_data_module_takes_stored_splits_shots_and_balance(folder: Path, tmp_path: Path) -> None:
    images = supernet_tl.data.open_image_set(folder)
    stored = supernet_tl.data.make_splits(images, 4).to_dict(images)
    (tmp_path / "splits.json").write_text(json.dumps(stored))
    given = SearchData(str(folder), image_size=8, batch_size=6, splits=str(tmp_path), shots=4, balance="class")
    assert given.data.splits[0].test.tolist() == Splits.from_dict(stored, images).test.tolist()
    assert np.bincount(images.labels[given.data.splits[0].search]).tolist() == [4, 4, 4]
    for batch, _, _ in given.train_dataloader():
        assert batch["weight"][1].bincount().tolist() == [2, 2, 2]
    assert given.origin()["data.shots"] == 4
    assert given.origin()["data.splits"].startswith("sha256:")
    with pytest.raises(SplitError, match=r"cannot be read as --splits \(No such file or directory\)"):
        SearchData(str(folder), splits=str(tmp_path / "missing.json"))
