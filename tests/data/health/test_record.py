"""The record of a set's health goes to JSON and back, and refuses what it did not write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from supernet_tl.data import DataError
from supernet_tl.data.health import DataHealth, examine

if TYPE_CHECKING:
    from tests.data.health.conftest import Album


@pytest.fixture
def ill(album: Album) -> DataHealth:
    """With a leak, a label conflict, and class names that could harm a terminal or a page."""
    album.class_names = ("<b>ant</b>\x1b[31m", "bee")
    for label, part in ((0, "search"), (1, "test")):
        album.add(Image.fromarray(album.pixels[0]), label, part)
    return examine(album.images(), album.splits(), image_size=80)


def test_json_and_back_is_the_same_value(ill: DataHealth) -> None:
    assert len(ill.findings) > 2
    text = json.dumps(ill.to_dict(), allow_nan=False)
    assert DataHealth.from_dict(json.loads(text)) == ill


def test_a_summary_keeps_findings_without_examples_and_classes_without_names(ill: DataHealth) -> None:
    brief = ill.brief()
    assert (brief["num_images"], brief["smallest_class"], brief["largest_class"]) == (66, 33, 33)
    assert [set(finding) for finding in brief["findings"]] == [{"kind", "severity", "count", "sentence"}] * len(
        ill.findings
    )
    assert len(json.dumps(brief)) < 4000


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"schema_version": 9}, r"has schema_version 9; this version reads 1"),
        ({"classes": None}, r"incomplete or malformed \(TypeError"),
        ({"findings": [{"kind": "x"}]}, r"incomplete or malformed \(KeyError"),
        ({"width": {"smallest": 1}}, r"incomplete or malformed \(TypeError"),
    ],
)
def test_another_record_is_refused(ill: DataHealth, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        DataHealth.from_dict({**ill.to_dict(), **change})
