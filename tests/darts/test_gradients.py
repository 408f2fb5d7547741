"""Gradients in parts and over processes: the numbers are those of the whole batch."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

import darts

Batch = tuple[Tensor, Tensor]
Compute = Callable[[darts.Supernet, Batch, Batch, Any], tuple[Tensor, ...]]


def _batches(size: int) -> tuple[Batch, Batch]:
    draws = torch.Generator().manual_seed(0)
    weight_batch, arch_batch = (
        (torch.randn(size, 3, 8, 8, dtype=torch.float64, generator=draws), torch.randint(5, (size,), generator=draws))
        for _ in range(2)
    )
    return weight_batch, arch_batch


@pytest.fixture
def net() -> darts.Supernet:
    """In evaluation mode, with statistics of its own: normalisations do not look at the rest of the batch."""
    torch.manual_seed(0)
    net = darts.Supernet(darts.S2, num_classes=5, channels=2, num_cells=3).double()
    net(_batches(7)[0][0])
    return net.eval()


def _sgd(net: darts.Supernet) -> torch.optim.SGD:
    return torch.optim.SGD(net.weight_parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)


def _first_order(net: darts.Supernet, weight_batch: Batch, arch_batch: Batch, options: Any) -> tuple[Tensor, ...]:
    return darts.first_order_gradient(net, F.cross_entropy, *arch_batch, **options).gradients


def _unrolled(net: darts.Supernet, weight_batch: Batch, arch_batch: Batch, options: Any) -> tuple[Tensor, ...]:
    return darts.unrolled_gradient(net, F.cross_entropy, weight_batch, arch_batch, _sgd(net), **options).gradients


def _attack(net: darts.Supernet, weight_batch: Batch, arch_batch: Batch, options: Any) -> tuple[Tensor, ...]:
    return darts.perturb_adversarial(
        net, net.mixing_weights(), *weight_batch, 0.1, generator=torch.Generator().manual_seed(3), **options
    )


def _steps(net: darts.Supernet, weight_batch: Batch, arch_batch: Batch, options: Any) -> tuple[Tensor, ...]:
    arch_optimizer = torch.optim.SGD(net.arch_parameters(), lr=0.1)
    weight_optimizer = _sgd(net)
    found: list[Tensor] = []
    for _ in range(2):
        step = darts.search_step(
            net,
            F.cross_entropy,
            weight_batch,
            arch_batch,
            weight_optimizer,
            arch_optimizer,
            order="unrolled",
            **options,
        )
        found.append(step.gradient_norm)
    return (*found, *(parameter.detach() for parameter in net.parameters()))


COMPUTATIONS = pytest.mark.parametrize(
    "compute", [_first_order, _unrolled, _attack, _steps], ids=["first order", "unrolled", "attack", "search step"]
)


@COMPUTATIONS
def test_micro_batches_give_the_numbers_of_the_whole_batch(compute: Compute, net: darts.Supernet) -> None:
    # Oracle: the whole batch at once. 7 images in 3 parts are parts of unequal size.
    whole = compute(copy.deepcopy(net), *_batches(7), {})
    parts = compute(net, *_batches(7), {"num_micro_batches": 3})
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-10)


class _Processes:
    """Threads that average with each other, as processes do."""

    def __init__(self, count: int) -> None:
        self.barrier = threading.Barrier(count, timeout=30)
        self.given: dict[int, tuple[Tensor, ...]] = {}

    def average(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        self.given[threading.get_ident()] = tensors
        self.barrier.wait()
        means = tuple(torch.stack(column).mean(dim=0) for column in zip(*self.given.values(), strict=True))
        self.barrier.wait()
        return means


@COMPUTATIONS
def test_two_processes_with_half_the_batch_each_give_the_numbers_of_the_whole(
    compute: Compute, net: darts.Supernet
) -> None:
    # Oracle: one process with the whole batch.
    weight_batch, arch_batch = _batches(6)
    whole = compute(copy.deepcopy(net), weight_batch, arch_batch, {})
    processes = _Processes(2)

    def one(half: slice) -> tuple[Tensor, ...]:
        mine, other = ((images[half], labels[half]) for images, labels in (weight_batch, arch_batch))
        return compute(copy.deepcopy(net), mine, other, {"average": processes.average, "num_micro_batches": 2})

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(one, [slice(0, 3), slice(3, 6)])
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    torch.testing.assert_close(first, whole, rtol=0, atol=1e-10)


def test_all_processes_take_the_same_fall_back_of_the_attack(net: darts.Supernet) -> None:
    # The loss falls from 2 to 1 here and rises from 1 to 5 there: the mean rises, so the attack is kept on both sides.
    batch = _batches(4)[0]
    mixing = net.mixing_weights()
    losses = {"here": iter([2.0, 1.0]), "there": iter([1.0, 5.0])}
    processes = _Processes(2)

    def attack(side: str) -> darts.MixingWeights:
        def criterion(logits: Tensor, labels: Tensor) -> Tensor:
            if logits.requires_grad:
                return F.cross_entropy(logits, labels)
            return torch.tensor(next(losses[side]), dtype=torch.float64)

        return darts.perturb_adversarial(
            copy.deepcopy(net), mixing, *batch, 0.1, 2, False, criterion=criterion, average=processes.average
        )

    with ThreadPoolExecutor(2) as pool:
        here, there = pool.map(attack, ["here", "there"])
    assert torch.equal(here.normal, there.normal)
    assert not torch.equal(here.normal, mixing.normal)


@pytest.mark.parametrize("num_micro_batches", [0, 5])
def test_a_batch_is_not_cut_into_more_parts_than_it_has_images(num_micro_batches: int, net: darts.Supernet) -> None:
    sentence = rf"a batch of 4 images was to be cut into {num_micro_batches} micro-batches; expected from 1"
    with pytest.raises(darts.BatchError, match=sentence):
        _first_order(net, *_batches(4), {"num_micro_batches": num_micro_batches})


def test_parts_differ_in_size_by_one_at_most_and_their_shares_sum_to_one() -> None:
    parts = list(darts.micro_batches((torch.arange(7), torch.arange(7)), 3))
    assert [labels.tolist() for (_, labels), _ in parts] == [[0, 1, 2], [3, 4], [5, 6]]
    assert [share for _, share in parts] == pytest.approx([3 / 7, 2 / 7, 2 / 7])


class _WeightGradients(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the convolutions' backward passes, and those of them that form a weight gradient."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.backward = self.with_weights = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution_backward.default:
            self.backward += 1
            self.with_weights += bool(args[-1][1])  # output_mask: of input, weight, bias
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("compute", [_first_order, _attack], ids=["first order", "attack"])
def test_no_weight_gradient_is_computed_for_the_alphas_or_in_the_attack(compute: Compute, net: darts.Supernet) -> None:
    with _WeightGradients() as seen:
        compute(net, *_batches(4), {})
    assert seen.backward > 0
    assert seen.with_weights == 0
    assert all(parameter.grad is None for parameter in net.parameters())


def test_of_the_four_passes_of_the_unrolled_gradient_two_form_weight_gradients(net: darts.Supernet) -> None:
    # Oracle: one backward pass of the whole loss, in which every convolution forms its weight's gradient once.
    weight_batch, arch_batch = _batches(4)
    with _WeightGradients() as one_pass:
        F.cross_entropy(copy.deepcopy(net)(weight_batch[0]), weight_batch[1]).backward()  # type: ignore[no-untyped-call]
    with _WeightGradients() as seen:
        _unrolled(net, weight_batch, arch_batch, {})
    assert seen.with_weights == 2 * one_pass.with_weights > 0


def test_after_an_attack_under_autocast_every_weight_still_gets_its_gradient(net: darts.Supernet) -> None:
    # Oracle: the gradients without an attack before. Autocast keeps casts of the weights from pass to pass; in PyTorch
    # before the mend of its issue 112583, those made without gradients cut the weights off.
    net = net.float()
    images, labels = _batches(4)[0]
    batch = images.float(), labels
    mixing = net.mixing_weights().detach()

    def gradients(*, attack: bool) -> tuple[Tensor, ...]:
        with torch.autocast("cpu", torch.bfloat16):
            if attack:
                darts.perturb_adversarial(net, mixing, *batch, 0.1)
            loss = F.cross_entropy(net(batch[0], mixing=mixing), labels)
            return torch.autograd.grad(loss, net.weight_parameters(), allow_unused=True)

    torch.testing.assert_close(gradients(attack=True), gradients(attack=False), rtol=0, atol=0)
