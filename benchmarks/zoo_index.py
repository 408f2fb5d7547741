"""What a large zoo's index saves: `python -m benchmarks.zoo_index`.

Makes a zoo of small but whole entries, whose cards are as long as those of real pretrainings, and times, as medians:
making the index from the files, finding entries in it (with a filter and without, in this process and as a whole new
process), noticing what was added, removed or altered, and, to compare with, reading the card of every entry from its
files. The peak of memory is that of a new process that has done one of these and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.cache import own_cache
from benchmarks.machine import machine
from darts import SPACES
from supernet_tl.recipe import Recipe
from zoo_store import EntryFilter, Zoo, ZooEntry

LICENCES = ("CC0 1.0", "CC BY 4.0", "Apache-2.0", "not stated")
WANTED: dict[str, Any] = {"space": "s1", "channels": 16, "licences": ("CC BY*",)}
"""A filter that one entry in 24 fits."""

_NEW_PROCESS = """
import json, sys, time
from benchmarks.machine import resident_bytes
from zoo_store import EntryFilter, Zoo

start = time.perf_counter()
zoo, what, given = Zoo(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
given["licences"] = tuple(given.get("licences", ()))
if what == "find":
    found = len(zoo.find(EntryFilter(**given)))
else:
    found = len({entry_id: zoo.card(entry_id) for entry_id in zoo})
print(json.dumps([time.perf_counter() - start, time.process_time(), resident_bytes("VmHWM"), found]))
"""


def entry(number: int) -> ZooEntry:
    """An entry with few weights and a card of the usual length."""
    recipe = Recipe(seed=number, space=("s1", "s2")[number % 2], channels=(8, 16, 32)[number % 3])
    classes = [f"class {index} of dataset {number}" for index in range(10)]
    card = {
        "kind": "single",
        "name": f"dataset {number}",
        "space": SPACES[recipe.space].to_dict(),
        "channels": recipe.channels,
        "num_cells": recipe.num_cells,
        "num_classes": len(classes),
        "classes": classes,
        "image_size": recipe.image_size,
        "recipe": recipe.pretraining_settings(),
        "seed": number,
        "metrics": {"validation_accuracy": 0.5, "test_accuracy": 0.5},
        "data": [{"name": f"dataset {number}", "origin": "made", "licence": LICENCES[number // 6 % len(LICENCES)]}],
        "embedder": {"name": recipe.embedder, "weights_sha256": "0" * 64, "image_size": 64, "dimension": 512},
    }
    return ZooEntry(state={"weight": torch.full((64,), float(number))}, sketch={"rows": torch.zeros(8, 8)}, card=card)


def wait_until_settled(zoo: Zoo) -> None:
    """Wait until the last writing is so long ago that the index believes it."""
    newest = max(path.stat().st_ctime for path in zoo.path.rglob("*"))
    time.sleep(max(0.0, newest + 2.1 - time.time()))


def in_new_process(zoo: Zoo, what: str, given: dict[str, Any]) -> dict[str, float]:
    """Do one thing in a process of its own: its seconds; those of the whole process, and of processors; its memory."""
    start = time.perf_counter()
    command = [sys.executable, "-c", _NEW_PROCESS, str(zoo.path), what, json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    process_s = time.perf_counter() - start
    seconds, cpu_s, peak, found = json.loads(done.stdout)
    return {"seconds": seconds, "process_s": process_s, "cpu_s": cpu_s, "peak_bytes": peak, "found": found}


def medians(measure: Callable[[], dict[str, float]], num_runs: int) -> dict[str, float]:
    """Each number's median over several runs."""
    runs = [measure() for _ in range(num_runs)]
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def timed(find: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    find()
    return time.perf_counter() - start


def noticing(zoo: Zoo) -> dict[str, float]:
    """Seconds of finding, with a filter, right after a change; what is found is checked."""
    wait_until_settled(zoo)
    wanted = EntryFilter(**WANTED)
    before = zoo.find(wanted)
    (fitting,) = (number for number in range(10**6, 10**6 + 24) if wanted.fits(dict(entry(number).card), 0))
    added = zoo.add(entry(fitting))
    seconds = {"added_s": timed(lambda: _expect(zoo.find(wanted).keys() - before.keys(), {added}))}
    zoo.remove(added)
    seconds["removed_s"] = timed(lambda: _expect(zoo.find(wanted), before))
    card = zoo.path / next(iter(before)) / "card.json"
    data = card.read_bytes()
    card.write_bytes(data.replace(b'"s1"', b'"s9"'))
    seconds["altered_s"] = timed(
        lambda: _expect(
            [entry_id for entry_id, found in zoo.find(wanted).items() if found.problem], [next(iter(before))]
        )
    )
    card.write_bytes(data)
    _expect(zoo.find(wanted), before)
    return seconds


def _expect(found: object, expected: object) -> None:
    if found != expected:
        raise RuntimeError("the index did not answer as the files would")


def benchmark(zoo: Zoo, num_entries: int, num_runs: int) -> dict[str, Any]:
    """Fill a zoo, and measure."""
    added = timed(lambda: [zoo.add(entry(number)) for number in range(num_entries)])
    print(f"{num_entries} entries added in {added:.0f} s", flush=True)
    wait_until_settled(zoo)

    def rebuild() -> dict[str, float]:
        for path in _index_files():
            path.unlink()
        return in_new_process(zoo, "find", WANTED)

    measures: dict[str, Callable[[], dict[str, float]]] = {
        "every card from its files": lambda: in_new_process(zoo, "read", {}),
        "index made from the files": rebuild,
        "find with a filter, new process": lambda: in_new_process(zoo, "find", WANTED),
        "find all, new process": lambda: in_new_process(zoo, "find", {}),
        "find with a filter, same process": lambda: {"seconds": timed(lambda: zoo.find(EntryFilter(**WANTED)))},
        "noticing": lambda: noticing(zoo),
    }
    found: dict[str, Any] = {"entries": num_entries, "add_s": added}
    for name, measure in measures.items():
        found[name] = medians(measure, num_runs)
        print(f"{name:34} {json.dumps(found[name])}", flush=True)
    found["index_bytes"] = sum(path.stat().st_size for path in _index_files())
    found["card_bytes"] = sum((zoo.path / entry_id / "card.json").stat().st_size for entry_id in zoo)
    return found


def _index_files() -> list[Path]:
    return list((Path(os.environ["SUPERNET_TL_CACHE"]) / "zoos" / "indexes").glob("*"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the zoo, measure, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=10_000, help="at least 24, so that the filter fits some")
    parser.add_argument("--runs", type=int, default=5, help="of each measure; the median is told")
    parser.add_argument("--output", type=Path, help="JSON file with every number")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, own_cache(Path(folder) / "cache"):
        found = {
            "machine": machine("cpu"),
            "options": {"entries": options.entries, "runs": options.runs},
            "zoo": benchmark(Zoo(Path(folder) / "zoo"), options.entries, options.runs),
        }
    if options.output:
        options.output.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
