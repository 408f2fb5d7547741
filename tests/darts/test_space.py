from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import darts


def test_named_spaces_equal_the_tables_of_the_reference(reference: dict[str, Any]) -> None:
    # Oracle: the tables that the reference's spaces.py builds.
    tables = reference["s_tables"]
    for name, table in tables.items():
        space = darts.SPACES["darts" if name == "darts8" else name]
        assert [list(edge) for edge in space.normal] == table["normal"]
        assert [list(edge) for edge in space.reduction] == table["reduce"]


def test_edges_are_listed_node_by_node_and_by_source_within_a_node() -> None:
    assert darts.cell_edges(4) == (
        *((0, 2), (1, 2)),
        *((0, 3), (1, 3), (2, 3)),
        *((0, 4), (1, 4), (2, 4), (3, 4)),
        *((0, 5), (1, 5), (2, 5), (3, 5), (4, 5)),
    )


def test_a_space_survives_json(space: darts.SearchSpace) -> None:
    assert darts.SearchSpace.from_json(space.to_json()) == space


def test_a_space_prints_its_edges() -> None:
    assert "4 -> 5   normal: dil_conv_3x3, dil_conv_5x5" in str(darts.S1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"normal": darts.S1.normal[:-1]}, "lists 13 edges; 4 nodes have 14"),
        ({"normal": (("skip_connect", "conv_9x9"),) * 14}, r"unknown primitives \['conv_9x9'\]; known are"),
        ({"normal": (("skip_connect", "skip_connect"),) * 14}, "repeats a primitive"),
        ({"reduction": (("sep_conv_3x3",),) * 14}, "offers 1 primitives, edge 0 of the normal cell 2"),
        ({"normal": (("none",),) * 14, "reduction": (("none",),) * 14}, "needs a primitive other than 'none'"),
        ({"num_nodes": 0}, "num_nodes=0; expected at least 1"),
    ],
)
def test_a_space_that_contradicts_itself_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(darts.SpaceError, match=sentence):
        dataclasses.replace(darts.S1, **change)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("{", "not valid JSON"), ("[]", "is a JSON object; found list"), ('{"name": "x"}', "lacks the keys")],
)
def test_text_that_is_no_space_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(darts.SpaceError, match=sentence):
        darts.SearchSpace.from_json(text)
