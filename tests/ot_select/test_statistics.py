from collections.abc import Callable

import pytest

from ot_select import (
    OptionError,
    hit_at_k,
    kendall,
    negative_transfer_rate,
    pearson,
    regret,
    relative_improvement,
    weighted_kendall,
)


@pytest.mark.parametrize(("accuracy", "scratch", "expected"), [(0.9, 0.6, 0.5), (0.6, 0.6, 0.0), (0.0, 0.5, -1.0)])
def test_relative_improvement_is_the_gain_as_a_fraction_of_scratch(
    accuracy: float, scratch: float, expected: float
) -> None:
    assert relative_improvement(accuracy, scratch) == pytest.approx(expected)  # oracle: by hand


@pytest.mark.parametrize(
    ("accuracy", "scratch", "sentence"),
    [
        (90.0, 0.6, r"accuracy is 90\.0, but a fraction .*Divide a percentage by 100"),
        (0.9, float("nan"), "scratch_accuracy is nan"),
        (-0.1, 0.5, r"accuracy is -0\.1"),
        (0.9, 0.0, "scratch_accuracy is 0, and nothing can be measured relative to 0"),
    ],
)
def test_what_is_no_fraction_or_has_no_ratio_gets_a_sentence(accuracy: float, scratch: float, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        relative_improvement(accuracy, scratch)


def test_correlations_are_positive_where_nearer_sources_transfer_better() -> None:
    # oracle: a perfect, linear order and its reverse
    distances, gains = [1.0, 2.0, 3.0, 4.0], [0.4, 0.3, 0.2, 0.1]
    for correlation in (kendall, weighted_kendall, pearson):
        assert correlation(distances, gains) == pytest.approx(1.0)
        assert correlation(distances, gains[::-1]) == pytest.approx(-1.0)


def test_kendall_counts_pairs() -> None:
    # oracle: of 6 pairs of sources one, (2, 3), is in the wrong order: (5 - 1) / 6
    assert kendall([1.0, 2.0, 3.0, 4.0], [0.9, 0.5, 0.6, 0.1]) == pytest.approx(4 / 6)


def test_kendall_discounts_ties_on_each_side() -> None:
    # oracle: tau-b. Of 6 pairs one is tied in distance and three in gain; the 2 tied in neither are in order
    assert kendall([1.0, 1.0, 2.0, 3.0], [0.9, 0.8, 0.8, 0.8]) == pytest.approx(2 / (5 * 3) ** 0.5)


def test_weighted_kendall_weighs_exchanges_among_the_first_most() -> None:
    # oracle: positions 0, 1, 2 weigh 1, 1/2, 1/3, a pair the sum: 3/2 (0, 1), 4/3 (0, 2), 5/6 (1, 2), in all 11/3.
    # With the first two exchanged their pair counts against; so it does by distance and by gain.
    first_two = ((4 / 3 + 5 / 6) - 3 / 2) / (11 / 3)
    last_two = ((3 / 2 + 4 / 3) - 5 / 6) / (11 / 3)
    assert weighted_kendall([1.0, 2.0, 3.0], [0.8, 0.9, 0.1]) == pytest.approx(first_two)
    assert weighted_kendall([1.0, 2.0, 3.0], [0.9, 0.1, 0.2]) == pytest.approx(last_two)
    assert kendall([1.0, 2.0, 3.0], [0.8, 0.9, 0.1]) == pytest.approx(kendall([1.0, 2.0, 3.0], [0.9, 0.1, 0.2]))


def test_pearson_is_the_cosine_of_the_centred_numbers() -> None:
    # oracle: closeness -1, -2, -6 less its mean is 2, 1, -3; gains 3, 0, 0 less theirs 2, -1, -1; 6 / sqrt(14 * 6)
    assert pearson([1.0, 2.0, 6.0], [3.0, 0.0, 0.0]) == pytest.approx(6 / 84**0.5)


@pytest.mark.parametrize("correlation", [kendall, weighted_kendall, pearson])
@pytest.mark.parametrize(
    ("distances", "gains", "sentence"),
    [
        ([1.0, 2.0], [0.1], "There are 2 distances and 1 gains, but a correlation needs as many"),
        ([1.0], [0.1], "There are 1 distances and 1 gains, .*at least 2"),
        ([1.0, 1.0], [0.1, 0.2], "All 2 distances are equal, so nothing can be correlated"),
        ([1.0, 2.0], [0.1, 0.1], "All 2 gains are equal"),
        ([1.0, float("nan")], [0.1, 0.2], r"distances\[1\] is nan, but finite numbers are needed"),
        ([1.0, 2.0], [float("inf"), 0.2], r"gains\[0\] is inf"),
        ([], [], r"distances has shape \(0,\), but a list of at least one number"),
        ([[1.0], [2.0]], [0.1, 0.2], r"distances has shape \(2, 1\)"),
    ],
)
def test_what_cannot_be_correlated_gets_a_sentence(
    correlation: Callable[[list[float], list[float]], float], distances: list[float], gains: list[float], sentence: str
) -> None:
    with pytest.raises(OptionError, match=sentence):
        correlation(distances, gains)


def test_hit_at_k_and_regret_look_at_the_first_choices() -> None:
    # oracle: by hand; the best, 0.5, is the third choice
    ranked = [0.2, -0.1, 0.5, 0.4]
    assert [hit_at_k(ranked, k) for k in (1, 2, 3, 9)] == [False, False, True, True]
    assert [regret(ranked, k) for k in (1, 2, 3)] == pytest.approx([0.3, 0.3, 0.0])
    assert hit_at_k([0.5, 0.1, 0.5])  # one of the best is enough
    assert regret([-0.2, -0.1]) == pytest.approx(0.1)


def test_the_negative_transfer_rate_is_the_share_below_scratch() -> None:
    assert negative_transfer_rate([0.1, -0.1, 0.0, -0.3]) == 0.5  # oracle: by hand; equal to scratch is not negative
    assert negative_transfer_rate([0.0]) == 0.0


def test_lists_that_hold_no_finite_numbers_get_a_sentence() -> None:
    with pytest.raises(OptionError, match="k is 0"):
        hit_at_k([0.1], k=0)
    with pytest.raises(OptionError, match=r"ranked_gains\[0\] is nan"):
        regret([float("nan"), 0.1])
    with pytest.raises(OptionError, match=r"gains has shape \(0,\)"):
        negative_transfer_rate([])
