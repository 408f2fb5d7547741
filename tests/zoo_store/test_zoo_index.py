"""The index answers as the files would, whatever has happened to the zoo, to the index and to the clock.

The oracle throughout: every card and size read from the files, one entry at a time.
"""

import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo_store import CorruptEntryError, EntryFilter, ListedEntry, Zoo, ZooEntry, ZooNotFoundError
from zoo_store.environment import cache_dir
from zoo_store.format.card import Card
from zoo_store.format.stored_entry import StoredEntry
from zoo_store.listing.index import Index

EntryMaker = Callable[..., ZooEntry]
TICK_SECONDS = 0.02  # longer than a tick of the clock that stamps files
SECOND_NS = 1_000_000_000


class Clock:
    """The clock that the zoo sees, ahead of the one that stamps files."""

    def __init__(self) -> None:
        self.seconds_ahead = 60.0

    def __call__(self) -> int:
        return time.time_ns() + int(self.seconds_ahead * SECOND_NS)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A minute has passed since anything was written."""
    found = Clock()
    monkeypatch.setattr("zoo_store.places.local.time_ns", found)
    return found


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the entries whose cards are read from the files from now on."""
    found: list[str] = []
    really = StoredEntry.card_and_size

    def read(entry: StoredEntry) -> tuple[Card, int]:
        found.append(entry.entry_id)
        return really(entry)

    monkeypatch.setattr(StoredEntry, "card_and_size", read)
    return found


@pytest.fixture
def ids(zoo: Zoo, make_entry: EntryMaker) -> list[str]:
    """Three entries of the zoo, in the order of their ids."""
    return sorted(zoo.add(make_entry(seed=seed, channels=channels)) for seed, channels in enumerate((8, 8, 16)))


def index_path(zoo: Zoo) -> Path:
    return Index(zoo._place, bool).path


def from_files(zoo: Zoo) -> dict[str, ListedEntry]:
    """What `Zoo.find` should give for no filter."""
    found = {}
    for entry_id in zoo:
        try:
            size = sum(path.stat().st_size for path in (zoo.path / entry_id).iterdir())
            found[entry_id] = ListedEntry(zoo.card(entry_id), size)
        except CorruptEntryError as error:
            found[entry_id] = ListedEntry(None, 0, str(error))
    return found


