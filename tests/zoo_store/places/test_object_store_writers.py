"""Whoever interferes and whoever dies, an object store holds whole entries or none."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import pytest

from tests.zoo_store.places.scheduled import Action, SteppedFiles, StoppedError, files_of, seal, take_turns
from zoo_store import Zoo, ZooEntry
from zoo_store.places.remote.object_store import ObjectStore
from zoo_store.places.remote.remote_files import RemoteFiles

EntryMaker = Callable[..., ZooEntry]
WRITER = Path(__file__).with_name("s3_writers.py")
LATER = "2026-02-01T12:00:00+00:00"


def store_of_group(url: str) -> ObjectStore:
    return ObjectStore(url, marker="marker", is_group=lambda name: name == "group", seal=seal)


def publish(writer: str, num_bytes: int = 0) -> Action:
    return lambda store: store.publish("group", files_of(writer, num_bytes))


def remove(store: ObjectStore) -> object:
    return store.discard("group")


def what_a_reader_finds(url: str) -> str:
    """A "whole" group, "none", or "a mixture"."""
    store = store_of_group(url)
    if not store.holds("group"):
        return "none"
    found = {name: store.read("group", name, 2**21) for name in store.files("group")}
    marker = found.pop("marker").split()[0]
    return "whole" if found.keys() == {"weights", "card", "readme"} and marker == seal("group", found) else "a mixture"


@pytest.mark.parametrize("is_exclusive", [True, False], ids=["exclusive creation", "look and write"])
@pytest.mark.parametrize(
    ("there", "actions"),
    [
        ((), [publish("A"), publish("B")]),
        ((), [publish("A"), publish("B"), publish("C")]),
        (("weights", "card", "readme"), [publish("A"), publish("B")]),
        (("weights", "card", "readme", "marker"), [publish("A"), remove]),
        (("weights", "card", "readme", "marker"), [publish("A"), publish("B"), remove]),
        (("weights", "card", "readme", "marker"), [publish("A"), remove, remove]),
    ],
    ids=["two writers", "three", "two after one that died", "writer and remover", "two and a remover", "two removers"],
)
def test_in_whatever_order_writers_and_removers_take_turns_marker_and_files_agree(
    memory_url: str, there: Sequence[str], actions: Sequence[Action], is_exclusive: bool
) -> None:
    left = files_of("an earlier one")
    for seed in range(40):
        url = f"{memory_url}/{seed}"
        for name in there:
            RemoteFiles(url).replace(f"group/{name}", left[name])
        outcomes = take_turns(url, store_of_group, actions, seed, is_exclusive=is_exclusive)

        assert set(map(type, outcomes)) == {bool}, outcomes
        found = what_a_reader_finds(url)
        assert found != "a mixture", f"seed {seed}"
        # Oracle: nobody removes, or what nobody removed and somebody reported as written is there.
        assert found != "none" or remove in actions


@pytest.mark.parametrize("num_bytes", [0, 2**20], ids=["small files", "large files"])
@pytest.mark.parametrize("there", [(), ("card",), ("weights", "card", "readme")], ids=["none", "a card", "all files"])
def test_a_writer_that_dies_at_any_request_never_damages_what_another_has_reported(
    memory_url: str, there: Sequence[str], num_bytes: int
) -> None:
    left = files_of("an earlier one", num_bytes)
    for seed in range(60):
        url = f"{memory_url}/{seed}"
        for name in there:
            RemoteFiles(url).replace(f"group/{name}", left[name])
        actions = [publish(writer, num_bytes) for writer in "ABC"]
        _, *outcomes = take_turns(url, store_of_group, actions, seed, requests_of_first=seed % 24)

        # Oracle: B and C live, so one of them or the dead one has written the group, and nobody removes it.
        assert set(map(type, outcomes)) == {bool}, outcomes
        assert what_a_reader_finds(url) == "whole", f"seed {seed}"


def test_a_real_entry_stays_whole_when_one_of_its_writers_dies_at_any_request(
    memory_url: str, make_entry: EntryMaker
) -> None:
    def add(day: int) -> Action:
        def run(store: ObjectStore) -> str:
            zoo = Zoo(memory_url)
            zoo._place = zoo._aliases.place = store
            return zoo.add(make_entry(created=f"2026-02-0{day}T12:00:00+00:00"))

        return run

    def make_store(url: str) -> ObjectStore:
        place = Zoo(url)._place
        assert isinstance(place, ObjectStore)
        return place

    for seed in range(30):
        url = f"{memory_url}/{seed}"
        if seed % 2:  # files of an earlier one who died too
            entry_id = Zoo(url).add(make_entry(created="2026-02-03T12:00:00+00:00"))
            RemoteFiles(url).delete(f"{entry_id}/manifest.json")
        _, outcome = take_turns(url, make_store, [add(1), add(2)], seed, requests_of_first=seed)
        zoo = Zoo(url)

        assert outcome == next(iter(zoo))
        assert zoo.verify() == []


def test_a_file_of_which_the_entry_cannot_be_made_is_replaced_until_it_is_visible(memory_url: str) -> None:
    store = store_of_group(memory_url)
    store.remote.replace("group/card", b"something else")
    store.remote.replace("group/weights", bytes(2**20))
    assert store.publish("group", files_of("A")) is True
    assert what_a_reader_finds(memory_url) == "whole"

    store.remote.replace("group/card", b"damage")
    assert store.publish("group", files_of("A")) is False
    assert store.read("group", "card", 100) == b"damage"


def test_an_entry_is_made_of_the_files_that_a_writer_who_died_has_left(store_url: str, make_entry: EntryMaker) -> None:
    # Oracle: the files of another day's run of the same content; none of them is written again.
    zoo = Zoo(store_url)
    entry_id = zoo.add(make_entry())
    place = zoo._place
    assert isinstance(place, ObjectStore)
    place.remote.delete(f"{entry_id}/manifest.json")
    written: list[str] = []
    place.remote = SteppedFiles(
        store_url, lambda kind, path: written.append(path) if kind in ("create", "replace") else None
    )

    assert zoo.add(make_entry(created=LATER)) == entry_id
    assert written == [f"{entry_id}/manifest.json"]
    assert zoo.verify() == []
    assert zoo.card(entry_id)["created"] == make_entry().card["created"]


def stop_before(zoo: Zoo, url: str, request: int, kinds: Sequence[str] = ("create", "replace", "delete")) -> None:
    """Let a zoo's process die just before it changes the store for the n-th time."""
    done: list[str] = []

    def count(kind: str, path: str) -> None:
        if kind in kinds:
            done.append(path)
        if len(done) == request:
            raise StoppedError

    assert isinstance(zoo._place, ObjectStore)
    zoo._place.remote = SteppedFiles(url, count)


