from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import darts

Fill = Callable[[nn.Module], nn.Module]
Batch = Callable[[int, int, int], tuple[Tensor, Tensor]]


def _optimizers(net: darts.Supernet, lr: float) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    return (
        torch.optim.SGD(net.weight_parameters(), lr=lr, momentum=0.9, weight_decay=3e-4),
        torch.optim.Adam(net.arch_parameters(), lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3),
    )


@pytest.mark.parametrize("mode", ["1st", "2nd", "adv"])
def test_search_follows_the_trajectory_of_the_reference(
    mode: str, reference: dict[str, Any], fill: Fill, batch: Batch
) -> None:
    # Oracle: losses, alphas and classifier of the reference after each step, float64.
    case = next(
        case
        for case in reference["numeric_search_trajectories_float64"]
        if (case["space"], case["mode"]) == ("s1", mode)
    )
    net = cast(darts.Supernet, fill(darts.Supernet(darts.S1, case["classes"], case["C"], case["layers"]).double()))
    weight_optimizer, arch_optimizer = _optimizers(net, case["lr"])
    weight_batch, arch_batch = batch(case["batch"], case["classes"], 0), batch(case["batch"], case["classes"], 1)
    used: list[darts.MixingWeights] = []

    def attack(mixing: darts.MixingWeights) -> darts.MixingWeights:
        used.append(darts.perturb_adversarial(net, mixing, *weight_batch, radius=case["eps"], random_start=False))
        return used[-1]

    for expected in case["steps"]:
        step = darts.search_step(
            net,
            F.cross_entropy,
            weight_batch,
            arch_batch,
            weight_optimizer,
            arch_optimizer,
            perturb=attack if mode == "adv" else None,
            order="unrolled" if mode == "2nd" else "first",
        )
        assert step.weight_loss.item() == pytest.approx(expected["train_loss"], abs=1e-8)
        assert step.gradient_norm.item() == pytest.approx(expected["grad_norm_before_clip"], rel=1e-8)
        torch.testing.assert_close(net.normal_alpha.tolist(), expected["alphas_normal"], rtol=0, atol=1e-8)
        torch.testing.assert_close(net.reduction_alpha.tolist(), expected["alphas_reduce"], rtol=0, atol=1e-8)
        torch.testing.assert_close(net.classifier.bias.tolist(), expected["classifier_bias"], rtol=0, atol=1e-8)
        if mode == "adv":
            torch.testing.assert_close(
                used[-1].normal.tolist(), expected["perturbed_weights_normal"], rtol=0, atol=1e-8
            )
            torch.testing.assert_close(
                used[-1].reduction.tolist(), expected["perturbed_weights_reduce"], rtol=0, atol=1e-8
            )


def test_the_alpha_step_leaves_the_weights_and_the_weight_step_the_alphas(small_net: darts.Supernet) -> None:
    generator = torch.Generator().manual_seed(0)
    batches = [
        (torch.randn(4, 3, 8, 8, dtype=torch.float64, generator=generator), torch.tensor([0, 1, 2, 3]))
        for _ in range(2)
    ]
    for frozen in ("weights", "alphas"):
        weight_optimizer, arch_optimizer = _optimizers(small_net, 0.1)
        for group in (weight_optimizer if frozen == "weights" else arch_optimizer).param_groups:
            group["lr"] = 0.0
        before = {name: tensor.clone() for name, tensor in small_net.named_parameters()}
        darts.search_step(small_net, F.cross_entropy, batches[0], batches[1], weight_optimizer, arch_optimizer)
        moved = {name for name, tensor in small_net.named_parameters() if not torch.equal(tensor, before[name])}
        alphas = {"normal_alpha", "reduction_alpha"}
        assert moved == alphas if frozen == "weights" else moved and not moved & alphas


def test_no_weight_gradient_is_formed_for_the_alphas(small_net: darts.Supernet) -> None:
    images, labels = torch.randn(2, 3, 8, 8, dtype=torch.float64), torch.tensor([0, 1])
    darts.assign_alpha_gradient(small_net, darts.first_order_gradient(small_net, F.cross_entropy, images, labels))
    assert all(parameter.grad is None for parameter in small_net.weight_parameters())
    assert all(parameter.grad is not None for parameter in small_net.arch_parameters())


@pytest.mark.parametrize("perturbation", ["random", "adversarial"])
def test_a_step_in_bfloat16_moves_every_weight_much_as_one_in_single_precision(perturbation: str) -> None:
    # Passes that form no weight gradients come before the one that does, under one autocast, which caches casts.
    torch.manual_seed(0)
    batches = [(torch.randn(8, 3, 16, 16), torch.arange(8) % 4) for _ in range(2)]
    net = darts.Supernet(darts.S1, num_classes=4, channels=4, num_cells=3)
    moves = []
    for enabled in (False, True):
        twin = copy.deepcopy(net)

        def perturb(mixing: darts.MixingWeights) -> darts.MixingWeights:
            generator = torch.Generator().manual_seed(0)
            if perturbation == "random":
                return darts.perturb_random(mixing, 0.1, generator)
            return darts.perturb_adversarial(twin, mixing, *batches[0], 0.1, generator=generator)  # noqa: B023

        weight_optimizer, arch_optimizer = _optimizers(twin, 0.1)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            darts.search_step(
                twin, F.cross_entropy, batches[0], batches[1], weight_optimizer, arch_optimizer, perturb=perturb
            )
        pairs = zip(twin.weight_parameters(), net.weight_parameters(), strict=True)
        moves.append([(after - before).flatten() for after, before in pairs])
    assert all(move.abs().max() > 0 for move in moves[1])
    assert F.cosine_similarity(torch.cat(moves[0]), torch.cat(moves[1]), dim=0) > 0.95


def test_autocast_around_several_steps_gives_what_autocast_around_each_gives() -> None:
    # Autocast caches casts of the weights, which a step moves.
    torch.manual_seed(0)
    batches = [(torch.randn(8, 3, 16, 16), torch.arange(8) % 4) for _ in range(2)]
    net = darts.Supernet(darts.S1, num_classes=4, channels=4, num_cells=3)
    losses = []
    for around_all in (True, False):
        twin = copy.deepcopy(net)
        weight_optimizer, arch_optimizer = _optimizers(twin, 0.1)
        found = []
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=around_all):
            for _ in range(3):
                with torch.autocast("cpu", dtype=torch.bfloat16):
                    step = darts.search_step(
                        twin, F.cross_entropy, batches[0], batches[1], weight_optimizer, arch_optimizer
                    )
                found.append(step.weight_loss.item())
        losses.append(found)
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert losses[0][2] < losses[0][0]


def test_an_unknown_order_is_refused(small_net: darts.Supernet) -> None:
    batch = torch.randn(2, 3, 8, 8, dtype=torch.float64), torch.tensor([0, 1])
    order: Any = "second"
    with pytest.raises(darts.DartsError, match="order is 'second'; expected 'first' or 'unrolled'"):
        darts.search_step(small_net, F.cross_entropy, batch, batch, *_optimizers(small_net, 0.1), order=order)
