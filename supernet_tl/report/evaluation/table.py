"""Tables that a reader can sort and filter, and whose cells know the jobs they come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from supernet_tl.report.evaluation.facts import Part
from supernet_tl.report.wording import NOTHING, signed_percent


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        title: at its head.
        explained: what it holds, to a reader that points at it; empty where the title says it.
        is_text: whether it holds words.
    """

    title: str
    explained: str = ""
    is_text: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        text: as people read it.
        jobs: that it comes from, as text that the page understands.
        sort: what it is sorted by where the text is no number that can be read off.
        is_negative: whether it is a change for the worse.
        share: length of a bar behind it, from 0 to 1; None without one.
        title: said to a reader that points at it.
    """

    text: str
    jobs: str = ""
    sort: float | None = None
    is_negative: bool = False
    share: float | None = None
    title: str = ""


@dataclass(frozen=True)
class Row:
    """A row.

    Attributes:
        head: what it is about.
        cells: one a further column.
        job: name of the one job that all of it comes from; None where cells say their own.
        number: of that job.
    """

    head: str
    cells: tuple[Cell, ...]
    job: str | None = None
    number: int | None = None


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        description: what it holds.
        columns: the first is of the rows' heads.
        rows: from top to bottom.
        part: of a run that it is about; None where it is about both.
    """

    description: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    part: Part | None = None


def number_cell(
    value: float | None, wording: Callable[[float], str], jobs: str = "", *, spread: str = "", sort: bool = False
) -> Cell:
    """A number; a dash for none.

    Args:
        value: the number.
        wording: for people.
        jobs: that it comes from.
        spread: that follows it.
        sort: whether ``wording`` changes the unit, so that the text cannot be sorted by.
    """
    if value is None:
        return Cell(NOTHING)
    return Cell(wording(value) + spread, jobs, sort=round(value, 4) if sort else None)


def change_cell(value: float | None, jobs: str = "", *, spread: float | None = None) -> Cell:
    """A relative improvement with its spread in percentage points; marked where it is negative."""
    if value is None:
        return Cell(NOTHING)
    text = signed_percent(value)
    told = "" if spread is None else f" ± {100 * spread:.1f}"
    return Cell(text + told, jobs, is_negative=text.startswith("\u2212"))
