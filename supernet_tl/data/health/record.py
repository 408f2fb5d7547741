"""The health of an image set as a value: counts, sizes and findings; JSON in and out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from supernet_tl.data.errors import DataError

SCHEMA = 1


class Severity(StrEnum):
    """How much a finding matters."""

    WARNING = "warning"
    """A number of the run may mislead, or a class cannot be learned."""
    NOTE = "note"
    """Good to know."""


@dataclass(frozen=True)
class Sighting:
    """One image that shows a finding.

    Args:
        index: its place in the image set.
        name: its file relative to the root of the set, or ``image 17`` where there are no files.
        class_name: its class.
        part: ``search``, ``validation``, ``test`` or ``unused``; empty when the set is not split.
    """

    index: int
    name: str
    class_name: str
    part: str


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Args:
        kind: a stable name for programs, such as ``test_leak``.
        severity: how much it matters.
        sentence: what was found, why it matters, what to do.
        count: how many images, classes or files it concerns.
        examples: a few, each of one image or of several that belong together.
        num_shown: how many of ``count`` the examples show; None where that cannot be said.
    """

    kind: str
    severity: Severity
    sentence: str
    count: int
    examples: tuple[tuple[Sighting, ...], ...] = ()
    num_shown: int | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Finding:
        """What ``dataclasses.asdict`` made."""
        examples = tuple(tuple(Sighting(**image) for image in example) for example in values["examples"])
        return cls(**{**values, "severity": Severity(values["severity"]), "examples": examples})


@dataclass(frozen=True)
class ClassCount:
    """Images of one class.

    Args:
        name: of the class.
        total: images in all parts.
        parts: images in each part; empty when the set is not split.
    """

    name: str
    total: int
    parts: Mapping[str, int]


@dataclass(frozen=True)
class Spread:
    """Smallest, median and largest of a number of pixels."""

    smallest: int
    median: float
    largest: int


@dataclass(frozen=True)
class DataHealth:
    """What was found in one image set.

    Args:
        name: of the set.
        num_images: in the set.
        classes: in the order of the labels.
        width: of the images as they are stored, before a camera's rotation is applied.
        height: likewise.
        num_grey: images without colour.
        formats: images of each file format and mode, such as ``JPEG RGB``, most frequent first; arrays are ``array``.
        findings: warnings first, and of either kind the most important first.
    """

    name: str
    num_images: int
    classes: tuple[ClassCount, ...]
    width: Spread
    height: Spread
    num_grey: int
    formats: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that should be looked at before the run's numbers are believed."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.WARNING)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """The other findings."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.NOTE)

    @property
    def smallest_class(self) -> ClassCount:
        """The class with the fewest images; of several, the first."""
        return min(self.classes, key=lambda counted: counted.total)

    @property
    def largest_class(self) -> ClassCount:
        """The class with the most images; of several, the first."""
        return max(self.classes, key=lambda counted: counted.total)

    @property
    def example_indices(self) -> tuple[int, ...]:
        """The images that examples name, sorted, each once."""
        return tuple(
            sorted({image.index for finding in self.findings for shown in finding.examples for image in shown})
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-ready values."""
        return {"schema_version": SCHEMA, **json.loads(json.dumps(asdict(self)))}

    def brief(self) -> dict[str, Any]:
        """What a summary keeps: without the table of classes and without examples."""
        return {
            "num_images": self.num_images,
            "num_classes": len(self.classes),
            "smallest_class": self.smallest_class.total,
            "largest_class": self.largest_class.total,
            "width": asdict(self.width),
            "height": asdict(self.height),
            "num_grey": self.num_grey,
            "findings": [
                {"kind": found.kind, "severity": str(found.severity), "count": found.count, "sentence": found.sentence}
                for found in self.findings
            ],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DataHealth:
        """What ``to_dict`` wrote.

        Raises:
            DataError: the values are of another schema, or incomplete.
        """
        found = values.get("schema_version") if isinstance(values, Mapping) else None
        if found != SCHEMA:
            raise DataError(
                f"a data health record has schema_version {found!r}; this version reads {SCHEMA}. Examine the images "
                "again, or use the version that wrote it."
            )
        try:
            return cls(
                name=str(values["name"]),
                num_images=int(values["num_images"]),
                classes=tuple(ClassCount(**counted) for counted in values["classes"]),
                width=Spread(**values["width"]),
                height=Spread(**values["height"]),
                num_grey=int(values["num_grey"]),
                formats=dict(values["formats"]),
                findings=tuple(Finding.from_dict(finding) for finding in values["findings"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"a data health record is incomplete or malformed ({error!r}); expected what DataHealth.to_dict() "
                "writes. Examine the images again."
            ) from error
