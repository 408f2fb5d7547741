from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

import darts


def test_radius_grows_as_in_the_reference(reference: dict[str, Any]) -> None:
    schedule = reference["epsilon_schedule"]
    radii = [darts.perturbation_radius(epoch, schedule["epochs"]) for epoch in (0, 1, 2, 49)]
    assert radii == pytest.approx(schedule["values_first3_last"], rel=1e-12)


def test_return_to_the_simplex_equals_the_reference(reference: dict[str, Any]) -> None:
    # Oracle: the reference's clip of softmax(logits) + noise.
    for case in reference["simplex_clip"]:
        if "logits" in case:
            weights = torch.tensor(case["logits"], dtype=torch.float64).softmax(dim=-1)
            before = weights + torch.tensor(case["noise"], dtype=torch.float64)
        else:
            before = torch.tensor(case["before"], dtype=torch.float64)
        expected = torch.tensor(case["after"], dtype=torch.float64)
        torch.testing.assert_close(darts.clamp_and_normalise(before), expected, rtol=0, atol=1e-6)


def test_a_row_that_clamping_empties_becomes_one_hot_at_its_first_largest_entry() -> None:
    rows = torch.tensor([[-0.3, -0.1, -0.1], [0.2, -0.1, 0.2]])
    expected = torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
    torch.testing.assert_close(darts.clamp_and_normalise(rows), expected)


def test_random_perturbation_stays_on_the_simplex_near_the_start_and_follows_its_generator() -> None:
    net = darts.Supernet(darts.S5, 3, 4, 3)
    mixing = net.mixing_weights()
    draws = [darts.perturb_random(mixing, 0.05, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)]
    assert torch.equal(draws[0].normal, draws[1].normal)
    assert not torch.equal(draws[0].normal, draws[2].normal)
    for start, moved in zip(mixing, draws[0], strict=True):
        assert not moved.requires_grad
        torch.testing.assert_close(moved.sum(dim=-1), torch.ones(14))
        # |row sum - 1| <= 7 * 0.05 before normalising bounds the distance after it
        assert (moved - start).abs().max() <= (0.05 + 0.35) / (1 - 0.35)


def test_random_perturbation_draws_uniform_noise_from_the_box() -> None:
    # Oracle: where no clamping happens, rows are (w + u) / (1 + sum u); with two primitives at one half,
    # w0 / w1 = (0.5 + u0) / (0.5 + u1) lies within the ratio of the box's corners and fills it.
    half = torch.full((20000, 2), 0.5, dtype=torch.float64)
    moved = darts.perturb_random(darts.MixingWeights(half, half), 0.1, torch.Generator().manual_seed(0))
    ratio = moved.normal[:, 0] / moved.normal[:, 1]
    assert ratio.max() <= 0.6 / 0.4
    assert ratio.max() > 0.59 / 0.41
    assert ratio.log().mean().abs() < 0.005
    assert not torch.equal(moved.normal, moved.reduction)


def test_adversarial_perturbation_raises_the_loss_and_leaves_no_trace(small_net: darts.Supernet) -> None:
    torch.manual_seed(1)
    images, labels = torch.randn(4, 3, 8, 8, dtype=torch.float64), torch.tensor([0, 1, 2, 3])
    small_net(images)
    before = {name: tensor.clone() for name, tensor in small_net.state_dict().items()}
    mixing = small_net.mixing_weights()
    small_net.stem[1].eval()  # every module's own mode is restored
    moved = darts.perturb_adversarial(
        small_net, mixing, images, labels, 0.1, generator=torch.Generator().manual_seed(0)
    )
    assert small_net.training
    assert not small_net.stem[1].training
    assert all(torch.equal(tensor, before[name]) for name, tensor in small_net.state_dict().items())
    assert all(parameter.grad is None for parameter in small_net.parameters())
    small_net.eval()
    with torch.no_grad():
        losses = [F.cross_entropy(small_net(images, mixing=weights), labels) for weights in (mixing, moved)]
    assert losses[1] > losses[0]
