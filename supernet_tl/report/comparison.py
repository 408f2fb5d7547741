"""Runs on one target side by side: which is the baseline, what is better by how much, which settings differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import fmean, stdev

import ot_select
from supernet_tl.recipe import SELECTION_SETTINGS, Recipe
from supernet_tl.report.errors import ReportError
from supernet_tl.report.palette import Stroke, run_strokes
from supernet_tl.report.run_record import NetworkNumbers, RunRecord
from supernet_tl.report.wording import NOTHING, duration, operations, percent, signed_percent, threshold, whole
from supernet_tl.training.history import TimeToAccuracy

_DEFAULTS = {field.name: field.default for field in fields(Recipe)}

Value = Callable[[RunRecord], float | None]
Wording = Callable[[float], str]
TimeLine = tuple[str, tuple[tuple[str, str], ...]]
"""An accuracy in words, and each contender's epochs and time to it."""


_STAGES = {
    "selection": "choosing the source",
    "probe": "probing sources",
    "search": "search",
    "finetune": "training the final network",
}


@dataclass(frozen=True)
class Contender:
    """One way to solve the target, run with one or several seeds.

    Attributes:
        label: how tables and plots call it.
        stroke: how plots draw it.
        records: its runs, one a seed.
    """

    label: str
    stroke: Stroke
    records: tuple[RunRecord, ...]

    @property
    def from_scratch(self) -> bool:
        """Whether its runs are searches from scratch."""
        return self.records[0].from_scratch


@dataclass(frozen=True)
class Line:
    """One line of a table: a quantity for every contender.

    Attributes:
        name: of the quantity.
        cells: one a contender.
    """

    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """Lines that belong together.

    Attributes:
        name: heading.
        lines: of the section.
    """

    name: str
    lines: tuple[Line, ...]


def contenders(runs: Mapping[str, Sequence[RunRecord]]) -> tuple[Contender, ...]:
    """Runs by label, each with its stroke."""
    strokes = run_strokes((label, records[0].from_scratch) for label, records in runs.items())
    return tuple(Contender(label, strokes[label], tuple(records)) for label, records in runs.items())


def check_same_target(record: RunRecord, other: RunRecord) -> None:
    """Refuse to compare runs on different images.

    Raises:
        ReportError: naming both targets.
    """
    if record.fingerprint != other.fingerprint:
        raise ReportError(
            f"{other.path} is a run on {other.target.name} (images {other.fingerprint[:12]}), {record.path} one on "
            f"{record.target.name} (images {record.fingerprint[:12]}); only runs on the same images can be compared. "
            f"Leave it out, or compare with a run on {record.target.name}."
        )


def baseline_of(record: RunRecord, listed: Iterable[Contender]) -> RunRecord | None:
    """The run from scratch with the same seed; None where there is none."""
    scratch = (other for contender in listed if contender.from_scratch for other in contender.records)
    return next((other for other in scratch if other.seed == record.seed), None)


def relative_improvement(accuracy: float, scratch_accuracy: float) -> float | None:
    """Relative improvement, a fraction; None against a baseline of 0, to which nothing is relative."""
    return None if scratch_accuracy == 0 else ot_select.relative_improvement(accuracy, scratch_accuracy)


def table(listed: Sequence[Contender]) -> tuple[Section, ...]:
    """Accuracies, sizes and times, a column for each contender."""
    return (
        Section("Final network", (*_accuracy_lines("network", listed), *_size_lines("network", listed))),
        Section(
            "Supernet",
            (
                *_accuracy_lines("supernet", listed),
                Line(
                    "best validation accuracy of any epoch",
                    _cells(listed, lambda record: record.best_validation_accuracy, percent),
                ),
                *_epoch_lines(listed),
                *_size_lines("supernet", listed),
            ),
        ),
        Section("Wall time", _wall_time_lines(listed)),
    )


def time_table(listed: Sequence[Contender], accuracies: Sequence[float]) -> tuple[TimeLine, ...]:
    """Search epochs and seconds to validation accuracies, and to the best that scratch reached with the same seed."""
    lines = [
        (threshold(accuracy), tuple(_times(contender, [accuracy] * len(contender.records)) for contender in listed))
        for accuracy in accuracies
    ]
    if any(contender.from_scratch for contender in listed):
        lines.append(
            (scratch_best_name(listed), tuple(times_to_scratch_best(contender, listed) for contender in listed))
        )
    return tuple(lines)


def scratch_best_name(listed: Sequence[Contender]) -> str:
    """What the line calls the best validation accuracy from scratch."""
    best = [record.best_validation_accuracy for part in listed if part.from_scratch for record in part.records]
    return f"the best from scratch ({mean_and_spread(best, percent)})"


def times_to_scratch_best(contender: Contender, listed: Sequence[Contender]) -> tuple[str, str]:
    """Epochs and seconds of a contender to the best validation accuracy of scratch with the same seed."""
    baselines = [baseline_of(record, listed) for record in contender.records]
    return _times(contender, [None if other is None else other.best_validation_accuracy for other in baselines])


def times_to(contender: Contender, accuracy: float) -> tuple[str, str]:
    """Epochs and seconds of a contender to a validation accuracy."""
    return _times(contender, [accuracy] * len(contender.records))


def improvement_cells(part: str, listed: Sequence[Contender]) -> tuple[str, ...]:
    """Relative improvement of the test accuracy of ``network`` or ``supernet`` over scratch, averaged over seeds."""
    return tuple(
        "baseline"
        if contender.from_scratch
        else mean_and_spread([_improvement(part, record, listed) for record in contender.records], signed_percent)
        for contender in listed
    )


