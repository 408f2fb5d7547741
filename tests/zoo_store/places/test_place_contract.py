"""What holds for a zoo in every kind of place: a local folder, memory, S3, any other file system."""

import itertools
import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from zoo_store import (
    AliasError,
    CorruptEntryError,
    EntryNotFoundError,
    Zoo,
    ZooEntry,
)
from zoo_store.format.identity import is_full_id
from zoo_store.places.files import UnfitFileError
from zoo_store.places.place import Place
from zoo_store.places.remote.object_store import ObjectStore
from zoo_store.places.remote.remote_files import Info
from zoo_store.problem import Problem

EntryMaker = Callable[..., ZooEntry]
CREATED = "2026-02-0{}T12:00:00+00:00"


def raw(place: Place) -> tuple[fsspec.AbstractFileSystem, str]:
    """What the place is made of, as somebody else would reach it."""
    address = place.address if isinstance(place, ObjectStore) else f"local://{place.address}"
    system, root = fsspec.core.url_to_fs(address, skip_instance_cache=True, use_listings_cache=False)
    return system, root


def test_what_is_added_comes_back_equal(any_zoo: Zoo, make_entry: EntryMaker) -> None:
    entry = make_entry()
    entry_id = any_zoo.add(entry)

    assert list(any_zoo) == [entry_id]
    assert entry_id in any_zoo
    loaded = any_zoo.get(entry_id[:8])
    assert loaded.card == entry.card == any_zoo.card(entry_id)
    assert {name: tensor.tolist() for name, tensor in loaded.state.items()} == {
        name: tensor.tolist() for name, tensor in entry.state.items()
    }
    assert set(any_zoo.sketch(entry_id)) == set(entry.sketch)
    assert any_zoo.verify() == []


def test_a_place_without_anything_is_an_empty_zoo(any_zoo: Zoo) -> None:
    assert list(any_zoo) == []
    assert "0" * 64 not in any_zoo
    assert any_zoo._place.marks(is_full_id) == {}
    assert any_zoo._place.mark("0" * 64) is None
    assert any_zoo._place.notes() == []


def test_two_adds_of_equal_content_are_one_entry_and_the_first_one_stays(any_zoo: Zoo, make_entry: EntryMaker) -> None:
    first, second = make_entry(), make_entry(created=CREATED.format(1))
    entry_id = any_zoo.add(first)
    before = any_zoo._place.mark(entry_id)

    assert any_zoo.add(second) == entry_id
    assert list(any_zoo) == [entry_id]
    assert any_zoo.card(entry_id)["created"] == first.card["created"]
    assert any_zoo._place.mark(entry_id) == before


def test_aliases_are_kept_moved_and_deleted(any_zoo: Zoo, make_entry: EntryMaker) -> None:
    first, second = any_zoo.add(make_entry()), any_zoo.add(make_entry(seed=1))
    any_zoo.set_alias("best", first)
    any_zoo.set_alias("best", second)
    any_zoo.set_alias("other", first)

    assert any_zoo.aliases() == {"best": second, "other": first}
    assert any_zoo.resolve("best") == second
    any_zoo.delete_alias("other")
    assert any_zoo.aliases() == {"best": second}
    with pytest.raises(AliasError, match="has the alias best"):
        any_zoo.remove(second)
    any_zoo.remove(second, with_aliases=True)
    assert (list(any_zoo), any_zoo.aliases()) == ([first], {})


def test_a_removed_entry_is_gone_and_can_be_added_again(any_zoo: Zoo, make_entry: EntryMaker) -> None:
    kept, gone = any_zoo.add(make_entry()), any_zoo.add(make_entry(seed=1))
    any_zoo.remove(gone)

    assert list(any_zoo) == [kept]
    assert any_zoo._place.discard(gone) is False
    with pytest.raises(EntryNotFoundError, match="holds no entry"):
        any_zoo.get(gone)
    assert any_zoo.add(make_entry(seed=1)) == gone
    assert any_zoo.verify() == []


