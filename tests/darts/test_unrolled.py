from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import darts

Batch = tuple[Tensor, Tensor]
Search = tuple[darts.Supernet, torch.optim.SGD, Batch, Batch]


def _sgd(net: darts.Supernet, **options: object) -> torch.optim.SGD:
    settings = {"lr": 0.025, "momentum": 0.9, "weight_decay": 3e-4, **options}
    return torch.optim.SGD(net.weight_parameters(), **settings)  # type: ignore[arg-type]


@pytest.fixture
def search() -> Search:
    """A search that has taken a step, so that there is momentum; normalisations have statistics to evaluate with."""
    torch.manual_seed(0)
    net = darts.Supernet(darts.S2, num_classes=5, channels=2, num_cells=3).double()
    draws = torch.Generator().manual_seed(0)
    weight_batch, arch_batch = (
        (torch.randn(6, 3, 8, 8, dtype=torch.float64, generator=draws), torch.randint(5, (6,), generator=draws))
        for _ in range(2)
    )
    with torch.no_grad():
        for alpha in net.arch_parameters():
            alpha.copy_(0.5 * torch.randn(alpha.shape, dtype=torch.float64, generator=draws))
    optimizer = _sgd(net)
    F.cross_entropy(net(weight_batch[0]), weight_batch[1]).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    net.zero_grad(set_to_none=True)
    return net, optimizer, weight_batch, arch_batch


def _loss_after_a_step(search: Search, moves: list[Tensor]) -> float:
    """L_arch(w'(alpha), alpha) with the alphas moved; w' by torch's own SGD on a copy of the network."""
    net, optimizer, (images, labels), (arch_images, arch_labels) = search
    net = copy.deepcopy(net)
    with torch.no_grad():
        for alpha, move in zip(net.arch_parameters(), moves, strict=True):
            alpha.add_(move)
    stepper = _sgd(net)
    stepper.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    F.cross_entropy(net(images), labels).backward()  # type: ignore[no-untyped-call]
    stepper.step()
    with torch.no_grad():
        return F.cross_entropy(net(arch_images), arch_labels).item()


