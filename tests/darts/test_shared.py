from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import darts
from darts.shared import NodeSum, SharedState, add_normalised_pool, scaled_norm


def _map(seed: int = 0) -> Tensor:
    return torch.randn(3, 4, 6, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_states_relu_and_pools_are_computed_once() -> None:
    state = SharedState(_map())
    assert state.relu is state.relu
    assert state.pooled("max", 2) is state.pooled("max", 2)
    assert state.pooled("max", 1) is not state.pooled("max", 2)


def test_a_node_is_the_sum_of_its_terms_and_leaves_shared_terms_alone() -> None:
    terms = [_map(seed) for seed in range(3)]
    kept = [term.clone() for term in terms]
    node = NodeSum()
    node.add_scaled(torch.tensor(0.5), terms[0])
    node.add(terms[1].clone())
    node.add_scaled(torch.tensor(2.0), terms[2])
    torch.testing.assert_close(node.total(), 0.5 * kept[0] + kept[1] + 2 * kept[2])
    assert all(torch.equal(term, before) for term, before in zip(terms, kept, strict=True))


@pytest.mark.parametrize("training", [True, False])
def test_a_weight_folded_into_a_normalisation_scales_its_output_and_moves_its_statistics_alike(training: bool) -> None:
    # Oracle: the module itself, its output multiplied.
    norm = nn.BatchNorm2d(4, affine=False).double().train(training)
    norm(_map(1)) if training else None
    twin = copy.deepcopy(norm)
    x, weight = _map(2).requires_grad_(), torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    found, expected = scaled_norm(norm, x, weight), weight * twin(x)
    torch.testing.assert_close(found, expected)
    upstream = _map(3)
    torch.testing.assert_close(
        torch.autograd.grad(found, [x, weight], upstream), torch.autograd.grad(expected, [x, weight], upstream)
    )
    for name, buffer in norm.named_buffers():
        torch.testing.assert_close(buffer, twin.get_buffer(name))


@pytest.mark.parametrize("training", [True, False])
def test_edges_that_share_a_pool_keep_running_statistics_of_their_own(training: bool) -> None:
    # Oracle: a pool and a normalisation for each edge. The edges' statistics differ before, and so must they after.
    norms = [nn.BatchNorm2d(4, affine=False).double() for _ in range(2)]
    norms[1](_map(5))
    twins = copy.deepcopy(norms)
    for norm in (*norms, *twins):
        norm.train(training)
    state, node = SharedState(_map()), NodeSum()
    weights = [torch.tensor(value, dtype=torch.float64) for value in (0.25, 0.75)]
    for norm, weight in zip(norms, weights, strict=True):
        add_normalised_pool(node, state, "avg", 1, norm, weight)
    pooled = F.avg_pool2d(_map(), 3, 1, 1, count_include_pad=False)
    expected = sum(weight * twin(pooled) for weight, twin in zip(weights, twins, strict=True))
    torch.testing.assert_close(node.total(), expected)
    for norm, twin in zip(norms, twins, strict=True):
        for name, buffer in norm.named_buffers():
            torch.testing.assert_close(buffer, twin.get_buffer(name))


def test_a_normalisation_of_another_kind_is_called_itself() -> None:
    # As SyncBatchNorm is, which replaces batch normalisations in runs of several processes.
    norm = nn.GroupNorm(2, 4, affine=False).double()
    weight = torch.tensor(0.5, dtype=torch.float64)
    torch.testing.assert_close(scaled_norm(norm, _map(), weight), 0.5 * norm(_map()))
    node = NodeSum()
    add_normalised_pool(node, SharedState(_map()), "max", 2, norm, weight)
    torch.testing.assert_close(node.total(), 0.5 * norm(F.max_pool2d(_map(), 3, 2, 1)))


def test_a_supernet_is_traced_as_one_graph_with_the_same_gradients() -> None:
    # Oracle: the network that is not compiled. A break in the graph is an error with fullgraph.
    torch.manual_seed(0)
    net = darts.Supernet(darts.S2, num_classes=2, channels=2, num_cells=3)
    images, labels = torch.randn(3, 3, 8, 8), torch.tensor([0, 1, 0])
    twin = copy.deepcopy(net)
    compiled = torch.compile(twin, backend="aot_eager", fullgraph=True)
    expected = torch.autograd.grad(F.cross_entropy(net(images), labels), list(net.parameters()))
    found = torch.autograd.grad(F.cross_entropy(compiled(images), labels), list(twin.parameters()))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
