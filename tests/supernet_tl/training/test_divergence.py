from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import darts
from supernet_tl.adapt import _search_module
from supernet_tl.command_line.cli import main
from supernet_tl.data import ImageSet, ImageTensors
from supernet_tl.errors import DivergedError
from supernet_tl.prepared_data import PreparedData, evaluation_loader, prepare
from supernet_tl.recipe import Recipe
from supernet_tl.training.classification_module import ClassificationModule
from supernet_tl.training.search_module import SearchBatch, SearchModule
from supernet_tl.training.stages import run_stage
from supernet_tl.training.train_module import TrainModule
from tests.supernet_tl.conftest import write_class_folders

TINY: dict[str, Any] = {"channels": 2, "num_cells": 3, "image_size": 8, "epochs": 2, "batch_size": 8}
RECIPE = Recipe(**TINY)


@pytest.fixture(scope="module")
def data(stripes: Callable[..., ImageSet]) -> PreparedData:
    return prepare(stripes("target", per_class=32), RECIPE)


def _run(module: ClassificationModule, loader: Any, data: PreparedData, folder: Path, *, stage: str = "search") -> None:
    run_stage(
        module,
        loader,
        evaluation_loader(data.validation),
        stage=stage,
        num_epochs=RECIPE.epochs,
        folder=folder,
        device="cpu",
        quiet=True,
    )


def _search(data: PreparedData, folder: Path, module: SearchModule | None = None) -> None:
    _run(module or _search_module(data, RECIPE), data.search_loader(RECIPE), data, folder)


def _with_nan_images(data: PreparedData, *splits: str) -> PreparedData:
    """The same data with a deviation that is no number in some splits, so that no normalised image is one either."""
    broken = {}
    for split in splits:
        images: ImageTensors = getattr(data, split)
        nan = torch.full_like(images.std, math.nan)
        broken[split] = ImageTensors(images.images, images.labels, images.source, images.mean, nan)
    return dataclasses.replace(data, **broken)  # type: ignore[arg-type]


@pytest.mark.parametrize("half", ["weight", "architecture"])
def test_images_that_are_no_numbers_stop_the_search_before_either_half_is_stepped_on(
    half: str, data: PreparedData, tmp_path: Path
) -> None:
    broken = _with_nan_images(data, half)
    module = _search_module(broken, RECIPE)
    before = {name: tensor.clone() for name, tensor in module.supernet.named_parameters()}
    sentence = (
        rf"the {half} loss is nan in epoch 1, step 1 of \d+ \(step 1 of the run\), on batch 1 of the {half} half, at "
        r"learning rate 0\.025\. No checkpoint has been written yet\. Lower --weight-lr"
    )
    with pytest.raises(DivergedError, match=sentence):
        _search(broken, tmp_path, module)
    stepped = (
        {"normal_alpha", "reduction_alpha"} if half == "weight" else set()
    )  # alpha's batch is fine and comes first
    for name, parameter in module.supernet.named_parameters():
        assert torch.equal(parameter, before[name]) is (name not in stepped), name
    assert not list(tmp_path.rglob("*.ckpt"))


class _NanInSecondEpoch(SearchModule):
    """Sees images that are no numbers in the second step of the second epoch."""

    def training_step(self, batch: SearchBatch, batch_idx: int) -> None:
        if (self.current_epoch, batch_idx) == (1, 1):
            images, labels = batch["weight"]
            batch = {**batch, "weight": (images * math.nan, labels)}
        super().training_step(batch, batch_idx)


def test_the_last_good_checkpoint_is_named_and_the_search_goes_on_from_it(data: PreparedData, tmp_path: Path) -> None:
    module = _search_module(data, RECIPE)
    module.__class__ = _NanInSecondEpoch
    checkpoint = tmp_path / "checkpoints" / "search.ckpt"
    steps = len(data.weight) // RECIPE.batch_size
    # Oracle: the cosine from 0.025 to 0.001 in the middle of its two epochs.
    sentence = (
        rf"the weight loss is nan in epoch 2, step 2 of {steps} \(step {steps + 2} of the run\), on batch 2 of the "
        rf"weight half, at learning rate 0\.013\. The last checkpoint is {checkpoint}\. .* repeat the command"
    )
    with pytest.raises(DivergedError, match=sentence):
        _search(data, tmp_path, module)
    assert torch.load(checkpoint, weights_only=True)["epoch"] == 0
    resumed = _search_module(data, RECIPE)
    resumed.__class__ = _NanInSecondEpoch
    with pytest.raises(DivergedError, match=rf"epoch 2, step 2 of {steps} \(step {steps + 2} of the run\)"):
        _search(data, tmp_path, resumed)
    _search(data, tmp_path)
    assert torch.load(checkpoint, weights_only=True)["epoch"] == 1


