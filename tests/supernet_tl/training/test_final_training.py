from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR

import darts
from supernet_tl import adapt
from supernet_tl.adapt import _balanced, _train_module
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.errors import RecipeError
from supernet_tl.pipeline import search
from supernet_tl.prepared_data import PreparedData, evaluation_loader, prepare
from supernet_tl.recipe import Recipe
from supernet_tl.training.callbacks import History
from supernet_tl.training.final_schedule import FinalSchedule
from supernet_tl.training.history import read_csv
from supernet_tl.training.stages import run_stage
from supernet_tl.training.stopping import BestEpoch
from supernet_tl.training.train_module import TrainModule, _mixing

TINY: dict[str, Any] = {"channels": 2, "num_cells": 3, "image_size": 8, "epochs": 1, "batch_size": 8}
EDGES = (("sep_conv_3x3", 0), ("skip_connect", 1)) * 4
GENOTYPE = darts.Genotype(normal=EDGES, reduction=EDGES)


@pytest.fixture(scope="module")
def data(stripes: Callable[..., ImageSet]) -> PreparedData:
    return prepare(stripes("target", seed=4), _recipe())


def _recipe(**settings: Any) -> Recipe:
    return Recipe(**{**TINY, "finetune_epochs": 3, **settings})


def _network(data: PreparedData, **options: Any) -> darts.DiscreteNetwork:
    torch.manual_seed(0)
    return darts.DiscreteNetwork(GENOTYPE, data.num_classes, channels=2, num_cells=3, **options)


def _train(
    module: TrainModule, data: PreparedData, recipe: Recipe, folder: Path, rules: Sequence[BestEpoch] = ()
) -> History:
    return run_stage(
        module,
        data.train_loader(recipe),
        evaluation_loader(data.validation),
        stage="finetune",
        num_epochs=recipe.finetune_epochs,
        folder=folder,
        device="cpu",
        stop_rules=rules,
        quiet=True,
    )


def test_without_warm_up_the_rate_is_the_cosine_and_with_it_that_begins_later() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    cosine = CosineAnnealingLR(optimizer, T_max=6)  # oracle
    schedule = FinalSchedule()
    for epoch in range(6):
        assert schedule.rate_factor(epoch, 6) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        cosine.step()
    warm = FinalSchedule(warmup_epochs=3)
    assert [warm.rate_factor(epoch, 9) for epoch in range(3)] == [0.25, 0.5, 0.75]
    assert [warm.rate_factor(epoch, 9) for epoch in range(3, 9)] == [
        schedule.rate_factor(epoch, 6) for epoch in range(6)
    ]


def test_the_rates_of_a_training_are_those_of_its_schedule(data: PreparedData, tmp_path: Path) -> None:
    recipe = _recipe(finetune_warmup_epochs=5, finetune_epochs=6, finetune_lr=0.02)
    history = _train(_train_module(_network(data), data, recipe), data, recipe, tmp_path)
    # No more than a third of the epochs count: two.
    expected = [0.02 * FinalSchedule(warmup_epochs=2).rate_factor(epoch, 6) for epoch in range(6)]
    assert [row.learning_rate for row in history.rows] == pytest.approx(expected)


def test_label_smoothing_spreads_a_share_of_every_label(data: PreparedData) -> None:
    module = TrainModule(_network(data), schedule=FinalSchedule(label_smoothing=0.3))
    logits, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    log_probabilities = logits.log_softmax(dim=1)
    own = -log_probabilities[range(5), labels]
    expected = (0.7 * own - 0.3 * log_probabilities.mean(dim=1)).mean()
    torch.testing.assert_close(module._loss(logits, labels), expected)


def test_balanced_class_weights_let_every_class_weigh_the_same(stripes: Callable[..., ImageSet]) -> None:
    images = stripes("uneven", seed=3)
    kept = [*range(16), *range(16, 24), *range(32, 44)]  # 16, 8 and 12 of the three classes
    uneven = prepare(images.take(kept), _recipe())
    labels, weights = uneven.search.labels, _balanced(uneven)
    sums = torch.stack([weights[labels[labels == label]].sum() for label in range(3)])
    torch.testing.assert_close(sums, torch.full((3,), len(labels) / 3))
    logits = torch.randn(len(labels), 3)
    losses = F.cross_entropy(logits, labels, reduction="none")
    expected = torch.stack([losses[labels == label].mean() for label in range(3)]).mean()
    module = _train_module(_network(uneven), uneven, _recipe(class_weights="balanced"))
    torch.testing.assert_close(module._loss(logits, labels), expected)


