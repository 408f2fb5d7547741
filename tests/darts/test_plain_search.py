"""The supernet and the step of darts against the plain, paper-like twin in benchmarks/plain_search.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import darts
from benchmarks.plain_search import Batch, Method, Mixing, PlainSupernet, perturb_adversarial, plain_step

Fill = Callable[[nn.Module], nn.Module]
MakeBatch = Callable[[int, int, int], Batch]
Net = darts.Supernet | PlainSupernet

NUM_CLASSES = 3
SHAPES = {"last map 3x3": (3, 12, 12), "grey, last map 3x5": (1, 12, 20)}


def _noise_of_the_shape(x: Tensor) -> Tensor:
    steps = torch.arange(x.numel(), dtype=x.dtype)
    return (2**0.5 * torch.sin(steps * 0.61 + x.shape[1])).reshape(x.shape)


@pytest.fixture(autouse=True)
def _the_same_noise_whatever_the_order_of_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "randn_like", _noise_of_the_shape)


def _twins(space: darts.SearchSpace, num_cells: int = 4, in_channels: int = 3) -> tuple[darts.Supernet, PlainSupernet]:
    """Both networks in one state, with mixing weights far from uniform."""
    torch.manual_seed(1)
    net = darts.Supernet(space, NUM_CLASSES, 4, num_cells, in_channels).double()
    with torch.no_grad():
        for alpha in net.arch_parameters():
            alpha.normal_()
    plain = PlainSupernet(space, NUM_CLASSES, 4, num_cells, in_channels).double()
    plain.load_state_dict(net.state_dict())
    return net, plain


def _batch(shape: tuple[int, int, int] = (3, 8, 8), seed: int = 0, size: int = 4) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn((size, *shape), dtype=torch.float64, generator=generator)
    return images, torch.randint(NUM_CLASSES, (size,), generator=generator)


def _optimizers(net: Net, lr: float = 0.025) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    return (
        torch.optim.SGD(net.weight_parameters(), lr=lr, momentum=0.9, weight_decay=3e-4),
        torch.optim.Adam(net.arch_parameters(), lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3),
    )


def _assert_equal(actual: Any, expected: Any, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


def _gradients(net: Net) -> dict[str, Tensor | None]:
    return {name: parameter.grad for name, parameter in net.named_parameters()}


@pytest.mark.parametrize("mode", ["1st", "2nd", "adv"])
def test_the_twin_follows_the_trajectory_of_the_reference(
    mode: str, reference: dict[str, Any], fill: Fill, batch: MakeBatch
) -> None:
    # Oracle: losses, gradient norms, alphas and classifier of the reference after each step, float64.
    case = next(
        case
        for case in reference["numeric_search_trajectories_float64"]
        if (case["space"], case["mode"]) == ("s1", mode)
    )
    sizes = (darts.S1, case["classes"], case["C"], case["layers"])
    net = PlainSupernet(*sizes).double()
    net.load_state_dict(fill(darts.Supernet(*sizes).double()).state_dict())
    weight_optimizer, arch_optimizer = _optimizers(net, case["lr"])
    weight_batch, arch_batch = (batch(case["batch"], case["classes"], offset) for offset in (0, 1))
    for expected in case["steps"]:
        step = plain_step(
            net,
            weight_batch,
            arch_batch,
            weight_optimizer,
            arch_optimizer,
            method="adversarial" if mode == "adv" else "plain",
            unrolled=mode == "2nd",
            radius=case["eps"] or 0.0,
            random_start=False,
        )
        assert step.weight_loss.item() == pytest.approx(expected["train_loss"], abs=1e-8)
        assert step.gradient_norm.item() == pytest.approx(expected["grad_norm_before_clip"], rel=1e-8)
        _assert_equal(net.normal_alpha.tolist(), expected["alphas_normal"], 1e-8)
        _assert_equal(net.reduction_alpha.tolist(), expected["alphas_reduce"], 1e-8)
        _assert_equal(net.classifier.bias.tolist(), expected["classifier_bias"], 1e-8)
        if mode == "adv":
            _assert_equal(step.mixing[0].tolist(), expected["perturbed_weights_normal"], 1e-8)
            _assert_equal(step.mixing[1].tolist(), expected["perturbed_weights_reduce"], 1e-8)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_logits_gradients_and_statistics_equal_those_of_the_twin(
    space: darts.SearchSpace, shape: tuple[int, int, int]
) -> None:
    # Oracle: the twin. Two passes, so that the second starts from statistics that have moved.
    net, plain = _twins(space, in_channels=shape[0])
    for seed in (0, 1):
        images, labels = _batch(shape, seed)
        logits, expected = net(images), plain(images)
        _assert_equal(logits, expected)
        for output in (logits, expected):
            F.cross_entropy(output, labels).backward()  # type: ignore[no-untyped-call]
    _assert_equal(_gradients(net), _gradients(plain))
    _assert_equal(dict(net.state_dict()), dict(plain.state_dict()))
    with torch.no_grad():
        _assert_equal(net.eval()(images), plain.eval()(images))
        _assert_equal(net.train()(images), plain.train()(images))
    _assert_equal(dict(net.state_dict()), dict(plain.state_dict()))


def test_gradients_of_alpha_alone_equal_those_of_the_full_backward_pass_of_the_twin(space: darts.SearchSpace) -> None:
    net, plain = _twins(space)
    images, labels = _batch()
    gradient = darts.first_order_gradient(net, F.cross_entropy, images, labels)
    F.cross_entropy(plain(images), labels).backward()  # type: ignore[no-untyped-call]
    _assert_equal((gradient.normal, gradient.reduction), (plain.normal_alpha.grad, plain.reduction_alpha.grad))
    _assert_equal(dict(net.state_dict()), dict(plain.state_dict()))


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_mixing_weights_of_zero_give_the_logits_and_gradients_of_the_twin(
    training: bool, space: darts.SearchSpace
) -> None:
    # One-hot rows, as after a strong perturbation; the gradient of an op with weight 0 still counts.
    net, plain = _twins(space, num_cells=3)
    images, labels = _batch()
    found = []
    for twin in (net, plain):
        twin(images)
        twin.train(training)
        rows = torch.arange(space.num_edges) % space.num_primitives
        normal, reduction = (
            F.one_hot(columns, space.num_primitives).double().requires_grad_() for columns in (rows, rows.flip(0))
        )
        logits = twin(images, mixing=darts.MixingWeights(normal, reduction))
        wanted = [normal, reduction, *twin.stem.parameters()]
        found.append((logits, *torch.autograd.grad(F.cross_entropy(logits, labels), wanted)))
    _assert_equal(found[0], found[1])
    _assert_equal(dict(net.state_dict()), dict(plain.state_dict()))


def test_the_order_of_channels_in_memory_changes_no_number(space: darts.SearchSpace) -> None:
    net, plain = _twins(space, num_cells=3)
    net = net.to(memory_format=torch.channels_last)
    images, labels = _batch((3, 12, 8))
    for twin, layout in ((net, torch.channels_last), (plain, torch.contiguous_format)):
        F.cross_entropy(twin(images.to(memory_format=layout)), labels).backward()  # type: ignore[no-untyped-call]
    _assert_equal(_gradients(net), _gradients(plain))
    _assert_equal(dict(net.state_dict()), dict(plain.state_dict()))


@pytest.mark.parametrize("method", ["plain", "random", "adversarial"])
def test_steps_of_the_search_equal_those_of_the_twin(method: Method, space: darts.SearchSpace) -> None:
    # Oracle: the twin, fed the same batches and the same noise of the perturbation. An attack on seven or eight
    # primitives costs as much as ten plain steps: one such step is compared.
    net, plain = _twins(space, num_cells=3)
    net_optimizers, plain_optimizers = _optimizers(net), _optimizers(plain)
    ours, theirs = (torch.Generator().manual_seed(5) for _ in range(2))
    for number in range(1 if method == "adversarial" and space.num_primitives > 3 else 3):
        weight_batch, arch_batch = _batch(seed=number), _batch(seed=10 + number)

        def perturb(mixing: darts.MixingWeights, batch: Batch = weight_batch) -> darts.MixingWeights:
            if method == "plain":
                return mixing
            if method == "random":
                return darts.perturb_random(mixing, 0.2, ours)
            return darts.perturb_adversarial(net, mixing, *batch, radius=0.2, generator=ours)

        step = darts.search_step(net, F.cross_entropy, weight_batch, arch_batch, *net_optimizers, perturb=perturb)
        expected = plain_step(
            plain, weight_batch, arch_batch, *plain_optimizers, method=method, radius=0.2, generator=theirs
        )
        _assert_equal(tuple(step), tuple(expected[:3]), 1e-8)
        _assert_equal(dict(net.state_dict()), dict(plain.state_dict()), 1e-8)


def test_an_attack_that_ends_lower_is_dropped_as_in_the_twin() -> None:
    # Attacks in a wide box, each from where the last one ended: soon one overshoots, and the start is kept.
    net, plain = _twins(darts.S1, num_cells=3)
    images, labels = _batch()
    for twin in (net, plain):
        twin(images)
    mixing: Mixing = plain.mixing_weights()
    dropped = []
    for _ in range(4):
        mixing = (mixing[0].detach(), mixing[1].detach())
        expected = perturb_adversarial(plain, mixing, (images, labels), 0.9, random_start=False, generator=None)
        moved = darts.perturb_adversarial(
            net, darts.MixingWeights(*mixing), images, labels, radius=0.9, random_start=False
        )
        _assert_equal(tuple(moved), expected)
        dropped.append(torch.equal(moved.normal, mixing[0]))
        mixing = expected
    assert True in dropped
    assert False in dropped


def test_the_noise_of_the_twin_is_fresh_in_every_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    plain = PlainSupernet(darts.S4, NUM_CLASSES, 4, 3).eval()
    images = torch.zeros(2, 3, 8, 8)
    assert not torch.equal(plain(images), plain(images))


def test_the_twin_takes_large_images_through_a_stem_that_halves_them_twice() -> None:
    plain = PlainSupernet(darts.S2, NUM_CLASSES, 4, 3, stem="imagenet")
    assert plain.stem(torch.zeros(2, 3, 32, 48)).shape == (2, 12, 8, 12)
    assert plain(torch.zeros(2, 3, 32, 48)).shape == (2, NUM_CLASSES)
