from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

import darts


def _batches(*sizes: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(size, 3, 8, 8, generator=generator, dtype=torch.float64) + size for size in sizes]


def _statistics(net: nn.Module) -> dict[str, Tensor]:
    return {name: buffer.clone() for name, buffer in net.named_buffers() if "running" in name}


def test_statistics_of_one_normalisation_are_the_means_of_the_batches_means_and_unbiased_variances() -> None:
    norm, batches = nn.BatchNorm2d(3).double(), _batches(4, 6, 2)
    assert darts.reestimate_batch_norm(norm, iter(batches)) == 3
    mean = torch.stack([batch.mean(dim=(0, 2, 3)) for batch in batches]).mean(dim=0)
    variance = torch.stack([batch.var(dim=(0, 2, 3), unbiased=True) for batch in batches]).mean(dim=0)
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, variance)


def test_every_statistic_of_a_supernet_is_the_mean_over_batches(small_net: darts.Supernet) -> None:
    # Oracle: with momentum 1 one pass leaves the batch's own statistics; their mean is taken here.
    batches, found = _batches(4, 6, 2), []
    for batch in batches:
        twin = copy.deepcopy(small_net).train()
        for module in twin.modules():
            if isinstance(module, _BatchNorm):
                module.momentum = 1.0
        twin(batch)
        found.append(_statistics(twin))
    small_net(_batches(5)[0])  # what was there before does not count
    darts.reestimate_batch_norm(small_net, batches)
    for name, value in _statistics(small_net).items():
        torch.testing.assert_close(value, torch.stack([one[name] for one in found]).mean(dim=0), msg=name)


def test_weights_modes_and_momenta_stay_as_they_were(small_net: darts.Supernet) -> None:
    small_net.eval()
    small_net.stem.train()
    weights = [parameter.clone() for parameter in small_net.parameters()]
    darts.reestimate_batch_norm(small_net, _batches(4))
    assert all(torch.equal(now, before) for now, before in zip(small_net.parameters(), weights, strict=True))
    assert all(parameter.grad is None for parameter in small_net.parameters())
    assert (small_net.training, small_net.stem.training, small_net.cells.training) == (False, True, False)
    assert {module.momentum for module in small_net.modules() if isinstance(module, _BatchNorm)} == {0.1}


def test_processes_average_what_each_has_found() -> None:
    norm, (batch,) = nn.BatchNorm2d(3).double(), _batches(4)
    other = 2 * batch + 1  # of a second process

    def average(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        there = (other.mean(dim=(0, 2, 3)), other.var(dim=(0, 2, 3)))
        return tuple((mine + its) / 2 for mine, its in zip(tensors, there, strict=True))

    darts.reestimate_batch_norm(norm, [batch], average=average)
    alone = nn.BatchNorm2d(3).double()
    darts.reestimate_batch_norm(alone, [batch, other])  # oracle: one process that sees both
    torch.testing.assert_close(norm.running_mean, alone.running_mean)
    torch.testing.assert_close(norm.running_var, alone.running_var)


def test_no_batches_are_refused_and_the_statistics_stay(small_net: darts.Supernet) -> None:
    small_net(_batches(5)[0])
    before = _statistics(small_net)
    with pytest.raises(darts.BatchError, match="on 0 batches; expected at least 1"):
        darts.reestimate_batch_norm(small_net, [])
    assert all(torch.equal(value, before[name]) for name, value in _statistics(small_net).items())
