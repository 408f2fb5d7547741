import pytest

from ot_select import OptionError, relative_improvement


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
