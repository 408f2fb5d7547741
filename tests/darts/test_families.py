"""Families of supernets: partial channels with weights of edges, and random mixing weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Dirichlet, kl_divergence
from torch.nn import functional as F

import darts
from darts.dirichlet import concentrations, draw_weights
from darts.errors import DartsError, ShapeError, WarmStartError

PARTIAL = ("pc-darts-2", "pc-darts", "pc-darts-8")


def supernet(family: str, space: darts.SearchSpace = darts.S2, **sizes: Any) -> darts.Supernet:
    torch.manual_seed(0)
    known = darts.FAMILIES[family]
    sizes = {"num_classes": 3, "channels": 2 * known.divisor, "num_cells": 3, **sizes}
    net = darts.Supernet(space, family=known, **sizes).double()
    with torch.no_grad():
        for parameter in net.arch_parameters():
            parameter.normal_()
    return net


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn((6, 3, 16, 16), generator=generator, dtype=torch.float64)
    return images, torch.randint(3, (6,), generator=generator)


def as_published(net: darts.Supernet, images: Tensor) -> Tensor:
    """Section 3.2 and 3.3 of PC-DARTS edge by edge: split, mix, put together, shuffle, then weigh the edge."""
    before_previous = previous = net.stem(images)
    divisor = net.family.divisor
    for cell in net.cells:
        assert isinstance(cell, darts.supernet.Cell)
        alpha, beta = (
            (net.reduction_alpha, net.reduction_beta) if cell.reduction else (net.normal_alpha, net.normal_beta)
        )
        assert beta is not None
        states = [cell.preprocess0(before_previous), cell.preprocess1(previous)]
        row = 0
        for _ in range(net.space.num_nodes):
            edge_weights = beta[row : row + len(states)].softmax(dim=0)
            terms = []
            for source, x in enumerate(states):
                mixed = cell.edges[row]
                assert isinstance(mixed, darts.supernet.MixedOp)
                seen, rest = x[:, : x.shape[1] // divisor], x[:, x.shape[1] // divisor :]
                out = sum(weight * op(seen) for weight, op in zip(alpha[row].softmax(dim=0), mixed.ops, strict=True))
                assert isinstance(out, Tensor)
                whole = torch.cat([out, F.max_pool2d(rest, 2) if cell.reduction and source < 2 else rest], dim=1)
                count, channels, height, width = whole.shape
                groups = whole.reshape(count, divisor, channels // divisor, height, width)
                terms.append(edge_weights[source] * groups.transpose(1, 2).reshape(count, channels, height, width))
                row += 1
            states.append(torch.stack(terms).sum(dim=0))
        before_previous, previous = previous, torch.cat(states[2:], dim=1)
    return net.classifier(net.pool(previous).flatten(1))  # type: ignore[no-any-return]


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("space", [darts.S1, darts.S4, darts.DARTS], ids=lambda space: space.name)
@pytest.mark.parametrize("family", PARTIAL)
def test_partial_channels_are_those_of_the_paper(family: str, space: darts.SearchSpace, *, training: bool) -> None:
    net = supernet(family, space)
    images, labels = batch()
    twin = supernet(family, space)
    for model in (net, twin):
        model(images)  # statistics of its own
        model.train(training)
    torch.manual_seed(1)
    found = net(images)
    torch.manual_seed(1)
    expected = as_published(twin, images)
    if space is darts.S4:  # noise is drawn in another order
        assert found.shape == expected.shape
        return
    torch.testing.assert_close(found, expected)
    names = [name for name, _ in net.named_parameters()]
    slopes = torch.autograd.grad(F.cross_entropy(found, labels), list(net.parameters()))
    others = torch.autograd.grad(F.cross_entropy(expected, labels), list(twin.parameters()))
    for name, slope, other in zip(names, slopes, others, strict=True):
        torch.testing.assert_close(slope, other, msg=name)


@pytest.mark.parametrize("family", darts.FAMILIES)
def test_the_shapes_of_the_state_are_known_without_making_it(family: str) -> None:
    channels = 3 * darts.FAMILIES[family].channel_multiple
    net = darts.Supernet(darts.S1, 7, channels, 4, family=darts.FAMILIES[family])
    shapes = darts.Supernet.state_shapes(darts.S1, 7, channels, 4, family=darts.FAMILIES[family])
    assert shapes == {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}


@pytest.mark.parametrize("family", darts.FAMILIES)
def test_a_supernet_of_the_family_is_warm_started_whole_from_another(family: str) -> None:
    source = supernet(family)
    target = source.like(5).double()
    assert target.family is source.family
    report = darts.warm_start(target, source.state_dict())
    assert report.reinitialised == ("classifier.weight", "classifier.bias")
    for found, expected in zip(target.arch_parameters(), source.arch_parameters(), strict=True):
        assert torch.equal(found, expected)
    alone = source.like(5).double()
    kept = [parameter.detach().clone() for parameter in alone.arch_parameters()]
    darts.warm_start(alone, source.state_dict(), parts="weights")
    assert all(torch.equal(one, other) for one, other in zip(kept, alone.arch_parameters(), strict=True))


def test_a_supernet_of_another_family_is_no_source() -> None:
    net = supernet("pc-darts", channels=8)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with pytest.raises(WarmStartError, match="family 'pc-darts'"):
        darts.warm_start(net, supernet("darts", channels=8).state_dict())
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_channels_that_the_family_cannot_divide_are_refused() -> None:
    for make in (darts.Supernet, darts.Supernet.state_shapes):
        with pytest.raises(ShapeError, match="see one in 4 of them; expected a multiple of 8, such as 8 or 16"):
            make(darts.S1, 3, 12, 3, family=darts.FAMILIES["pc-darts"])


def test_weights_of_the_edges_into_a_node_sum_to_one() -> None:
    edges = supernet("pc-darts").edge_weights()
    assert edges is not None
    for weights in edges:
        sums = [weights[darts.S2.rows_into(node)].sum() for node in darts.S2.nodes]
        torch.testing.assert_close(torch.stack(sums), torch.ones(4, dtype=torch.float64))
    assert supernet("darts").edge_weights() is None


def test_an_edge_that_weighs_little_is_not_kept_though_its_op_leads() -> None:
    net = supernet("pc-darts")
    assert net.normal_beta is not None
    with torch.no_grad():
        for parameter in net.arch_parameters():
            parameter.zero_()
        net.normal_alpha[2:5, 0] = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)  # edges into node 3
    sources = {source for _, source in darts.strongest(net.space, net.strengths()).normal[2:4]}
    assert sources == {1, 2}
    with torch.no_grad():
        net.normal_beta[4] = -5.0  # of the edge from 2
    sources = {source for _, source in darts.strongest(net.space, net.strengths()).normal[2:4]}
    assert sources == {0, 1}


@pytest.mark.parametrize("order", ["first", "unrolled"])
def test_the_gradient_in_alpha_and_beta_is_that_of_the_loss(order: str) -> None:
    """Against central differences of the loss, after the weights' own step where it is unrolled."""
    net = supernet("pc-darts")
    net(batch(5)[0])
    net.eval()
    weight_batch, arch_batch = batch(1), batch(2)
    rate = 0.05 if order == "unrolled" else 0.0
    rtol, atol = (2e-3, 1e-6) if order == "first" else (5e-2, 1e-5)  # itself a difference
    optimizer = torch.optim.SGD(net.weight_parameters(), lr=rate)
    found = (
        darts.first_order_gradient(net, F.cross_entropy, *arch_batch)
        if order == "first"
        else darts.unrolled_gradient(net, F.cross_entropy, weight_batch, arch_batch, optimizer)
    )
    assert len(found.gradients) == 4

    def loss() -> Tensor:
        weights = dict(net.named_weight_parameters())
        slopes = torch.autograd.grad(
            F.cross_entropy(net(weight_batch[0]), weight_batch[1]), list(weights.values()), materialize_grads=True
        )
        stepped = {name: weight - rate * slope for (name, weight), slope in zip(weights.items(), slopes, strict=True)}
        logits: Tensor = torch.func.functional_call(net, stepped, (arch_batch[0],))
        return F.cross_entropy(logits, arch_batch[1]).detach()

    for parameter, slope in zip(net.arch_parameters(), found.gradients, strict=True):
        for index in (0, 3, len(parameter.flatten()) - 1):
            with torch.no_grad():
                flat = parameter.view(-1)
                flat[index] += 1e-4
            above = loss()
            with torch.no_grad():
                flat[index] -= 2e-4
            below = loss()
            with torch.no_grad():
                flat[index] += 1e-4
            torch.testing.assert_close(slope.view(-1)[index], (above - below) / 2e-4, rtol=rtol, atol=atol)


