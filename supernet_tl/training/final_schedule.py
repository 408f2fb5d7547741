"""How the final network is trained, as one value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

ClassWeights = Literal["none", "balanced"]


@dataclass(frozen=True, kw_only=True)
class FinalSchedule:
    """What training the final network does beside plain SGD on the cross-entropy; by default nothing.

    Attributes:
        warmup_epochs: in so many first epochs the rate rises by equal steps, one an epoch, to the first of the cosine.
            Source: Goyal et al. 2017, arXiv:1706.02677, section 2.2.
        label_smoothing: share of each label that is spread over all classes. Source: Szegedy et al. 2016,
            arXiv:1512.00567, section 7.
        mixup: parameter of the Beta distribution by which pairs of images and labels are mixed; 0 mixes none. Source:
            Zhang et al. 2018, arXiv:1710.09412.
        cutmix: the same for pasting a part of an image into another; with both, each batch draws one of the two.
            Source: Yun et al. 2019, arXiv:1905.04899.
        ema_decay: of a moving average of weights and statistics, over steps, which is validated and kept in the place
            of the last weights; in the first steps the decay is (1 + n) / (10 + n). None keeps the last weights.
        patience: epochs without a better validation accuracy after which training ends; the network is then that of the
            best epoch. None trains all epochs and keeps the last one's.
    """

    warmup_epochs: int = 0
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    ema_decay: float | None = None
    patience: int | None = None

    def rate_factor(self, epoch: int, num_epochs: int) -> float:
        """What the first learning rate is multiplied with in an epoch: warm-up, then a cosine down to 0.

        Args:
            epoch: counted from 0.
            num_epochs: of the whole training.
        """
        warmup = min(self.warmup_epochs, num_epochs - 1)
        if epoch < warmup:
            return (epoch + 1) / (warmup + 1)
        return 0.5 * (1 + math.cos(math.pi * (epoch - warmup) / (num_epochs - warmup)))
