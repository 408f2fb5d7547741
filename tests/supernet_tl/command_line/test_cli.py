from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import zoo_store
from supernet_tl.command_line.cli import main
from supernet_tl.command_line.verb_parsers import build_parser
from supernet_tl.data import ImageSet
from tests.supernet_tl.command_line.processes import CommandLine
from tests.supernet_tl.conftest import write_class_folders

TINY = ("--channels", "2", "--num-cells", "3", "--image-size", "8", "--epochs", "1", "--batch-size", "8")
EMBEDDER = ("--embedder", "tf_efficientnet_lite0", "--embed-size", "32", "--sketch-rows", "40")
CPU = ("--device", "cpu")


def write_folder(images: ImageSet, root: Path, *, meta_album: bool = False) -> Path:
    """The image set as a person has it: class folders, or the layout of Meta-Album."""
    if not meta_album:
        return write_class_folders(images, root, ".PNG")
    rows = ["FILE_NAME,CATEGORY,SUPER_CATEGORY"]
    (root / "images").mkdir(parents=True)
    for index, label in enumerate(images.labels):
        images.image(index).save(root / "images" / f"{index:03d}.PNG")
        rows.append(f"{index:03d}.PNG,{images.class_names[label]},")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    (root / "info.json").write_text('{"dataset_name": "' + root.name + '", "has_super_categories": false,}')
    return root


@pytest.fixture
def folder(stripes: Callable[..., ImageSet], tmp_path: Path) -> Path:
    return write_folder(stripes("target", seed=1), tmp_path / "images of mine")


