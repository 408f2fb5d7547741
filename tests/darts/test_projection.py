from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

import darts
from benchmarks.plain_search import PlainSupernet
from darts.errors import DartsError

SPACES = [darts.S1, darts.S3]
SMALL = darts.SearchSpace.uniform("small", ("skip_connect", "sep_conv_3x3"), num_nodes=3)  # 9 edges
IMAGES = torch.randn((24, 3, 8, 8), generator=torch.Generator().manual_seed(5))
LABELS = torch.arange(24) % 3


def searched(space: darts.SearchSpace, seed: int = 0) -> darts.Supernet:
    """A supernet that has been trained a little, with alphas that prefer something."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = darts.Supernet(space, 3, channels=2, num_cells=3)
        with torch.no_grad():
            for alpha in net.arch_parameters():
                alpha.normal_()
        optimizer = torch.optim.SGD(net.weight_parameters(), lr=0.05, momentum=0.9)
        for _ in range(3):
            loss = F.cross_entropy(net(IMAGES, mixing=net.mixing_weights().detach()), LABELS)
            torch.autograd.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
    return net.eval()


@torch.no_grad()
def judged(net: torch.nn.Module, mixing: tuple[torch.Tensor, torch.Tensor]) -> darts.Judgement:
    logits = net(IMAGES, mixing)
    accuracy = (logits.argmax(dim=1) == LABELS).float().mean().item()
    return darts.Judgement(accuracy, F.cross_entropy(logits, LABELS).item())


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: str(space.name))
def test_each_decision_keeps_what_the_supernet_does_worst_without(space: darts.SearchSpace) -> None:
    """Every judgement again by the plain twin, which computes each edge by itself."""
    net = searched(space)
    found = darts.select_by_perturbation(net, lambda mixing: judged(net, mixing), generator=generator())
    twin = PlainSupernet(space, 3, 2, 3)
    twin.load_state_dict(net.state_dict())
    twin.eval()
    weights = [matrix.detach().clone() for matrix in net.mixing_weights()]
    rows = {edge: row for row, edge in enumerate(space.edges)}
    assert len(found.decisions) == 2 * darts.num_decisions(space) == 2 * (14 + 3)
    for decision in found.decisions:
        matrix = weights[decision.reduction]

        def without(row: int, columns: int | slice, matrix: torch.Tensor = matrix) -> darts.Judgement:
            held = matrix[row].clone()
            matrix[row, columns] = 0
            judgement = judged(twin, (weights[0], weights[1]))
            matrix[row] = held
            return judgement

        if decision.source is not None:
            row = rows[decision.source, decision.target]
            names = space.primitives(reduction=decision.reduction)[row]
            again = {name: without(row, column) for column, name in enumerate(names) if name != "none"}
            worst = min(again, key=lambda name: (again[name].accuracy, -again[name].loss))
            assert decision.kept == worst
            matrix[row] = torch.eye(space.num_primitives)[names.index(worst)]
        else:
            sources = [source for source, node in space.edges if node == decision.target]
            again = {str(source): without(rows[source, decision.target], slice(None)) for source in sources}
            order = sorted(again, key=lambda name: (again[name].accuracy, -again[name].loss))
            assert decision.kept == tuple(map(int, order[:2]))
            for name in order[2:]:
                matrix[rows[int(name), decision.target]] = 0
        assert decision.without.keys() == again.keys()
        for name, judgement in again.items():
            assert decision.without[name].accuracy == judgement.accuracy
            assert decision.without[name].loss == pytest.approx(judgement.loss, rel=1e-4)
    torch.testing.assert_close(found.mixing.normal, weights[0])
    torch.testing.assert_close(found.mixing.reduction, weights[1])


@pytest.mark.parametrize("space", SPACES, ids=lambda space: str(space.name))
def test_the_supernet_with_the_mixing_that_is_left_is_the_discrete_network(space: darts.SearchSpace) -> None:
    net = searched(space)
    found = darts.select_by_perturbation(net, lambda mixing: judged(net, mixing), generator=generator())
    discrete = darts.DiscreteNetwork.from_supernet(net, found.genotype)
    with torch.no_grad():
        torch.testing.assert_close(discrete(IMAGES), net(IMAGES, mixing=found.mixing), rtol=1e-4, atol=1e-5)


def test_edges_come_in_an_order_of_the_generator_and_each_once() -> None:
    net = searched(SMALL)

    def order(seed: int) -> list[tuple[int, int]]:
        found = darts.select_by_perturbation(net, lambda mixing: judged(net, mixing), generator=generator(seed))
        return [(one.source, one.target) for one in found.decisions if one.source is not None and one.reduction]

    assert sorted(order(0)) == sorted(SMALL.edges)
    assert order(0) == order(0) != order(1)


def test_the_supernet_is_tuned_after_every_round_but_the_last_with_what_is_decided() -> None:
    net = searched(SMALL)
    seen: list[tuple[int, int]] = []

    def tune(mixing: darts.MixingWeights, round_number: int) -> None:
        decided = int(((mixing.normal == 1).sum(dim=1) == 1).sum())
        seen.append((round_number, decided))
        with torch.no_grad():
            for weight in net.weight_parameters():
                weight.mul_(0.999)

    darts.select_by_perturbation(net, lambda mixing: judged(net, mixing), tune=tune, generator=generator())
    assert seen[:9] == [(number, number) for number in range(1, 10)]
    assert [number for number, _ in seen[9:]] == [10]


def test_alphas_and_without_tuning_weights_stay_as_they_were() -> None:
    net = searched(SMALL)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    darts.select_by_perturbation(net, lambda mixing: judged(net, mixing), generator=generator())
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_a_decision_is_told_in_plain_values() -> None:
    net = searched(SMALL)
    found = darts.select_by_perturbation(net, lambda mixing: judged(net, mixing), generator=generator())
    first, last = found.decisions[0].to_dict(), found.decisions[-1].to_dict()
    assert first["cell"] == "normal"
    assert first["kept"] in first["without"]
    assert set(first["without"]["skip_connect"]) == {"accuracy", "loss"}
    assert last["source"] is None
    assert len(last["kept"]) == 2


def test_a_judgement_that_is_not_finite_is_refused() -> None:
    net = searched(SMALL)
    with pytest.raises(DartsError, match="expected finite numbers"):
        darts.select_by_perturbation(net, lambda mixing: darts.Judgement(0.5, float("nan")))
