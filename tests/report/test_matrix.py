"""Tables of shaded cells fit a page."""

import pytest

from supernet_tl.report.matrix import Cell, Heading, Matrix, matrix


def table(num_rows: int, num_columns: int) -> Matrix:
    cells = [[Cell(0.5, "1.25", "a to b")] * num_columns] * num_rows
    return matrix("a table", [Heading("row")] * num_rows, [Heading("column")] * num_columns, cells)


@pytest.mark.parametrize("count", [1, 2, 10, 33, 60, 100])
def test_a_table_of_up_to_100_names_fits_a_page_of_1200_pixels(count: int) -> None:
    found = table(count, count)
    assert 150 + count * found.column_px <= 1052  # a page's content; 150 for the names
    if count <= 60:
        assert 150 + 88 + count * found.column_px <= 1052  # and the tree beside


@pytest.mark.parametrize("count", [1, 2, 10, 33, 60, 100])
def test_headings_are_no_larger_than_their_row_or_column(count: int) -> None:
    found = table(count, count)
    assert 8 <= found.row_font_px < found.row_px
    assert 7 <= found.column_font_px < found.column_px
    assert not found.has_row_images or found.image_px < found.row_px
    assert not found.has_column_images or found.image_px < found.column_px


def test_numbers_are_written_only_where_there_is_room() -> None:
    assert [table(count, count).has_numbers for count in (2, 10, 18, 19, 100)] == [True, True, True, False, False]


def test_cells_are_about_as_high_as_wide() -> None:
    for shape in ((10, 10), (26, 33), (33, 33), (60, 60)):
        assert 0.6 <= table(*shape).row_px / table(*shape).column_px <= 1.2


def test_few_rows_beside_many_columns_stay_high_enough_to_read() -> None:
    assert table(2, 100).row_px == 24
    assert table(100, 2).row_px == 14
    assert table(100, 2).column_px == 60
