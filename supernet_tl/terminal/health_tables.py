"""The health of an image set on the terminal: a line or a few in a run, tables where it was asked for."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from supernet_tl.data.health import ClassCount, DataHealth, Finding, Sighting
from supernet_tl.data.health.wording import headline, measures, outcome, shown_of
from supernet_tl.terminal.output import harmless, table_of

_MAX_CLASSES = 24
_CLASSES_AT_EACH_END = 5


def health_lines(health: DataHealth) -> list[str]:
    """One line when all is well, else one for each warning, the most important first."""
    if health.warnings:
        return [f"{health.name}: warning: {finding.sentence}" for finding in health.warnings]
    return [f"data health: {headline(health)}, {outcome(health)}"]


def health_tables(health: DataHealth) -> list[str | Table]:
    """What to print, in this order: two lines, the classes (of many those at either end), findings with examples."""
    view: list[str | Table] = [f"{health.name}: {headline(health)}, {outcome(health)}", measures(health)]
    view.append(_classes(health))
    return [*view, _findings(health)] if health.findings else view


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


def _examples(finding: Finding) -> Text | str:
    lines = [" = ".join(map(_told, example)) for example in finding.examples]
    if some := shown_of(finding):
        lines.append(f"({some}; all of them with --json)")
    return Text("\n".join(map(harmless, lines))) if lines else "—"


def _told(image: Sighting) -> str:
    where = f"{image.class_name}, {image.part}" if image.part else image.class_name
    return f"{image.name} ({where})"
