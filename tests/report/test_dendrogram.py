"""The tree beside a table."""

import numpy as np
import pytest

from supernet_tl.report.dendrogram import dendrogram


def between(places: list[float]) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    table: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.abs(np.subtract.outer(places, places))
    return table


def test_points_on_a_line_come_in_the_order_of_the_line() -> None:
    places = [5.0, 0.0, 5.1, 9.0, 1.0]
    order = list(dendrogram(between(places)).order)
    # oracle: sorting, from whichever end
    expected = np.argsort(places).tolist()
    assert order in (expected, expected[::-1])


def test_every_merge_is_a_line_and_its_height_is_the_average_distance() -> None:
    tree = dendrogram(between([0.0, 1.0, 4.0]))
    # oracle: 0 and 1 join at 1; with 4 they join at (4 + 3) / 2, the root's height, which the drawing takes for 1
    heights = [max(float(point.split(",")[0]) for point in line.split()) for line in tree.lines]
    assert heights == pytest.approx([1 / 3.5, 1.0], abs=1e-4)


def test_leaves_begin_in_the_middle_of_their_rows() -> None:
    tree = dendrogram(between([0.0, 1.0, 4.0, 4.5]))
    points = [tuple(map(float, point.split(","))) for line in tree.lines for point in line.split()]
    assert sorted(y for x, y in points if x == 0) == [0.5, 1.5, 2.5, 3.5]
    assert max(x for x, _ in points) == 1


def test_datasets_that_are_all_the_same_make_a_tree_without_height() -> None:
    tree = dendrogram(np.zeros((3, 3)))
    assert sorted(tree.order) == [0, 1, 2]
    assert "nan" not in "".join(tree.lines)
