"""Numbers of jobs are short, and can be read back."""

import pytest

from supernet_tl.report.evaluation.jobs import JobIndex


@pytest.mark.parametrize(
    ("asked", "text"),
    [([], ""), (["a"], "0"), (["c", "a"], "0 2"), (["a", "b", "c", "e"], "0-2 4"), (["b", "b"], "1")],
)
def test_neighbours_are_a_range(asked: list[str], text: str) -> None:
    assert JobIndex("abcde").refer(asked) == text


def test_a_new_job_gets_the_next_number() -> None:
    index = JobIndex("ab")
    assert index.refer(["z", "b"]) == "1-2"
    assert index.names == ("a", "b", "z")
