"""Partial channels: ops see one in K channels of a state, and the others pass by.

Source: PC-DARTS (Xu et al. 2020, arXiv:1907.05737), section 3.2.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from darts.kernels import in_fast_layout
from darts.shared import NodeSum, SharedState


class PartialState:
    """A state of a cell in two parts: the first channels, which ops see, and the rest, which passes by.

    Args:
        x: shape (batch, channels, h, w).
        divisor: one in so many channels is seen.
    """

    def __init__(self, x: Tensor, divisor: int) -> None:
        num_seen = x.shape[1] // divisor
        self.seen = SharedState(in_fast_layout(x[:, :num_seen]))
        self._rest = x[:, num_seen:]
        self._halved: Tensor | None = None

    def passed(self, stride: int) -> Tensor:
        """What passes by; with stride 2 its 2x2 maxima."""
        if stride == 1:
            return self._rest
        if self._halved is None:
            self._halved = F.max_pool2d(self._rest, 2)
        return self._halved


class PartialNode:
    """A node whose edges are of partial channels: what ops add and what passes by, summed apart."""

    def __init__(self) -> None:
        self.seen = NodeSum()
        self.passed = NodeSum()

    def total(self) -> Tensor:
        """The node (batch, channels, h, w), its channels shuffled so that the next ops see some that passed by.

        With K groups of n channels, the first those that ops gave, channel j of group g comes to place K j + g.
        """
        seen, passed = self.seen.total(), self.passed.total()
        batch, num_seen, height, width = seen.shape
        groups = passed.reshape(batch, -1, num_seen, height, width).transpose(1, 2)
        return in_fast_layout(torch.cat([seen.unsqueeze(2), groups], dim=2).flatten(1, 2))