def test_marks_are_those_of_each_entry_and_tell_when_one_was_replaced(
    any_zoo: Zoo, make_entry: EntryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo_store.places.local._COARSEST_TIMES_NS", 0)  # a folder gives new entries no mark so soon
    place = any_zoo._place
    first, second = any_zoo.add(make_entry()), any_zoo.add(make_entry(seed=1))
    marks = place.marks(is_full_id)

    assert marks == {entry_id: place.mark(entry_id) for entry_id in sorted((first, second))}
    any_zoo.remove(first)
    any_zoo.add(make_entry(created=CREATED.format(1)))
    assert place.mark(first) != marks[first]
    assert place.mark(second) == marks[second]


def test_an_entry_that_is_set_aside_is_whole_elsewhere_and_gone_here(any_zoo: Zoo, make_entry: EntryMaker) -> None:
    place = any_zoo._place
    system, root = raw(place)
    entry_id = any_zoo.add(make_entry())
    files = {file: place.read(entry_id, file, 10**6) for file in place.files(entry_id)}
    where = []
    for _ in range(2):
        where.append(place.set_aside(any_zoo.add(make_entry())))

    assert list(any_zoo) == []
    assert where == [f"{place.address}/quarantine/{name}" for name in (entry_id, f"{entry_id}.2")]
    for name in (entry_id, f"{entry_id}.2"):
        assert {file: system.cat_file(f"{root}/quarantine/{name}/{file}") for file in files} == files
    assert place.set_aside(entry_id) is None


def test_an_entry_that_has_changed_since_it_was_looked_at_is_not_set_aside(
    any_zoo: Zoo, make_entry: EntryMaker
) -> None:
    place = any_zoo._place
    entry_id = any_zoo.add(make_entry())
    before = place.mark(entry_id)
    any_zoo.remove(entry_id)
    any_zoo.add(make_entry(created=CREATED.format(1)))

    assert place.set_aside(entry_id, mark=before) is None
    assert any_zoo.verify() == []
    assert place.set_aside(entry_id, mark=place.mark(entry_id)) is not None
    assert list(any_zoo) == []


def test_notes_are_written_only_where_the_expected_ones_are_there(place: Place) -> None:
    place.write_notes({"a.json": b"1", "b.json": b"1"})
    for expected in ({"a.json": b"2"}, {"a.json": None}, {"none.json": b"1"}, {"a.json": b"1", "b.json": b"12"}):
        assert place.write_notes({"a.json": b"3", "b.json": None}, expected=expected) is False
    assert [place.read_note(name, 10) for name in place.notes()] == [b"1", b"1"]

    assert place.write_notes({"a.json": b"3", "b.json": None}, expected={"a.json": b"1", "none.json": None}) is True
    assert (place.notes(), place.read_note("a.json", 10)) == (["a.json"], b"3")


@pytest.mark.parametrize("file", ["manifest.json", "card.json", "supernet.safetensors"])
def test_bytes_that_were_changed_in_the_place_are_noticed(any_zoo: Zoo, make_entry: EntryMaker, file: str) -> None:
    entry_id = any_zoo.add(make_entry())
    any_zoo.get(entry_id)  # copies of all files are kept now, where files come from afar
    system, root = raw(any_zoo._place)
    path = f"{root}/{entry_id}/{file}"
    data = bytearray(system.cat_file(path))
    data[len(data) // 2] ^= 1
    system.pipe_file(path, bytes(data))

    problems = any_zoo.verify()
    assert {problem.entry_id for problem in problems} == {entry_id}
    # A bit of the manifest may be one of another file's digest.
    assert file == "manifest.json" or [problem.file for problem in problems] == [file]


def test_a_file_that_is_missing_or_does_not_belong_there_is_noticed(any_zoo: Zoo, make_entry: EntryMaker) -> None:
    first, second = any_zoo.add(make_entry()), any_zoo.add(make_entry(seed=1))
    system, root = raw(any_zoo._place)
    system.rm_file(f"{root}/{first}/README.md")
    system.pipe_file(f"{root}/{second}/weights.pkl", b"anything")

    problems = {(problem.entry_id, problem.file, problem.reason.split()[0]) for problem in any_zoo.verify()}
    assert problems == {(first, "README.md", "is"), (second, "weights.pkl", "does")}
    with pytest.raises(CorruptEntryError, match=r"README\.md is missing"):
        any_zoo.get(first)


def test_a_file_is_read_up_to_the_size_that_it_may_have(place: Place) -> None:
    place.publish("0" * 64, {"empty": b"", "file": b"123456", "manifest.json": b"{}"})

    assert place.read("0" * 64, "empty", 0) == b""
    assert place.read("0" * 64, "file", 6) == b"123456"
    with pytest.raises(UnfitFileError, match="has 6 bytes; expected at most 5"):
        place.read("0" * 64, "file", 5)
    with pytest.raises(FileNotFoundError):
        place.read("0" * 64, "none", 5)
    with pytest.raises(FileNotFoundError):
        place.files("1" * 64)


def test_a_zoo_travels_between_processes(any_zoo: Zoo, make_entry: EntryMaker) -> None:
    # Oracle: pickle, which executors use to send arguments to and fro; here after the zoo has been used.
    entry_id = any_zoo.add(make_entry())
    assert list(pickle.loads(pickle.dumps(any_zoo))) == [entry_id]


def test_entries_move_between_places_of_all_kinds(any_zoo: Zoo, tmp_path: Path, make_entry: EntryMaker) -> None:
    zoo = Zoo(tmp_path / "near")
    entry_id = zoo.add(make_entry())
    zoo.set_alias("best", entry_id)

    assert zoo.copy_to(any_zoo).added == (entry_id,)
    zoo.remove(entry_id, with_aliases=True)
    assert any_zoo.copy_to(zoo).aliases == {"best": entry_id}
    assert any_zoo.verify() == zoo.verify() == []


def test_readers_see_whole_entries_or_none_while_writers_add_and_remove(any_zoo: Zoo, make_entry: EntryMaker) -> None:
    entry_id = any_zoo.add(make_entry())
    done = threading.Event()
    outcomes: list[str] = []

    def read() -> None:
        while not done.is_set():
            try:
                any_zoo.get(entry_id)
                outcomes.append("whole")
            except EntryNotFoundError:
                outcomes.append("none")
            except Exception as error:  # a thread's own exception would be lost
                outcomes.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    for day in range(1, 6):  # each time other files, so that a mixture of two would be no entry
        any_zoo.remove(entry_id)
        any_zoo.add(make_entry(created=CREATED.format(day)))
    done.set()
    reader.join()

    assert set(outcomes) <= {"whole", "none"}
    assert any_zoo.verify() == []


def test_writers_of_the_same_and_of_other_entries_do_not_disturb_each_other(
    any_zoo: Zoo, make_entry: EntryMaker
) -> None:
    errors: list[Exception] = []

    def add(writer: int) -> None:
        try:
            any_zoo.add(make_entry(created=CREATED.format(writer + 1)))
            any_zoo.add(make_entry(seed=writer))
        except Exception as error:  # a thread's own exception would be lost
            errors.append(error)

    threads = [threading.Thread(target=add, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len(any_zoo) == 4  # seed 0 is what all of them add
    assert any_zoo.verify() == []


@pytest.mark.parametrize("kind", ["memory", "s3"])
def test_names_that_are_not_plain_are_not_the_zoos(
    kind: str, request: pytest.FixtureRequest, make_entry: EntryMaker
) -> None:
    zoo = Zoo(request.getfixturevalue(f"{kind}_url"))
    entry_id = zoo.add(make_entry())
    system, root = raw(zoo._place)
    foreign = f"{'0' * 64}/manifest.json/x"
    names = [f"{entry_id}/..", f"{entry_id}/.DS_Store", "../../escaped"]
    for name in (*names, foreign, "aliases/..", "aliases/a\\b", "aliases/sub/x.json", "data/images.csv"):
        system.pipe_file(f"{root}/{name}", b"anything")

    assert list(zoo) == [entry_id]
    assert zoo._place.notes() == []
    assert zoo.verify() == []
    assert zoo.get(entry_id).card["seed"] == 0


@pytest.mark.parametrize("name", ["sub/evil.pkl", "back\\slash"])
def test_what_lies_below_an_entry_does_not_belong_there_and_goes_when_it_goes(
    store_url: str, make_entry: EntryMaker, name: str
) -> None:
    zoo = Zoo(store_url)
    entry_id = zoo.add(make_entry())
    system, root = raw(zoo._place)
    system.pipe_file(f"{root}/{entry_id}/{name}", b"anything")

    assert [problem.file for problem in zoo.verify()] == [name]
    where = zoo.fix(zoo.verify())[entry_id]
    assert system.cat_file(f"{root}/{where.removeprefix(zoo.address)}/{name}".replace("//", "/")) == b"anything"
    assert zoo.add(make_entry()) == entry_id
    assert zoo.verify() == []


def test_what_a_store_tells_of_reading_is_no_part_of_a_mark(
    memory_url: str, make_entry: EntryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Oracle: fsspec's sftp and smb tell as "time" when a file was last read; here each look is a reading.
    zoo = Zoo(memory_url)
    entry_id = zoo.add(make_entry())
    place, times = zoo._place, itertools.count()
    assert isinstance(place, ObjectStore)
    listing = place.remote.listing

    def told(under: str = "") -> dict[str, Info]:
        return {path: {**info, "time": next(times)} for path, info in listing(under).items()}

    monkeypatch.setattr(place.remote, "listing", told)
    assert place.mark(entry_id) == place.mark(entry_id)


@pytest.mark.parametrize("read", [Zoo.get, lambda zoo, entry_id: zoo.verify()[0]], ids=["get", "verify"])
def test_an_entry_whose_mark_never_stays_the_same_is_told_to_be_damaged_all_the_same(
    memory_url: str, make_entry: EntryMaker, monkeypatch: pytest.MonkeyPatch, read: Callable[[Zoo, str], object]
) -> None:
    zoo = Zoo(memory_url)
    entry_id = zoo.add(make_entry())
    system, root = raw(zoo._place)
    system.rm_file(f"{root}/{entry_id}/README.md")
    marks = itertools.count()
    monkeypatch.setattr(zoo._place, "mark", lambda group: str(next(marks)))

    try:
        found = read(zoo, entry_id)
    except CorruptEntryError as error:
        found = error.problem
    assert found == Problem(entry_id, "README.md", zoo.verify()[0].reason)


def test_an_entry_that_is_added_again_is_checked_where_it_lies(store_url: str, make_entry: EntryMaker) -> None:
    zoo = Zoo(store_url)
    entry_id = zoo.add(make_entry())
    zoo.get(entry_id)  # copies of all files are kept now
    system, root = raw(zoo._place)
    system.rm_file(f"{root}/{entry_id}/supernet.safetensors")

    with pytest.raises(CorruptEntryError, match=r"supernet\.safetensors is missing"):
        zoo.add(make_entry())


def test_a_bucket_can_be_synchronised_to_a_folder_and_back(store_url: str, zoo: Zoo, make_entry: EntryMaker) -> None:
    far = Zoo(store_url)
    entry_id = far.add(make_entry())
    far.set_alias("best", entry_id)
    system, root = raw(far._place)
    for path in system.find(root):
        target = zoo.path / path[len(root) + 1 :]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(system.cat_file(path))

    assert zoo.verify() == []
    assert zoo.resolve("best") == entry_id
    assert zoo.get(entry_id).card == far.get(entry_id).card


def test_a_note_that_is_too_large_is_refused(any_zoo: Zoo, make_entry: EntryMaker) -> None:
    entry_id = any_zoo.add(make_entry())
    any_zoo._place.write_notes({"best.json": b"x" * 5000, "none.json": None})

    with pytest.raises(AliasError, match="has 5000 bytes; expected at most 4096"):
        any_zoo.resolve("best")
    any_zoo.set_alias("best", entry_id)
    assert any_zoo.aliases() == {"best": entry_id}


def test_a_place_without_a_group_has_nothing_to_read(place: Place) -> None:
    with pytest.raises(FileNotFoundError):
        place.read("0" * 64, "manifest.json", 100)
    assert not place.holds("0" * 64)
    assert place.read_note("best.json", 100) is None
