"""Text and tables in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~$])")


def escape(text: str) -> str:
    """Text in which every character stands for itself, also in a table's cell."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def grid(header: Sequence[str], rows: Iterable[Sequence[str]], *, of_numbers: bool = True) -> str:
    """A table; all columns but the first are set to the right where they are of numbers."""
    rule = " | ".join(("---", *("---:" if of_numbers else "---" for _ in header[1:])))
    lines = [" | ".join(map(escape, header)), rule, *(" | ".join(map(escape, row)) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)
