from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import Optimizer

import darts
from supernet_tl.adapt import _search_module
from supernet_tl.data import ImageSet
from supernet_tl.errors import CheckpointError, RecipeError
from supernet_tl.prepared_data import PreparedData, prepare
from supernet_tl.recipe import Recipe
from supernet_tl.training.inheritance import Inheritance
from supernet_tl.training.search_module import SearchModule
from supernet_tl.training.warm_schedule import WARM_SCHEDULES, WarmSchedule
from tests.supernet_tl.training.searches import run_search

State = dict[str, Tensor]
ALPHAS = ("normal_alpha", "reduction_alpha")
EVERYTHING: dict[str, Any] = {
    "warm_lr_factor": 0.4,
    "warm_weight_decay_factor": 2.0,
    "warmup_epochs": 1,
    "head_epochs": 1,
    "held_alpha_epochs": 1,
    "arch_lr_factor": 3.0,
    "source_pull": 0.1,
    "reestimate_batch_norm": True,
    "warm_cells": 2,
}


class Recording(SearchModule):
    """Notes the state before the first step and after each epoch, and the weights' rate in each step."""

    states: list[State]
    rates: list[float]

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        if not self.states:
            self.states.append(_copied(self.supernet))

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        self.states.append(_copied(self.supernet))

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:
        optimizers, schedulers = super().configure_optimizers()
        optimizers[0].register_step_pre_hook(lambda stepping, *_: self.rates.append(stepping.param_groups[0]["lr"]))
        return optimizers, schedulers


def _copied(net: darts.Supernet) -> State:
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def _source() -> State:
    """Of a supernet with other weights, alphas and classes, whose statistics are of other images."""
    with torch.random.fork_rng():
        torch.manual_seed(11)
        net = darts.Supernet(darts.S1, num_classes=5, channels=2, num_cells=3)
        net(3 + torch.randn(8, 3, 8, 8))
        for alpha in net.arch_parameters():
            torch.nn.init.normal_(alpha)
    return net.state_dict()


def _module(data: PreparedData, recipe: Recipe) -> Recording:
    module = _search_module(data, recipe, warm=recipe.warm)
    module.__class__ = Recording
    assert isinstance(module, Recording)
    module.states, module.rates = [], []
    module.start_from(_source())
    return module


def _moved(before: State, after: State) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_the_paper_preset_changes_not_a_bit_of_a_warm_start(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], tmp_path: Path
) -> None:
    # Oracle: a module that knows no schedule, itself held against the plain loop.
    recipe = Recipe(**tiny)
    data = prepare(stripes("target"), recipe)
    plain = _search_module(data, recipe)
    darts.warm_start(plain.supernet, _source())
    expected = run_search(plain, data, recipe, tmp_path / "plain")
    module = _module(data, recipe)
    found = run_search(module, data, recipe, tmp_path / "paper")
    assert not _moved(plain.supernet.state_dict(), module.supernet.state_dict())
    assert [dataclasses.replace(row, seconds=0.0) for row in found.rows] == [
        dataclasses.replace(row, seconds=0.0) for row in expected.rows
    ]
    assert WARM_SCHEDULES["paper"] == WarmSchedule() == Recipe().warm


