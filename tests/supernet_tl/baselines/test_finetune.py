from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

import ot_select
from supernet_tl.baselines import FinetunedBaseline, finetune_pretrained
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.errors import BaselineError, CheckpointError
from supernet_tl.prepared_data import PreparedData, mix, prepare
from supernet_tl.recipe import Recipe

RECIPE = Recipe(image_size=16, batch_size=8)
FEW = 20_000
"""Parameters: a few blocks of tf_efficientnet_lite0."""


@pytest.fixture(scope="module")
def data(stripes: Callable[..., ImageSet]) -> PreparedData:
    return prepare(stripes("target"), RECIPE)


def _state(baseline: FinetunedBaseline) -> dict[str, torch.Tensor]:
    return dict(baseline.classifier.state_dict())


@pytest.mark.parametrize("name", ["digits", "photos"])
def test_it_learns_a_pocket_set_within_two_epochs(name: str, quiet: Control, tmp_path: Path) -> None:
    recipe = Recipe(image_size=32, max_search_images=200, batch_size=8)
    data = quiet.prepare(quiet.open(f"pocket:{name}"), recipe)
    data = replace(data, validation=data.validation.take(torch.arange(min(100, len(data.validation)))))
    found = finetune_pretrained(tmp_path, data, recipe, quiet, max_parameters=60_000, epochs=2)
    assert found.num_parameters <= 60_000
    accuracy = found.rows[-1].validation_accuracy
    assert accuracy is not None
    assert accuracy > 2 / data.num_classes


def test_the_result_tells_size_time_and_scores(data: PreparedData, quiet: Control, tmp_path: Path) -> None:
    found = finetune_pretrained(tmp_path, data, RECIPE, quiet, max_parameters=FEW, epochs=1)
    assert 928 + 33 * 3 < found.num_parameters <= FEW  # more than the stem and its classifier
    assert found.num_parameters == sum(parameter.numel() for parameter in found.classifier.parameters())
    assert (found.num_blocks_of, found.whole, found.epochs) == (16, False, 1)
    assert found.macs > 8 * 8 * 27 * 32  # of the stem alone: 32 filters of 3 x 3 x 3 at 8 x 8 positions
    assert [(row.stage, row.epoch, row.stopped) for row in found.rows] == [("finetune", 1, None)]
    assert found.seconds == found.rows[0].seconds > 0
    scores = found.scores(data, "cpu")
    assert scores["validation_accuracy"] == pytest.approx(found.rows[-1].validation_accuracy)
    assert set(scores) == {
        f"{split}_{score}"
        for split in ("validation", "test")
        for score in ("accuracy", "balanced_accuracy", "macro_f1")
    }


def test_a_budget_of_seconds_ends_the_training(data: PreparedData, quiet: Control, tmp_path: Path) -> None:
    ticks = iter(range(10_000))  # a clock that goes on by a second whenever it is read
    found = finetune_pretrained(
        tmp_path, data, RECIPE, quiet, max_parameters=FEW, seconds=50, clock=lambda: float(next(ticks))
    )
    assert found.rows[-1].stopped == "its 50 seconds are used up"
    assert found.seconds >= 50


def test_a_repeated_call_goes_on_from_the_last_whole_epoch_and_ends_the_same(
    data: PreparedData, quiet: Control, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"max_parameters": FEW, "epochs": 2}
    whole = finetune_pretrained(tmp_path / "whole", data, RECIPE, quiet, **settings)
    times = [2.0, 1.0, 0.0]  # read at the beginning and the end of an epoch, so that there is none as the second ends
    with pytest.raises(IndexError, match="pop from empty list"):
        finetune_pretrained(tmp_path / "stopped", data, RECIPE, quiet, clock=times.pop, **settings)
    resumed = finetune_pretrained(tmp_path / "stopped", data, RECIPE, quiet, **settings)
    again = finetune_pretrained(tmp_path / "stopped", data, RECIPE, quiet, **settings)
    assert again.rows == resumed.rows
    assert [row.validation_loss for row in resumed.rows] == [row.validation_loss for row in whole.rows]
    for found in (resumed, again):
        assert all(torch.equal(tensor, _state(whole)[name]) for name, tensor in _state(found).items())
    with pytest.raises(CheckpointError, match=r"was made with .*epochs=2.*; this run has .*epochs=3"):
        finetune_pretrained(tmp_path / "stopped", data, RECIPE, quiet, max_parameters=FEW, epochs=3)


def test_a_whole_network_of_local_weights_has_the_size_that_timm_gives_it(
    data: PreparedData, quiet: Control, tmp_path: Path
) -> None:
    network = timm.create_model("mobilenetv3_small_050", num_classes=3)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    model = f"mobilenetv3_small_050@{tmp_path / 'weights.safetensors'}"
    found = finetune_pretrained(tmp_path / "run", data, RECIPE, quiet, model=model, epochs=1)
    assert found.whole
    assert found.num_parameters == sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "seconds is None and epochs is None; expected exactly one"),
        ({"seconds": 1.0, "epochs": 1}, r"seconds is 1\.0 and epochs is 1; expected exactly one"),
        ({"epochs": 0}, "epochs is 0; expected 1 or more"),
        ({"seconds": 0.0}, r"seconds is 0\.0; expected a positive number"),
        ({"epochs": 1, "lr": 0.0}, r"lr is 0\.0; expected more than 0"),
        ({"epochs": 1, "head_lr_factor": -1.0}, r"head_lr_factor is -1\.0; expected more than 0"),
        ({"epochs": 1, "max_parameters": 100}, "the stem of tf_efficientnet_lite0 has 1027 parameters"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(
    settings: dict[str, Any], sentence: str, data: PreparedData, quiet: Control, tmp_path: Path
) -> None:
    with pytest.raises(BaselineError, match=sentence):
        finetune_pretrained(tmp_path, data, RECIPE, quiet, **settings)


def test_an_unknown_network_is_refused(data: PreparedData, quiet: Control, tmp_path: Path) -> None:
    with pytest.raises(ot_select.EmbedderError, match="timm knows no network 'tf_efficientnet_lite'"):
        finetune_pretrained(tmp_path, data, RECIPE, quiet, model="tf_efficientnet_lite", epochs=1)


def test_a_mixture_of_different_normalisations_is_refused(
    data: PreparedData, stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    mixture = mix([data, prepare(stripes("other", seed=1), RECIPE)])
    with pytest.raises(BaselineError, match="a mixture of 2 sources, each normalised in its own way"):
        finetune_pretrained(tmp_path, mixture, RECIPE, quiet, epochs=1)
