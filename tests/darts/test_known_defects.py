"""Defects of the published implementations of DARTS and SmoothDARTS, and that they are not ours."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

import darts
from supernet_tl.training.callbacks import History
from supernet_tl.training.quiet import quiet_lightning
from supernet_tl.training.search_module import SearchBatch, SearchModule

Batch = tuple[Tensor, Tensor]

ALPHAS = {"normal_alpha", "reduction_alpha"}


def _batch(seed: int, size: int = 4) -> Batch:
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(size, 3, 8, 8, generator=draws), torch.randint(5, (size,), generator=draws)


def _net(space: darts.SearchSpace = darts.S2) -> darts.Supernet:
    torch.manual_seed(0)
    return darts.Supernet(space, num_classes=5, channels=2, num_cells=3)


def _optimizers(net: darts.Supernet, **settings: Any) -> tuple[torch.optim.SGD, torch.optim.SGD]:
    return torch.optim.SGD(net.weight_parameters(), **settings), torch.optim.SGD(net.arch_parameters(), lr=0.0)


# Alphas that are parameters are moved by the weights' optimizer (a port of DARTS did so).


def test_neither_the_rate_nor_the_decay_nor_the_momentum_of_the_weights_moves_the_alphas() -> None:
    net = _net()
    before = {name: tensor.clone() for name, tensor in net.named_parameters()}
    weight_optimizer, arch_optimizer = _optimizers(net, lr=0.5, momentum=0.9, weight_decay=0.5)
    for _ in range(2):
        darts.search_step(net, F.cross_entropy, _batch(0), _batch(1), weight_optimizer, arch_optimizer)
    assert {name for name, tensor in net.named_parameters() if torch.equal(tensor, before[name])} == ALPHAS


def test_the_alphas_neither_are_clipped_nor_count_in_the_norm_that_weights_are_clipped_to() -> None:
    net = _net()
    twin = copy.deepcopy(net)
    darts.first_order_gradient(twin, F.cross_entropy, *_batch(1))  # the pass of the alpha step moves the statistics
    loss = F.cross_entropy(twin(_batch(0)[0]), _batch(0)[1])
    gradients = torch.autograd.grad(loss, twin.weight_parameters())
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()  # oracle: of the weights alone

    step = darts.search_step(
        net, F.cross_entropy, _batch(0), _batch(1), *_optimizers(net, lr=0.1), max_gradient_norm=1e-6
    )
    torch.testing.assert_close(step.gradient_norm, norm, rtol=1e-5, atol=0)
    slopes = [alpha.grad for alpha in net.arch_parameters() if alpha.grad is not None]
    assert len(slopes) == 2
    assert torch.cat(slopes).norm() > 1e-4


# The reference's alphas are plain tensors: its checkpoints lose them.


def test_the_alphas_are_in_the_state_and_come_back_with_it() -> None:
    net, other = _net(), _net()
    with torch.no_grad():
        for alpha in net.arch_parameters():
            alpha.normal_()
    assert set(net.state_dict()) >= ALPHAS
    other.load_state_dict(net.state_dict())
    assert torch.equal(other.reduction_alpha, net.reduction_alpha)


# The reference keeps the primitives of the space in a global of torch.nn.Module: a second space overwrites the first.


def test_two_spaces_in_one_process_give_a_genotype_each() -> None:
    # Oracle: the spaces' own primitives by edge.
    nets = [_net(space) for space in (darts.S1, darts.S5, darts.S3)]
    for net in nets:
        genotype = darts.discretize(net.space, net.normal_alpha, net.reduction_alpha)
        genotype.check_in(net.space)
    first = nets[0]
    again = darts.discretize(first.space, first.normal_alpha, first.reduction_alpha)
    alone = _net(darts.S1)
    assert again == darts.discretize(alone.space, alone.normal_alpha, alone.reduction_alpha)


# The reference perturbs by overwriting the alphas, and must remember to restore them before the alpha step.


def test_the_alpha_step_is_never_perturbed_and_the_perturbation_begins_at_the_new_alphas() -> None:
    net = _net().eval()
    expected = darts.first_order_gradient(copy.deepcopy(net), F.cross_entropy, *_batch(1))
    weight_optimizer, _ = _optimizers(net, lr=0.1)
    arch_optimizer = torch.optim.SGD(net.arch_parameters(), lr=1.0)
    begun: list[darts.MixingWeights] = []

    def perturb(mixing: darts.MixingWeights) -> darts.MixingWeights:
        begun.append(mixing)
        return darts.perturb_random(mixing, 0.3, torch.Generator().manual_seed(0))

    before = net.normal_alpha.detach().clone()
    darts.search_step(net, F.cross_entropy, _batch(0), _batch(1), weight_optimizer, arch_optimizer, perturb=perturb)
    torch.testing.assert_close(net.normal_alpha.detach(), before - expected.normal)
    assert torch.equal(begun[0].normal, net.normal_alpha.softmax(dim=-1))


# The reference's finite difference adds to the weights, subtracts and adds again: they do not come back exactly.


def test_the_unrolled_gradient_leaves_every_bit_of_the_weights() -> None:
    net = _net()
    before = {name: tensor.clone() for name, tensor in net.named_parameters()}
    darts.unrolled_gradient(net, F.cross_entropy, _batch(0), _batch(1), _optimizers(net, lr=0.1)[0])
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.named_parameters())


# The reference's shifted half of a reduction is a pixel too small for maps of odd size, and fails somewhere in torch.


def test_maps_that_a_reduction_cannot_halve_are_refused_with_sizes_that_work() -> None:
    net = _net()
    assert net(torch.zeros(2, 3, 28, 28)).shape == (2, 5)
    with pytest.raises(darts.ShapeError, match=r"images are 30x30.*Resize to height 28 or 32"):
        net(torch.zeros(2, 3, 30, 30))


# The reference logs the genotype before the epoch: the last one it prints is that of the last epoch's beginning.
# Ports swap the halves: the alphas then learn from the images that the weights have seen.


class _Recorded(SearchModule):
    """Keeps the images of each pass through the stem, and whether each whole pass's mixing weights were perturbed."""

    def on_train_start(self) -> None:
        super().on_train_start()
        self.seen: list[Tensor] = []
        self.perturbed: list[bool] = []

        def note(net: object, images: tuple[Tensor, ...], given: dict[str, Any]) -> None:
            mixing = given.get("mixing")
            own = self.supernet.mixing_weights()
            self.perturbed.append(mixing is not None and not torch.equal(mixing.normal, own.normal))

        self.supernet.stem.register_forward_pre_hook(lambda stem, images: self.seen.append(images[0].detach().clone()))
        self.supernet.register_forward_pre_hook(note, with_kwargs=True)


