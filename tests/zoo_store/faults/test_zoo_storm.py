"""Many writers and readers at once, some killed: a small storm; `make test-faults` lets a long one loose."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import zoo_store
from tests.zoo_store.faults.full_disk import fill
from tests.zoo_store.faults.storm import Log, judge
from zoo_store import Zoo


def test_writers_and_readers_at_once_lose_nothing_and_see_nothing_half() -> None:
    # Oracle: the log of what each was told, and the seed that an entry's name tells.
    command = [sys.executable, "-m", "tests.zoo_store.faults", "--seconds=2", "--kills=6"]
    root = Path(zoo_store.__file__).parents[1]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stderr
    assert "nothing lost, nothing half, all verified" in done.stdout
    counts = {event: int(count) for count, event in re.findall(r"(\d+) ([a-z]+)[,;]", done.stdout)}
    assert counts["killed"] == 6
    assert all(counts[event] > 0 for event in ("added", "read", "verified"))


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([("added", "e" * 64)], f"lost: {'e' * 64}"),
        ([("added", "e" * 64), ("removing", "e" * 64)], None),  # killed while it removed: either is right
        ([("removed", "known")], "there again: known"),
        ([("fault", "a reader saw half an entry")], "a reader saw half an entry"),
    ],
)
def test_the_judge_of_a_storm_knows_a_loss(
    zoo: Zoo, entry_id: str, tmp_path: Path, lines: Sequence[tuple[str, str]], fault: str | None
) -> None:
    log = Log(tmp_path / "log")
    for event, what in lines:
        log(event, what.replace("known", entry_id))
    expected = [] if fault is None else [fault.replace("known", entry_id)]
    assert list(judge(zoo, log, [entry_id], 0, [0], 1.0).faults) == expected


def test_a_full_disk_refuses_the_next_entry_and_keeps_those_it_has(tmp_path: Path) -> None:
    # Oracle: the file system of 1 MiB, where one may be mounted; elsewhere the limit on files in test_zoo_crash_safety.
    line = fill(tmp_path / "disk")
    if "no file system may be mounted" in line:
        pytest.skip(line)
    assert re.search(r"took [1-9]\d entries, refused the next, lost none", line)
