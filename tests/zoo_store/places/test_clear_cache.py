"""What a machine keeps of zoos has one place, in which it can be had for reading, and is cleared at once."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo_store import Zoo, ZooEntry, clear_cache
from zoo_store.environment import cache_dir

EntryMaker = Callable[..., ZooEntry]


def files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def test_clearing_the_cache_leaves_nothing_and_says_what_it_deleted(memory_url: str, make_entry: EntryMaker) -> None:
    zoo = Zoo(memory_url)
    entry_id = zoo.add(make_entry())
    zoo.get(entry_id)
    zoo.find()
    kept = files_in(cache_dir())
    assert {path.relative_to(cache_dir()).parts[0] for path in kept} == {"copies", "pages", "indexes"}

    cleared = clear_cache()
    assert {file.path for file in cleared} == kept
    assert all(file.num_bytes > 0 for file in cleared)
    assert files_in(cache_dir()) == set()
    assert zoo.get(entry_id).card == make_entry().card
    assert list(zoo.find()) == [entry_id]


def test_what_was_used_lately_stays_in_the_cache(memory_url: str, make_entry: EntryMaker) -> None:
    zoo = Zoo(memory_url)
    entry_id = zoo.add(make_entry())
    zoo.get(entry_id)
    zoo.find()
    kept = files_in(cache_dir())
    long_ago = time.time() - 9 * 24 * 3600
    for path in kept:
        os.utime(path, (long_ago, long_ago))
    zoo.get(entry_id)

    cleared = {file.path for file in clear_cache(unused_days=5)}
    assert {path.relative_to(cache_dir()).parts[0] for path in cleared} == {"indexes"}
    assert files_in(cache_dir()) == kept - cleared


def test_a_tilde_in_the_name_of_the_cache_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SUPERNET_TL_CACHE", "~/here")
    assert cache_dir() == tmp_path / "here" / "zoos"


def test_who_has_no_home_folder_keeps_things_for_as_long_as_the_process_lives(tmp_path: Path) -> None:
    # Oracle: the home of a user whom the system does not know cannot be told.
    program = (
        "import logging; import torch; from zoo_store import Zoo, ZooEntry, clear_cache\n"
        "from zoo_store.environment import cache_dir\n"
        "logging.basicConfig(format='%(message)s')\n"
        "zoo = Zoo('memory://zoo')\n"
        "entry_id = zoo.add(ZooEntry(state={'weight': torch.ones(1)}, sketch={}, card={'name': 'a'}))\n"
        "zoo.get(entry_id); zoo.find(); print(cache_dir()); print(len(clear_cache()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"TMPDIR": str(tmp_path), "SUPERNET_TL_CACHE": "~nobody-of-this-name/x"},
    )
    folder, num_cleared = done.stdout.split()
    assert Path(folder).is_relative_to(tmp_path)
    assert int(num_cleared) > 0
    assert list(tmp_path.iterdir()) == []
    assert done.stderr.count("nothing can be kept in ~nobody-of-this-name/x (Could not determine home directory)") == 1
