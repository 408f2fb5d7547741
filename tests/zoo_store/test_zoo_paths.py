"""Where a zoo may be, and what a zoo that is not there yet does."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.zoo_store.processes import as_nobody
from zoo_store import (
    CorruptEntryError,
    Problem,
    Zoo,
    ZooEntry,
    ZooNotFoundError,
    ZooPathError,
    ZooReadError,
    ZooWriteError,
)

EntryMaker = Callable[..., ZooEntry]


def test_a_zoo_that_does_not_exist_is_empty_as_a_container_and_refused_by_name(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path / "nowhere")

    assert len(zoo) == 0
    assert list(zoo) == []
    assert "0" * 64 not in zoo
    for ask in (zoo.verify, zoo.cards, lambda: zoo.get("0" * 64), lambda: zoo.remove("0" * 64)):
        with pytest.raises(ZooNotFoundError, match=r"there is no zoo at '.*nowhere': no such folder\. Check"):
            ask()
    assert not zoo.path.exists()


def test_the_first_add_makes_the_folder_and_those_above_it(tmp_path: Path, make_entry: EntryMaker) -> None:
    zoo = Zoo(tmp_path / "a" / "b" / "zoo")
    entry_id = zoo.add(make_entry())

    assert list(Zoo(str(tmp_path / "a" / "b" / "zoo"))) == [entry_id]


def test_an_empty_folder_is_an_empty_zoo(tmp_path: Path) -> None:
    assert len(Zoo(tmp_path)) == 0
    assert Zoo(tmp_path).cards() == {}
    assert Zoo(tmp_path).verify() == []


def test_a_relative_path_stays_where_it_was_given(
    tmp_path: Path, make_entry: EntryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    zoo = Zoo("zoo")
    os.mkdir("elsewhere")
    monkeypatch.chdir("elsewhere")
    zoo.add(make_entry())

    assert (tmp_path / "zoo").is_dir()


def test_a_file_url_is_the_folder(tmp_path: Path, make_entry: EntryMaker) -> None:
    entry_id = Zoo(f"file://{tmp_path}/zoo").add(make_entry())

    assert list(Zoo(tmp_path / "zoo")) == [entry_id]


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "zoo.zip").touch()
    with pytest.raises(ZooPathError, match=r"zoo\.zip' is a file; a zoo is a folder"):
        Zoo(tmp_path / "zoo.zip")


@pytest.mark.parametrize("nothing", ["", "a\0b"])
def test_what_is_no_path_is_refused(nothing: str) -> None:
    with pytest.raises(ZooPathError, match="is not the address of a zoo; expected a local folder or a URL"):
        Zoo(nothing)


def test_a_path_under_a_file_is_told_when_adding(tmp_path: Path, make_entry: EntryMaker) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ZooWriteError, match=r"could not add \w+ in the zoo '.*file/zoo'"):
        Zoo(tmp_path / "file" / "zoo").add(make_entry())


def test_a_zoo_and_its_errors_travel_between_processes(zoo: Zoo, entry_id: str) -> None:
    # Oracle: pickle, which executors use to send arguments and failures to and fro.
    assert list(pickle.loads(pickle.dumps(zoo))) == [entry_id]
    error = CorruptEntryError(Problem(entry_id, "card.json", "is missing"))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    refusal = ZooWriteError(28, "no room")
    assert str(pickle.loads(pickle.dumps(refusal))) == "no room"


def test_a_folder_that_may_not_be_entered_is_told_and_not_taken_for_an_empty_zoo(
    zoo: Zoo, entry_id: str, tmp_path: Path
) -> None:
    exported = zoo.export(entry_id, zoo.path / "out")
    zoo.path.chmod(0o744)  # its names may be listed, what they are of may not be seen
    try:
        with as_nobody(tmp_path / "here"):
            reads = (
                lambda: zoo.get(entry_id),
                lambda: zoo.export(entry_id, tmp_path / "there"),
                lambda: entry_id in zoo,
            )
            for read in reads:
                with pytest.raises(ZooReadError, match=r"could not read \w+ in the zoo .*: Permission denied\. Allow"):
                    read()
            assert [(problem.entry_id, problem.damaged) for problem in zoo.verify()] == [
                (entry_id, False),
                (None, False),  # whether there are aliases cannot be seen
            ]
            with pytest.raises(ZooPathError, match=r"there is no folder .*; expected one .* which may be read"):
                zoo.add_folder(exported)
    finally:
        zoo.path.chmod(0o755)


def test_a_zoo_whose_parent_may_not_be_entered_is_told(tmp_path: Path, make_entry: EntryMaker) -> None:
    zoo = Zoo(tmp_path / "closed" / "zoo")
    zoo.add(make_entry())
    (tmp_path / "closed").chmod(0o700)
    with as_nobody(tmp_path / "closed"):
        for read in (zoo.exists, zoo.verify, lambda: list(zoo), zoo.clear_leftovers):
            with pytest.raises(ZooReadError, match=r"could not read its .* in the zoo .*: Permission denied\. Allow"):
                read()