def test_a_rate_that_is_far_too_high_stops_the_search_in_its_first_epoch(data: PreparedData, tmp_path: Path) -> None:
    module = _search_module(data, RECIPE.replace(weight_lr=1e30))
    with pytest.raises(DivergedError, match=r"loss is (nan|inf) in epoch 1, step 2 of .* at learning rate 1e\+30"):
        _search(data, tmp_path, module)
    assert not list(tmp_path.rglob("*.ckpt"))


def test_weights_that_the_last_step_of_an_epoch_ruined_are_not_written(data: PreparedData, tmp_path: Path) -> None:
    class RuinedByItsLastStep(SearchModule):
        def training_step(self, batch: SearchBatch, batch_idx: int) -> None:
            super().training_step(batch, batch_idx)
            if self.trainer.is_last_batch:
                self.supernet.classifier.bias.data.fill_(math.inf)

    module = _search_module(data, RECIPE)
    module.__class__ = RuinedByItsLastStep
    with pytest.raises(DivergedError, match=r"weights or statistics are not finite after epoch 1, step (\d+) of \1 "):
        _search(data, tmp_path, module)
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize("auxiliary", [False, True])
def test_training_the_final_network_stops_on_a_loss_that_is_not_finite(
    auxiliary: bool, data: PreparedData, tmp_path: Path
) -> None:
    cell = tuple(("sep_conv_3x3", source) for _ in range(4) for source in (0, 1))
    network = darts.DiscreteNetwork(darts.Genotype(cell, cell), data.num_classes, 2, 3, auxiliary=auxiliary)
    broken = _with_nan_images(data, "weight", "architecture")
    sentence = (
        r"the training loss is nan in epoch 1, step 1 of .*, on batch 1, at .* Lower --finetune-lr and begin anew"
    )
    with pytest.raises(DivergedError, match=sentence):
        _run(TrainModule(network), broken.train_loader(RECIPE), broken, tmp_path, stage="finetune")
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.fixture
def folder(stripes: Callable[..., ImageSet], tmp_path: Path) -> Path:
    return write_class_folders(stripes("target", per_class=32), tmp_path / "images")


def test_on_the_command_line_a_diverged_search_is_a_sentence_and_exit_status_1(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items()]
    output = tmp_path / "run"
    arguments = ["search", "--target", str(folder), "--output", str(output), *settings, "--weight-lr", "1e30"]
    assert main([*arguments, "--device", "cpu", "--quiet"]) == 1
    assert capsys.readouterr().err.startswith("error: the architecture loss is nan in epoch 1, step 2 of ")
    assert not (output / "summary.json").exists()


@pytest.mark.filterwarnings(
    # What Lightning's command line does with jsonargparse and with arguments given as a list.
    "ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning",
    "ignore:LightningCLI's args parameter",
)
def test_a_plain_lightning_run_that_diverges_is_one_too_and_names_its_checkpoint(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipes = Path(__file__).parents[3] / "recipes" / "search"
    configs = ["--config", str(recipes / "base.yaml"), "--config", str(recipes / "tiny.yaml")]
    (tmp_path / "diverge.yaml").write_text(
        f"trainer:\n  max_epochs: 3\n  default_root_dir: {tmp_path}\n"
        "model:\n"
        # The rate is 0.025 in the first epoch and beyond all measure after it.
        "  weight_scheduler:\n"
        "    class_path: torch.optim.lr_scheduler.ExponentialLR\n"
        "    init_args: {gamma: 1.0e+30}\n"
        f"data:\n  target: {folder}\n  batch_size: 8\n  max_search_images: 64\n"
    )
    assert main(["fit", *configs, "--config", str(tmp_path / "diverge.yaml")]) == 1
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    message = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("error: "))
    assert "loss is nan in epoch 2, step 2 of " in message
    assert f"The last checkpoint is {checkpoint}. Lower --weight-lr (`fit`: --model.weight_optimizer" in message
    assert torch.load(checkpoint, weights_only=True)["epoch"] == 0
