"""Choose the discrete architecture by perturbing a searched supernet, tuned in between, on one device."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import cast

import torch
from lightning.fabric.utilities import move_data_to_device
from torch.nn import functional as F

import darts
from supernet_tl.data import EpochSampler, Progress
from supernet_tl.data.batches.image_batch import augmented
from supernet_tl.data.batches.loaders import FullBatches
from supernet_tl.errors import DivergedError
from supernet_tl.prepared_data import Loader, PreparedData, evaluation_loader
from supernet_tl.recipe import Recipe
from supernet_tl.training.seeds import epoch_seed, own_random_numbers

TUNING_RATE = 0.1
"""The weights' rate while they are tuned, as a share of ``weight_lr``."""


@dataclass(frozen=True)
class Projected:
    """A supernet whose architecture was chosen.

    Attributes:
        supernet: with the weights that tuning left; its alphas are as they were.
        projection: the architecture and the decisions.
    """

    supernet: darts.Supernet
    projection: darts.Projection


def project_supernet(
    supernet: darts.Supernet,
    data: PreparedData,
    recipe: Recipe,
    device: torch.device,
    progress: Progress | None = None,
    *,
    workers: int | None = None,
) -> Projected:
    """Choose by perturbation on the architecture half; tune on the weight half between the rounds.

    Tuning is plain SGD at a constant tenth of ``weight_lr``, with the recipe's momentum, decay, clipping and
    augmentation, ``projection_epochs`` after each round. What a warm schedule makes of rate and decay does not concern
    it.

    Args:
        supernet: searched; left unchanged.
        data: its images.
        recipe: of the search.
        device: that trains and judges.
        progress: is told how many rounds are done.
        workers: processes that make batches, instead of as many as pay.

    Raises:
        DivergedError: a loss on the architecture half is not finite, after tuning at too high a rate.

    Source: Wang et al. 2021, arXiv:2108.04392, algorithm 1.
    """
    net = copy.deepcopy(supernet).to(device)
    near = data.near(device, workers)
    total = darts.num_decisions(net.space)
    tuner = _Tuner(net, near, recipe, device)

    def tune(mixing: darts.MixingWeights, round_number: int) -> None:
        if progress is not None:
            progress(round_number, total)
        tuner.run(mixing, round_number)

    generator = torch.Generator().manual_seed(epoch_seed(recipe.seed, 0, "order of projection"))
    with own_random_numbers():
        judging = evaluation_loader(near.architecture)
        projection = darts.select_by_perturbation(
            net, lambda mixing: _judgement(net, mixing, judging, device, recipe.seed), tune=tune, generator=generator
        )
    if progress is not None:
        progress(total, total)
    return Projected(net.to("cpu"), projection)


@torch.no_grad()
def _judgement(
    net: darts.Supernet, mixing: darts.MixingWeights, batches: Loader, device: torch.device, seed: int
) -> darts.Judgement:
    torch.manual_seed(seed)  # ops that draw noise draw the same for every candidate
    net.eval()
    correct, loss, count = 0.0, 0.0, 0
    for batch in batches:
        images, labels = move_data_to_device(batch, device)
        logits = net(images.contiguous(memory_format=torch.channels_last), mixing=mixing)
        loss += F.cross_entropy(logits, labels, reduction="sum").item()
        correct += (logits.argmax(dim=1) == labels).sum().item()
        count += len(labels)
    if not math.isfinite(loss):
        raise DivergedError(
            f"the supernet's loss on the architecture half is {loss / count:g} while its architecture is chosen. Lower "
            "--weight-lr, of which tuning takes a tenth, or give --projection-epochs 0."
        )
    return darts.Judgement(correct / count, loss / count)


class _Tuner:
    """Trains a supernet's weights with given mixing weights."""

    def __init__(self, net: darts.Supernet, data: PreparedData, recipe: Recipe, device: torch.device) -> None:
        self.net, self.recipe, self.device = net, recipe, device
        self.batches = data.half_loader("weight", recipe)
        self.order = cast(EpochSampler, cast(FullBatches, self.batches.batch_sampler).sampler)
        self.augmentation = data.augmentation(recipe)
        self.optimizer = torch.optim.SGD(
            net.weight_parameters(),
            lr=TUNING_RATE * recipe.weight_lr,
            momentum=recipe.weight_momentum,
            weight_decay=recipe.weight_decay,
        )

    def run(self, mixing: darts.MixingWeights, round_number: int) -> None:
        for epoch in range(self.recipe.projection_epochs):
            number = (round_number - 1) * self.recipe.projection_epochs + epoch
            torch.manual_seed(epoch_seed(self.recipe.seed, number, "network of projection"))
            generator = torch.Generator().manual_seed(epoch_seed(self.recipe.seed, number, "batches of projection"))
            self.order.set_epoch(number)
            self.net.train()
            for batch in self.batches:
                moved = move_data_to_device(batch, self.device)
                images, labels = augmented(moved, self.augmentation, generator)
                darts.weight_step(
                    self.net,
                    F.cross_entropy,
                    (images.contiguous(memory_format=torch.channels_last), labels),
                    self.optimizer,
                    mixing,
                    max_gradient_norm=self.recipe.max_gradient_norm,
                    num_micro_batches=self.recipe.num_micro_batches,
                )