@pytest.mark.parametrize("schedule", [FinalSchedule(mixup=1.0), FinalSchedule(cutmix=1.0)], ids=["mixup", "cutmix"])
def test_labels_are_mixed_by_the_share_of_the_images(schedule: FinalSchedule) -> None:
    torch.manual_seed(0)
    # Images of one brightness each, so that the mean of a mixed one tells its share.
    images = torch.arange(4.0)[:, None, None, None].expand(4, 3, 8, 8)
    mixing = _mixing(schedule, 4)
    assert mixing is not None
    shares = set()
    for _ in range(8):
        mixed, targets = mixing(images, torch.arange(4))
        torch.testing.assert_close(targets.sum(dim=1), torch.ones(4))
        torch.testing.assert_close(mixed.mean(dim=(1, 2, 3)), targets @ torch.arange(4.0))
        if schedule.cutmix:  # every pixel is of one image or of the other
            assert set(mixed.unique().tolist()) <= set(range(4))
        shares.add(round(float(targets[0].max()), 3))
    assert len(shares) > 4


def test_with_both_each_batch_is_mixed_in_one_of_the_two_ways() -> None:
    torch.manual_seed(0)
    mixing = _mixing(FinalSchedule(mixup=1.0, cutmix=1.0), 4)
    assert mixing is not None
    images = torch.arange(4.0)[:, None, None, None].expand(4, 3, 8, 8)
    whole = [set(mixing(images, torch.arange(4))[0].unique().tolist()) <= set(range(4)) for _ in range(20)]
    assert 2 < sum(whole) < 18
    assert _mixing(FinalSchedule(), 4) is None


def test_the_moving_average_is_that_of_the_weights_after_every_step_and_is_what_is_validated(
    data: PreparedData, tmp_path: Path
) -> None:
    recipe = _recipe(ema_decay=0.8, finetune_epochs=4)
    after: list[list[Tensor]] = []

    class Watched(TrainModule):
        def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
            after.append([tensor.detach().clone() for tensor in self.network.state_dict().values()])
            super().on_train_batch_end(outputs, batch, batch_idx)

    module = _train_module(_network(data), data, recipe)
    module.__class__ = Watched
    history = _train(module, data, recipe, tmp_path)
    # Oracle: the recursion, step by step; the decay is 1/10... in the first steps, at last 0.8.
    average = after[0]
    for num, state in enumerate(after[1:], start=1):
        decay = min(0.8, (1 + num) / (10 + num))
        average = [old + (1 - decay) * (new - old) for old, new in zip(average, state, strict=True)]
    found = module.result.state_dict()
    for tensor, expected in zip(found.values(), average, strict=True):
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, expected, rtol=1e-5, atol=1e-6)
    assert not torch.equal(found["classifier.weight"], module.network.state_dict()["classifier.weight"])
    module.result.eval()
    images, labels = next(iter(evaluation_loader(data.validation)))
    with torch.no_grad():
        loss = F.cross_entropy(module.result(images), labels)
    assert history.rows[-1].validation_loss == pytest.approx(float(loss), rel=1e-5)


def test_a_resumed_training_ends_bit_for_bit_as_if_never_stopped(data: PreparedData, tmp_path: Path) -> None:
    recipe = _recipe(ema_decay=0.9, mixup=0.4, cutmix=1.0, label_smoothing=0.1, finetune_epochs=5, finetune_patience=9)
    whole, best = _train_module(_network(data), data, recipe), BestEpoch(9)
    _train(whole, data, recipe, tmp_path / "whole", [best])

    class StopsOnce(TrainModule):
        def on_train_epoch_start(self) -> None:
            if self.current_epoch == 3:
                raise ConnectionError("the machine went away")
            super().on_train_epoch_start()

    stopped = _train_module(_network(data), data, recipe)
    stopped.__class__ = StopsOnce
    with pytest.raises(ConnectionError, match="went away"):
        _train(stopped, data, recipe, tmp_path / "parts", [BestEpoch(9)])
    resumed, best_resumed = _train_module(_network(data), data, recipe), BestEpoch(9)
    _train(resumed, data, recipe, tmp_path / "parts", [best_resumed])
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    for name, tensor in best.state.items():
        assert torch.equal(tensor, best_resumed.state[name]), name


