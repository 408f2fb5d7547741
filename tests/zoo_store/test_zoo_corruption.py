"""An entry that is not what was added is never loaded, and `verify` says which file is wrong."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo_store import CorruptEntryError, Zoo, ZooEntry

EntryMaker = Callable[..., ZooEntry]
FILES = ["README.md", "card.json", "manifest.json", "sketch.safetensors", "supernet.safetensors"]
LISTED = [name for name in FILES if name != "manifest.json"]


def refused(zoo: Zoo, entry_id: str, file: str, reason: str) -> None:
    """`get` raises and `verify` reports, both naming the entry and the file."""
    with pytest.raises(CorruptEntryError, match=rf"(?s)^zoo entry {entry_id}: {file} .*{reason}.*zoo verify --fix"):
        zoo.get(entry_id)
    problems = zoo.verify()
    assert [problem.file for problem in problems] == [file]
    assert problems[0].entry_id == entry_id
    assert str(problems[0]).startswith(f"zoo entry {entry_id}: {file} ")


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_told(zoo: Zoo, entry_id: str, file: str) -> None:
    (zoo.path / entry_id / file).unlink()
    refused(zoo, entry_id, file, "is missing; an entry has exactly README.md, card.json")


@pytest.mark.parametrize("file", LISTED)
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_told(zoo: Zoo, entry_id: str, file: str, kept: float) -> None:
    path = zoo.path / entry_id / file
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    refused(zoo, entry_id, file, f"has {int(len(data) * kept)} bytes; the manifest records {len(data)}")


@pytest.mark.parametrize("file", LISTED)
def test_a_file_that_has_grown_is_told(zoo: Zoo, entry_id: str, file: str) -> None:
    path = zoo.path / entry_id / file
    path.write_bytes(path.read_bytes() + b"more")
    refused(zoo, entry_id, file, "bytes; expected at most")


@pytest.mark.parametrize("file", LISTED)
def test_one_changed_bit_is_told_wherever_it_is(zoo: Zoo, entry_id: str, file: str) -> None:
    path = zoo.path / entry_id / file
    data = path.read_bytes()
    for place in range(0, len(data), max(1, len(data) // 7)):
        changed = bytearray(data)
        changed[place] ^= 1
        path.write_bytes(changed)
        refused(zoo, entry_id, file, "has the SHA-256 [0-9a-f]{64}; the manifest records")


def test_one_changed_bit_of_the_manifest_is_told_wherever_it_is(zoo: Zoo, entry_id: str) -> None:
    path = zoo.path / entry_id / "manifest.json"
    data = path.read_bytes()
    unnoticed = []
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        path.write_bytes(changed)
        if zoo.verify() == []:
            unnoticed.append(place)
    assert unnoticed == []


@pytest.mark.parametrize("file", LISTED)
def test_files_swapped_between_entries_are_told(zoo: Zoo, entry_id: str, make_entry: EntryMaker, file: str) -> None:
    other = zoo.add(make_entry(weights_seed=1, seed=1))
    shutil.copy(zoo.path / other / file, zoo.path / entry_id / file)

    with pytest.raises(CorruptEntryError, match=f"zoo entry {entry_id}: {file}"):
        zoo.get(entry_id)
    assert [(problem.entry_id, problem.file) for problem in zoo.verify()] == [(entry_id, file)]


def test_a_whole_entry_under_another_id_is_told(zoo: Zoo, entry_id: str) -> None:
    false_id = "0" * 64
    shutil.copytree(zoo.path / entry_id, zoo.path / false_id)

    refused(zoo, false_id, "manifest.json", f"is about the entry '{entry_id}', which is not the name of its folder")


def test_an_extra_file_is_told_and_hidden_ones_are_ignored(zoo: Zoo, entry_id: str) -> None:
    (zoo.path / entry_id / ".DS_Store").write_bytes(b"a file manager was here")
    assert zoo.verify() == []
    assert zoo.get(entry_id).card["seed"] == 0

    (zoo.path / entry_id / "weights.pkl").write_bytes(b"cos\nsystem\n")
    refused(zoo, entry_id, "weights.pkl", "does not belong there; an entry has exactly")


def test_verify_tells_everything_that_is_wrong(zoo: Zoo, entry_id: str, make_entry: EntryMaker) -> None:
    other = zoo.add(make_entry(seed=1))
    good = zoo.add(make_entry(seed=2))
    (zoo.path / entry_id / "card.json").unlink()
    (zoo.path / entry_id / "notes.txt").touch()
    (zoo.path / other / "sketch.safetensors").write_bytes(b"")

    assert {(problem.entry_id, problem.file) for problem in zoo.verify()} == {
        (entry_id, "card.json"),
        (entry_id, "notes.txt"),
        (other, "sketch.safetensors"),
    }
    assert zoo.get(good).card["seed"] == 2  # its neighbours do not matter


def test_a_damaged_entry_is_not_taken_for_the_same_content(zoo: Zoo, entry_id: str, make_entry: EntryMaker) -> None:
    (zoo.path / entry_id / "supernet.safetensors").write_bytes(b"")
    with pytest.raises(CorruptEntryError, match=r"supernet\.safetensors .* add the entry again"):
        zoo.add(make_entry())

    zoo.remove(entry_id)  # what the sentence says
    assert zoo.add(make_entry()) == entry_id
    assert zoo.verify() == []


def test_a_folder_without_files_is_told(zoo: Zoo, entry_id: str) -> None:
    empty = "f" * 64
    (zoo.path / empty).mkdir()

    assert list(zoo) == sorted([entry_id, empty])
    refused(zoo, empty, "manifest.json", "is missing")


def test_a_file_in_the_place_of_an_entry_is_told(zoo: Zoo, entry_id: str) -> None:
    (zoo.path / ("f" * 64)).write_text("not a folder")
    assert [str(problem) for problem in zoo.verify()] == [
        f"zoo entry {'f' * 64}: the folder is a file or a symbolic link; expected a folder of its own"
    ]
    zoo.remove("f" * 64)
    assert list(zoo) == [entry_id]


def test_names_that_are_no_ids_are_ignored(zoo: Zoo, entry_id: str, entry_folder: Path) -> None:
    shutil.copytree(entry_folder, zoo.path / "backup of my entry")
    shutil.copytree(entry_folder, zoo.path / entry_id.upper())
    (zoo.path / ".runs").mkdir()
    (zoo.path / "README.txt").touch()

    assert list(zoo) == [entry_id]
    assert len(zoo) == 1
    assert zoo.verify() == []