def _search(module: SearchModule, batches: list[SearchBatch]) -> History:
    history = History("search")
    loader: Any = DataLoader(batches, batch_size=None)  # type: ignore[arg-type]  # a list has all that is needed
    with quiet_lightning():
        Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            callbacks=[history],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            limit_val_batches=0,
        ).fit(module, loader, loader)
    return history


@pytest.fixture
def halves() -> list[SearchBatch]:
    return [{"weight": _batch(2 * step), "architecture": _batch(2 * step + 1)} for step in range(3)]


@pytest.mark.parametrize("perturbation", ["random", "adversarial"])
def test_the_alpha_step_sees_the_architecture_half_and_the_weight_step_with_its_attack_the_weight_half(
    perturbation: Any, halves: list[SearchBatch]
) -> None:
    module = _Recorded(5, "s2", 2, 3, perturbation=perturbation, attack_steps=1)
    _search(module, halves)
    num_weight_passes = 2 if perturbation == "adversarial" else 1  # the attack computes the stem once
    expected = [
        images for batch in halves for images in (batch["architecture"][0], *num_weight_passes * (batch["weight"][0],))
    ]
    assert len(module.seen) == len(expected)
    assert all(torch.equal(images, wanted) for images, wanted in zip(module.seen, expected, strict=True))
    assert module.perturbed == len(halves) * [False, True]


def test_the_unrolled_alpha_step_looks_ahead_on_the_weight_half_and_judges_on_the_architecture_half(
    halves: list[SearchBatch],
) -> None:
    module = _Recorded(5, "s2", 2, 3, order="unrolled", perturbation="none")
    _search(module, halves[:1])
    weight_images, arch_images = halves[0]["weight"][0], halves[0]["architecture"][0]
    expected = [weight_images, arch_images, weight_images, weight_images, weight_images]  # at w, w', above, below; step
    assert len(module.seen) == 5
    assert all(torch.equal(images, wanted) for images, wanted in zip(module.seen, expected, strict=True))


def test_the_genotype_that_is_recorded_of_an_epoch_is_that_of_its_end(halves: list[SearchBatch]) -> None:
    module = SearchModule(5, "s2", 2, 3, arch_optimizer=partial(torch.optim.Adam, lr=1.0))
    before = module.genotype()
    history = _search(module, halves)
    # Oracle: discretization of the alphas that the search ended with.
    net = module.supernet
    after = darts.discretize(net.space, net.normal_alpha, net.reduction_alpha)
    assert before != after == module.genotype()
    assert history.rows[-1].num_skip_connections == after.count("skip_connect") != before.count("skip_connect")
    assert torch.equal(history.normal_mixing[-1], net.mixing_weights().normal)
