"""How large a network is: parameters and multiply-adds."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(net: nn.Module, *, auxiliary: bool = False) -> int:
    """Trainable numbers of a network; those of an auxiliary head only when asked for."""
    return sum(
        parameter.numel() for name, parameter in net.named_parameters() if auxiliary or not name.startswith("auxiliary")
    )


def count_macs(net: nn.Module, image_shape: tuple[int, int, int]) -> int:
    """Multiply-adds of convolutions and linear layers for one image, in evaluation mode.

    Args:
        net: takes images of shape (1, channels, h, w); left unchanged.
        image_shape: (channels, h, w).
    """
    shadow = copy.deepcopy(net).to("meta").eval()  # shapes without numbers: nothing is computed
    dtype = next((parameter.dtype for parameter in net.parameters()), torch.float32)
    images = torch.empty((1, *image_shape), dtype=dtype, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        shadow(images)
    return int(counter.get_total_flops()) // 2
