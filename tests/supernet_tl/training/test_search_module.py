from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

import darts
from supernet_tl.adapt import _search_module
from supernet_tl.data import Augmentation, ImageSet
from supernet_tl.errors import RecipeError
from supernet_tl.prepared_data import PreparedData, prepare
from supernet_tl.recipe import Recipe
from supernet_tl.training.callbacks import History
from supernet_tl.training.search_module import SearchModule
from supernet_tl.training.seeds import epoch_seed
from tests.supernet_tl.training.searches import run_search


def _run(
    data: PreparedData, recipe: Recipe, folder: Path, num_epochs: int | None = None
) -> tuple[SearchModule, History]:
    module = _search_module(data, recipe)
    return module, run_search(module, data, recipe, folder, num_epochs=num_epochs)


ADVERSARIAL = {
    "order": "unrolled",
    "perturbation": "adversarial",
    "attack_steps": 2,
    "random_start": False,
    "num_micro_batches": 3,
}


DRAWN = {"family": "drnas", "perturbation": "none", "num_micro_batches": 2}
PARTIAL = {"family": "pc-darts", "channels": 8}


@pytest.mark.parametrize(
    "settings",
    [{}, ADVERSARIAL, DRAWN, PARTIAL],
    ids=["random", "adversarial, unrolled, in parts", "drnas, in parts", "pc-darts"],
)
def test_the_module_takes_the_steps_of_the_plain_loop(
    settings: dict[str, Any], stripes: Callable[..., ImageSet], tiny: dict[str, Any], tmp_path: Path
) -> None:
    # Oracle: darts.search_step, itself held against the reference's trajectory, on the same batches.
    def perturbation(
        net: darts.Supernet, batch: darts.Batch, radius: float, noise: torch.Generator
    ) -> Callable[[darts.MixingWeights], darts.MixingWeights]:
        if settings.get("perturbation") == "none":
            return lambda mixing: mixing
        if settings.get("perturbation") == "adversarial":
            return lambda mixing: darts.perturb_adversarial(
                net, mixing, *batch, radius, 2, random_start=False, num_micro_batches=3
            )
        return lambda mixing: darts.perturb_random(mixing, radius, noise)

    recipe = Recipe(**{**tiny, **settings}, flip="yes", crop_padding=1)
    data = prepare(stripes("target"), recipe)
    module, _ = _run(data, recipe, tmp_path)

    twin = _search_module(data, recipe).supernet.train()
    weight_optimizer = torch.optim.SGD(twin.weight_parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)
    arch_optimizer = torch.optim.Adam(twin.arch_parameters(), lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(weight_optimizer, T_max=recipe.epochs, eta_min=1e-3)
    loaders = data.search_loader(recipe).flattened
    augmentation = Augmentation(crop_padding=1, flip=True)
    for epoch in range(recipe.epochs):
        for loader in loaders:
            loader.batch_sampler.sampler.set_epoch(epoch)
        generator = torch.Generator().manual_seed(epoch_seed(recipe.seed, epoch, "batches"))
        noise = torch.Generator().manual_seed(epoch_seed(recipe.seed, epoch, "perturbation"))
        radius = darts.perturbation_radius(epoch, recipe.epochs)
        halves = [list(loader) for loader in loaders]
        for step in range(max(map(len, halves))):  # the smaller half goes round
            (images, labels), (arch_images, arch_labels) = (half[step % len(half)] for half in halves)
            # The same draws in the same order: the architecture batch is augmented first.
            arch_batch = augmentation(arch_images, generator), arch_labels
            weight_batch = augmentation(images, generator), labels
            darts.search_step(
                twin,
                F.cross_entropy,
                weight_batch,
                arch_batch,
                weight_optimizer,
                arch_optimizer,
                perturb=perturbation(twin, weight_batch, radius, noise),
                generator=noise,
                order=recipe.order,
                num_micro_batches=recipe.num_micro_batches,
            )
        schedule.step()
    for name, tensor in module.supernet.state_dict().items():
        torch.testing.assert_close(tensor, twin.state_dict()[name], rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize(
    "settings", [{}, {**ADVERSARIAL, "random_start": True}, DRAWN], ids=["random", "adversarial", "drnas"]
)
def test_a_stopped_search_goes_on_as_if_never_stopped(
    settings: dict[str, Any], stripes: Callable[..., ImageSet], tiny: dict[str, Any], tmp_path: Path
) -> None:
    recipe = Recipe(**{**tiny, **settings, "epochs": 3})
    data = prepare(stripes("target"), recipe)
    whole, history = _run(data, recipe, tmp_path / "whole")
    checkpoint = tmp_path / "parts" / "checkpoints" / "search.ckpt"

    class StopAfterOneEpoch(SearchModule):
        def on_train_epoch_start(self) -> None:
            if self.current_epoch == 1:
                raise ConnectionError("the machine went away")
            super().on_train_epoch_start()

    module = _search_module(data, recipe)
    module.__class__ = StopAfterOneEpoch
    with pytest.raises(ConnectionError):
        run_search(module, data, recipe, tmp_path / "parts", num_epochs=3)
    assert checkpoint.exists()
    resumed, resumed_history = _run(data, recipe, tmp_path / "parts")
    for name, tensor in whole.supernet.state_dict().items():
        assert torch.equal(tensor, resumed.supernet.state_dict()[name]), name
    assert [row.validation_accuracy for row in resumed_history.rows] == [
        row.validation_accuracy for row in history.rows
    ]
    assert [row.epoch for row in resumed_history.rows] == [1, 2, 3]
    radii = [None] * 3 if recipe.perturbation == "none" else pytest.approx([0.03, 0.12, 0.21])
    assert [row.radius for row in resumed_history.rows] == radii
    assert len(resumed_history.normal_mixing) == 4


def test_the_two_optimizers_hold_disjoint_parameters_and_the_rate_follows_the_cosine(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], tmp_path: Path
) -> None:
    recipe = Recipe(**{**tiny, "epochs": 4})
    data = prepare(stripes("target"), recipe)
    module, history = _run(data, recipe, tmp_path)
    (weight_optimizer, arch_optimizer), _ = module.configure_optimizers()
    held = [
        {id(p) for group in optimizer.param_groups for p in group["params"]}
        for optimizer in (weight_optimizer, arch_optimizer)
    ]
    assert held[0] == {id(parameter) for parameter in module.supernet.weight_parameters()}
    assert held[1] == {id(parameter) for parameter in module.supernet.arch_parameters()}
    # Oracle: the cosine from 0.025 to 0.001 evaluated at the epoch, counted from 0.
    cosine = [0.001 + 0.012 * (1 + torch.cos(torch.tensor(torch.pi * epoch / 4)).item()) for epoch in range(4)]
    assert [row.learning_rate for row in history.rows] == pytest.approx(cosine, rel=1e-5)
    assert [row.radius for row in history.rows] == pytest.approx([0.03 + 0.27 * epoch / 4 for epoch in range(4)])


def test_a_search_leaves_the_callers_random_numbers_alone(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], tmp_path: Path
) -> None:
    recipe = Recipe(**tiny)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    _run(prepare(stripes("target"), recipe), recipe, tmp_path, num_epochs=1)
    assert torch.equal(torch.rand(3), expected)


