"""The parts of pages as values: wording, colours, bars, weights, averages."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import darts
from darts.primitives import PRIMITIVES
from supernet_tl.report import wording
from supernet_tl.report.comparison import mean_and_spread, relative_improvement
from supernet_tl.report.contact_sheet import image_urls
from supernet_tl.report.curves import accuracy_curve, draw_curves
from supernet_tl.report.mixing_views import PANEL_HEIGHT, PANEL_WIDTH, mixing_views
from supernet_tl.report.palette import SCRATCH, WARM, Stroke, primitive_stroke, run_strokes
from supernet_tl.report.ranking_chart import ranking_chart
from supernet_tl.report.run_record import RankedSource, RankingRecord
from supernet_tl.training.history import EpochRow

MINUS = "\u2212"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (wording.percent(0.91364), "91.4 %"),
        (wording.percent(1.0), "100.0 %"),
        (wording.percent(None), "—"),
        (wording.signed_percent(0.0829), "+8.3 %"),
        (wording.signed_percent(-0.0829), f"{MINUS}8.3 %"),
        (wording.signed_percent(-0.0001), "0.0 %"),
        (wording.threshold(0.85), "85 %"),
        (wording.whole(26834), "26,834"),
        (wording.operations(1_227_008), "1.23 M"),
        (wording.operations(999_999), "1000 k"),
        (wording.operations(512), "512"),
        (wording.duration(8.949), "8.9 s"),
        (wording.duration(59.97), "1 min 00 s"),
        (wording.duration(125), "2 min 05 s"),
        (wording.duration(3720), "1 h 02 min"),
        (wording.duration(None), "—"),
        (wording.fixed(-1234.567, 2), f"{MINUS}1,234.57"),
    ],
)
def test_numbers_are_written_for_people(written: str, expected: str) -> None:
    assert written.replace("\u202f", " ") == expected


def test_the_first_warm_start_and_the_first_scratch_run_always_look_the_same() -> None:
    strokes = run_strokes([("s", True), ("a", False), ("b", False), ("t", True)])
    assert (strokes["s"], strokes["a"]) == (SCRATCH, WARM)
    assert len(set(strokes.values())) == 4
    assert run_strokes([("a", False), ("s", True)])["s"] == SCRATCH


def test_every_primitive_has_a_stroke_of_its_own() -> None:
    strokes = {name: primitive_stroke(name) for name in PRIMITIVES}
    assert len(set(strokes.values())) == len(PRIMITIVES)


def ranking(*rows: tuple[float, tuple[float, ...]]) -> RankingRecord:
    """A ranking of squared distances with their draws."""
    sources = tuple(
        RankedSource(
            f"id{index}", f"source {index}", index == 0, squared**0.5 if squared >= 0 else None, squared, draws, True
        )
        for index, (squared, draws) in enumerate(rows)
    )
    return RankingRecord("nearest", "squared", 100, len(rows), sources, ())


def test_bars_are_roots_of_squared_distances_and_start_at_zero() -> None:
    # oracle: roots 10 and 20; the longest draw, 25, is the chart's whole width
    near, far = ranking_chart(ranking((100.0, (81.0, 121.0)), (400.0, (400.0, 625.0)))).bars
    assert (near.value, near.low, near.high) == (10.0, 9.0, 11.0)
    assert (near.start_percent, near.length_percent) == (0.0, 40.0)
    assert (far.length_percent, far.low_percent, far.high_percent) == (80.0, 80.0, 100.0)


def test_bars_say_what_was_measured() -> None:
    record = replace(ranking((100.0, (100.0,))), distance="bures")
    assert ranking_chart(record).quantity == "bures in embedding units"
    assert ranking_chart(replace(record, distance="otdd-paper")).quantity == "OTDD in embedding units"


def test_a_negative_debiased_distance_makes_all_bars_squared() -> None:
    chart = ranking_chart(ranking((-10.0, (-12.0, -8.0)), (40.0, (38.0, 42.0))))
    assert chart.quantity == "squared OTDD in embedding units squared"
    first, second = chart.bars
    assert (first.value, second.value) == (-10.0, 40.0)
    assert first.start_percent + first.length_percent == pytest.approx(second.start_percent)  # both touch zero


def test_the_largest_distance_is_written_with_four_digits() -> None:
    # oracle: 75.68 has two decimals, 300.0 one, 0.01000 five, 1,000,000 none
    assert (
        ranking_chart(
            ranking(
                (75.68**2, ()),
            )
        ).decimals
        == 2
    )
    assert ranking_chart(ranking((75.68**2, ()), (9e4, ()))).decimals == 1
    assert (
        ranking_chart(
            ranking(
                (1e-4, ()),
            )
        ).decimals
        == 5
    )
    assert (
        ranking_chart(
            ranking(
                (1e12, ()),
            )
        ).decimals
        == 0
    )


def test_images_survive_the_way_into_the_page() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 48, 48), dtype=np.uint8)
    for image, url in zip(images, image_urls(images), strict=True):
        data = base64.b64decode(url.removeprefix("data:image/png;base64,"))
        # oracle: Pillow's PNG reader
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))).transpose(2, 0, 1), image)


def rows(*accuracies: float | None) -> list[EpochRow]:
    return [
        EpochRow("search", index, index * 2.0, validation_accuracy=value) for index, value in enumerate(accuracies, 1)
    ]


def test_a_curve_of_seeds_is_their_mean_and_range_as_far_as_all_got() -> None:
    curve = accuracy_curve(WARM, [rows(0.1, 0.4, 0.9), rows(0.3, 0.6)], over="seconds")
    assert curve is not None
    assert curve.x == (2.0, 4.0)
    assert curve.y == pytest.approx((20.0, 50.0))
    assert curve.low == pytest.approx((10.0, 40.0))
    assert curve.high == pytest.approx((30.0, 60.0))


def test_a_curve_of_one_run_has_no_band_and_of_none_is_no_curve() -> None:
    curve = accuracy_curve(WARM, [rows(0.1, None, 0.9)], over="epoch")
    assert curve is not None
    assert curve.x == (1.0, 3.0)
    assert curve.low == ()
    assert accuracy_curve(WARM, [rows(None)], over="epoch") is None
    assert accuracy_curve(WARM, [[]], over="epoch") is None


def test_a_plot_is_coloured_by_the_style_sheet_alone() -> None:
    curve = accuracy_curve(Stroke("run-warm", (5.0, 2.0)), [rows(0.1, 0.9)], over="epoch")
    assert curve is not None
    svg = draw_curves([curve], x_label="epochs", description='says "so"', name="plot")
    assert 'aria-label="says &#34;so&#34;"' in svg
    assert "stroke: var(--run-warm)" in svg
    assert "#0a0b" not in svg
    assert "<metadata" not in svg
    assert "http" not in svg.replace("http://www.w3.org", "")


def test_mean_and_spread_count_what_is_missing() -> None:
    # oracle: 1, 2, 3 have mean 2 and sample standard deviation 1
    assert mean_and_spread([1.0, 2.0, 3.0], str) == "2.0 ± 1.0"
    assert mean_and_spread([1.0, None], str) == "1.0 (1 of 2)"
    assert mean_and_spread([None], str) == "—"
    assert mean_and_spread([0.1, 0.3], wording.signed_percent).replace("\u202f", " ") == "+20.0 % ± 14.1 %"


def test_nothing_is_relative_to_an_accuracy_of_zero() -> None:
    assert relative_improvement(0.5, 0.0) is None
    assert relative_improvement(0.5, 0.4) == pytest.approx(0.25)


def darts_tensor(alphas: NDArray[np.floating]) -> torch.Tensor:
    return torch.tensor(np.asarray(alphas, dtype=np.float64))


def test_heat_and_movement_show_the_weights_of_the_right_edge() -> None:
    space = darts.S1
    weights = np.full((2, 3, 14, 2), 0.5, np.float32)
    weights[0, -1, 4] = (0.9, 0.1)  # edge 2 -> 3 of the normal cell, after the last epoch
    alphas = np.log(weights[:, -1])
    genotype = darts.discretize(space, *map(darts_tensor, alphas))
    views = mixing_views(space, genotype, {"normal": weights[0], "reduction": weights[1]})
    normal, reduction = views.cells
    row = normal.rows[4]
    assert (row.source, row.target, row.states) == ("0", "1", "2→3")
    assert [cell.weight for cell in row.cells] == pytest.approx([0.9, 0.1])
    assert [cell.shade for cell in row.cells] == [1.0, 0.0]
    assert row.cells[0].kept
    assert not row.cells[1].kept
    assert views.num_epochs == 2
    assert (views.low, views.high) == pytest.approx((0.1, 0.9))
    # oracle: 0.5 lies midway between 0.1 and 0.9, and 0.9 at the top of the panel, three units below its edge
    panel = normal.panels[4]
    middle = PANEL_HEIGHT / 2
    assert panel.traces[0].points == f"0.0,{middle} {PANEL_WIDTH / 2},{middle} {PANEL_WIDTH},3.0"
    assert views.uniform_y == middle
    assert len({(panel.x, panel.y) for panel in reduction.panels}) == 14


def test_weights_that_never_move_are_drawn_in_the_middle() -> None:
    space = darts.SPACES["s5"]
    even = np.full((1, 14, 7), 1 / 7, np.float32)
    alphas = np.zeros((14, 7))
    alphas[:, 1] = 1.0
    genotype = darts.discretize(space, darts_tensor(alphas), darts_tensor(alphas))
    views = mixing_views(space, genotype, {"normal": even, "reduction": even})
    assert {cell.shade for row in views.cells[0].rows for cell in row.cells} == {0.5}
    assert views.num_epochs == 0