def test_head_then_warm_up_then_all_and_alphas_when_they_may(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"head_epochs": 1, "warmup_epochs": 2, "held_alpha_epochs": 2, "warm_lr_factor": 0.4}
    recipe = Recipe(**{**tiny, "epochs": 6, "batch_size": 4}, **settings, flip="no")
    data = prepare(stripes("target"), recipe)
    module = _module(data, recipe)
    history = run_search(module, data, recipe, tmp_path)
    parameters = {name for name, _ in module.supernet.named_parameters()}
    moved = [
        _moved(before, after) & parameters for before, after in zip(module.states, module.states[1:], strict=False)
    ]
    assert moved[0] == {"classifier.weight", "classifier.bias"}
    assert moved[1] == parameters - set(ALPHAS)
    assert all(set(ALPHAS) < epoch for epoch in moved[2:])
    assert torch.equal(module.states[2]["normal_alpha"], _source()["normal_alpha"])
    assert all(row.arch_loss is not None and math.isfinite(row.arch_loss) for row in history.rows)

    # Oracle: the cosine from 0.4 * 0.025 to 0.001 at the epoch, times the share of the warm-up's steps of epochs 2, 3.
    steps = len(module.rates) // 6
    assert steps > 1
    cosine = [0.001 + (0.01 - 0.001) * (1 + math.cos(math.pi * epoch / 6)) / 2 for epoch in range(6)]
    rise = [*[1.0] * steps, *((step + 1) / (2 * steps) for step in range(2 * steps)), *[1.0] * (3 * steps)]
    expected = [cosine[number // steps] * rise[number] for number in range(6 * steps)]
    assert module.rates == pytest.approx(expected, rel=1e-6)
    assert [row.learning_rate for row in history.rows] == pytest.approx(expected[steps - 1 :: steps], rel=1e-5)


@pytest.mark.parametrize("stop", [1, 2])
@pytest.mark.parametrize("changes", [{}, {"order": "unrolled", "num_micro_batches": 2}], ids=["first", "unrolled"])
def test_a_stopped_warm_start_goes_on_as_if_never_stopped(
    changes: dict[str, Any], stop: int, stripes: Callable[..., ImageSet], tiny: dict[str, Any], tmp_path: Path
) -> None:
    recipe = Recipe(**{**tiny, "epochs": 3}, **EVERYTHING, **changes)
    data = prepare(stripes("target"), recipe)
    whole = _module(data, recipe)
    run_search(whole, data, recipe, tmp_path / "whole")

    class Stopping(Recording):
        def on_train_epoch_start(self) -> None:
            if self.current_epoch == stop:
                raise ConnectionError("the machine went away")
            super().on_train_epoch_start()

    stopped = _module(data, recipe)
    stopped.__class__ = Stopping
    with pytest.raises(ConnectionError):
        run_search(stopped, data, recipe, tmp_path / "parts")
    resumed = _module(data, recipe)
    run_search(resumed, data, recipe, tmp_path / "parts")
    assert len(resumed.states) == 1 + 3 - stop
    assert not _moved(whole.supernet.state_dict(), resumed.supernet.state_dict())


def test_statistics_are_the_targets_before_the_first_step_and_no_weight_has_moved(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], tmp_path: Path
) -> None:
    recipe = Recipe(**{**tiny, "epochs": 1, "reestimate_batch_norm": True})
    data = prepare(stripes("target"), recipe)
    module = _module(data, recipe)
    twin = copy.deepcopy(module.supernet)
    run_search(module, data, recipe, tmp_path)
    # Oracle: the function of darts, held against exact means, on the weight half's batches as they are.
    darts.reestimate_batch_norm(twin, (images for images, _ in data.search_loader(recipe).flattened[0]))
    begun = module.states[0]
    for name, tensor in twin.state_dict().items():
        torch.testing.assert_close(begun[name], tensor, msg=name)
    changed = _moved(_source(), begun | {name: _source()[name] for name in begun if name.startswith("classifier.")})
    assert changed == {name for name in begun if "running_" in name or "num_batches" in name}


def test_the_pull_is_towards_the_source_and_on_what_was_inherited_alone() -> None:
    torch.manual_seed(0)
    net = darts.Supernet(darts.S1, num_classes=3, channels=2, num_cells=3)
    report = darts.warm_start(net, _source(), cells=1)
    inheritance = Inheritance(WarmSchedule(source_pull=0.3), net, report.copied)
    slopes = {}
    for name, parameter in net.named_parameters():
        with torch.no_grad():
            parameter.add_(torch.randn_like(parameter))
        slopes[name] = torch.randn_like(parameter)
        parameter.grad = slopes[name].clone()
    net.stem[0].weight.grad = None  # held: it stays so
    inheritance.pull(net)
    # Oracle: the gradient of 0.15 ||w - w_source||^2, written out.
    for name, parameter in net.named_parameters():
        inherited = name.startswith(("stem.", "cells.0."))
        pull = 0.3 * (parameter.detach() - _source()[name]) if inherited else torch.zeros_like(parameter)
        if parameter.grad is not None:
            torch.testing.assert_close(parameter.grad, slopes[name] + pull, msg=name)
    assert net.stem[0].weight.grad is None


def test_a_search_is_pulled_back_to_its_source(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], tmp_path: Path
) -> None:
    apart = []
    for pull in (0.0, 5.0):
        recipe = Recipe(**tiny, source_pull=pull)
        data = prepare(stripes("target"), recipe)
        module = _module(data, recipe)
        run_search(module, data, recipe, tmp_path / str(pull))
        body = [name for name, _ in module.supernet.named_weight_parameters() if not name.startswith("classifier.")]
        apart.append(sum(float((module.states[-1][name] - _source()[name]).square().sum()) for name in body))
    assert apart[1] < 0.9 * apart[0]