def test_an_edge_without_weights_passes_nothing_by() -> None:
    """So that selection by perturbation removes an edge whole."""
    net = supernet("pc-darts").eval()
    mixing = net.mixing_weights().detach()
    mixing.normal[2:5] = 0.0  # all edges into node 3 of normal cells
    mixing.reduction[2:5] = 0.0
    images = batch()[0]
    zeroed = net(images, mixing=mixing)
    with torch.no_grad():
        for beta in (net.normal_beta, net.reduction_beta):
            assert beta is not None
            beta[2:5] += 1.0  # matters to no other node
    torch.testing.assert_close(net(images, mixing=mixing), zeroed)
    projection = darts.select_by_perturbation(net, lambda weights: judgement(net, weights))
    projection.genotype.check_in(net.space)


def test_what_passes_by_does_not_depend_on_the_ops() -> None:
    """Or selection by perturbation would take the op with the larger alpha for the one that carries it."""
    net = supernet("pc-darts").eval()
    net(batch()[0])
    inputs: list[Tensor] = []
    handle = net.cells[0].register_forward_hook(lambda _, given, output: inputs.append(output))
    for column in range(2):
        mixing = net.mixing_weights().detach()
        mixing.normal[0, column] = 0.0
        net(batch()[0], mixing=mixing)
    handle.remove()
    node = [output[:, : output.shape[1] // 4] for output in inputs]  # the first node of the cell
    groups = [x.reshape(x.shape[0], -1, 4, *x.shape[2:]) for x in node]
    torch.testing.assert_close(groups[0][:, :, 1:], groups[1][:, :, 1:])  # those that passed
    assert not torch.allclose(groups[0][:, :, 0], groups[1][:, :, 0])


@pytest.mark.parametrize("family", ["darts", "pc-darts"])
def test_an_attack_on_the_mixing_weights_raises_the_loss(family: str) -> None:
    net = supernet(family)
    net(batch()[0])
    net.eval()
    images, labels = batch()
    mixing = net.mixing_weights().detach()
    attacked = darts.perturb_adversarial(net, mixing, images, labels, 0.3, 7, random_start=False)
    assert (attacked.normal - mixing.normal).abs().max() > 0.05
    losses = [F.cross_entropy(net(images, mixing=weights), labels) for weights in (mixing, attacked)]
    assert losses[1] > losses[0]


def judgement(net: darts.Supernet, mixing: darts.MixingWeights) -> darts.Judgement:
    images, labels = batch()
    with torch.no_grad():
        logits = net(images, mixing=mixing)
    return darts.Judgement(
        float((logits.argmax(dim=1) == labels).double().mean()), float(F.cross_entropy(logits, labels))
    )


def test_a_network_cannot_inherit_weights_of_partial_channels() -> None:
    net = supernet("pc-darts")
    with pytest.raises(DartsError, match=r"see one in 4 channels.*from random weights"):
        darts.DiscreteNetwork.from_supernet(net, darts.strongest(net.space, net.strengths()))


def test_concentrations_are_positive_and_one_where_alpha_is_zero() -> None:
    alpha = torch.tensor([-30.0, -1.0, 0.0, 2.0], dtype=torch.float64)
    found = concentrations(alpha)
    torch.testing.assert_close(found, torch.tensor([0.0, 0.36787944117, 1.0, 3.0], dtype=torch.float64))
    assert (found > 0).all()
    lowest = torch.full((1, 3), -40.0)  # in float32, elu(-40) + 1 is 0
    torch.testing.assert_close(darts.dirichlet.expected_weights(lowest), torch.full((1, 3), 1 / 3))


def test_decay_of_alpha_draws_towards_the_uniform_distribution_of_mixing_weights() -> None:
    """The anchor of DrNAS, equation 5: the divergence from Dirichlet(1, ..., 1) falls as alpha shrinks."""
    alpha = torch.randn((14, 3), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    anchor = Dirichlet(torch.ones_like(alpha))
    away = [float(kl_divergence(Dirichlet(concentrations(share * alpha)), anchor).sum()) for share in (1.0, 0.5, 0.0)]
    assert away[0] > away[1] > away[2] == 0.0


def test_draws_have_the_mean_and_the_spread_of_the_distribution_and_its_gradient() -> None:
    alpha = torch.tensor([[0.5, -0.5, 1.5]], dtype=torch.float64).expand(40_000, 3).clone().requires_grad_()
    drawn = draw_weights(alpha, torch.Generator().manual_seed(0))
    exact = Dirichlet(concentrations(alpha[0].detach()))
    torch.testing.assert_close(drawn.sum(dim=1), torch.ones(40_000, dtype=torch.float64))
    torch.testing.assert_close(drawn.mean(dim=0), exact.mean, atol=5e-3, rtol=0)
    torch.testing.assert_close(drawn.var(dim=0), exact.variance, atol=3e-3, rtol=0)
    values = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    (slopes,) = torch.autograd.grad((drawn * values).sum(), alpha)
    point = alpha[0].detach().clone().requires_grad_()
    (expected,) = torch.autograd.grad((Dirichlet(concentrations(point)).mean * values).sum(), point)
    torch.testing.assert_close(slopes.mean(dim=0), expected, atol=1e-2, rtol=0)


def test_mixing_weights_are_the_expected_ones_and_draws_follow_their_generator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = supernet("drnas")
    found = net.mixing_weights()
    torch.testing.assert_close(found.normal, Dirichlet(concentrations(net.normal_alpha)).mean)
    draws = [net.drawn_mixing_weights(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0].normal, draws[1].normal)
    assert not torch.equal(draws[0].normal, draws[2].normal)
    state = torch.get_rng_state()
    reseeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", reseeded.append)
    net.drawn_mixing_weights(torch.Generator().manual_seed(1))
    assert torch.equal(state, torch.get_rng_state())
    assert not reseeded  # or ops that draw noise on a GPU would draw the same in every step and process
    plain = supernet("darts")
    assert torch.equal(plain.drawn_mixing_weights().normal, plain.mixing_weights().normal)


def test_all_parts_of_a_batch_see_one_draw() -> None:
    net = supernet("drnas")
    net(batch(5)[0])
    net.eval()
    mixing = [net.drawn_mixing_weights(torch.Generator().manual_seed(4)) for _ in range(3)]
    whole = darts.first_order_gradient(net, F.cross_entropy, *batch(), mixing=mixing[0])
    parts = darts.first_order_gradient(net, F.cross_entropy, *batch(), mixing=mixing[1], num_micro_batches=3)
    loss = F.cross_entropy(net(batch()[0], mixing=mixing[2]), batch()[1])
    for found, other, slope in zip(
        whole.gradients, parts.gradients, torch.autograd.grad(loss, net.arch_parameters()), strict=True
    ):
        torch.testing.assert_close(found, other)
        torch.testing.assert_close(found, slope)


def test_a_step_of_random_mixing_weights_is_repeated_by_its_generator() -> None:
    ends = []
    for seed in (7, 7, 8):
        net = supernet("drnas")
        weights = torch.optim.SGD(net.weight_parameters(), lr=0.1)
        alphas = torch.optim.SGD(net.arch_parameters(), lr=0.1)
        generator = torch.Generator().manual_seed(seed)
        for _ in range(2):
            darts.search_step(net, F.cross_entropy, batch(1), batch(2), weights, alphas, generator=generator)
        ends.append(nn.utils.parameters_to_vector(net.parameters()).detach())
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_random_mixing_weights_are_not_unrolled() -> None:
    net = supernet("drnas")
    optimizer = torch.optim.SGD(net.weight_parameters(), lr=0.1)
    with pytest.raises(DartsError, match="family 'drnas', whose mixing weights are random"):
        darts.unrolled_gradient(net, F.cross_entropy, batch(1), batch(2), optimizer)
