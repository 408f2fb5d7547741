"""How long a step of a recipe takes on this machine, measured with images of noise."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

import darts
from supernet_tl import adapters
from supernet_tl.memory import supernet_of
from supernet_tl.recipe import Recipe
from supernet_tl.spaces import find_space

_TIMED_STEPS = 3
_CLASSES = 20


class StepTimes:
    """Step times, each measured when it is first asked for.

    Args:
        device: as :class:`supernet_tl.Control` takes it.

    Attributes:
        measured: seconds of one step, by what was trained.
    """

    def __init__(self, device: str) -> None:
        self.device = adapters.torch_device(device)
        self.measured: dict[str, float] = {}

    def search_step(self, recipe: Recipe) -> float:
        """Seconds of a search step by the settings of a recipe: the median of a few, measured once."""
        told = (
            f"search step, {recipe.space}, {recipe.channels} channels, {recipe.num_cells} cells, "
            f"{recipe.image_size} px, batch {recipe.batch_size}, {recipe.order} order, {recipe.perturbation} noise"
        )
        return self._timed(told, partial(self._make_search_step, recipe))

    def final_step(self, recipe: Recipe, batch: int) -> float:
        """Seconds of a training step of the final network; as :meth:`search_step`."""
        inherited = recipe.final == "inherit"
        channels = recipe.channels if inherited else recipe.retrain_channels
        cells = recipe.num_cells if inherited else recipe.retrain_num_cells
        told = (
            f"step of the final network, {recipe.space}, {channels} channels, {cells} cells, {recipe.image_size} px, "
            f"batch {batch}"
        )
        return self._timed(told, partial(self._make_final_step, recipe, channels, cells, batch))

    def _timed(self, told: str, make: Callable[[], Callable[[], None]]) -> float:
        """The median of a few steps after a first one."""
        if told not in self.measured:
            step = make()
            step()
            self._finish()
            times = []
            for _ in range(_TIMED_STEPS):
                started = time.perf_counter()
                step()
                self._finish()
                times.append(time.perf_counter() - started)
            self.measured[told] = statistics.median(times)
        return self.measured[told]

    def _finish(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _batch(self, recipe: Recipe, size: int) -> darts.Batch:
        shape = (size, recipe.in_channels, recipe.image_size, recipe.image_size)
        images = torch.randn(shape, device=self.device)
        return images, torch.randint(_CLASSES, (size,), device=self.device)

    def _make_search_step(self, recipe: Recipe) -> Callable[[], None]:
        net = supernet_of(recipe, _CLASSES).to(self.device)
        weights = torch.optim.SGD(net.weight_parameters(), lr=recipe.weight_lr, momentum=recipe.weight_momentum)
        alphas = torch.optim.Adam(net.arch_parameters(), lr=recipe.arch_lr)
        batch = self._batch(recipe, recipe.batch_size)

        def perturb(mixing: darts.MixingWeights) -> darts.MixingWeights:
            if recipe.perturbation == "random":
                return darts.perturb_random(mixing, recipe.max_radius)
            if recipe.perturbation == "adversarial":
                return darts.perturb_adversarial(net, mixing, *batch, recipe.max_radius, recipe.attack_steps)
            return mixing

        def step() -> None:
            darts.search_step(
                net,
                nn.functional.cross_entropy,
                batch,
                batch,
                weights,
                alphas,
                perturb=perturb,
                order=recipe.order,
                num_micro_batches=recipe.num_micro_batches,
            )

        return step

    def _make_final_step(self, recipe: Recipe, channels: int, cells: int, batch_size: int) -> Callable[[], None]:
        space = find_space(recipe.space)
        alphas = torch.zeros(darts.Supernet(space, 2, 2, 3).normal_alpha.shape)
        net = darts.DiscreteNetwork(
            darts.discretize(space, alphas, alphas),
            _CLASSES,
            channels,
            cells,
            in_channels=recipe.in_channels,
            stem=recipe.stem,
        ).to(self.device)
        optimizer = torch.optim.SGD(net.parameters(), lr=recipe.finetune_lr, momentum=recipe.weight_momentum)
        images, labels = self._batch(recipe, batch_size)

        def step() -> None:
            optimizer.zero_grad()
            found = net(images)
            logits = found[0] if isinstance(found, tuple) else found
            torch.autograd.backward(nn.functional.cross_entropy(logits, labels))
            optimizer.step()

        return step
