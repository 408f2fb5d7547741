"""How large a network is: parameters and multiply-adds."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from darts.modes import evaluating


def count_parameters(net: nn.Module, *, auxiliary: bool = False) -> int:
    """Trainable numbers of a network; those of an auxiliary head only when asked for."""
    return sum(
        parameter.numel() for name, parameter in net.named_parameters() if auxiliary or not name.startswith("auxiliary")
    )


def count_macs(net: nn.Module, image_shape: tuple[int, int, int]) -> int:
    """Multiply-adds of convolutions and linear layers for one image, in evaluation mode.

    Args:
        net: takes images of shape (1, channels, h, w); its mode is restored.
        image_shape: (channels, h, w).
    """
    reference = next(net.parameters())
    images = torch.zeros((1, *image_shape), dtype=reference.dtype, device=reference.device)
    with evaluating(net), torch.random.fork_rng(devices=[]), torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(images)
    return int(counter.get_total_flops()) // 2
