"""What happened in each epoch, as rows that end in ``metrics.csv``, in plots and in the summary."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from supernet_tl.files import write_whole


@dataclass(frozen=True)
class EpochRow:
    """One epoch of one stage; ``None`` where a number does not apply.

    Attributes:
        stage: ``search``, ``finetune`` or ``retrain``.
        epoch: counted from 1 within the stage.
        seconds: wall time of this stage so far, validation included, interruptions left out.
        train_loss: mean over the weight split's images seen.
        train_accuracy: as ``train_loss``, a fraction.
        arch_loss: mean over the architecture split's images seen; search only.
        validation_loss: on the validation split.
        validation_accuracy: on the validation split, a fraction.
        validation_balanced_accuracy: likewise, the mean recall of its classes.
        validation_macro_f1: likewise, the mean F1 of its classes.
        learning_rate: of the weights, in the epoch's last step.
        radius: of the perturbation; search only.
        num_skip_connections: in the genotype that the alphas stand for; search only.
        entropy: of the mixing weights, in nats, averaged over the edges of both cell types; search only.
        hessian_eigenvalue: the largest, of the architecture loss in alpha; only after epochs that a guard measured.
        stopped: why the stage ended with this epoch although more were to come; None in every other row.
    """

    stage: str
    epoch: int
    seconds: float
    train_loss: float | None = None
    train_accuracy: float | None = None
    arch_loss: float | None = None
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    validation_balanced_accuracy: float | None = None
    validation_macro_f1: float | None = None
    learning_rate: float | None = None
    radius: float | None = None
    num_skip_connections: int | None = None
    entropy: float | None = None
    hessian_eigenvalue: float | None = None
    stopped: str | None = None

    @property
    def validation_scores(self) -> tuple[float | None, float | None, float | None]:
        """Accuracy, balanced accuracy and macro-F1 on the validation split."""
        return self.validation_accuracy, self.validation_balanced_accuracy, self.validation_macro_f1


def write_csv(path: Path, rows: Iterable[EpochRow]) -> None:
    """Write rows as CSV with a header; absent numbers are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(EpochRow)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if value is None else value for name, value in asdict(row).items()})
    write_whole(path, text.getvalue().encode())


def read_csv(path: Path) -> list[EpochRow]:
    """Read what :func:`write_csv` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [_row(values) for values in csv.DictReader(file)]


def _row(values: dict[str, str]) -> EpochRow:
    return EpochRow(
        **{name: None if value == "" else _KINDS.get(name, float)(value) for name, value in values.items()}  # type: ignore[arg-type]
    )


_KINDS: dict[str, type[str] | type[int]] = {"stage": str, "stopped": str, "epoch": int, "num_skip_connections": int}
"""Of the columns that are not ``float``."""


@dataclass(frozen=True)
class TimeToAccuracy:
    """When a validation accuracy was first reached; ``None`` where it never was.

    Attributes:
        accuracy: the fraction asked for.
        epochs: of the stage, counted from 1.
        seconds: of the stage.
    """

    accuracy: float
    epochs: int | None
    seconds: float | None


def time_to_accuracy(rows: Sequence[EpochRow], accuracy: float) -> TimeToAccuracy:
    """The first epoch whose validation accuracy is at least ``accuracy``."""
    for row in rows:
        if row.validation_accuracy is not None and row.validation_accuracy >= accuracy - 1e-9:
            return TimeToAccuracy(accuracy, row.epoch, row.seconds)
    return TimeToAccuracy(accuracy, None, None)


def best_validation_accuracy(rows: Sequence[EpochRow]) -> float | None:
    """The highest validation accuracy of any epoch."""
    accuracies = [row.validation_accuracy for row in rows if row.validation_accuracy is not None]
    return max(accuracies) if accuracies else None


def finite_or_none(value: float) -> float | None:
    """A number that JSON can hold."""
    return value if math.isfinite(value) else None
