from __future__ import annotations

import os
import random
import shutil
import signal
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

import darts
from supernet_tl.adapt import _search_module, search_supernet
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.errors import CheckpointError
from supernet_tl.prepared_data import evaluation_loader, prepare
from supernet_tl.recipe import Recipe
from supernet_tl.run_folder import RunFolder
from supernet_tl.training.checkpoints import read_checkpoint
from supernet_tl.training.search_module import SearchModule
from supernet_tl.training.stages import run_stage
from tests.supernet_tl.command_line.processes import CommandLine

ROOT = Path(__file__).parents[3]
RECIPES = ("--config", "recipes/search/base.yaml", "--config", "recipes/search/tiny.yaml")
QUICK = (
    *("--model.channels=2", "--data.max_search_images=40", "--data.batch_size=6"),
    "--trainer.enable_model_summary=false",
)
AUGMENTED = ("--model.augmentation.crop_padding=1", "--model.augmentation.flip=true")
NUM_EPOCHS = 6

HINTS = get_type_hints(SearchModule.__init__)
SEARCHES = [
    # (space, perturbation, order); s4 draws noise in every forward pass
    search
    for search in (
        ("s1", "none", "first"),
        ("s4", "random", "first"),
        ("s4", "adversarial", "first"),
        ("s1", "random", "unrolled"),
    )
    if search[1] in get_args(HINTS["perturbation"]) and search[2] in (*get_args(HINTS.get("order")), "first")
]


