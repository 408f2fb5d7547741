"""Drawings of cells: complete, and without overlaps, for any genotype."""

import re
from functools import cache
from itertools import combinations

import pytest
import torch

import darts
from supernet_tl.report.cell_layout import Box, CellDrawing, cell_drawing

CHARACTER = 6.6  # width of a 12-pixel letter in common sans-serif fonts, on average


@cache
def drawings() -> list[CellDrawing]:
    """Both cells of twenty random genotypes of the widest space, and of one with two nodes."""
    generator = torch.Generator().manual_seed(0)
    space = darts.SPACES["darts"]
    found = []
    for _ in range(20):
        alphas = torch.randn(2, space.num_edges, space.num_primitives, generator=generator)
        genotype = darts.discretize(space, alphas[0], alphas[1])
        found += [cell_drawing(genotype, reduction=reduction) for reduction in (False, True)]
    small = darts.Genotype.from_dict(
        {
            "normal": [["sep_conv_3x3", 0], ["skip_connect", 1], ["max_pool_3x3", 0], ["skip_connect", 1]],
            "reduction": [["sep_conv_3x3", 0], ["skip_connect", 1], ["max_pool_3x3", 2], ["skip_connect", 1]],
        }
    )
    return [*found, cell_drawing(small, reduction=False), cell_drawing(small, reduction=True)]


def overlap(a: Box, b: Box) -> bool:
    return a.left < b.right and b.left < a.right and a.top < b.bottom and b.top < a.bottom


def points(path: str) -> list[tuple[float, float]]:
    """Points along a line: its curve in small steps, then its level end where it has one."""
    x1, y1, *_, x2, y2 = (float(number) for number in re.findall(r"-?[\d.]+", path.partition(" H")[0]))
    bend = (x1 + x2) / 2
    curve = []
    for step in range(21):
        t = step / 20  # oracle: the definition of a cubic Bezier curve
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
        curve.append(
            (
                sum(weight * x for weight, x in zip(weights, (x1, bend, bend, x2), strict=True)),
                sum(weight * y for weight, y in zip(weights, (y1, y1, y2, y2), strict=True)),
            )
        )
    if " H" not in path:
        return curve
    end = float(path.partition(" H")[2])
    return [*curve, *((x2 + step / 20 * (end - x2), y2) for step in range(21))]


def test_no_two_boxes_overlap() -> None:
    for drawing in drawings():
        boxes = [op.box for op in drawing.ops] + [state.box for state in drawing.states]
        assert not [pair for pair in combinations(boxes, 2) if overlap(*pair)]


def test_every_label_fits_its_box() -> None:
    for drawing in drawings():
        assert all(len(op.primitive) * CHARACTER < op.box.width for op in drawing.ops)


def test_no_line_crosses_a_box() -> None:
    for drawing in drawings():
        boxes = [op.box for op in drawing.ops] + [state.box for state in drawing.states]
        for line in drawing.lines:
            inside = [
                (x, y)
                for x, y in points(line)
                for box in boxes
                if box.left + 0.2 < x < box.right - 0.2 and box.top + 0.2 < y < box.bottom - 0.2
            ]
            assert not inside


def test_everything_lies_inside_the_drawing() -> None:
    for drawing in drawings():
        for box in [op.box for op in drawing.ops] + [state.box for state in drawing.states]:
            assert box.left >= 0
            assert box.top >= 0
            assert box.right <= drawing.width
            assert box.bottom <= drawing.height
        assert all(
            0 <= x <= drawing.width and 0 <= y <= drawing.height for line in drawing.lines for x, y in points(line)
        )


def test_lines_end_where_ops_begin() -> None:
    for drawing in drawings():
        starts = {(round(op.box.left, 1), round(op.box.y, 1)) for op in drawing.ops}
        ends = {tuple(round(value, 1) for value in points(line)[-1]) for line in drawing.lines}
        assert starts <= ends


def test_time_flows_from_left_to_right() -> None:
    for drawing in drawings():
        right = {index: state.box.right for index, state in enumerate(drawing.states)}
        assert all(right[op.source] < op.box.left < op.box.right < right[op.target] for op in drawing.ops)


def test_states_are_called_as_in_the_paper() -> None:
    names = [state.name for state in drawings()[0].states]
    assert names == ["c_{k-2}", "c_{k-1}", "0", "1", "2", "3", "output"]


def test_a_chain_that_can_be_drawn_without_crossings_is() -> None:
    genotype = darts.Genotype.from_dict(
        {name: [["sep_conv_3x3", 0], ["skip_connect", 1]] * 2 for name in ("normal", "reduction")}
    )
    tops = {op.target: op.box.y for op in cell_drawing(genotype, reduction=False).ops if op.source == 0}
    others = {op.target: op.box.y for op in cell_drawing(genotype, reduction=False).ops if op.source == 1}
    assert all(tops[target] < others[target] for target in tops)


@pytest.mark.parametrize("reduction", [False, True])
def test_the_description_tells_every_edge(reduction: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    alphas = torch.randn(2, 14, 2, generator=generator)
    genotype = darts.discretize(darts.S1, alphas[0], alphas[1])
    description = cell_drawing(genotype, reduction=reduction).description
    assert description.startswith("Reduction cell" if reduction else "Normal cell")
    assert all(primitive in description for primitive, _, _ in genotype.edges(reduction=reduction))
    assert description.count(" by ") == 8
