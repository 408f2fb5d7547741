"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Iterable
from math import floor, log10

NOTHING = "—"
_THIN = "\u202f"  # narrow no-break space: between a number and its unit
_MINUS = "\u2212"


def percent(fraction: float | None) -> str:
    """A fraction as a percentage with one decimal: ``91.4 %``."""
    return NOTHING if fraction is None else f"{100 * fraction:.1f}{_THIN}%"


def signed_percent(fraction: float | None) -> str:
    """A change as a percentage with its sign: ``+8.3 %``."""
    if fraction is None:
        return NOTHING
    text = f"{100 * abs(fraction):.1f}{_THIN}%"
    return text if float(f"{100 * abs(fraction):.1f}") == 0 else f"{'+' if fraction > 0 else _MINUS}{text}"


def threshold(fraction: float) -> str:
    """An accuracy asked for, without needless decimals: ``85 %``."""
    return f"{100 * fraction:.3g}{_THIN}%"


def whole(number: int) -> str:
    """A count with thousands set apart: ``26,834``."""
    return f"{number:,}"


def operations(number: int) -> str:
    """A number of operations to three digits: ``1.23 M``."""
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.3g}{_THIN}{unit}" if number < 999.5 * size else f"{number / size:.0f}{_THIN}{unit}"
    return str(number)


def duration(seconds: float | None) -> str:
    """A time: ``8.9 s``, ``2 min 05 s``, ``1 h 02 min``."""
    if seconds is None:
        return NOTHING
    if seconds < 59.95:
        return f"{seconds:.1f}{_THIN}s"
    if seconds < 3599.5:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes}{_THIN}min {rest:02d}{_THIN}s"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours}{_THIN}h {rest:02d}{_THIN}min"


def fixed(number: float, decimals: int) -> str:
    """A number with so many decimals, thousands set apart: ``75.68``."""
    return f"{number:,.{decimals}f}".replace("-", _MINUS)


def significant(number: float, digits: int = 4) -> str:
    """A number with so many significant digits, as far as they stand behind the point: ``75.68``, ``1,204``."""
    if number == 0:
        return "0"
    decimals = max(0, digits - 1 - floor(log10(abs(number))))
    return f"{number:,.{decimals}f}".replace("-", _MINUS)


def decimals_for(numbers: Iterable[float]) -> int:
    """So many decimals that the largest number shows four significant digits, and at most six."""
    largest = max(map(abs, numbers), default=0.0)
    return 0 if largest == 0 else min(6, max(0, 3 - floor(log10(largest))))


def weight(number: float) -> str:
    """A mixing weight: ``0.512``."""
    return f"{number:.3f}"
