from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

import darts
from benchmarks.plain_search import PlainSupernet
from darts.errors import DartsError

SMALL = darts.SearchSpace.uniform("small", ("max_pool_3x3", "skip_connect", "sep_conv_3x3"), num_nodes=2)
IMAGES = torch.randn((12, 3, 8, 8), generator=torch.Generator().manual_seed(1))
BATCH = IMAGES, torch.arange(12) % 3


def supernet(space: darts.SearchSpace) -> darts.Supernet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = darts.Supernet(space, 3, channels=2, num_cells=3)
        for alpha in net.arch_parameters():
            torch.nn.init.normal_(alpha)
        net(IMAGES)  # running statistics that are not those of a fresh network
    return net


def test_it_is_the_largest_eigenvalue_of_the_exact_hessian() -> None:
    """Of the plain twin, by automatic differentiation twice and a dense eigenvalue solver."""
    net = supernet(SMALL)
    twin = PlainSupernet(SMALL, 3, 2, 3).double()
    twin.load_state_dict(net.state_dict())
    twin.eval()
    normal, reduction = (alpha.detach().double() for alpha in net.arch_parameters())

    def loss(alphas: torch.Tensor) -> torch.Tensor:
        rows = alphas.view(2, *normal.shape).softmax(dim=-1)
        return F.cross_entropy(twin(IMAGES.double(), (rows[0], rows[1])), BATCH[1])

    point = torch.stack([normal, reduction]).flatten()
    hessian = torch.autograd.functional.hessian(loss, point)  # type: ignore[no-untyped-call]
    expected = torch.linalg.eigvalsh(hessian)[-1].item()
    assert darts.largest_alpha_eigenvalue(net, F.cross_entropy, BATCH) == pytest.approx(expected, rel=1e-3)


def test_the_network_and_the_random_numbers_stay_as_they_were() -> None:
    net = supernet(darts.S4).train()  # its edges draw noise
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    random_state = torch.get_rng_state()
    first = darts.largest_alpha_eigenvalue(net, F.cross_entropy, BATCH, tolerance=0.1)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert net.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert darts.largest_alpha_eigenvalue(net, F.cross_entropy, BATCH, tolerance=0.1) == first


def test_parts_of_a_batch_give_the_same_as_the_batch() -> None:
    net = supernet(SMALL)
    whole, parts = (
        darts.largest_alpha_eigenvalue(net, F.cross_entropy, BATCH, num_micro_batches=number) for number in (1, 3)
    )
    assert parts == pytest.approx(whole, rel=1e-3)


def test_where_alphas_do_not_matter_it_is_zero() -> None:
    net = supernet(SMALL)
    torch.nn.init.zeros_(net.classifier.weight)
    assert darts.largest_alpha_eigenvalue(net, F.cross_entropy, BATCH) == 0


def test_a_gradient_that_is_not_finite_is_told() -> None:
    net = supernet(SMALL)
    with torch.no_grad():
        net.classifier.weight.fill_(float("nan"))
    with pytest.raises(DartsError, match="the gradient of the loss in alpha is not finite"):
        darts.largest_alpha_eigenvalue(net, F.cross_entropy, BATCH)