def test_training_without_progress_ends_and_keeps_the_best_epoch(
    stripes: Callable[..., ImageSet], tmp_path: Path, quiet: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[dict[str, Tensor]] = []
    rules: list[BestEpoch] = []

    class Watched(BestEpoch):
        def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
            super().on_validation_end(trainer, pl_module)
            states.append({name: tensor.clone() for name, tensor in pl_module.result.state_dict().items()})
            rules.append(self)

    monkeypatch.setattr(adapt, "BestEpoch", Watched)
    settings = {**TINY, "finetune_epochs": 30, "finetune_lr": 0.5, "finetune_patience": 2}
    result = search(stripes("target", seed=4), output=tmp_path / "run", control=quiet, **settings)
    rows = [row for row in read_csv(tmp_path / "run/metrics.csv") if row.stage == "finetune"]
    curve = [cast(float, row.validation_accuracy) for row in rows]
    best = curve.index(max(curve))
    assert len(rows) == best + 3 < 30
    assert "has not risen above" in cast(str, rows[-1].stopped)
    kept = result.network.state_dict()
    for name, tensor in states[best].items():
        assert torch.equal(kept[name], tensor), name
    assert result.summary["network"]["validation_accuracy"] == pytest.approx(max(curve))


def test_an_inherited_network_begins_with_statistics_of_its_own(
    stripes: Callable[..., ImageSet], tmp_path: Path, quiet: Control
) -> None:
    settings = {**TINY, "finetune_epochs": 0, "max_search_images": 24}
    images = stripes("target", seed=4)
    own = search(images, output=tmp_path / "own", control=quiet, **settings).network
    kept = search(images, output=tmp_path / "kept", control=quiet, reestimate_final=False, **settings).network
    supernet_mean = _supernet_state(tmp_path / "kept")["stem.1.running_mean"]
    assert torch.equal(kept.state_dict()["stem.1.running_mean"], supernet_mean)
    # Oracle: means over the training batches of what the stem's convolution gives, batch by batch.
    data = prepare(images, Recipe(**settings))
    with torch.no_grad():
        batches = [cast(Any, own).stem[0](batch[0]) for batch in data.train_loader(Recipe(**settings))]
    expected = torch.stack([maps.mean(dim=(0, 2, 3)) for maps in batches]).mean(dim=0)
    torch.testing.assert_close(own.state_dict()["stem.1.running_mean"], expected)
    for name, weight in own.named_parameters():
        assert torch.equal(weight, kept.get_parameter(name)), name  # no weight has moved


@pytest.mark.parametrize("discretization", ["magnitude", "perturbation"])
def test_the_final_network_is_trained_in_training_mode(
    discretization: str,
    stripes: Callable[..., ImageSet],
    tmp_path: Path,
    quiet: Control,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    modes: set[bool] = set()
    step = TrainModule.training_step

    def watched(module: TrainModule, batch: Any, batch_idx: int) -> Tensor:
        modes.update(part.training for part in module.network.modules())
        return step(module, batch, batch_idx)

    monkeypatch.setattr(TrainModule, "training_step", watched)
    settings = {**TINY, "finetune_epochs": 1, "projection_epochs": 0, "discretization": discretization}
    search(stripes("target", seed=4), output=tmp_path / "run", control=quiet, **settings)
    assert modes == {True}


def _supernet_state(run: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return load_file(run / "supernet.safetensors")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"ema_decay": 1.0}, r"ema_decay is 1.0; expected a number between 0 and 1, such as 0.999"),
        ({"ema_decay": math.nan}, "ema_decay is nan; expected a number between 0 and 1"),
        ({"label_smoothing": 1.5}, "label_smoothing is 1.5; expected a number from 0 to 1"),
        ({"mixup": -1.0}, "mixup is -1.0; expected 0 or more"),
        ({"cutmix": -0.1}, "cutmix is -0.1; expected 0 or more"),
        ({"finetune_patience": 0}, "finetune_patience is 0; expected 1 or more"),
        ({"class_weights": "balance"}, r"class_weights is 'balance'; .*did you mean 'balanced'"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        _recipe(**settings)
