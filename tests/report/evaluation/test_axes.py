"""Axes hold all values between round numbers."""

import pytest

from supernet_tl.report.evaluation.axes import linear_axis, log_axis


@pytest.mark.parametrize("values", [[0.0, 1.0], [-0.031, 0.124], [0.5], [0.0], [], [-3.0, -2.9], [1e-6, 2e-6]])
def test_a_linear_axis_holds_its_values_between_its_first_and_last_tick(values: list[float]) -> None:
    axis = linear_axis(values, 10.0, 110.0, str)
    assert all(axis.low - 1e-12 <= value <= axis.high + 1e-12 for value in values)
    assert (axis.ticks[0].place, axis.ticks[-1].place) == (10.0, 110.0)
    assert 2 <= len(axis.ticks) <= 9


def test_a_linear_axis_has_round_ticks_at_equal_distances() -> None:
    # by hand: six steps over 0.155 ask for at least 0.0258, and the next round number is 0.05
    axis = linear_axis([-0.031, 0.124], 0.0, 100.0, lambda value: f"{value:g}")
    assert [tick.text for tick in axis.ticks] == ["-0.05", "0", "0.05", "0.1", "0.15"]
    assert [tick.place for tick in axis.ticks] == [0.0, 25.0, 50.0, 75.0, 100.0]
    assert axis.at(0.05) == 50.0


def test_an_axis_that_grows_upwards_turns_places_around() -> None:
    axis = linear_axis([0.0, 1.0], 100.0, 0.0, str)
    assert (axis.at(0.0), axis.at(0.25), axis.at(1.0)) == (100.0, 75.0, 0.0)


def test_equal_ratios_are_equally_far_apart_on_a_logarithmic_axis() -> None:
    axis = log_axis([100, 10_000], 0.0, 1000.0, lambda value: f"{value:g}")
    assert axis.at(1000) - axis.at(100) == pytest.approx(axis.at(10_000) - axis.at(1000), abs=0.2)
    assert [tick.text for tick in axis.ticks] == ["100", "200", "500", "1000", "2000", "5000", "10000"]