@pytest.fixture(scope="module")
def finished(command_line: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole run of two epochs."""
    folder = tmp_path_factory.mktemp("finished")
    status, output = command_line.run("fit", *RECIPES, *QUICK, f"--trainer.default_root_dir={folder}")
    assert status == 0, output
    return folder


def last(folder: Path) -> Path:
    return folder / "checkpoints" / "last.ckpt"


def stored(folder: Path) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(last(folder), weights_only=True)
    return checkpoint


def wait_for_epoch(folder: Path, number: int) -> float:
    """Wait until a run has saved this many epochs; give the seconds the last of them took."""
    saved: list[int] = []
    moments: list[float] = []
    deadline = time.monotonic() + 120
    while len(saved) < number:
        assert time.monotonic() < deadline
        if last(folder).exists() and (stamp := last(folder).stat().st_mtime_ns) not in saved:
            saved.append(stamp)
            moments.append(time.monotonic())
        time.sleep(0.002)
    return moments[-1] - moments[-2]


def differences(found: Any, expected: Any, where: str = "") -> list[str]:
    """Where two nests of dicts and lists differ; numbers and tensors bit for bit."""
    if isinstance(expected, torch.Tensor):
        same = isinstance(found, torch.Tensor) and found.dtype == expected.dtype and torch.equal(found, expected)
        return [] if same else [where]
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        return [text for key in expected for text in differences(found[key], expected[key], f"{where}/{key}")]
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple) and len(expected) == len(found):
        return [
            text
            for at, pair in enumerate(zip(found, expected, strict=True))
            for text in differences(*pair, f"{where}/{at}")
        ]
    return [] if type(found) is type(expected) and found == expected else [where]


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """What TensorBoard shows of a run: values by name and step."""
    events = EventAccumulator(str(folder / "logs" / "fit")).Reload()
    return {name: {event.step: event.value for event in events.Scalars(name)} for name in events.Tags()["scalars"]}


@pytest.mark.parametrize(("space", "perturbation", "order"), SEARCHES, ids=map("-".join, SEARCHES))
def test_a_run_killed_in_an_epoch_and_continued_ends_as_one_that_was_not_killed_bit_for_bit(
    space: str, perturbation: str, order: str, command_line: CommandLine, tmp_path: Path
) -> None:
    # Oracle: the same command in a process that nobody kills.
    chosen = [f"--model.space={space}", f"--model.perturbation={perturbation}"]
    chosen += [f"--model.order={order}"] if "order" in HINTS else []
    command = ["fit", *RECIPES, *QUICK, *AUGMENTED, *chosen, f"--trainer.max_epochs={NUM_EPOCHS}"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    status, output = command_line.run(*command, f"--trainer.default_root_dir={whole}")
    assert status == 0, output

    process = command_line.start(*command, f"--trainer.default_root_dir={killed}")
    epoch_seconds = wait_for_epoch(killed, 2)
    time.sleep(random.uniform(0, 0.8 * epoch_seconds))
    os.kill(process, signal.SIGKILL)
    assert command_line.wait()[0] == -signal.SIGKILL
    assert 2 <= stored(killed)["epoch"] + 1 < NUM_EPOCHS

    status, output = command_line.run(*command, f"--trainer.default_root_dir={killed}", "--ckpt_path=last")
    assert status == 0, output
    found, expected = stored(killed), stored(whole)
    assert found["epoch"] + 1 == NUM_EPOCHS
    assert not differences(found, expected)
    alphas = ("classifier.normal_alpha", "classifier.reduction_alpha")
    genotypes = [
        darts.discretize(darts.SPACES[space], *(checkpoint["state_dict"][name] for name in alphas))
        for checkpoint in (found, expected)
    ]
    assert genotypes[0] == genotypes[1]
    shown, expected_shown = scalars(killed), scalars(whole)
    assert {"train_loss", "arch_loss", "train_accuracy", "validation_loss", "validation_accuracy"} <= shown.keys()
    assert shown == expected_shown


def test_a_longer_run_goes_on_from_a_finished_one_and_a_half_written_checkpoint_beside_it_does_no_harm(
    finished: Path, command_line: CommandLine, tmp_path: Path
) -> None:
    folder = shutil.copytree(finished, tmp_path / "run")
    half_written = last(folder).with_name("last.ckpt.tmp")
    half_written.write_bytes(last(folder).read_bytes()[:5000])
    longer = [*RECIPES, *QUICK, f"--trainer.default_root_dir={folder}", "--ckpt_path=last", "--trainer.max_epochs=3"]
    status, output = command_line.run("fit", *longer)
    assert status == 0, output
    assert (stored(finished)["epoch"] + 1, stored(folder)["epoch"] + 1) == (2, 3)
    assert [path.name for path in last(folder).parent.iterdir()] == ["last.ckpt"]


def _cut(checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1000])


def _change_a_number(checkpoint: Path) -> None:
    with zipfile.ZipFile(checkpoint) as archive:
        largest = max(archive.infolist(), key=lambda record: record.file_size)
        numbers = archive.read(largest)
    content = bytearray(checkpoint.read_bytes())
    content[content.index(numbers)] ^= 1
    checkpoint.write_bytes(content)


def _foreign(checkpoint: Path) -> None:
    torch.save({"state_dict": {}}, checkpoint)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (Path.unlink, r"there is no checkpoint .*last\.ckpt; .* Give the folder or the file of the run to go on with"),
        (_cut, r"last\.ckpt is damaged \(File is not a zip file\); .* Go on from another copy"),
        (_change_a_number, r"last\.ckpt is damaged \(archive/\S+ has other bytes than were written\)"),
        (lambda path: path.write_bytes(b""), r"is damaged \(File is not a zip file\)"),
        (
            _foreign,
            r"last\.ckpt does not say what it was made with; expected one that this version of supernet-tl wrote",
        ),
    ],
)
def test_a_file_that_is_no_whole_checkpoint_is_refused(
    damage: Callable[[Path], object], sentence: str, finished: Path, tmp_path: Path
) -> None:
    checkpoint = Path(shutil.copy(last(finished), tmp_path))
    assert read_checkpoint(checkpoint)["epoch"] == 1
    damage(checkpoint)
    with pytest.raises(CheckpointError, match=sentence):
        read_checkpoint(checkpoint)


@pytest.mark.parametrize(
    ("verb", "arguments", "sentence"),
    [
        (
            "fit",
            (),
            "is the checkpoint of a run; a new one would write over it. Go on with that run (--ckpt_path last)",
        ),
        ("test", ("--ckpt_path=last", "--data.seed=1"), "was made with data.seed=0; this run has data.seed=1."),
        ("validate", ("--ckpt_path=last", "--model.seed=1"), "was made with seed=0; this run has seed=1."),
        ("fit", ("--ckpt_path=last", "--trainer.max_epochs=1"), "has 2 epochs behind it, and trainer.max_epochs is 1"),
    ],
)
def test_a_run_that_does_not_fit_its_folder_gets_a_sentence_and_nothing_is_changed(
    verb: str, arguments: tuple[str, ...], sentence: str, finished: Path, command_line: CommandLine
) -> None:
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    status, output = command_line.run(verb, *RECIPES, *QUICK, f"--trainer.default_root_dir={finished}", *arguments)
    assert status == 1, output
    assert sentence in output
    assert "Traceback" not in output
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("other", "there", "here"),
    [
        ({"seed": 3}, "seed=3", "seed=0"),
        ({"space": "s2"}, "space='s2'", "space='s1'"),
        ({"channels": 4, "num_cells": 4}, "channels=4, num_cells=4", "channels=2, num_cells=3"),
        ({"num_classes": 7}, "num_classes=7", "num_classes=5"),
    ],
)
def test_a_checkpoint_says_what_it_was_made_with_and_is_refused_by_another_search(
    other: dict[str, Any], there: str, here: str
) -> None:
    own: dict[str, Any] = {"num_classes": 5, "channels": 2, "num_cells": 3}
    checkpoint: dict[str, Any] = {}
    SearchModule(**{**own, **other}).on_save_checkpoint(checkpoint)
    SearchModule(**{**own, **other}).on_load_checkpoint(checkpoint)
    with pytest.raises(CheckpointError, match=f"the checkpoint was made with {there}; this run has {here}. Go on with"):
        SearchModule(**own).on_load_checkpoint(checkpoint)


def test_a_verb_refuses_a_checkpoint_of_another_space_in_its_folder(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], quiet: Control, tmp_path: Path
) -> None:
    recipe = Recipe(**tiny)
    data = prepare(stripes("target"), recipe)
    batches = data.search_loader(recipe), evaluation_loader(data.validation)
    foreign = _search_module(data, Recipe(**tiny, space="s2"))
    run_stage(foreign, *batches, stage="search", num_epochs=1, folder=tmp_path, device="cpu", quiet=True)
    with pytest.raises(
        CheckpointError, match=r"search\.ckpt was made with space='s2'; this run has space='s1'\. Go on with"
    ):
        search_supernet(RunFolder(tmp_path, continued=True), data, recipe, quiet)
