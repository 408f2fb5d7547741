r"""A summary's tables for a paper: each file is a ``table`` for ``\input`` that needs booktabs alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from supernet_tl.evaluating.tables.layout import Table, overall_table, table1, table2

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "—": "---",
    "±": r"$\pm$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
_NUMBER = re.compile(r"-?\d+(\.\d+)?( ± \d+(\.\d+)?)?")


def latex_tables(summary: Mapping[str, Any]) -> dict[str, str]:
    """The text of every LaTeX file, by the file's name."""
    tables = {"table1": table1, "table2": table2, "overall": overall_table}
    return {f"{name}.tex": to_latex(make(summary), name) for name, make in tables.items()}


def to_latex(table: Table, label: str) -> str:
    """A table with a rule above, below and under its header, and a part's name above its rows."""
    width = len(table.header)
    lines = [
        r"% Needs \usepackage{booktabs}.",
        r"\begin{table}",
        r"\centering\small\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{escape(table.caption)}}}",
        rf"\label{{tab:{label}}}",
        rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}",
        r"\toprule",
        _row(table.header),
    ]
    for block in table.blocks:
        lines += [r"\midrule", rf"\multicolumn{{{width}}}{{l}}{{\emph{{{escape(block.title)}}}}} \\"]
        lines += map(_row, block.rows)
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def escape(text: str) -> str:
    """Text in which every character stands for itself."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def _row(cells: Sequence[str]) -> str:
    return " & ".join(map(_cell, cells)) + r" \\"


def _cell(text: str) -> str:
    return f"${text.replace('±', chr(92) + 'pm')}$" if _NUMBER.fullmatch(text) else escape(text)