@pytest.mark.parametrize(
    ("store_url", "change"),
    [*(("memory", change) for change in range(1, 6)), ("s3", 3), ("s3", 5)],
    indirect=["store_url"],
)
def test_a_writer_that_dies_before_any_of_its_five_files_leaves_no_entry_and_the_next_one_completes_it(
    store_url: str, make_entry: EntryMaker, change: int
) -> None:
    other = Zoo(store_url).add(make_entry(seed=1))
    dying = Zoo(store_url)
    stop_before(dying, store_url, change)
    with pytest.raises(StoppedError):
        dying.add(make_entry())

    zoo = Zoo(store_url)
    assert list(zoo) == [other]
    assert zoo.verify() == []
    entry_id = zoo.add(make_entry(created=LATER))
    assert zoo.verify() == []
    # Oracle: the card is the third file to be written; the dead writer's, if he got so far, is as good as this one's.
    assert (zoo.card(entry_id)["created"] == LATER) == (change <= 3)


@pytest.mark.parametrize(
    ("store_url", "change"), [*(("memory", change) for change in range(2, 6)), ("s3", 2)], indirect=["store_url"]
)
def test_a_remover_that_dies_in_between_has_removed_the_entry(
    store_url: str, make_entry: EntryMaker, change: int
) -> None:
    entry_id = Zoo(store_url).add(make_entry())
    dying = Zoo(store_url)
    stop_before(dying, store_url, change)
    with pytest.raises(StoppedError):
        dying.remove(entry_id)

    zoo = Zoo(store_url)
    assert list(zoo) == []
    assert zoo.verify() == []
    zoo.add(make_entry(created=LATER))
    assert zoo.verify() == []


def test_no_reported_entry_is_lost_when_processes_that_write_to_s3_are_killed(s3_url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, str(WRITER), s3_url, str(log)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    reported = log.read_text().split()
    zoo = Zoo(s3_url)

    assert len(reported) >= 3  # each of the three writers was killed after its first report
    assert set(reported) <= set(zoo)
    assert zoo.verify() == []


def leave_a_file(url: str, name: str = "0" * 64) -> str:
    RemoteFiles(url).replace(f"{name}/supernet.safetensors", b"half an entry")
    return name


def test_files_of_dead_writers_are_cleared_when_the_store_says_that_they_are_old(
    memory_url: str, make_entry: EntryMaker
) -> None:
    zoo = Zoo(memory_url)
    entry_id = zoo.add(make_entry())
    old, young = leave_a_file(memory_url), leave_a_file(memory_url, "1" * 64)
    RemoteFiles(memory_url).replace("data/images.csv", b"not the zoo's")
    memory = fsspec.filesystem("memory")
    for path in memory.find(memory_url):  # all but one file are older than the grace of a day
        if young not in path:
            memory.store[path].modified = datetime.now(UTC) - timedelta(hours=25)

    assert zoo.clear_leftovers() == [old]
    left = {path.split("/")[2] for path in memory.find(memory_url)}
    assert left == {entry_id, young, "data"}
    assert zoo.verify() == []


def test_what_the_clock_of_this_machine_shows_does_not_make_files_old(
    store_url: str, make_entry: EntryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = Zoo(store_url)
    zoo.add(make_entry())
    leave_a_file(store_url)
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: 4e9)  # in the year 2096
        assert zoo.clear_leftovers() == []

    assert isinstance(zoo._place, ObjectStore)
    zoo._place.grace = timedelta(0)
    assert zoo.clear_leftovers() == ["0" * 64]
    assert zoo.clear_leftovers() == []
    assert zoo.verify() == []


def test_where_the_store_tells_no_times_nothing_is_cleared(
    memory_url: str, make_entry: EntryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = Zoo(memory_url)
    leave_a_file(memory_url)

    def untold(*arguments: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.modified", untold)
    assert zoo.clear_leftovers() == []
    assert RemoteFiles(memory_url).size(f"{'0' * 64}/supernet.safetensors") == 13


def test_an_add_whose_answer_was_lost_is_one_entry(s3_url: str, make_entry: EntryMaker) -> None:
    # Oracle: all five files are there before the writer begins, as if each answer had been lost after the write.
    first = Zoo(s3_url)
    entry_id = first.add(make_entry())
    remote = RemoteFiles(s3_url)
    remote.delete(f"{entry_id}/manifest.json")

    assert first.add(make_entry()) == entry_id
    assert first.verify() == []
    assert remote.create(f"{entry_id}/{uuid.uuid4().hex}", b"new") is True
    assert remote.create(f"{entry_id}/card.json", b"other") is False
