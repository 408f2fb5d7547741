"""The data health section of a page: class counts as bars, findings with pictures of their examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from supernet_tl.data.health import ClassCount, DataHealth, Finding, Sighting
from supernet_tl.data.health.wording import headline, measures, outcome, shown_of
from supernet_tl.report.contact_sheet import image_urls
from supernet_tl.report.wording import whole

_MAX_BARS = 24
_BARS_AT_EACH_END = 8


@dataclass(frozen=True)
class Segment:
    """Images of one class in one part, in percent of the chart's width."""

    part: str
    start_percent: float
    length_percent: float


@dataclass(frozen=True)
class ClassBar:
    """One class; or, without segments, a row that says how many are not drawn.

    Attributes:
        name: of the class.
        total: its images.
        told: the bar in words.
        segments: one a part.
    """

    name: str
    total: int = 0
    told: str = ""
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True)
class Picture:
    """One image of an example.

    Attributes:
        name: of its file.
        place: its class and part.
        url: the picture as a data URL; empty when the run keeps none.
    """

    name: str
    place: str
    url: str


@dataclass(frozen=True)
class FindingView:
    """A finding as the page shows it; ``shown`` says how much of it, where it is not all."""

    severity: str
    sentence: str
    examples: tuple[tuple[Picture, ...], ...]
    shown: str


@dataclass(frozen=True)
class HealthSection:
    """Everything that the section shows.

    Attributes:
        headline: images and classes.
        outcome: how much was found.
        measures: sizes, colour and formats.
        parts: those that have images, in the order of the bars' segments.
        bars: classes in the order of the labels; of many, the largest and the smallest.
        warnings: the most important first.
        notes: likewise.
    """

    headline: str
    outcome: str
    measures: str
    parts: tuple[str, ...]
    bars: tuple[ClassBar, ...]
    warnings: tuple[FindingView, ...]
    notes: tuple[FindingView, ...]


def health_section(health: DataHealth, pictures: Mapping[int, NDArray[np.uint8]]) -> HealthSection:
    """The section of a run's target.

    Args:
        health: what was found.
        pictures: of images that examples name, by index.
    """
    parts = _parts(health)
    return HealthSection(
        headline=headline(health),
        outcome=outcome(health),
        measures=measures(health),
        parts=parts,
        bars=_bars(health, parts),
        warnings=tuple(_view(finding, pictures) for finding in health.warnings),
        notes=tuple(_view(finding, pictures) for finding in health.notes),
    )


def seen_in_test(health: DataHealth) -> str:
    """What must be said beside a test accuracy, as ``5 of them in search or validation too``; empty if nothing."""
    counts = {finding.kind: finding.count for finding in health.warnings}
    told = (("test_leak", "in search or validation too"), ("near_test_leak", "nearly as in search or validation"))
    return ", ".join(f"{whole(counts[kind])} of them {words}" for kind, words in told if kind in counts)


def _parts(health: DataHealth) -> tuple[str, ...]:
    """Those with images; one, called ``images``, where the set is not split."""
    named = health.classes[0].parts
    return tuple(part for part in named if any(counted.parts[part] for counted in health.classes)) or ("images",)


def _bars(health: DataHealth, parts: tuple[str, ...]) -> tuple[ClassBar, ...]:
    most = health.largest_class.total
    if len(health.classes) <= _MAX_BARS:
        return tuple(_bar(counted, parts, most) for counted in health.classes)
    by_size = sorted(health.classes, key=lambda counted: -counted.total)
    largest, smallest = by_size[:_BARS_AT_EACH_END], by_size[-_BARS_AT_EACH_END:]
    between = ClassBar(f"… {whole(len(by_size) - 2 * _BARS_AT_EACH_END)} classes between")
    return (*(_bar(c, parts, most) for c in largest), between, *(_bar(c, parts, most) for c in smallest))


def _bar(counted: ClassCount, parts: tuple[str, ...], most: int) -> ClassBar:
    counts = {part: counted.parts.get(part, counted.total if part == "images" else 0) for part in parts}
    segments, start = [], 0.0
    for part, count in counts.items():
        length = 100 * count / most
        segments.append(Segment(part, round(start, 3), round(length, 3)))
        start += length
    told = ", ".join(f"{part} {whole(count)}" for part, count in counts.items())
    return ClassBar(counted.name, counted.total, told, tuple(segments))


def _view(finding: Finding, pictures: Mapping[int, NDArray[np.uint8]]) -> FindingView:
    examples = tuple(tuple(_picture(image, pictures) for image in example) for example in finding.examples)
    sentence = f"{finding.sentence[:1].upper()}{finding.sentence[1:]}"
    return FindingView(str(finding.severity), sentence, examples, shown_of(finding))


def _picture(image: Sighting, pictures: Mapping[int, NDArray[np.uint8]]) -> Picture:
    place = f"{image.class_name}, {image.part}" if image.part else image.class_name
    url = image_urls(pictures[image.index][None])[0] if image.index in pictures else ""
    return Picture(image.name, place, url)
