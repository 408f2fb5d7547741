"""What earlier releases stored stays readable under its id, whatever later ones write."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo_store import NewerVersionError, SchemaVersionError, Zoo, ZooEntry, content_id
from zoo_store.format.migrations import CARD_SCHEMA, MANIFEST_FORMAT, check_version

EntryMaker = Callable[..., ZooEntry]

ID_OF_FORMAT_1 = "c8dcca39e6762504c09e65abe875a1aa02e26c455735a1f2e40ab810ba4f04ce"
CONTENT_OF_FORMAT_1 = {
    "card": "a5342335493f5a6c81ff91b09395a257bd2e8348250d3022a2d3fb05e24b2c24",
    "sketch": "3b349e2094d1c839eac2b5de00617dd5346d9013ca99bf4cf27297beed1b3eb8",
    "state": "33414b2acb766e61e18393ecaa97d2e689556ce4ad71fb8ba04463c0864c0fb3",
}


@pytest.fixture
def zoo_of_format_1(tmp_path: Path) -> Zoo:
    """A zoo of one entry as format 1 wrote it; in an archive, since formatters would improve its files."""
    with zipfile.ZipFile(Path(__file__).with_name("zoo_of_format_1.zip")) as archive:
        archive.extractall(tmp_path / "old")
    return Zoo(tmp_path / "old")


def test_an_entry_of_format_1_is_read_by_every_method(zoo_of_format_1: Zoo) -> None:
    # Oracle: what was added when the archive was made.
    assert zoo_of_format_1.verify() == []
    assert list(zoo_of_format_1) == [ID_OF_FORMAT_1]
    entry = zoo_of_format_1.get(ID_OF_FORMAT_1)
    assert entry.state["stem.weight"].tolist() == [[0.5, -0.25], [2.0, 0.0]]
    assert entry.sketch["labels"].tolist() == [0, 1, 1]
    assert entry.card["name"] == "An entry of format 1"
    assert zoo_of_format_1.card(ID_OF_FORMAT_1) == dict(entry.card)
    assert zoo_of_format_1.cards() == {ID_OF_FORMAT_1: dict(entry.card)}
    sketch = zoo_of_format_1.sketch(ID_OF_FORMAT_1)
    assert sketch.keys() == entry.sketch.keys()
    assert all(torch.equal(sketch[name], tensor) for name, tensor in entry.sketch.items())


def test_the_content_of_an_entry_of_format_1_still_has_its_digests_and_id(zoo_of_format_1: Zoo, zoo: Zoo) -> None:
    # Oracle: the recorded digests.
    entry = zoo_of_format_1.get(ID_OF_FORMAT_1)
    assert content_id(entry) == ID_OF_FORMAT_1
    assert zoo.add(entry) == ID_OF_FORMAT_1
    for place in (zoo_of_format_1, zoo):
        manifest = json.loads((place.path / ID_OF_FORMAT_1 / "manifest.json").read_text())
        assert manifest["content"] == CONTENT_OF_FORMAT_1


def test_an_entry_of_format_1_is_copied_byte_for_byte(zoo_of_format_1: Zoo, zoo: Zoo) -> None:
    zoo_of_format_1.copy_to(zoo)
    for path in (zoo_of_format_1.path / ID_OF_FORMAT_1).iterdir():
        assert (zoo.path / ID_OF_FORMAT_1 / path.name).read_bytes() == path.read_bytes()


def test_damage_to_an_entry_of_format_1_is_told(zoo_of_format_1: Zoo) -> None:
    path = zoo_of_format_1.path / ID_OF_FORMAT_1 / "sketch.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    assert [problem.file for problem in zoo_of_format_1.verify()] == ["sketch.safetensors"]


def test_every_version_ever_written_has_a_stored_zoo_to_be_read() -> None:
    # Whoever raises a version stores a zoo of the old one beside this file first.
    newest = max(CARD_SCHEMA, MANIFEST_FORMAT)
    stored = {path.name for path in Path(__file__).parent.glob("zoo_of_format_*.zip")}
    assert {f"zoo_of_format_{version}.zip" for version in range(1, newest + 1)} <= stored


@pytest.mark.parametrize("found", [2, 3, 2**63])
def test_a_newer_version_asks_for_an_upgrade(found: int) -> None:
    with pytest.raises(NewerVersionError, match=rf"the card was written by a newer .*schema {found}; .*upgrade"):
        check_version(found, newest=1, what="the card")


@pytest.mark.parametrize("found", [0, -1, True, False, 1.0, "1", None, [], {}, "x" * 9999])
def test_a_version_that_nobody_wrote_is_told_shortly(found: Any) -> None:
    with pytest.raises(SchemaVersionError, match=r"the card has the unknown schema version .*No release") as caught:
        check_version(found, newest=1, what="the card")
    assert not isinstance(caught.value, NewerVersionError)
    assert len(str(caught.value)) < 400


def test_what_is_written_today_carries_the_newest_versions(zoo: Zoo, entry_id: str) -> None:
    manifest = json.loads((zoo.path / entry_id / "manifest.json").read_text())
    assert (manifest["format_version"], zoo.card(entry_id)["schema_version"]) == (MANIFEST_FORMAT, CARD_SCHEMA)