def test_config_files_are_read_in_order_and_the_command_line_wins(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("epochs: 3\nbatch_size: 5\nseed: 1\n")
    (tmp_path / "b.yaml").write_text("epochs: 4\n")
    given = ["--config", f"{tmp_path}/a.yaml", "--config", f"{tmp_path}/b.yaml", "--seed", "9"]
    config = build_parser().parse_args(["search", "--target", "t", "--output", "o", *given]).search
    assert (config.epochs, config.batch_size, config.seed) == (4, 5, 9)


@pytest.mark.parametrize("meta_album", [False, True])
def test_the_whole_chain_on_folders(
    meta_album: bool, stripes: Callable[..., ImageSet], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    near = write_folder(stripes("near", seed=1), tmp_path / "near", meta_album=meta_album)
    far = write_folder(stripes("far", seed=2, num_classes=4), tmp_path / "far", meta_album=meta_album)
    target = write_folder(stripes("target", seed=1, per_class=20), tmp_path / "target", meta_album=meta_album)
    zoo, run = str(tmp_path / "zoo"), str(tmp_path / "run")

    pretrain = ["pretrain", "--source", str(near), "--source", str(far), "--zoo", zoo, "--tag", "a", "--tag", "b c"]
    assert main([*pretrain, *TINY, *EMBEDDER, *CPU]) == 0
    assert main(["zoo", "verify", zoo]) == 0
    capsys.readouterr()
    assert main(["zoo", "list", zoo, "--json"]) == 0
    cards = json.loads(capsys.readouterr().out)
    assert {listed["card"]["name"] for listed in cards.values()} == {"near", "far"}
    assert [listed["card"]["tags"] for listed in cards.values()] == 2 * [["a", "b c"]]
    assert main(["zoo", "show", zoo, "near", "--json"]) == 0
    assert json.loads(capsys.readouterr().out).popitem()[1]["kind"] == "single"

    assert main(["select", "--target", str(target), "--zoo", zoo, "--json", "--quiet", *CPU]) == 0
    ranking = json.loads(capsys.readouterr().out)["ranking"]
    assert [row["name"] for row in ranking] == ["near", "far"]
    capsys.readouterr()
    assert main(["select", "--target", str(near), "--zoo", zoo, "--json", *CPU]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["has_seen_target"] is True
    assert "note: near was pretrained on these very images, test images included" in shown.err

    schedule = ("--epochs", "1", "--finetune-epochs", "1", "--batch-size", "8")
    transfer = ["transfer", "--target", str(target), "--zoo", zoo, "--output", run, "--with-scratch", *schedule, *CPU]
    assert main([*transfer, "--json", "--quiet"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["source"]["name"] == "near"
    assert json.loads((tmp_path / "run" / "scratch" / "summary.json").read_text())["source"] is None
    assert "from scratch" in (tmp_path / "run" / "report.html").read_text()
    assert main(transfer) == 1
    assert "holds a finished transfer" in capsys.readouterr().err

    csv = tmp_path / "predictions.csv"
    predict = ["predict", "--network", f"{run}/network", "--images", str(target), "--output", str(csv), "--json", *CPU]
    assert main(predict) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["predictions"]) == 60
    assert 0 <= found["accuracy"] <= 1
    assert len(csv.read_text().splitlines()) == 61


def test_predictions_of_single_files_and_unlabelled_folders_have_no_accuracy(
    trained: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = next(folder.rglob("*.PNG"))
    assert main(["predict", "--network", str(trained), "--images", str(image), "--json", *CPU]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (len(found["predictions"]), found["accuracy"]) == (1, None)


def test_labels_are_found_however_the_folders_names_are_encoded_and_nested(
    trained: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def labels(images: Path) -> list[str | None]:
        assert main(["predict", "--network", str(trained), "--images", str(images), "--json", *CPU]) == 0
        return [row["label"] for row in json.loads(capsys.readouterr().out)["predictions"]]

    named_like_a_class = tmp_path / "stripe1"
    shutil.copytree(folder, named_like_a_class)
    capsys.readouterr()
    assert labels(named_like_a_class) == [f"stripe{index // 16}" for index in range(48)]
    assert labels(folder / "stripe2") == ["stripe2"] * 16


def test_names_with_brackets_and_bytes_that_are_no_text_are_shown(
    trained: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = next(folder.rglob("*.PNG"))
    odd = tmp_path / "odd[" / "bold]"
    odd.mkdir(parents=True)
    for name in (b"x[red].png", b"caf\xe9.png"):
        (odd / os.fsdecode(name)).write_bytes(image.read_bytes())
    csv = tmp_path / "out.csv"
    assert main(["predict", "--network", str(trained), "--images", str(tmp_path / "odd["), "--output", str(csv)]) == 0
    assert "odd[/bold]/x[red].png" in csv.read_text()
    assert "caf\ufffd.png" in csv.read_text()
    assert main(["predict", "--network", str(trained), "--images", str(tmp_path / "odd["), "--json", *CPU]) == 0
    capsys.readouterr()


@pytest.fixture
def trained(stripes: Callable[..., ImageSet], tmp_path: Path) -> Path:
    root = tmp_path / "trained"
    target = write_folder(stripes("target", seed=1), root / "images")
    arguments = ["search", "--target", str(target), "--output", str(root / "run"), "--finetune-epochs", "1", "--quiet"]
    assert main([*arguments, *TINY, *CPU]) == 0
    return root / "run" / "network"


Damage = Callable[[Path], object]


def _one_class(folder: Path) -> None:
    for other in ("stripe1", "stripe2"):
        shutil.rmtree(folder / other)


def _one_image(folder: Path) -> None:
    for path in sorted((folder / "stripe1").iterdir())[1:]:
        path.unlink()


def _corrupt(folder: Path) -> None:
    (folder / "stripe1" / "017.PNG").write_bytes(b"\x89PNG but no more")


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_empty, ("images of mine", "no")),
        (_one_class, ("too few classes",)),
        (_one_image, ("stripe1", "--drop-small-classes")),
        (_corrupt, ("017.PNG", "--skip-corrupt")),
        (shutil.rmtree, ("images of mine",)),
    ],
)
def test_bad_images_get_a_sentence_and_nothing_is_written(
    damage: Damage, words: tuple[str, ...], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(folder)
    assert main(["search", "--target", str(folder), "--output", str(tmp_path / "run"), *TINY, *CPU]) == 1
    message = capsys.readouterr().err
    assert "Traceback" not in message
    assert all(word in message for word in words), message
    assert not (tmp_path / "run").exists()


def test_images_that_are_skipped_are_counted_in_the_summary(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _corrupt(folder)
    Image.new("P", (9, 9)).save(folder / "stripe0" / "palette.gif")
    Image.new("RGBA", (9, 9)).save(folder / "stripe0" / "clear.png")
    Image.new("L", (9, 9)).save(folder / "stripe0" / "grey.JPG")
    (folder / "stripe0" / ".ipynb_checkpoints").mkdir()
    (folder / "stripe0" / "notes.txt").write_text("stray")
    output = tmp_path / "run"
    arguments = ["search", "--target", str(folder), "--output", str(output), "--finetune-epochs", "0", "--skip-corrupt"]
    assert main([*arguments, *TINY, *CPU]) == 0
    summary = json.loads((output / "summary.json").read_text())
    assert summary["target"]["skipped"] == 1
    assert summary["target"]["num_skipped_images"] == 1
    (skipped,) = summary["target"]["skipped_images"]
    assert skipped["path"] == "stripe1/017.PNG"
    assert skipped["reason"].startswith("a PNG file that is damaged")
    assert summary["target"]["num_images"] == 48 - 1 + 3
    assert summary["target"]["ignored_files"] == 1
    assert summary["target"]["first_ignored_files"] == ["stripe0/notes.txt"]
    assert str(tmp_path) not in json.dumps(summary)


def test_a_missing_zoo_a_damaged_zoo_and_an_unknown_setting_get_a_sentence(
    zoo_path: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def transfer(zoo: Path, *more: str) -> str:
        output = tmp_path / f"run{''.join(more)}"
        arguments = ["transfer", "--target", str(folder), "--zoo", str(zoo), "--output", str(output), *CPU]
        assert main([*arguments, "--epochs", "1", "--quiet", *more]) == 1
        return capsys.readouterr().err

    assert "there is no zoo" in transfer(tmp_path / "none")
    damaged = tmp_path / "damaged"
    shutil.copytree(zoo_path, damaged)
    near = next(entry_id for entry_id, card in zoo_store.Zoo(damaged).cards().items() if card["name"] == "near")
    weights = damaged / near / "supernet.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    assert "supernet.safetensors" in transfer(damaged)
    assert main(["zoo", "verify", str(damaged)]) == 1
    assert near[:12] in capsys.readouterr().out
    assert "its space is 's1', not 's2'" in transfer(zoo_path, "--space", "s2")
    assert "space is 's9'" in transfer(zoo_path, "--space", "s9")
    assert "timm knows no network 'resnet19'" in transfer(zoo_path, "--embedder", "resnet19")


def test_validating_without_weights_is_refused(command_line: CommandLine, tmp_path: Path) -> None:
    given = ("--data.target", "pocket:digits", f"--trainer.default_root_dir={tmp_path}")
    status, output = command_line.run("validate", *given)
    assert status == 1
    assert "a random network has nothing to show; give --ckpt_path" in output


def test_the_search_recipes_run_resume_and_evaluate(command_line: CommandLine, tmp_path: Path) -> None:
    recipes = ("--config", "recipes/search/base.yaml", "--config", "recipes/search/tiny.yaml")
    fast = ("--data.max_search_images", "40", f"--trainer.default_root_dir={tmp_path}")

    def run(verb: str, *more: str) -> str:
        status, output = command_line.run(verb, *recipes, *fast, *more)
        assert status == 0, output[-3000:]
        return output

    run("fit", "--trainer.max_epochs", "1")
    resumed = run("fit", "--ckpt_path", "last")
    (checkpoint,) = tmp_path.rglob("*.ckpt")
    assert f"Restored all states from the checkpoint at {checkpoint}" in resumed
    assert "test_accuracy" in run("test", "--ckpt_path", "last")


def _wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_a_pretraining_stopped_in_the_middle_is_continued_and_the_zoo_stays_valid(
    how: signal.Signals, folder: Path, tmp_path: Path, command_line: CommandLine
) -> None:
    zoo = tmp_path / "zoo"
    settings = ["--channels", "2", "--num-cells", "3", "--image-size", "8", "--epochs", "40", "--batch-size", "8"]
    arguments = ["pretrain", "--source", str(folder), "--zoo", str(zoo), *settings, *EMBEDDER, *CPU]

    def checkpoints() -> list[Path]:
        return list(zoo.glob(".runs/*/checkpoints/search.ckpt"))

    process = command_line.start(*arguments)
    _wait_for(lambda: bool(checkpoints()))
    os.kill(process, how)
    status, log = command_line.wait()
    assert status != 0
    assert checkpoints()
    if how == signal.SIGINT:
        assert "Repeat the same command to continue" in log
    assert not zoo_store.Zoo(zoo).verify()
    assert len(zoo_store.Zoo(zoo)) == 0

    status, log = command_line.run(*arguments)
    assert status == 0
    assert "continuing the unfinished pretraining" in log
    assert "epoch 1/40" not in log
    assert "epoch 40/40" in log
    assert len(zoo_store.Zoo(zoo)) == 1
    assert not zoo_store.Zoo(zoo).verify()


def test_a_full_disk_gets_a_sentence_and_leaves_the_zoo_valid(folder: Path, zoo_path: Path, tmp_path: Path) -> None:
    # A limit on the size of files is the full disk that a test can have without privileges.
    zoo = tmp_path / "zoo"
    shutil.copytree(zoo_path, zoo)
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from supernet_tl.adapters import embedder_for; embedder_for('tf_efficientnet_lite0', 32, 'cpu');"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000));"
        "from supernet_tl.command_line.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["pretrain", "--source", str(folder), "--zoo", str(zoo), *TINY, *EMBEDDER, *CPU]
    found = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert found.returncode == 1, found.stderr
    assert "File too large" in found.stderr
    assert "Traceback" not in found.stderr
    assert zoo_store.Zoo(zoo).verify() == []
    assert len(zoo_store.Zoo(zoo)) == 3


def test_trainers_settings_that_a_search_has_its_own_for_are_refused_all_at_once(
    folder: Path, command_line: CommandLine
) -> None:
    given = ["--trainer.accumulate_grad_batches", "4", "--trainer.gradient_clip_val", "5"]
    given += ["--trainer.use_distributed_sampler", "true"]
    status, output = command_line.run("fit", "--data.target", str(folder), *given)
    assert status == 1
    assert re.search(r"accumulate_grad_batches is 4, but .* with --model\.num_micro_batches", output)
    assert re.search(r"gradient_clip_val is 5(\.0)?, but .* Give --model\.max_gradient_norm instead", output)
    assert re.search(r"use_distributed_sampler is True, but the data shares .* Leave it out", output)
