"""How well labels are told apart: over images, and over classes however many images each has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score, MulticlassStatScores


class Scores(NamedTuple):
    """Fractions, 1 is best.

    Attributes:
        accuracy: of the images, those whose class was told.
        balanced_accuracy: recall, averaged over the classes that occur among the images.
        macro_f1: F1, averaged over the classes that occur among the images or were told of one.
    """

    accuracy: float
    balanced_accuracy: float
    macro_f1: float


class BalancedAccuracy(MulticlassStatScores):
    """Mean recall of the classes that occur; several processes add up their counts.

    Torchmetrics' own macro average also counts a class that only was predicted, with a recall of 0.

    Args:
        num_classes: of the head.
    """

    higher_is_better = True

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes, average=None)

    def compute(self) -> Tensor:
        """The mean recall, a scalar."""
        counts = super().compute()  # a row for each class: hits, false alarms, correct rejections, misses, images
        occurring = counts[counts[:, 4] > 0]
        return (occurring[:, 0] / occurring[:, 4]).mean()


def score_metrics(num_classes: int, split: str) -> MetricCollection:
    """The scores of a split as metrics, to be logged as ``validation_macro_f1`` and the like."""
    metrics: dict[str, Any] = {
        "accuracy": MulticlassAccuracy(num_classes, average="micro"),
        "balanced_accuracy": BalancedAccuracy(num_classes),
        "macro_f1": MulticlassF1Score(num_classes, average="macro"),
    }
    return MetricCollection(metrics, prefix=f"{split}_")


def score_names(split: str) -> tuple[str, ...]:
    """What summaries, cards and logs call a split's scores, such as ``test_macro_f1``."""
    return tuple(f"{split}_{name}" for name in Scores._fields)


def named_scores(**scores: Sequence[float | None]) -> dict[str, float | None]:
    """Scores by split as one table, by names such as ``test_macro_f1``."""
    return {
        name: value for split, values in scores.items() for name, value in zip(score_names(split), values, strict=True)
    }
