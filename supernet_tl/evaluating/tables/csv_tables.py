"""A summary's tables as CSV: one number a column, nested names joined by dots, what is undefined empty."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_JOINED = " "
"""Between the names of jobs in one field; names hold no space."""


def csv_tables(summary: Mapping[str, Any]) -> dict[str, str]:
    """The text of every CSV file, by the file's name."""
    cells = [
        {"target": row["target"], "part": row["part"], "method": method, **cell}
        for row in summary["table1"]
        for method, cell in row["cells"].items()
    ]
    return {
        "runs.csv": to_csv(summary["runs"]),
        "values.csv": to_csv(summary["values"]),
        "table1.csv": to_csv(cells),
        "table2.csv": to_csv(summary["table2"]),
        "overall.csv": to_csv(summary["overall"]),
    }


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with a header of all names that any of them has, in the order in which they first come."""
    flat = [dict(_flat(row)) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    nested = {name.partition(".")[0] for name in names if "." in name}  # a null where other rows have an object
    text = io.StringIO()
    writer = csv.DictWriter(text, [name for name in names if name not in nested], lineterminator="\n")
    writer.writeheader()
    for row in flat:
        writer.writerow({name: "" if value is None else value for name, value in row.items() if name not in nested})
    return text.getvalue()


def _flat(row: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, list):
            yield f"{before}{name}", _JOINED.join(map(str, value))
        else:
            yield f"{before}{name}", value
