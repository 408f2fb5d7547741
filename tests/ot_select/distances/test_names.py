from typing import Any

import pytest

from ot_select import OTDD, BuresWasserstein, DatasetDistance, OptionError, parse_distance


@pytest.mark.parametrize(
    ("name", "distance"),
    [
        ("otdd", OTDD()),
        ("otdd-paper", OTDD.paper()),
        ("otdd-diagonal", OTDD(inner="diagonal")),
        ("otdd-means", OTDD(inner="means")),
        ("otdd-exact", OTDD(inner="exact")),
        ("bures", BuresWasserstein()),
    ],
)
def test_a_name_stands_for_one_distance_which_bears_it(name: str, distance: DatasetDistance) -> None:
    assert parse_distance(name) == distance
    assert parse_distance(name).name == name


def test_an_unknown_name_gets_the_list_and_the_near_match() -> None:
    with pytest.raises(
        OptionError,
        match=r"no distance 'otdd-mean'; the distances are otdd, otdd-paper, .*, bures\. Did you mean 'otdd-means'\?",
    ):
        parse_distance("otdd-mean")
    with pytest.raises(OptionError, match=r"no distance 'xyz'.*Name one of them"):
        parse_distance("xyz")


@pytest.mark.parametrize("name", [None, ["otdd"], 5])
def test_what_is_no_name_gets_the_list(name: Any) -> None:
    with pytest.raises(OptionError, match=r"but one of the names otdd, otdd-paper, .*, bures is needed"):
        parse_distance(name)
