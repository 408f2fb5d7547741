from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from supernet_tl.baselines.budget import TimeBudget, cosine_rate, spent_steps
from supernet_tl.baselines.classifier import PretrainedClassifier, Renormalise
from supernet_tl.baselines.finetune_module import FinetuneModule
from supernet_tl.baselines.prefix import Features
from supernet_tl.data import Batch, ImageSet, Normalisation
from supernet_tl.errors import BaselineError
from supernet_tl.prepared_data import PreparedData, evaluation_loader, prepare
from supernet_tl.recipe import Recipe
from supernet_tl.training.history import EpochRow
from supernet_tl.training.stages import run_stage

RECIPE = Recipe(image_size=8, batch_size=8)


class Watched(FinetuneModule):
    """Has a clock of its own, on which a step takes a second and a validation half of one; notes time and rates."""

    now = 0.0
    steps: list[tuple[float, float, float]]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        body, head = (group["lr"] for group in self.trainer.optimizers[0].param_groups)
        self.steps.append((self.now, body, head))
        self.now += 1
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        super().validation_step(batch, batch_idx)
        self.now += 0.5


@pytest.fixture
def data(stripes: Callable[..., ImageSet]) -> PreparedData:
    return prepare(stripes("target"), RECIPE)  # 28 search images: three steps an epoch; one batch of validation


def _run(
    data: PreparedData, folder: Path, *, seconds: float | None = None, epochs: int | None = None
) -> tuple[Watched, list[EpochRow]]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    identity = Renormalise(Normalisation((0.0,) * 3, (1.0,) * 3), (0.0,) * 3, (1.0,) * 3)
    network = PretrainedClassifier(identity, Features(net, 4, 1, 1, whole=True), data.num_classes)
    settings: dict[str, Any] = {"head_lr_factor": 10.0, "made_with": {}}
    optimizer = partial(torch.optim.SGD, lr=0.01)
    module = Watched(network, optimizer=optimizer, spent=spent_steps, **settings)
    budget = None if seconds is None else TimeBudget(seconds, lambda: module.now)
    if budget is not None:
        module._spent = budget.spent
    module.steps = []
    history = run_stage(
        module,
        data.train_loader(RECIPE),
        evaluation_loader(data.validation),
        stage="finetune",
        num_epochs=epochs,
        folder=folder,
        device="cpu",
        stop_rules=[] if budget is None else [budget],
        quiet=True,
        clock=lambda: module.now,
    )
    return module, history.rows


def test_rates_follow_the_cosine_of_the_seconds_used_and_the_last_step_ends_the_training(
    data: PreparedData, tmp_path: Path
) -> None:
    module, rows = _run(data, tmp_path, seconds=7.2)
    times = [0, 1, 2, 3.5, 4.5, 5.5, 7.0]  # half a second of validation after every third step
    # Oracle: half a cosine of the time over the budget, computed here.
    rates = [0.01 * 0.5 * (1 + math.cos(math.pi * time / 7.2)) for time in times]
    assert [time for time, _, _ in module.steps] == pytest.approx(times)
    assert [body for _, body, _ in module.steps] == pytest.approx(rates)
    assert [head for _, _, head in module.steps] == pytest.approx([10 * rate for rate in rates])
    assert [row.seconds for row in rows] == pytest.approx([3.5, 7.0, 8.5])
    assert [row.stopped for row in rows] == [None, None, "its 7.2 seconds are used up"]
    assert all(row.stage == "finetune" and row.validation_accuracy is not None for row in rows)


def test_a_validation_may_use_up_the_seconds_too(data: PreparedData, tmp_path: Path) -> None:
    module, rows = _run(data, tmp_path, seconds=3.25)
    assert (len(module.steps), [row.seconds for row in rows]) == (3, [3.5])
    assert rows[0].stopped is not None


def test_rates_follow_the_cosine_of_the_steps_where_epochs_are_given(data: PreparedData, tmp_path: Path) -> None:
    module, _ = _run(data, tmp_path, epochs=2)
    rates = [0.01 * 0.5 * (1 + math.cos(math.pi * step / 6)) for step in range(6)]
    assert [body for _, body, _ in module.steps] == pytest.approx(rates)


def test_a_training_whose_seconds_are_used_up_is_not_gone_on_with(data: PreparedData, tmp_path: Path) -> None:
    _, rows = _run(data, tmp_path, seconds=5.0)
    again, same_rows = _run(data, tmp_path, seconds=5.0)
    assert (again.steps, same_rows) == ([], rows)


def test_the_seconds_before_an_interruption_count(data: PreparedData, tmp_path: Path) -> None:
    whole, rows = _run(data, tmp_path / "whole", seconds=7.2)

    def fails(self: Watched, *arguments: Any) -> Tensor:
        if len(self.steps) == 4:
            raise KeyboardInterrupt
        return original(self, *arguments)

    original = Watched.training_step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Watched, "training_step", fails)
        with pytest.raises(KeyboardInterrupt):
            _run(data, tmp_path / "stopped", seconds=7.2)
    rest, rest_rows = _run(data, tmp_path / "stopped", seconds=7.2)
    assert [body for _, body, _ in rest.steps] == pytest.approx([body for _, body, _ in whole.steps[3:]])
    assert [row.seconds for row in rest_rows] == pytest.approx([row.seconds for row in rows])
    for name, tensor in whole.network.state_dict().items():
        torch.testing.assert_close(rest.network.state_dict()[name], tensor)


def test_a_budget_without_time_for_one_step_is_refused(data: PreparedData, tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match=r"first step of training took 1 s, and the budget is 0\.9 s; .* Give more"):
        _run(data, tmp_path, seconds=0.9)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.inf, math.nan])
def test_seconds_that_are_no_budget_are_refused(seconds: float) -> None:
    with pytest.raises(BaselineError, match=r"seconds is .*; expected a positive number, or give epochs"):
        TimeBudget(seconds)


@pytest.mark.parametrize(
    ("spent", "left"), [(0.0, 1.0), (0.25, (2 + math.sqrt(2)) / 4), (0.5, 0.5), (1.0, 0.0), (3.0, 0.0)]
)
def test_the_cosine_begins_at_one_and_stays_at_zero(spent: float, left: float) -> None:
    assert cosine_rate(spent) == pytest.approx(left, abs=1e-12)
