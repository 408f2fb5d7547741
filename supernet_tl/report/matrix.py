"""Tables of shaded cells between two lists of names, sized so that they fit a page from 2 names to 100."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH = 812
"""Pixels that all columns of a table may take together on a wide screen; a narrow one scrolls."""
_HEIGHT = 1100
_MIN_COLUMN, _MAX_COLUMN = 9, 60
_MIN_ROW, _READABLE_ROW, _MAX_ROW = 14, 24, 40
_WIDTH_WITH_NUMBERS = 44
_THUMBNAIL_ROOM = 18


@dataclass(frozen=True)
class Heading:
    """The name of a row or a column.

    Attributes:
        name: whole; the page cuts it short where it has to.
        image: class of the style sheet whose background is a picture of it; empty without one.
    """

    name: str
    image: str = ""


@dataclass(frozen=True)
class Cell:
    """One shaded cell.

    Attributes:
        shade: from 0 to 1; None for a cell that stands for nothing.
        text: written into the cell where there is room.
        title: what the cell says to a reader that points at it.
        jobs: of an evaluation that it comes from, as its page understands them; empty elsewhere.
    """

    shade: float | None
    text: str
    title: str
    jobs: str = ""


@dataclass(frozen=True)
class Matrix:
    """A table of shaded cells.

    Attributes:
        description: what it shows, for readers that do not see it.
        rows: headings from top to bottom.
        columns: headings from left to right.
        cells: row by row.
        column_px: width of a column.
        row_px: height of a row.
    """

    description: str
    rows: tuple[Heading, ...]
    columns: tuple[Heading, ...]
    cells: tuple[tuple[Cell, ...], ...]
    column_px: int
    row_px: int

    @property
    def has_numbers(self) -> bool:
        """Whether cells are wide enough to hold their text."""
        return self.column_px >= _WIDTH_WITH_NUMBERS

    @property
    def has_row_images(self) -> bool:
        """Whether rows are high enough for the pictures of their headings."""
        return self.row_px >= _THUMBNAIL_ROOM

    @property
    def has_column_images(self) -> bool:
        """Whether columns are wide enough for the pictures of their headings."""
        return self.column_px >= _THUMBNAIL_ROOM

    @property
    def row_font_px(self) -> float:
        """Size of the row headings' letters."""
        return min(13.0, self.row_px - 3)

    @property
    def column_font_px(self) -> float:
        """Size of the column headings' letters."""
        return min(13.0, self.column_px - 1)

    @property
    def image_px(self) -> int:
        """Size of the pictures of headings."""
        return min(28, self.row_px - 2, self.column_px - 2)


def matrix(
    description: str, rows: Sequence[Heading], columns: Sequence[Heading], cells: Sequence[Sequence[Cell]]
) -> Matrix:
    """A table whose rows and columns are as large as their number allows, its cells about as high as wide."""
    column_px = _between(_MIN_COLUMN, _WIDTH // len(columns), _MAX_COLUMN)
    row_px = _between(_MIN_ROW, _HEIGHT // len(rows), _MAX_ROW)
    highest = column_px if len(rows) >= len(columns) else max(column_px, _READABLE_ROW)
    row_px = max(_MIN_ROW, min(row_px, highest))
    return Matrix(
        description=description,
        rows=tuple(rows),
        columns=tuple(columns),
        cells=tuple(map(tuple, cells)),
        column_px=column_px,
        row_px=row_px,
    )


def _between(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))
