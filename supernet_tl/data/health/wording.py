"""What was found, in the words that the terminal and the report share."""

from __future__ import annotations

from supernet_tl.data.health.record import DataHealth, Finding, Spread


def headline(health: DataHealth) -> str:
    """Images and classes: ``1,797 images, 10 classes (174 to 183)``."""
    low, high = health.smallest_class.total, health.largest_class.total
    sizes = f"{low:,} each" if low == high else f"{low:,} to {high:,}"
    return f"{health.num_images:,} images, {len(health.classes):,} classes ({sizes})"


def outcome(health: DataHealth) -> str:
    """How much was found: ``2 warnings and 1 note``, or ``nothing to report``."""
    kinds = (("warning", len(health.warnings)), ("note", len(health.notes)))
    told = [f"{number} {name}{'' if number == 1 else 's'}" for name, number in kinds if number]
    return " and ".join(told) or "nothing to report"


def measures(health: DataHealth) -> str:
    """Sizes, colour and formats, as sentences."""
    formats = ", ".join(f"{name} ({count:,})" for name, count in health.formats.items())
    return (
        f"Width {_spread(health.width)}, height {_spread(health.height)} pixels. Without colour: {health.num_grey:,} "
        f"of {health.num_images:,}. Formats: {formats}."
    )


def shown_of(finding: Finding) -> str:
    """How much of what was found its examples show, as ``6 of 31 shown``; empty where they show all, or none."""
    if not finding.examples or finding.num_shown is None or finding.num_shown >= finding.count:
        return ""
    return f"{finding.num_shown:,} of {finding.count:,} shown"


def _spread(spread: Spread) -> str:
    if spread.smallest == spread.largest:
        return f"{spread.smallest:,}"
    return f"{spread.smallest:,} to {spread.largest:,}, median {spread.median:,.10g}"
