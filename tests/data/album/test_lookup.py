"""What names a set, and what the sentence is when nothing does."""

from __future__ import annotations

import pytest

from supernet_tl.data import SourceNotFoundError
from supernet_tl.data.album.lookup import find, is_gap, select
from supernet_tl.data.album.table import album_versions


@pytest.mark.parametrize(
    "text", ["BRD/Mini", "brd/mini", " BRD/mini ", "BRD_Mini", "Meta_Album_BRD_Mini", "Meta_Album_BRD/Mini", "44285"]
)
def test_a_version_is_found_by_name_and_number(text: str) -> None:
    assert find(text).openml_id == 44285  # oracle: Meta-Album's site


def test_every_version_is_found_by_each_of_its_names() -> None:
    for version in album_versions():
        for text in (version.name, version.folder, version.openml_name, str(version.openml_id)):
            assert find(text) is version


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("BDR/Mini", r"'BDR/Mini' names no set of Meta-Album; expected TAG/VERSION .* Did you mean BRD/Mini\?"),
        ("birds/mini", r"Did you mean BRD/Mini\?"),
        ("PLT_VILL/Extended", r"Did you mean PLT_VIL/Extended"),
        ("TEX", r"without its version; expected one of TEX/Micro, TEX/Mini, TEX/Extended\. Name one"),
        ("MD_6/Extended", r"sets of characters have no Extended; expected one of MD_6/Micro, MD_6/Mini\."),
        ("MD_MIX", r"expected one of MD_MIX/Micro, MD_MIX/Mini\."),
        ("BRD/Midi", r"names no version of BRD; expected one of .* Did you mean Mini\?"),
        ("zzzz", r"names no set of Meta-Album; .* See `supernet-tl data list`"),
        ("", r"'' names no set of Meta-Album"),
        ("44311", r"44311 is none .* lies between them; .* Beside it are 44310 \(MD_6/Mini\), 44312 \(PNU/Micro\)\."),
        ("7", r"7 is none of Meta-Album's numbers, which lie between 44237 and 44343"),
        ("paper27", r"a group of Meta-Album's sets with no version; expected paper27/Micro, paper27/Mini, paper27/Ext"),
        ("set0/huge", r"a group of Meta-Album's sets with the version 'huge'; expected set0/Micro"),
    ],
)
def test_what_names_nothing_gets_a_sentence_with_what_is_near(text: str, sentence: str) -> None:
    with pytest.raises(SourceNotFoundError, match=sentence):
        select(text)


def test_groups_stand_for_their_sets_in_one_version() -> None:
    assert len(select("paper27/Micro")) == 27
    assert len(select("all/mini")) == 30
    assert len(select("all/Extended")) == 27  # oracle: 30 sets, three of which have no Extended
    assert [version.tag for version in select("SET2/Micro")][:3] == ["ACT_410", "AWA", "PRT"]
    assert {version.version for version in select("set0/Mini")} == {"Mini"}
    assert select("BRD/Mini") == (find("BRD/Mini"),)


def test_only_two_numbers_lie_between_those_of_meta_album() -> None:
    assert [number for number in range(44200, 44400) if is_gap(number)] == [44311, 44339]
