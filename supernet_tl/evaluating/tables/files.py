"""The files that an evaluation's summary becomes: JSON, CSV and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supernet_tl.evaluating.tables.csv_tables import csv_tables
from supernet_tl.evaluating.tables.latex import latex_tables
from supernet_tl.files import write_json, write_whole


def write_tables(folder: Path, summary: Mapping[str, Any]) -> None:
    """Write ``summary.json``, and its tables as CSV and LaTeX, each whole or not at all.

    Args:
        folder: made when missing; files of an earlier summary are replaced.
        summary: as :func:`supernet_tl.evaluating.tables.summary.summarise_evaluation` gives it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "summary.json", summary)
    for name, text in {**csv_tables(summary), **latex_tables(summary)}.items():
        write_whole(folder / name, text.encode())
