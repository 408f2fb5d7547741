from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from supernet_tl.command_line.cli import main
from supernet_tl.data import ImageSet
from tests.supernet_tl.conftest import write_class_folders

EMBEDDER = ("--embedder", "tf_efficientnet_lite0", "--embed-size", "32")
CPU = ("--device", "cpu", "--quiet")


@pytest.fixture
def folders(stripes: Callable[..., ImageSet], tmp_path: Path) -> list[str]:
    made = []
    for name, seed, num_classes, per_class in (("near [1]", 1, 3, 6), ("target", 1, 3, 8), ("far", 2, 4, 6)):
        images = stripes(name, seed=seed, num_classes=num_classes, per_class=per_class)
        made.append(str(write_class_folders(images, tmp_path / name)))
    return made


def test_two_folders_are_compared_and_their_classes_told(
    folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["distance", folders[0], folders[2], "--output", str(tmp_path / "out"), *EMBEDDER, *CPU]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "otdd, 18 rows each, mean of 3 draws" in shown
    assert re.search(r"near \[1\] +far +\d+\.\d\d +± \d+\.\d\d +\d+\.\d\d +yes", shown)
    assert re.search(r"stripe2 +stripe\d +\d+\.\d\d +stripe\d +\d+\.\d%", shown)
    assert str(tmp_path / "out" / "distance.html") in shown
    assert main(arguments) == 1
    assert "holds a finished distance; nothing was changed" in capsys.readouterr().err
    assert main([*arguments, "--overwrite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "out" / "distance.json").read_text())


def test_classes_without_a_row_in_the_first_draw_are_counted(
    folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["distance", folders[0], folders[2], "--rows", "3", *EMBEDDER, *CPU]) == 0
    shown = capsys.readouterr().out
    assert "classes: of the first draw" in shown
    assert "1 of 4 classes of far have no row in that draw and are left out; give more --rows" in shown


def test_several_folders_are_compared_pair_by_pair_nearest_first(
    folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["distance", *folders, "--rows", "10", "--draws", "2", "--seed", "5", *EMBEDDER, *CPU]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    lines = [line.split() for line in shown.splitlines() if line.rstrip().endswith("yes")]
    assert lines[0][:3] == ["near", "[1]", "target"]
    assert len(lines) == 3
    assert main([*arguments, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["rows"], values["num_draws"], values["seed"]) == (10, 2, 5)
    assert sorted(pair["distance"] for pair in values["pairs"]) == pytest.approx(
        [float(line[-5]) for line in lines], abs=0.006
    )


def test_of_many_datasets_the_terminal_shows_the_nearest_of_each(
    folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    many = [*folders[:2] * 5, folders[2]]
    assert main(["distance", *many, "--rows", "4", "--draws", "1", "--distance", "bures", *EMBEDDER, *CPU]) == 0
    shown = capsys.readouterr().out
    assert "the nearest of each" in shown
    assert "all 55 pairs: give --output DIR, or --json" in shown
    assert 6 <= sum(line.rstrip().endswith("yes") for line in shown.splitlines()) <= 11


def test_an_embedding_is_written_shown_and_compared(
    folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "near.safetensors")
    assert main(["embed", folders[0], "--output", path, *EMBEDDER, *CPU]) == 0
    shown = capsys.readouterr().out
    expected = "18 images of near [1] in 3 classes, 1280 features each by tf_efficientnet_lite0 at 32 pixels"
    assert shown.strip() == f"{expected}: {path}"
    assert main(["embed", folders[0], "--output", path, *EMBEDDER, *CPU]) == 1
    assert "exists already; nothing was changed" in capsys.readouterr().err
    assert (
        main(["embed", folders[0], "--output", path, "--overwrite", "--part", "test", "--json", *EMBEDDER, *CPU]) == 0
    )
    values = json.loads(capsys.readouterr().out)
    assert (values["part"], values["num_classes"], values["output"]) == ("test", 3, path)
    assert main(["distance", path, folders[2], "--json", *CPU]) == 0
    values = json.loads(capsys.readouterr().out)
    assert [dataset["kind"] for dataset in values["datasets"]] == ["embedding", "images"]


def test_classes_that_are_not_split_may_have_one_image_and_skipped_ones_are_named(
    folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for image in sorted((tmp_path / "far" / "stripe1").iterdir())[1:]:
        image.unlink()
    (tmp_path / "far" / "stripe0" / "bad.png").write_bytes(b"no image")
    loud = ("--device", "cpu", "--skip-corrupt", *EMBEDDER)
    assert main(["distance", folders[0], folders[2], *loud]) == 0
    path = str(tmp_path / "far.safetensors")
    assert main(["embed", folders[2], "--output", path, *loud]) == 0
    said = capsys.readouterr().err
    assert "far: 1 unreadable images skipped, the first" in said
    assert "ImageProblem" not in said
    assert main(["embed", folders[2], "--output", path, "--overwrite", "--part", "test", *loud]) == 1
    assert "1 of 4 classes with fewer than 4 images" in capsys.readouterr().err


def test_a_zoo_alone_stands_for_all_its_entries(zoo_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["distance", "--zoo", str(zoo_path), "--json", *CPU]) == 0
    assert len(json.loads(capsys.readouterr().out)["pairs"]) == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["distance"], "0 dataset(s) were named; expected at least two"),
        (["distance", "pocket:digits", "nowhere"], "nowhere does not exist"),
        (["distance", "a", "b", "--distance", "ottd"], "There is no distance 'ottd'"),
        (["distance", "a", "b", "--rows", "0"], "--rows is 0; expected"),
        (["distance", "a", "b", "--draws", "0"], "--draws is 0; expected"),
        (["embed", "nowhere", "--output", "x.safetensors"], "nowhere does not exist"),
        (["embed", "nowhere", "--output", "x.npy"], "expected a name that ends in .safetensors"),
    ],
)
def test_what_cannot_be_gets_a_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, *CPU]) == 1
    message = capsys.readouterr().err
    assert sentence in message
    assert "Traceback" not in message
