"""Entries travel between zoos, and into folders and back, byte for byte."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo_store import CorruptEntryError, Zoo, ZooEntry, ZooNotFoundError, ZooPathError, ZooWriteError

EntryMaker = Callable[..., ZooEntry]


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def other(tmp_path: Path) -> Zoo:
    return Zoo(tmp_path / "other")


def test_a_copy_is_equal_byte_for_byte_and_has_the_aliases(zoo: Zoo, other: Zoo, make_entry: EntryMaker) -> None:
    first, second = zoo.add(make_entry()), zoo.add(make_entry(seed=1))
    zoo.set_alias("best", second)
    steps: list[tuple[int, int]] = []

    copies = zoo.copy_to(other, progress=lambda done, total: steps.append((done, total)))

    assert sorted(copies.added) == sorted([first, second])
    assert copies.present == ()
    assert steps == [(0, 2), (1, 2), (2, 2)]
    for entry_id in (first, second):
        assert files_of(other.path / entry_id) == files_of(zoo.path / entry_id)
    assert copies.num_bytes == sum(len(data) for entry_id in zoo for data in files_of(zoo.path / entry_id).values())
    assert other.aliases() == copies.aliases == {"best": second}
    assert other.verify() == []


def test_only_the_entries_asked_for_are_copied_and_only_once(zoo: Zoo, other: Zoo, make_entry: EntryMaker) -> None:
    first, second = zoo.add(make_entry()), zoo.add(make_entry(seed=1))
    zoo.set_alias("best", second)
    zoo.set_alias("first", first)

    assert zoo.copy_to(other, ["best", second[:8]]).added == (second,)
    assert other.aliases() == {"best": second}
    assert zoo.copy_to(other, ["best"], with_aliases=False).present == (second,)
    assert list(other) == [second]


def test_an_alias_that_points_elsewhere_in_the_target_stays_there(zoo: Zoo, other: Zoo, make_entry: EntryMaker) -> None:
    mine, theirs = zoo.add(make_entry()), other.add(make_entry(seed=1))
    zoo.set_alias("best", mine)
    other.set_alias("best", theirs)

    copies = zoo.copy_to(other)

    assert copies.kept_aliases == {"best": theirs}
    assert copies.aliases == {}
    assert other.resolve("best") == theirs


def test_a_damaged_entry_is_not_passed_on(zoo: Zoo, other: Zoo, make_entry: EntryMaker) -> None:
    good, bad = sorted([zoo.add(make_entry()), zoo.add(make_entry(seed=1))])
    (zoo.path / bad / "README.md").write_text("altered")
    zoo.set_alias("bad", bad)
    zoo.set_alias("good", good)
    copies = zoo.copy_to(other)

    assert copies.added == (good,)
    assert list(copies.left_behind) == [bad]
    assert f"zoo entry {bad}: README.md has 7 bytes" in copies.left_behind[bad]
    assert list(other) == [good]
    assert other.aliases() == {"good": good}
    assert other.verify() == []


def test_copying_from_a_zoo_that_is_not_there_is_refused(tmp_path: Path, other: Zoo) -> None:
    with pytest.raises(ZooNotFoundError, match="there is no zoo at"):
        Zoo(tmp_path / "nowhere").copy_to(other)
    assert not other.path.exists()


def test_an_exported_entry_can_be_added_again_whatever_its_folder_is_called(
    zoo: Zoo, entry_id: str, other: Zoo, tmp_path: Path
) -> None:
    folder = zoo.export(entry_id[:8], tmp_path / "shared" / "digits")

    assert files_of(folder) == files_of(zoo.path / entry_id)
    assert [path.name for path in folder.parent.iterdir()] == ["digits"]
    assert other.add_folder(folder) == entry_id
    assert other.add_folder(str(folder) + "/") == entry_id  # again: nothing changes
    assert files_of(other.path / entry_id) == files_of(zoo.path / entry_id)


def test_export_overwrites_nothing(zoo: Zoo, entry_id: str, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    with pytest.raises(ZooPathError, match=r"there is something at '.*taken' already; give the name of a new folder"):
        zoo.export(entry_id, taken)
    assert list(taken.iterdir()) == []


def test_a_damaged_entry_is_not_exported(zoo: Zoo, entry_id: str, tmp_path: Path) -> None:
    (zoo.path / entry_id / "card.json").write_text("{}")
    with pytest.raises(CorruptEntryError, match=r"card\.json has 2 bytes; the manifest records"):
        zoo.export(entry_id, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_entry_is_refused(zoo: Zoo, entry_id: str, other: Zoo, tmp_path: Path) -> None:
    with pytest.raises(ZooPathError, match=r"there is no folder '.*nothing'; expected one with an entry's files"):
        other.add_folder(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorruptEntryError, match=r"manifest\.json is missing"):
        other.add_folder(tmp_path / "empty")
    folder = zoo.export(entry_id, tmp_path / "out")
    manifest = json.loads((folder / "manifest.json").read_text())
    for claimed in ("../../etc", None, "0" * 63, ["x"]):
        (folder / "manifest.json").write_text(json.dumps(manifest | {"id": claimed}))
        with pytest.raises(CorruptEntryError, match=r"gives the id .*; expected 64 characters"):
            other.add_folder(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest | {"id": "0" * 64}))
    with pytest.raises(CorruptEntryError, match="lists content whose id is"):
        other.add_folder(folder)
    assert not other.path.exists()


@pytest.mark.parametrize("kind", ["bit", "file"])
def test_a_copy_tells_which_entries_the_target_holds_damaged_and_leaves_them(
    zoo: Zoo, other: Zoo, make_entry: EntryMaker, kind: str
) -> None:
    first, second = sorted(zoo.add(make_entry(seed=seed)) for seed in range(2))
    zoo.set_alias("best", first)
    zoo.copy_to(other, with_aliases=False)
    damaged = other.path / first
    if kind == "bit":
        data = bytearray((damaged / "supernet.safetensors").read_bytes())
        data[-1] ^= 1
        (damaged / "supernet.safetensors").write_bytes(data)
    else:
        shutil.rmtree(damaged)
        damaged.write_text("I am a file")

    copies = zoo.copy_to(other)

    assert (copies.added, copies.present, copies.damaged) == ((), (second,), (first,))
    assert other.aliases() == {}
    assert {problem.entry_id for problem in other.verify()} == {first}
    other.fix(other.verify())
    assert zoo.copy_to(other).added == (first,)


def test_a_damaged_folder_is_refused_with_advice_for_a_folder(
    zoo: Zoo, entry_id: str, other: Zoo, tmp_path: Path
) -> None:
    folder = zoo.export(entry_id, tmp_path / "out")
    (folder / "card.json").write_text("{}")
    with pytest.raises(CorruptEntryError, match=r"Bring the folder back from a good copy, or export it again\.$"):
        other.add_folder(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(CorruptEntryError, match=r"Bring the folder back from a good copy, or export it again\.$"):
        other.add_folder(folder)


def test_a_link_to_a_folder_is_the_folder(zoo: Zoo, entry_id: str, other: Zoo, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(zoo.export(entry_id, tmp_path / "out"))
    assert other.add_folder(tmp_path / "link") == entry_id


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_what_can_be_no_name_is_refused_by_export(zoo: Zoo, entry_id: str, tmp_path: Path, name: str) -> None:
    with pytest.raises(ZooPathError, match=r"cannot be a folder: .*\. Give another name"):
        zoo.export(entry_id, tmp_path / name)


def test_export_into_a_file_says_so(zoo: Zoo, entry_id: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ZooWriteError, match=r"could not write '.*file/out': 'file' is there already, and is no folder"):
        zoo.export(entry_id, tmp_path / "file" / "out")


def test_export_takes_a_name_as_long_as_names_may_be(zoo: Zoo, entry_id: str, tmp_path: Path) -> None:
    # Oracle: 255 bytes is the longest name of Linux' file systems.
    assert len(files_of(zoo.export(entry_id, tmp_path / ("x" * 255)))) == 5