def test_settings_that_cannot_be_are_refused_before_a_network_is_built() -> None:
    with pytest.raises(RecipeError, match="attack_steps is 0; expected 1 or more"):
        SearchModule(3, attack_steps=0)
    with pytest.raises(RecipeError, match="space is 's9'; expected one of 's1'"):
        SearchModule(3, space="s9", num_micro_batches=100)


def test_a_validation_loss_that_is_no_number_stays_none_of_one() -> None:
    module = SearchModule(3, "s2", 2, 3)
    for loss in (1.0, float("nan"), 2.0):
        module.validation_loss(torch.tensor(loss), weight=4)
    assert module.validation_loss.compute().isnan()


def test_a_search_that_is_resumed_with_more_epochs_follows_the_cosine_over_all_of_them(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], tmp_path: Path
) -> None:
    data = prepare(stripes("target"), Recipe(**tiny))
    rates: list[float] = []
    for num_epochs in (2, 5):
        module = SearchModule(3, channels=2, num_cells=3)
        history = run_search(module, data, Recipe(**tiny), tmp_path, num_epochs=num_epochs)
        rates = [row.learning_rate or 0.0 for row in history.rows]
    # Oracle: the cosine from 0.025 to 0.001 over the run's length at the time, evaluated at the epoch.
    lengths = [2, 2, 5, 5, 5]
    expected = [
        0.001 + 0.012 * (1 + torch.cos(torch.tensor(torch.pi * epoch / length)).item())
        for epoch, length in enumerate(lengths)
    ]
    assert rates == pytest.approx(expected, rel=1e-5)


def test_stronger_augmentation_follows_the_seed_and_reaches_the_network(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], tmp_path: Path
) -> None:
    states = []
    for number, augment in enumerate(["strong", "strong", "shift"]):
        recipe = Recipe(**{**tiny, "epochs": 1, "augment": augment})
        torch.manual_seed(number)  # of the caller, which nothing follows
        module, _ = _run(prepare(stripes("target"), recipe), recipe, tmp_path / str(number))
        states.append(torch.cat([tensor.flatten() for tensor in module.supernet.weight_parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])
