"""The health of an image set on the terminal: a line or a few in a run, tables where it was asked for."""

from __future__ import annotations

from rich.table import Table

from supernet_tl.data.health import ClassCount, DataHealth, Finding, Sighting, Spread
from supernet_tl.output import table_of

_MAX_CLASSES = 24
_CLASSES_AT_EACH_END = 5


def health_lines(health: DataHealth) -> list[str]:
    """One line when all is well, else one for each warning, the most important first."""
    if health.warnings:
        return [f"{health.name}: warning: {finding.sentence}" for finding in health.warnings]
    number = len(health.notes)
    notes = "nothing to report" if not number else f"no warnings, {number} note{'' if number == 1 else 's'}"
    return [f"data health: {headline(health)}, {notes}"]


def headline(health: DataHealth) -> str:
    """Images and classes: ``1,797 images, 10 classes (174 to 183)``."""
    low, high = health.smallest_class.total, health.largest_class.total
    sizes = f"{low:,} each" if low == high else f"{low:,} to {high:,}"
    return f"{health.num_images:,} images, {len(health.classes):,} classes ({sizes})"


def health_tables(health: DataHealth) -> list[Table]:
    """What was measured, the classes (of many those at either end), and the findings with examples."""
    tables = [_measures(health), _classes(health)]
    return [*tables, _findings(health)] if health.findings else tables


def _measures(health: DataHealth) -> Table:
    table = table_of("", "smallest", "median", "largest", title=f"{health.name}: {headline(health)}")
    for name, spread in (("width", health.width), ("height", health.height)):
        table.add_row(name, *_pixels(spread))
    formats = ", ".join(f"{name} ({count:,})" for name, count in health.formats.items())
    table.caption, table.caption_justify = f"without colour: {health.num_grey:,}; formats: {formats}", "left"
    return table


def _pixels(spread: Spread) -> tuple[str, str, str]:
    return f"{spread.smallest:,}", f"{spread.median:,.10g}", f"{spread.largest:,}"


def _classes(health: DataHealth) -> Table:
    parts = [part for part in health.classes[0].parts if any(counted.parts[part] for counted in health.classes)]
    table = table_of("class", "images", *parts)
    shown: list[ClassCount | None] = list(health.classes)
    if len(shown) > _MAX_CLASSES:
        by_size = sorted(health.classes, key=lambda counted: -counted.total)
        shown = [*by_size[:_CLASSES_AT_EACH_END], None, *by_size[-_CLASSES_AT_EACH_END:]]
    for counted in shown:
        if counted is None:
            between = len(health.classes) - 2 * _CLASSES_AT_EACH_END
            table.add_row(f"… {between:,} classes between", "", *("" for _ in parts))
        else:
            table.add_row(counted.name, f"{counted.total:,}", *(f"{counted.parts[part]:,}" for part in parts))
    return table


def _findings(health: DataHealth) -> Table:
    table = table_of("", "finding", "examples")
    for finding in health.findings:
        table.add_row(str(finding.severity), finding.sentence, _examples(finding))
    return table


def _examples(finding: Finding) -> str:
    shown = [" = ".join(map(_told, example)) for example in finding.examples[:2]]
    more = "; …" if len(finding.examples) > len(shown) else ""
    return "; ".join(shown) + more if shown else "—"


def _told(image: Sighting) -> str:
    where = f"{image.class_name}, {image.part}" if image.part else image.class_name
    return f"{image.name} ({where})"
