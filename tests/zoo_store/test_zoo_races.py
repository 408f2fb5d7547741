"""Another process that acts at the worst moment: what it did is kept, and nothing is done to it that was not meant."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo_store import Zoo, ZooEntry, ZooWriteError
from zoo_store.places.files import write_file
from zoo_store.places.local import LocalFolder

EntryMaker = Callable[..., ZooEntry]


@pytest.fixture
def just_before(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], object]], None]:
    """Let something happen right before a method of the place is called for the first time."""

    def arrange(method: str, happen: Callable[[], object]) -> None:
        original = getattr(LocalFolder, method)

        def first_the_other(*args: object, **kwargs: object) -> object:
            monkeypatch.setattr(LocalFolder, method, original)
            happen()
            return original(*args, **kwargs)

        monkeypatch.setattr(LocalFolder, method, first_the_other)

    return arrange


Arrange = Callable[[str, Callable[[], object]], None]


def test_an_entry_that_is_repaired_while_it_is_being_fixed_stays(
    zoo: Zoo, entry_id: str, make_entry: EntryMaker, just_before: Arrange
) -> None:
    (zoo.path / entry_id / "card.json").write_bytes(b"{")
    problems = zoo.verify()

    def repair() -> None:
        zoo.remove(entry_id)
        zoo.add(make_entry())

    just_before("set_aside", repair)
    assert zoo.fix(problems) == {}
    assert list(zoo) == [entry_id]
    assert zoo.verify() == []


def test_of_two_that_fix_at_once_one_moves_and_the_other_has_nothing_to_do(
    zoo: Zoo, entry_id: str, just_before: Arrange
) -> None:
    (zoo.path / entry_id / "card.json").write_bytes(b"{")
    problems = zoo.verify()
    first: dict[str, str] = {}
    just_before("set_aside", lambda: first.update(zoo.fix(problems)))

    assert zoo.fix(problems) == {}
    assert first == {entry_id: str(zoo.path / "quarantine" / entry_id)}


def test_an_alias_that_is_set_while_it_is_being_fixed_stays(
    zoo: Zoo, entry_id: str, make_entry: EntryMaker, just_before: Arrange
) -> None:
    gone = zoo.add(make_entry(seed=1))
    zoo.set_alias("best", gone)
    zoo._place.discard(gone)
    just_before("write_notes", lambda: zoo.set_alias("best", entry_id))

    assert zoo.fix(zoo.verify()) == {}
    assert zoo.aliases() == {"best": entry_id}


def test_an_alias_that_is_set_in_the_target_of_a_copy_meanwhile_stays(
    zoo: Zoo, entry_id: str, tmp_path: Path, make_entry: EntryMaker, just_before: Arrange
) -> None:
    zoo.set_alias("best", entry_id)
    zoo.set_alias("other", entry_id)
    target = Zoo(tmp_path / "target")
    theirs = target.add(make_entry(seed=1))
    just_before("write_notes", lambda: target.set_alias("best", theirs))

    copies = zoo.copy_to(target)

    assert (copies.aliases, copies.kept_aliases) == ({"other": entry_id}, {"best": theirs})
    assert target.aliases() == {"best": theirs, "other": entry_id}


def test_an_alias_that_moves_elsewhere_while_its_entry_is_removed_stays(
    zoo: Zoo, entry_id: str, make_entry: EntryMaker, just_before: Arrange
) -> None:
    other = zoo.add(make_entry(seed=1))
    zoo.set_alias("best", entry_id)
    just_before("write_notes", lambda: zoo.set_alias("best", other))

    zoo.remove(entry_id, with_aliases=True)

    assert list(zoo) == [other]
    assert zoo.aliases() == {"best": other}


def test_removing_an_entry_takes_an_alias_that_is_set_meanwhile_along(
    zoo: Zoo, entry_id: str, just_before: Arrange
) -> None:
    zoo.set_alias("one", entry_id)
    just_before("write_notes", lambda: zoo.set_alias("two", entry_id))

    zoo.remove(entry_id, with_aliases=True)
    assert zoo.aliases() == {}


@pytest.mark.parametrize(
    "expected", [{"x.json": None}, {"x.json": b"2"}, {"x.json": b"1", "y.json": b""}, {"link.json": b"1"}]
)
def test_notes_that_hold_something_else_than_expected_are_not_written(
    tmp_path: Path, expected: dict[str, bytes | None]
) -> None:
    place = LocalFolder(tmp_path / "zoo", lock_timeout=1)
    (tmp_path / "zoo").mkdir()
    assert place.write_notes({"x.json": b"1"}, expected={"x.json": None})
    (tmp_path / "zoo" / "aliases" / "link.json").symlink_to("x.json")

    assert not place.write_notes({"x.json": b"3", "z.json": b"3"}, expected=expected)
    assert place.notes() == ["link.json", "x.json"]
    assert place.read_note("x.json", 10) == b"1"
    assert place.write_notes({"x.json": None}, expected={"x.json": b"1", "y.json": None})


def writer_that_waits(
    zoo: Zoo, entry: ZooEntry, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]
) -> list[object]:
    """What `Zoo.add` gives in a thread for which something happens when it has written three files."""
    outcome: list[object] = []
    has_written, may_go_on = threading.Event(), threading.Event()

    def add() -> None:
        try:
            outcome.append(zoo.add(entry))
        except ZooWriteError as error:
            outcome.append(error)

    writer = threading.Thread(target=add)
    written: list[Path] = []

    def write(path: Path, data: bytes) -> None:
        if threading.current_thread() is writer:
            if len(written) == 3:
                has_written.set()
                may_go_on.wait(30)
            written.append(path)
        write_file(path, data)

    monkeypatch.setattr("zoo_store.places.files.write_file", write)
    writer.start()
    assert has_written.wait(30)
    meanwhile()
    may_go_on.set()
    writer.join()
    return outcome


def test_a_writer_whose_lock_was_deleted_is_not_taken_for_dead(
    zoo: Zoo, entry_id: str, make_entry: EntryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[str] = []

    def clear_and_add() -> None:
        (zoo.path / ".lock").unlink()  # as `rsync --delete` and `git clean` do
        assert zoo.clear_leftovers() == []
        others.append(zoo.add(make_entry(seed=2)))

    (added,) = writer_that_waits(zoo, make_entry(seed=1), monkeypatch, clear_and_add)

    assert sorted(zoo) == sorted([entry_id, str(added), *others])
    assert zoo.verify() == []
    assert sorted(path.name for path in zoo.path.iterdir() if path.name.startswith(".")) == [".lock"]


def test_half_an_entry_is_never_made_visible_whoever_deletes_its_files(
    zoo: Zoo, entry_id: str, make_entry: EntryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete() -> None:
        for path in zoo.path.glob(".incoming-*/*.safetensors"):
            path.unlink()

    (refusal,) = writer_that_waits(zoo, make_entry(seed=1), monkeypatch, delete)

    assert "somebody else has changed .incoming-" in str(refusal)
    assert list(zoo) == [entry_id]
    assert zoo.verify() == []