def mean_and_spread(values: Sequence[float | None], wording: Wording) -> str:
    """``91.4 % ± 0.3 %``: mean and standard deviation of what there is; the mean alone of a single value."""
    found = [value for value in values if value is not None]
    if not found:
        return NOTHING
    text = wording(fmean(found))
    if len(found) > 1:
        text += f" ± {wording(stdev(found)).lstrip('+')}"
    return text if len(found) == len(values) else f"{text} ({len(found)} of {len(values)})"


def differing_settings(listed: Sequence[Contender]) -> tuple[Line, ...]:
    """Settings that differ between the contenders, seeds and those that only choose a source left out."""
    names = sorted({name for contender in listed for record in contender.records for name in record.recipe})
    lines = []
    for name in names:
        cells = tuple(
            ", ".join(dict.fromkeys(_setting(record, name) for record in contender.records)) for contender in listed
        )
        if name not in SELECTION_SETTINGS | {"seed"} and len(set(cells)) > 1:
            lines.append(Line(name, cells))
    return tuple(lines)


def _setting(record: RunRecord, name: str) -> str:
    """A setting in words; one that a run is too old to state is at its default."""
    value = record.recipe.get(name, _DEFAULTS.get(name))
    return NOTHING if value is None else str(value)


def seeds_without_baseline(listed: Sequence[Contender]) -> tuple[int, ...]:
    """Seeds of warm starts for which no run from scratch was given."""
    warm = {record.seed for part in listed if not part.from_scratch for record in part.records}
    scratch = {record.seed for part in listed if part.from_scratch for record in part.records}
    return tuple(sorted(warm - scratch)) if scratch else ()


def _accuracy_lines(part: str, listed: Sequence[Contender]) -> tuple[Line, ...]:
    def line(name: str, value: Callable[[NetworkNumbers], float | None]) -> list[Line]:
        cells = _cells(listed, lambda record: value(_numbers(part, record)), percent)
        return [] if set(cells) == {NOTHING} else [Line(name, cells)]  # older runs do not tell all

    lines = line("test accuracy", lambda numbers: numbers.test_accuracy)
    if any(contender.from_scratch for contender in listed) and len(listed) > 1:
        lines.append(Line("relative improvement over scratch (test)", improvement_cells(part, listed)))
    lines += line("balanced accuracy, mean over classes (test)", lambda numbers: numbers.test_balanced_accuracy)
    lines += line("macro-F1, mean over classes (test)", lambda numbers: numbers.test_macro_f1)
    lines.append(
        Line("validation accuracy", _cells(listed, lambda record: _numbers(part, record).validation_accuracy, percent))
    )
    lines += line("balanced accuracy (validation)", lambda numbers: numbers.validation_balanced_accuracy)
    lines += line("macro-F1 (validation)", lambda numbers: numbers.validation_macro_f1)
    return tuple(lines)


def _epoch_lines(listed: Sequence[Contender]) -> tuple[Line, ...]:
    """Where a search stopped early, how many epochs each ran."""
    if not any(record.stopped_early for contender in listed for record in contender.records):
        return ()
    return (Line("epochs of search", _cells(listed, lambda record: len(record.search_rows), _short)),)


def _size_lines(part: str, listed: Sequence[Contender]) -> tuple[Line, ...]:
    return (
        Line("parameters", _cells(listed, lambda record: _numbers(part, record).num_parameters, _whole_mean)),
        Line("MACs for one image", _cells(listed, lambda record: _numbers(part, record).macs, _operations_mean)),
    )


def _wall_time_lines(listed: Sequence[Contender]) -> tuple[Line, ...]:
    """A line for each stage; that of probes where there were any."""
    probed = any("probe" in record.seconds for contender in listed for record in contender.records)
    return tuple(_wall_time_line(name, stage, listed) for stage, name in _STAGES.items() if stage != "probe" or probed)


def _wall_time_line(name: str, stage: str, listed: Sequence[Contender]) -> Line:
    return Line(name, _cells(listed, lambda record: record.seconds.get(stage), duration))


def _numbers(part: str, record: RunRecord) -> NetworkNumbers:
    return record.network if part == "network" else record.supernet


def _improvement(part: str, record: RunRecord, listed: Sequence[Contender]) -> float | None:
    scratch = baseline_of(record, listed)
    if scratch is None:
        return None
    return relative_improvement(_numbers(part, record).test_accuracy, _numbers(part, scratch).test_accuracy)


def _cells(listed: Sequence[Contender], value: Value, wording: Wording) -> tuple[str, ...]:
    return tuple(mean_and_spread([value(record) for record in contender.records], wording) for contender in listed)


def _times(contender: Contender, accuracies: Sequence[float | None]) -> tuple[str, str]:
    """Epochs and seconds; the mean is over the seeds that got there, and says how many did."""
    reached: list[TimeToAccuracy] = [
        record.time_to(accuracy)
        for record, accuracy in zip(contender.records, accuracies, strict=True)
        if accuracy is not None
    ]
    if not reached:
        return NOTHING, NOTHING
    if all(time.epochs is None for time in reached):
        longest = max(len(record.search_rows) for record in contender.records)
        return f"not in {longest}", NOTHING
    epochs, seconds = [time.epochs for time in reached], [time.seconds for time in reached]
    return mean_and_spread(epochs, _short), mean_and_spread(seconds, duration)


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _whole_mean(number: float) -> str:
    return whole(round(number))


def _operations_mean(number: float) -> str:
    return operations(round(number))
