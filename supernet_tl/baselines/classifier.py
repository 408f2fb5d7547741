"""A pretrained network under a new linear classifier, as the data's own normalisation meets it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from supernet_tl.baselines.prefix import Features
from supernet_tl.data import Normalisation


class Renormalise(nn.Module):
    """From images normalised by the data's statistics to images normalised as a pretrained network expects them.

    Grey images become colour ones with three equal channels.

    Args:
        found: what the images are normalised by.
        mean: of red, green and blue, that the network expects, in units of full brightness.
        std: as ``mean``.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, found: Normalisation, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        there_mean, there_std, here_mean, here_std = (
            torch.tensor(values, dtype=torch.float64).view(1, -1, 1, 1) for values in (mean, std, found.mean, found.std)
        )
        scale = (here_std / there_std).expand(1, 3, 1, 1)
        self.register_buffer("scale", scale.float().contiguous())
        self.register_buffer("shift", ((here_mean - there_mean) / there_std).float())

    def forward(self, images: Tensor) -> Tensor:
        """Images (b, 3, s, s) of images (b, 3, s, s) or (b, 1, s, s)."""
        return images * self.scale + self.shift


class PretrainedClassifier(nn.Module):
    """Images, normalised as the data says, to logits.

    Args:
        renormalise: to the network's own normalisation.
        features: the pretrained network, whole or its beginning.
        num_classes: of the new classifier.
    """

    def __init__(self, renormalise: Renormalise, features: Features, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.renormalise = renormalise
        self.body = features.net
        self.head = nn.Linear(features.num_features, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (b, num_classes) of images (b, c, s, s)."""
        logits: Tensor = self.head(self.body(self.renormalise(images)))
        return logits
