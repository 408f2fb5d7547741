"""Whatever stops a writer, the zoo stays valid and keeps all that was reported as added."""

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from tests.zoo_store.processes import as_nobody
from zoo_store import EntryNotFoundError, Zoo, ZooBusyError, ZooEntry, ZooWriteError
from zoo_store.places.files import write_file

EntryMaker = Callable[..., ZooEntry]
WRITERS = Path(__file__).with_name("faulty_writers.py")


def run_writers(mode: str, zoo: Zoo, log: Path) -> list[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(WRITERS), mode, str(zoo.path), str(log)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return log.read_text().split() if log.exists() else []


def leftovers(zoo: Zoo) -> list[str]:
    return [name for name in os.listdir(zoo.path) if name.startswith((".incoming-", ".outgoing-"))]


def test_a_writer_killed_at_any_step_leaves_a_whole_entry_or_none(zoo: Zoo, tmp_path: Path) -> None:
    reported = run_writers("every-sync", zoo, tmp_path / "log")

    # Oracle: all but the last of the places lie before the rename that makes an entry visible.
    assert reported == []
    assert zoo.verify() == []
    assert len(zoo) == 1 + 1
    assert (
        leftovers(zoo) == []
    )  # the last writer cleared away what those before it left, and itself got past its rename


def test_no_reported_entry_is_lost_when_writers_are_killed_at_random(zoo: Zoo, tmp_path: Path) -> None:
    reported = run_writers("random", zoo, tmp_path / "log")

    assert len(reported) >= 12  # each of the twelve writers was killed after its first report
    assert set(reported) <= set(zoo)
    assert zoo.verify() == []


def test_writers_of_the_same_and_of_other_entries_do_not_disturb_each_other(zoo: Zoo, tmp_path: Path) -> None:
    reported = run_writers("together", zoo, tmp_path / "log")

    # Oracle: four writers, each with five entries of all writers and five of its own.
    assert len(reported) == 4 * (5 + 5)
    assert len(set(reported)) == 5 + 4 * 5
    assert set(reported) == set(zoo)
    assert zoo.verify() == []


def test_threads_that_add_the_same_entry_at_once_get_one_entry(zoo: Zoo, make_entry: EntryMaker) -> None:
    entry, ids = make_entry(), []
    threads = [threading.Thread(target=lambda: ids.append(zoo.add(entry))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ids == [next(iter(zoo))] * 4
    assert zoo.verify() == []


def test_a_reader_sees_whole_entries_or_none_while_they_come_and_go(zoo: Zoo, make_entry: EntryMaker) -> None:
    entry = make_entry()
    entry_id = zoo.add(entry)
    done, outcomes = threading.Event(), []

    def read() -> None:
        while not done.is_set():
            try:
                zoo.get(entry_id)
                outcomes.append("whole")
                if zoo.verify():
                    outcomes.append("half")
            except EntryNotFoundError:
                outcomes.append("none")
            except Exception as error:  # a thread's own exception would be lost
                outcomes.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        zoo.remove(entry_id)
        zoo.add(entry)
    done.set()
    reader.join()

    assert set(outcomes) <= {"whole", "none"}
    assert "whole" in outcomes


@pytest.mark.parametrize("step", range(5))
def test_an_interrupt_while_writing_leaves_no_entry_and_no_litter(
    zoo: Zoo, make_entry: EntryMaker, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    zoo.add(make_entry(seed=1))
    written: list[Path] = []

    def write_until_interrupted(path: Path, data: bytes) -> None:
        if len(written) == step:
            signal.raise_signal(signal.SIGINT)  # what Ctrl-C sends
        written.append(path)
        write_file(path, data)

    monkeypatch.setattr("zoo_store.places.files.write_file", write_until_interrupted)
    with pytest.raises(KeyboardInterrupt):
        zoo.add(make_entry(seed=2))

    assert len(zoo) == 1
    assert leftovers(zoo) == []
    assert zoo.verify() == []


@contextmanager
def largest_file(num_bytes: int) -> Iterator[None]:
    """The kernel refuses to let any file of this process grow beyond a size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_the_system_refuses_is_told_in_a_sentence_and_changes_nothing(
    zoo: Zoo, entry_id: str, make_entry: EntryMaker
) -> None:
    large = ZooEntry(state={"weight": torch.zeros(100_000)}, sketch={}, card={})
    with (
        pytest.raises(ZooWriteError, match=r"could not add \w+ in the zoo .*File too large\. .*Make room") as caught,
        largest_file(64 * 1024),
    ):
        zoo.add(large)

    assert isinstance(caught.value, OSError)
    assert list(zoo) == [entry_id]
    assert leftovers(zoo) == []
    assert zoo.verify() == []
    assert zoo.add(large) in zoo  # with room again


@pytest.mark.parametrize("has_lock_file", [True, False])
def test_a_read_only_folder_is_told_in_a_sentence_and_can_still_be_read(
    zoo: Zoo, entry_id: str, make_entry: EntryMaker, has_lock_file: bool
) -> None:
    if not has_lock_file:
        (zoo.path / ".lock").unlink()
    zoo.path.chmod(0o555)
    try:
        with as_nobody(zoo.path):
            assert zoo.add(make_entry()) == entry_id  # nothing to write
            writes = (
                lambda: zoo.add(make_entry(seed=1)),
                lambda: zoo.remove(entry_id),
                lambda: zoo.set_alias("mine", entry_id),
                lambda: zoo.quarantine(entry_id),
            )
            for write in writes:
                with pytest.raises(ZooWriteError, match=r"Permission denied\. .*Allow writing"):
                    write()
            assert list(zoo) == [entry_id]
            assert zoo.verify() == []
    finally:
        zoo.path.chmod(0o755)


def test_leftovers_of_dead_writers_are_no_problem_and_are_cleared_by_the_next_one(
    zoo: Zoo, entry_id: str, make_entry: EntryMaker
) -> None:
    dead = zoo.path / ".incoming-0123456789abcdef"
    dead.mkdir()
    (dead / "supernet.safetensors").write_bytes(b"half a file")
    (zoo.path / ".runs").mkdir()  # not the zoo's own: kept

    assert list(zoo) == [entry_id]
    assert zoo.verify() == []
    zoo.add(make_entry(seed=1))
    assert not dead.exists()
    assert (zoo.path / ".runs").is_dir()


def test_a_writer_does_not_wait_for_ever(zoo: Zoo, entry_id: str, make_entry: EntryMaker) -> None:
    impatient = Zoo(zoo.path, lock_timeout=0.05)
    with FileLock(zoo.path / ".lock"):
        with pytest.raises(ZooBusyError, match=r"locked by another writer for more than 0\.05 s; wait for that writer"):
            impatient.add(make_entry(seed=1))
        assert impatient.get(entry_id).card["seed"] == 0  # readers never wait
    assert impatient.add(make_entry(seed=1)) in zoo