def alter(path: Path) -> bytes:
    """Change a byte in place, as nobody should, and give back what was there; size and modification time stay."""
    time.sleep(TICK_SECONDS)
    status, data = path.stat(), path.read_bytes()
    with path.open("r+b") as file:
        file.write(bytes([data[0] ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return data


def test_cards_are_read_from_the_files_once_and_then_known_to_every_process(
    zoo: Zoo, ids: list[str], reads: list[str]
) -> None:
    before = sorted(zoo.path.rglob("*"))
    assert zoo.find() == from_files(zoo)
    assert sorted(reads) == ids

    reads.clear()
    again = Zoo(zoo.path)
    assert again.find() == from_files(zoo)
    assert list(again.find()) == ids
    assert list(again.find(EntryFilter(channels=8))) == [i for i in ids if zoo.card(i)["channels"] == 8]
    assert again.cards() == {entry_id: zoo.card(entry_id) for entry_id in ids}
    assert [list(card) for card in again.cards().values()] == [list(zoo.card(i)) for i in ids]  # keys in their order
    assert reads == []
    assert sorted(zoo.path.rglob("*")) == before  # nothing of the index lies in the zoo


def test_an_entry_that_came_went_or_was_put_back_is_noticed(
    zoo: Zoo, ids: list[str], reads: list[str], make_entry: EntryMaker
) -> None:
    zoo.find()
    reads.clear()

    new = zoo.add(make_entry(seed=7))
    assert zoo.find() == from_files(zoo)
    assert reads == [new]

    (zoo.path / ids[0]).rename(zoo.path / ".elsewhere")  # by hand, past the zoo
    zoo.remove(ids[1])
    assert list(zoo.find()) == sorted([ids[2], new])
    assert reads == [new]
    with closing(sqlite3.connect(index_path(zoo))) as index:
        assert index.execute("SELECT id FROM entries").fetchall() == [(i,) for i in sorted([ids[2], new])]

    (zoo.path / ".elsewhere").rename(zoo.path / ids[0])
    assert zoo.find() == from_files(zoo)
    assert reads == [new, ids[0]]


@pytest.mark.parametrize("file", ["card.json", "manifest.json"])
def test_a_file_altered_in_place_is_noticed_though_size_and_modification_time_stay(
    zoo: Zoo, ids: list[str], file: str
) -> None:
    zoo.find()
    original = alter(zoo.path / ids[1] / file)
    found = zoo.find()
    assert found == from_files(zoo)
    assert found[ids[1]].card is None
    with pytest.raises(CorruptEntryError, match=rf"zoo entry {ids[1]}: {file} (is not JSON|has the SHA-256)"):
        zoo.cards()

    time.sleep(TICK_SECONDS)
    (zoo.path / ids[1] / file).write_bytes(original)
    assert zoo.find() == from_files(zoo)
    assert None not in [entry.card for entry in zoo.find().values()]


def test_damaged_entries_are_listed_whatever_is_wanted_and_looked_at_every_time(
    zoo: Zoo, ids: list[str], reads: list[str]
) -> None:
    (zoo.path / ids[0] / "card.json").unlink()
    manifest = json.loads((zoo.path / ids[1] / "manifest.json").read_bytes())
    (zoo.path / ids[1] / "manifest.json").write_text(json.dumps({**manifest, "format_version": 99}))
    for _ in range(2):
        reads.clear()
        found = zoo.find(EntryFilter(channels=999))
        assert list(found) == ids[:2]
        assert "card.json is missing" in str(found[ids[0]].problem)
        assert "was written by a newer supernet-tl" in str(found[ids[1]].problem)
    assert reads == ids[:2]  # the good one was read the first time only


@pytest.mark.parametrize("seconds_ahead", [1.0, -3600.0])
def test_an_entry_written_just_now_or_by_a_clock_set_back_is_not_believed_unread(
    zoo: Zoo, ids: list[str], reads: list[str], clock: Clock, seconds_ahead: float
) -> None:
    clock.seconds_ahead = seconds_ahead
    for _ in range(2):
        reads.clear()
        assert zoo.find() == from_files(zoo)
        assert sorted(reads) == ids

    clock.seconds_ahead = 60.0
    zoo.find()
    reads.clear()
    assert zoo.find() == from_files(zoo)
    assert reads == []

    clock.seconds_ahead = -3600.0  # set back after the index was made: what it knows may be another writing
    assert zoo.find() == from_files(zoo)
    assert sorted(reads) == ids


def delete(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 2 // 3)


def tear(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 4000)


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database\n" * 1000)


def garbage_within(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(b"\xff" * 3000)


def foreign_database(path: Path) -> None:
    path.unlink()
    change(path, "CREATE TABLE entries (id TEXT, mark TEXT)")


def older_format(path: Path) -> None:
    change(path, "UPDATE about SET signature = replace(signature, '[1,1,1,', '[0,1,1,')")


def no_table(path: Path) -> None:
    change(path, "DROP TABLE entries")


def other_cards(path: Path) -> None:
    change(path, """UPDATE entries SET card = replace(card, '"channels":8', '"channels":9')""")


def other_facts(path: Path) -> None:
    change(path, """UPDATE entries SET facts = replace(facts, '"channels":8', '"channels":9')""")


def other_types(path: Path) -> None:
    change(path, "UPDATE entries SET facts = x'ff00', mark = 7, seal = 1.5")


def swapped_cards(path: Path) -> None:
    change(path, "UPDATE entries SET card = (SELECT card FROM entries ORDER BY id DESC LIMIT 1)")


def swapped_rows(path: Path) -> None:
    change(path, "UPDATE entries SET id = '0' || substr(id, 2)")


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


DAMAGES: list[Callable[[Path], None]] = [
    delete,
    empty,
    truncate,
    tear,
    garbage,
    garbage_within,
    foreign_database,
    older_format,
    no_table,
    other_cards,
    other_facts,
    other_types,
    swapped_cards,
    swapped_rows,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_lost_or_damaged_index_is_made_again_and_never_believed(
    zoo: Zoo, ids: list[str], reads: list[str], damage: Callable[[Path], None]
) -> None:
    zoo.find()
    reads.clear()
    damage(index_path(zoo))

    assert zoo.find(EntryFilter(channels=8)) == {
        i: e for i, e in from_files(zoo).items() if zoo.card(i)["channels"] == 8
    }
    assert zoo.find() == from_files(zoo)
    assert set(reads) <= set(ids)
    assert reads, "the damage went unnoticed"
    reads.clear()
    assert zoo.find() == from_files(zoo)
    assert reads == []


def test_the_index_of_another_zoo_is_not_believed(
    zoo: Zoo, ids: list[str], make_entry: EntryMaker, tmp_path: Path, reads: list[str]
) -> None:
    other = Zoo(tmp_path / "other")
    other.add(make_entry(seed=99))
    other.find()
    zoo.find()
    shutil.copy(index_path(other), index_path(zoo))
    reads.clear()

    assert zoo.find() == from_files(zoo)
    assert sorted(reads) == ids


def test_a_folder_in_the_place_of_the_index_is_left_alone_and_done_without(
    zoo: Zoo, ids: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    (index_path(zoo) / "of somebody").mkdir(parents=True)
    for _ in range(2):
        assert zoo.find() == from_files(zoo)
    assert (index_path(zoo) / "of somebody").is_dir()
    assert f"the index of zoo {zoo.path} cannot be used ({index_path(zoo)}: unable to open database" in caplog.text


def test_where_nothing_can_be_kept_every_card_is_read_and_that_is_said(
    zoo: Zoo,
    ids: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reads: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SUPERNET_TL_CACHE", str(tmp_path / "file"))
    assert zoo.find() == zoo.find() == from_files(zoo)
    assert sorted(reads) == sorted(2 * ids)
    assert [record.levelno for record in caplog.records] == 2 * [logging.WARNING]
    assert "Not a directory); every card is read" in caplog.text


def test_an_index_whose_damage_sqlite_cannot_put_into_words_is_made_again(zoo: Zoo, ids: list[str]) -> None:
    # Oracle: SQLite's file format, 2.6: its first page has the schema as text, which SQLite quotes when it is damaged.
    zoo.find()
    (path,) = cache_dir().glob("indexes/*.sqlite")
    good = path.read_bytes()
    position = good.index(b"TABLE entries")
    path.write_bytes(good[:position] + b"\xbf" + good[position + 1 :])

    assert zoo.find() == from_files(zoo)
    assert zoo.find() == from_files(zoo)


def test_a_zoo_whose_path_is_no_unicode_has_an_index_too(zoo: Zoo, ids: list[str], reads: list[str]) -> None:
    other = Zoo(zoo.path.rename(zoo.path.with_name(os.fsdecode(b"\xff"))))
    other.find()
    reads.clear()
    assert other.find() == from_files(other)
    assert reads == []


def test_an_index_that_may_not_be_written_is_still_read(
    zoo: Zoo, ids: list[str], make_entry: EntryMaker, reads: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    if os.geteuid() == 0:
        pytest.skip("the superuser may write to read-only files")
    zoo.find()
    new = zoo.add(make_entry(seed=7))
    reads.clear()
    index_path(zoo).chmod(0o444)
    index_path(zoo).parent.chmod(0o555)
    try:
        assert zoo.find() == from_files(zoo)
    finally:
        index_path(zoo).parent.chmod(0o755)
    assert reads == [new]
    assert "cannot be written" in caplog.text


@pytest.mark.parametrize(
    ("lock", "num_reads", "said"),
    [
        ("EXCLUSIVE", 3, "database is locked); every card is read"),
        ("IMMEDIATE", 1, "cannot be written"),
    ],
)
def test_an_index_that_another_process_keeps_to_itself_is_not_waited_for(
    zoo: Zoo,
    ids: list[str],
    make_entry: EntryMaker,
    monkeypatch: pytest.MonkeyPatch,
    reads: list[str],
    caplog: pytest.LogCaptureFixture,
    lock: str,
    num_reads: int,
    said: str,
) -> None:
    monkeypatch.setattr("zoo_store.listing.index_file.BUSY_SECONDS", 0.05)
    zoo.remove(ids.pop())
    zoo.find()
    zoo.add(make_entry(seed=7))
    reads.clear()
    with closing(sqlite3.connect(index_path(zoo), isolation_level=None)) as other:
        other.execute(f"BEGIN {lock}")
        assert zoo.find() == from_files(zoo)
    assert len(reads) == num_reads
    assert said in caplog.text
    reads.clear()
    assert zoo.find() == from_files(zoo)
    assert len(reads) == 1


def test_a_zoo_that_is_not_there_is_no_empty_list(zoo: Zoo) -> None:
    for look in (zoo.find, zoo.cards):
        with pytest.raises(ZooNotFoundError, match="there is no zoo at"):
            look()


def test_processes_that_make_the_index_at_once_all_get_the_answer(
    zoo: Zoo, make_entry: EntryMaker, clock: Clock, reads: list[str]
) -> None:
    ids = sorted(zoo.add(make_entry(seed=seed)) for seed in range(12))
    program = (
        "import sys, zoo_store\n"
        "zoo_store.places.local.time_ns = lambda: 2**62\n"
        "zoo = zoo_store.Zoo(sys.argv[1])\n"
        "for _ in range(5):\n"
        "    found = zoo.find()\n"
        "    assert all(found[i].card == zoo.card(i) for i in zoo)\n"
        "print(*found)\n"
    )
    command = [sys.executable, "-c", program, str(zoo.path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in running:
        out, err = process.communicate(timeout=60)
        assert out.split() == ids, err
        assert err == ""
    assert zoo.find() == from_files(zoo)
    assert reads == []  # what the other processes kept is whole


def test_threads_may_look_at_one_zoo_while_entries_come_and_go(
    zoo: Zoo, ids: list[str], make_entry: EntryMaker
) -> None:
    outcomes: list[str] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            try:
                found = zoo.find()
                outcomes.append("all" if set(ids) <= set(found) and all(e.card for e in found.values()) else str(found))
            except Exception as error:  # a thread's own exception would be lost
                outcomes.append(repr(error))

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    for seed in range(10):
        zoo.remove(zoo.add(make_entry(seed=100 + seed)))
    done.set()
    for reader in readers:
        reader.join()
    assert set(outcomes) == {"all"}
    assert zoo.find() == from_files(zoo)


@st.composite
def actions(draw: st.DrawFn) -> tuple[str, int, int]:
    what = draw(st.sampled_from(["add", "add", "remove", "alter", "flip", "cut", "delete index", "find"]))
    return what, draw(st.integers(0, 10**6)), draw(st.integers(0, 255))


def small_entry(number: int) -> ZooEntry:
    card: Card = {
        "name": f"entry {number % 7}",
        "channels": (4, 8, 16)[number % 3],
        "space": ("s1", "s2")[number % 2],
        "data": [{"licence": licence} for licence in (("CC0",), ("CC0", "MIT"), ())[number % 5 % 3]],
        "tags": [f"tag{number % 4}"],
    }
    return ZooEntry(state={"weight": torch.full((1 + number % 9,), float(number % 6))}, sketch={}, card=card)


def fits_by_hand(entry: ListedEntry, channels: int, space: str | None, licence: str | None) -> bool:
    if entry.card is None:
        return True
    licences = [part["licence"] for part in entry.card["data"]]
    return (
        entry.card["channels"] == channels
        and space in (None, entry.card["space"])
        and (licence is None or (len(licences) > 0 and set(licences) == {licence}))
    )


def act(zoo: Zoo, action: tuple[str, int, int]) -> None:
    what, number, byte = action
    names, index = sorted(zoo), index_path(zoo)
    if what == "add":
        zoo.add(small_entry(number)) if not names or zoo.find()[names[0]].card else None
    elif what == "remove" and names:
        zoo.remove(names[number % len(names)])
    elif what == "alter" and names:
        alter(zoo.path / names[number % len(names)] / ("card.json", "manifest.json")[byte % 2])
    elif what == "find":
        zoo.find()
    elif index.exists() and index.stat().st_size:
        if what == "flip":
            with index.open("r+b") as file:
                file.seek(number % index.stat().st_size)
                file.write(bytes([byte]) * (1 + byte))
        elif what == "cut":
            os.truncate(index, number % index.stat().st_size)
        else:
            index.unlink()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(actions(), min_size=3, max_size=14),
    st.sampled_from([4, 8, 16]),
    st.sampled_from([None, "s1"]),
    st.sampled_from([None, "CC0"]),
)
def test_after_anything_at_all_the_index_answers_as_the_files_do(
    steps: list[tuple[str, int, int]], channels: int, space: str | None, licence: str | None
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUPERNET_TL_CACHE", f"{folder}/cache")
        patch.setattr("zoo_store.places.local.time_ns", Clock())
        zoo = Zoo(f"{folder}/zoo")
        zoo.add(small_entry(0))
        wanted = EntryFilter(channels=channels, space=space, licences=(licence,) if licence else ())
        for step in steps:
            act(zoo, step)
            truth = from_files(zoo)
            assert zoo.find(wanted) == {
                entry_id: entry for entry_id, entry in truth.items() if fits_by_hand(entry, channels, space, licence)
            }
            assert zoo.find() == truth