def test_factors_multiply_the_first_rates_and_the_weight_decay(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any]
) -> None:
    recipe = Recipe(**tiny, warm_lr_factor=0.02, warm_weight_decay_factor=3.0, arch_lr_factor=0.5)
    (weights, alphas), (schedule,) = _module(prepare(stripes("target"), recipe), recipe).configure_optimizers()
    assert (weights.param_groups[0]["lr"], weights.param_groups[0]["weight_decay"]) == pytest.approx((5e-4, 9e-4))
    assert (alphas.param_groups[0]["lr"], alphas.param_groups[0]["weight_decay"]) == pytest.approx((1.5e-4, 1e-3))
    assert schedule.eta_min == pytest.approx(5e-4)  # a first rate below the lowest one does not rise


def test_a_schedule_without_a_source_is_refused_before_a_step(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], tmp_path: Path
) -> None:
    recipe = Recipe(**tiny)
    data = prepare(stripes("target"), recipe)
    module = _search_module(data, recipe, warm=WARM_SCHEDULES["gentle"])
    with pytest.raises(RecipeError, match=r"starts from no source; expected both or neither. Give --model.init_from"):
        run_search(module, data, recipe, tmp_path)


def test_a_checkpoint_of_another_schedule_is_refused(stripes: Callable[..., ImageSet], tiny: dict[str, Any]) -> None:
    data = prepare(stripes("target"), Recipe(**tiny))
    paper, pulled = (_module(data, Recipe(**tiny, source_pull=pull)) for pull in (0.0, 0.1))
    of_earlier_versions = {name: value for name, value in paper.origin().items() if name != "warm"}
    paper.on_load_checkpoint({"origin": of_earlier_versions})
    for origin, module in ((of_earlier_versions, pulled), (pulled.origin(), paper)):
        with pytest.raises(CheckpointError, match=r"the checkpoint was made with (no )?warm"):
            module.on_load_checkpoint({"origin": origin})


@pytest.mark.parametrize(
    ("schedule", "epoch", "step", "factor"),
    [
        (WarmSchedule(), 0, 0, 1.0),
        (WarmSchedule(warmup_epochs=2), 0, 0, 1 / 8),
        (WarmSchedule(warmup_epochs=2), 0, 3, 4 / 8),
        (WarmSchedule(warmup_epochs=2), 1, 3, 1.0),
        (WarmSchedule(warmup_epochs=2), 2, 0, 1.0),
        (WarmSchedule(warmup_epochs=1, head_epochs=1), 0, 0, 1.0),
        (WarmSchedule(warmup_epochs=1, head_epochs=1), 1, 0, 1 / 4),
    ],
)
def test_the_rate_rises_step_by_step_once_all_weights_move(
    schedule: WarmSchedule, epoch: int, step: int, factor: float
) -> None:
    assert schedule.rate_factor(epoch, step, num_steps=4) == factor


def test_a_rise_over_epochs_of_unknown_length_is_refused() -> None:
    assert WarmSchedule(warmup_epochs=1).rate_factor(1, 7, math.inf) == 1.0
    with pytest.raises(RecipeError, match=r"expected a loader with a length\. Give one, or warmup_epochs 0"):
        WarmSchedule(warmup_epochs=1).rate_factor(0, 7, math.inf)


@pytest.mark.parametrize(("num_epochs", "length"), [(1, 0), (2, 0), (3, 1), (8, 2), (15, 5), (50, 5)])
def test_no_phase_is_longer_than_a_third_of_therun_search(num_epochs: int, length: int) -> None:
    schedule = WarmSchedule(warmup_epochs=5, head_epochs=5, held_alpha_epochs=5, lr_factor=0.5).within(num_epochs)
    assert (schedule.warmup_epochs, schedule.head_epochs, schedule.held_alpha_epochs) == (length,) * 3
    assert schedule.lr_factor == 0.5


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"lr_factor": 0.0}, "lr_factor is 0.0; expected more than 0"),
        ({"lr_factor": math.inf}, "lr_factor is inf; expected a finite number"),
        ({"source_pull": -1, "arch_lr_factor": -1}, "arch_lr_factor is -1; .*; source_pull is -1; expected 0 or more"),
        ({"head_epochs": 1.5}, "head_epochs is 1.5; expected a whole number, 0 or more"),
        ({"warmup_epochs": True}, "warmup_epochs is True; expected a whole number"),
        ({"cells": -1}, "cells is -1; expected a whole number, 0 or more"),
        ({"reestimate_batch_norm": 1}, "reestimate_batch_norm is 1; expected true or false"),
        ({"parts": "both"}, "parts is 'both'; expected one of 'all', 'weights', 'architecture'"),
        ({"parts": "architecture", "source_pull": 0.1}, "parts 'architecture' inherits none; expected source_pull 0"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        WarmSchedule(**values)
