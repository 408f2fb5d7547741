"""Clocks that are wrong, or go backwards, matter to nothing: no decision rests on what time it is."""

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from zoo_store import Zoo, ZooBusyError, ZooEntry

EntryMaker = Callable[..., ZooEntry]
YEARS = {"1970": 0.0, "2038": 2.0**31, "2100": 4_102_444_800.0}


@pytest.fixture
def clock_going_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock tells an earlier hour."""
    hours = itertools.count(0, -3600)
    monkeypatch.setattr("time.time", lambda: 2e9 + next(hours))
    monkeypatch.setattr("time.time_ns", lambda: int(2e18) + next(hours) * 10**9)


def set_times(folder: Path, seconds: float) -> None:
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (seconds, seconds))


@pytest.mark.parametrize("year", YEARS)
def test_files_of_another_time_are_read_added_to_cleared_and_removed(
    zoo: Zoo, entry_id: str, make_entry: EntryMaker, year: str
) -> None:
    zoo.set_alias("mine", entry_id)
    dead = zoo.path / ".incoming-0123456789abcdef"
    dead.mkdir()
    set_times(zoo.path, YEARS[year])

    assert zoo.get("mine").card["seed"] == 0
    assert zoo.verify() == []
    other = zoo.add(make_entry(seed=1))
    assert not dead.exists()
    assert sorted(zoo.cards()) == sorted([entry_id, other])
    zoo.remove(other)
    assert list(zoo) == [entry_id]


@pytest.mark.parametrize("year", YEARS)
def test_a_file_that_is_altered_and_given_its_old_time_is_told(zoo: Zoo, entry_id: str, year: str) -> None:
    assert sorted(zoo.cards()) == [entry_id]
    card = zoo.path / entry_id / "card.json"
    before = card.stat()
    card.write_bytes(card.read_bytes().replace(b'"seed": 0', b'"seed": 1'))
    os.utime(card, ns=(before.st_atime_ns, before.st_mtime_ns))
    set_times(zoo.path / entry_id, YEARS[year])

    assert [problem.file for problem in zoo.verify()] == ["card.json"]


@pytest.mark.usefixtures("clock_going_backwards")
def test_with_a_clock_that_goes_backwards_entries_come_and_go_as_ever(zoo: Zoo, make_entry: EntryMaker) -> None:
    ids = [zoo.add(make_entry(seed=seed)) for seed in range(3)]
    zoo.set_alias("mine", ids[0])
    zoo.set_alias("mine", ids[1])
    zoo.remove(ids[0])

    assert zoo.aliases() == {"mine": ids[1]}
    assert sorted(zoo.cards()) == sorted(ids[1:])
    assert zoo.verify() == []


@pytest.mark.usefixtures("clock_going_backwards")
def test_with_a_clock_that_goes_backwards_nobody_waits_for_ever(
    zoo: Zoo, entry_id: str, make_entry: EntryMaker
) -> None:
    with (
        FileLock(zoo.path / ".lock"),
        pytest.raises(ZooBusyError, match=r"locked by another writer for more than 0\.1 s"),
    ):
        Zoo(zoo.path, lock_timeout=0.1).add(make_entry(seed=1))