def test_the_unrolled_gradient_is_that_of_the_loss_after_the_weights_step(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Oracle: central differences in alpha of L_arch(w'(alpha), alpha), w' by torch.optim.SGD. The own finite difference
    # crosses kinks of ReLU and max pooling when it moves the weights by 0.01, which costs about 1e-4 here; moved by
    # 1e-4 it stays within one smooth piece, and what is left is the rounding of the oracle.
    monkeypatch.setattr("darts.bilevel.DIFFERENCE_NORM", 1e-4)
    net, optimizer, weight_batch, arch_batch = search
    net.eval()
    found = darts.unrolled_gradient(net, F.cross_entropy, weight_batch, arch_batch, optimizer)
    first = darts.first_order_gradient(net, F.cross_entropy, *arch_batch)
    draws = torch.Generator().manual_seed(1)
    for _ in range(2):
        towards = [torch.randn(alpha.shape, dtype=torch.float64, generator=draws) for alpha in net.arch_parameters()]
        above, below = (_loss_after_a_step(search, [sign * 1e-5 * move for move in towards]) for sign in (1, -1))
        slopes = [
            sum((move * slope).sum().item() for move, slope in zip(towards, (of.normal, of.reduction), strict=True))
            for of in (found, first)
        ]
        assert slopes[0] == pytest.approx((above - below) / 2e-5, abs=1e-8)
        assert abs(slopes[1] - slopes[0]) > 1e-5  # the first order is another gradient


def test_weights_keep_every_bit_and_no_gradient_even_when_a_pass_fails(search: Search) -> None:
    net, optimizer, weight_batch, arch_batch = search
    before = {name: tensor.clone() for name, tensor in net.named_parameters()}

    class FailsAfter:
        def __init__(self, num_passes: int) -> None:
            self.left = num_passes

        def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
            if self.left == 0:
                raise ConnectionError("the machine went away")
            self.left -= 1
            return F.cross_entropy(logits, labels)

    darts.unrolled_gradient(net, FailsAfter(4), weight_batch, arch_batch, optimizer)
    for num_passes in range(4):
        with pytest.raises(ConnectionError, match="went away"):
            darts.unrolled_gradient(net, FailsAfter(num_passes), weight_batch, arch_batch, optimizer)
    for name, tensor in net.named_parameters():
        assert torch.equal(tensor, before[name]), name
        assert tensor.grad is None


def test_only_the_passes_on_the_weight_batch_move_the_running_statistics(search: Search) -> None:
    net, optimizer, weight_batch, arch_batch = search
    far = (arch_batch[0] + 1e6, arch_batch[1])
    mean = net.get_buffer("stem.1.running_mean")
    count = net.get_buffer("stem.1.num_batches_tracked")
    mean_before, count_before = mean.clone(), count.clone()
    darts.unrolled_gradient(net, F.cross_entropy, weight_batch, far, optimizer)
    assert not torch.equal(mean, mean_before)
    assert mean.abs().max() < 1e3
    assert count == count_before + 3  # at w, above and below


def test_each_group_of_the_optimizer_steps_at_its_own_rate(search: Search) -> None:
    # Oracle: one group, in which the classifier's rate of 0 is had by leaving the classifier out of the optimizer.
    net, _, weight_batch, arch_batch = search
    net.eval()
    classifier = list(net.classifier.parameters())
    rest: list[Tensor] = [p for p in net.weight_parameters() if all(p is not other for other in classifier)]
    settings: list[dict[str, Any]] = [{"params": rest}, {"params": classifier, "lr": 0.0}]
    groups = torch.optim.SGD(settings, lr=0.05)
    alone = torch.optim.SGD(rest, lr=0.05)
    found, expected = (
        darts.unrolled_gradient(net, F.cross_entropy, weight_batch, arch_batch, optimizer)
        for optimizer in (groups, alone)
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    whole = darts.unrolled_gradient(net, F.cross_entropy, weight_batch, arch_batch, _sgd(net, lr=0.05))
    assert (whole.normal - found.normal).abs().max() > 1e-6


def test_at_rate_zero_the_unrolled_gradient_is_the_first_order_one(search: Search) -> None:
    net, _, weight_batch, arch_batch = search
    net.eval()
    found = darts.unrolled_gradient(net, F.cross_entropy, weight_batch, arch_batch, _sgd(net, lr=0.0))
    expected = darts.first_order_gradient(net, F.cross_entropy, *arch_batch)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_ops_that_draw_noise_draw_the_same_on_both_sides_of_the_difference() -> None:
    # Oracle: the state of the generator that noise is drawn from, before each of the four passes.
    net = darts.Supernet(darts.S4, num_classes=3, channels=2, num_cells=3).double()
    batch = torch.randn(3, 3, 8, 8, dtype=torch.float64), torch.tensor([0, 1, 2])
    states: list[Tensor] = []
    net.register_forward_pre_hook(lambda *_: states.append(torch.random.get_rng_state()))
    darts.unrolled_gradient(net, F.cross_entropy, batch, batch, _sgd(net))
    at_w, ahead, above, below = states
    assert torch.equal(above, below)
    assert not torch.equal(at_w, ahead)
    assert not torch.equal(ahead, above)
    assert not torch.equal(below, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda net: torch.optim.Adam(net.weight_parameters()),
            r'is Adam, .*cannot follow; expected torch\.optim\.SGD\. Take that, or order="first"',
        ),
        (
            lambda net: _sgd(net, nesterov=True),
            r"SGD with nesterov, .* expected rate, momentum and weight decay only\. Leave the rest out",
        ),
        (lambda net: _sgd(net, dampening=0.1), "SGD with dampening"),
        (
            lambda net: torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1),
            r"holds none of the supernet's weights; expected it over net\.weight_parameters\(\)",
        ),
    ],
)
def test_an_optimizer_whose_step_is_another_one_is_refused(
    make: Callable[[darts.Supernet], torch.optim.Optimizer], sentence: str, search: Search
) -> None:
    net, _, weight_batch, arch_batch = search
    with pytest.raises(darts.OptimizerError, match=sentence):
        darts.unrolled_gradient(net, F.cross_entropy, weight_batch, arch_batch, make(net))
