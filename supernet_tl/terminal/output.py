"""What a verb gives as its result: on standard output, for people or as JSON."""

from __future__ import annotations

import json
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.table import Table


def harmless(text: str) -> str:
    """A text in one line, where what could command the terminal is shown and not sent: cards come from anywhere."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


class _Output(Console):
    """Prints texts line by line, each harmless."""

    def print(self, *objects: Any, **options: Any) -> None:
        texts = ["\n".join(map(harmless, item.split("\n"))) if isinstance(item, str) else item for item in objects]
        super().print(*texts, **options)


class _Cells(Table):
    """A table of harmless texts."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*(harmless(cell) if isinstance(cell, str) else cell for cell in cells), **options)


_NUMBERS = frozenset({"id", "classes", "images", "size", "parameters"})

OUT = _Output(highlight=False, markup=False)  # names may hold brackets

_WHOLE = frozenset(
    {
        "entry",
        "recipe",
        "verb",
        "set",
        "id",
        "images",
        "kept",
        "net",
        "classes",
        "size",
        "test",
        "validation",
        "parameters",
        "distance",
        "probability",
    }
)


def table_of(*columns: str, title: str | None = None) -> Table:
    """An empty table. Names are broken over lines where it is narrow; ids and numbers never, and nothing is cut off."""
    table = _Cells(
        title=None if title is None else harmless(title),
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column in columns:
        justify: JustifyMethod = "right" if column in _NUMBERS else "left"
        table.add_column(column, justify=justify, no_wrap=column in _WHOLE, overflow="fold")
    return table


def print_json(values: Any) -> None:
    """JSON that a person can read too."""
    print(json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False))


def size_in_words(num_bytes: int) -> str:
    """Bytes in the unit that fits, with three digits."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if num_bytes >= 0.9995 * factor:  # what rounds to 1000 of a unit is 1 of the next
            return f"{num_bytes / factor:.3g} {unit}"
    return f"{num_bytes} B"
