"""Writers and readers of one zoo, some of them killed: what each did is logged, and held against what is left.

One process forks all others, so that PyTorch is imported once and no thread is forked: half of the writers and half of
the readers are processes, the other halves threads of one further process. Writers that are processes are killed.
"""

import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from tests.zoo_store.faulty_writers import entry, fork
from zoo_store import EntryNotFoundError, Zoo

SHARED_SEEDS = range(5)
NUM_KEPT = 4
"""Of its own entries, each writer keeps so many at most."""


@dataclass(frozen=True)
class Outcome:
    """What happened, and what was wrong.

    Attributes:
        counts: events by name: added, removed, read, gone (removed before it was read), verified, pointed, killed.
        faults: sentences; empty when all is well.
        num_left: entries in the zoo at the end.
        seconds: that the storm took.
    """

    counts: Counter[str]
    faults: Sequence[str]
    num_left: int
    seconds: float

    def __str__(self) -> str:
        events = ", ".join(f"{count} {event}" for event, count in sorted(self.counts.items()))
        end = f"{len(self.faults)} faults" if self.faults else "nothing lost, nothing half, all verified"
        return f"storm of {self.seconds:.0f} s: {events}; {self.num_left} entries left; {end}"


class Log:
    """Lines that many processes and threads append to one file, each whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, event: str, what: str = "") -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(descriptor, f"{event} {what}".strip().replace("\n", " ").encode() + b"\n")
        finally:
            os.close(descriptor)

    def lines(self) -> list[tuple[str, str]]:
        parts = (line.partition(" ") for line in self.path.read_text().splitlines())
        return [(event, what) for event, _, what in parts]


def storm(folder: Path, *, seconds: float, num_kills: int, num_writers: int = 8, num_readers: int = 8) -> Outcome:
    """Let writers and readers loose on a new zoo.

    Args:
        folder: an empty one, for the zoo and the log.
        seconds: at least as long.
        num_kills: at least as many; each is of one writer at a random moment, with SIGKILL.
        num_writers: half of them processes.
        num_readers: half of them processes.
    """
    torch.set_num_threads(1)  # threads do not survive a fork
    zoo, log, stop = Zoo(folder / "zoo"), Log(folder / "log"), folder / "stop"
    permanent = [zoo.add(entry(seed, num_values=50)) for seed in SHARED_SEEDS]
    seeds = itertools.count(1)  # one for each writer that ever was

    def writer(seed: int) -> Callable[[], None]:
        return lambda: _write(zoo, log, stop, permanent, seed)

    def reader(seed: int) -> Callable[[], None]:
        return lambda: _read(zoo, log, stop, permanent, seed)

    threads = [writer(next(seeds)) for _ in range(num_writers - num_writers // 2)]
    threads += [reader(number) for number in range(num_readers - num_readers // 2)]
    others = [fork(lambda: _in_threads(threads))]
    others += [fork(reader(100 + number)) for number in range(num_readers // 2)]
    writers = [fork(writer(next(seeds))) for _ in range(num_writers // 2)]

    begin, moments, killed = time.monotonic(), random.Random(0), 0
    while time.monotonic() - begin < seconds or killed < num_kills:
        time.sleep(moments.uniform(0, 2 * seconds / max(num_kills, 1)))
        if killed < num_kills:
            victim = moments.randrange(len(writers))
            os.kill(writers[victim], signal.SIGKILL)
            os.waitpid(writers[victim], 0)
            writers[victim] = fork(writer(next(seeds)))
            killed += 1
    stop.touch()
    statuses = [os.waitpid(child, 0)[1] for child in (*writers, *others)]
    return judge(zoo, log, permanent, killed, statuses, time.monotonic() - begin)


def _in_threads(works: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _write(zoo: Zoo, log: Log, stop: Path, permanent: Sequence[str], seed: int) -> None:
    """Add what all add, add and remove what nobody else does, move aliases, set damage aside (there is none)."""
    chance, own = random.Random(seed), list[str]()
    try:
        for number in itertools.count():
            if stop.exists():
                return
            what = chance.choice(("add", "add", "add", "share", "alias", "alias", "fix"))
            if what == "add":
                own.append(zoo.add(entry(1000 * seed + number, num_values=50)))
                log("added", own[-1])
            elif what == "share":
                log("added", zoo.add(entry(chance.choice(SHARED_SEEDS), num_values=50)))
            elif what == "alias":
                zoo.set_alias(f"name-{chance.randrange(3)}", chance.choice(permanent))
                log("pointed")
            elif moved := zoo.fix(zoo.verify(chance.sample(permanent, 2))):
                log("fault", f"set aside without damage: {moved}")
            if len(own) > NUM_KEPT:
                gone = own.pop(chance.randrange(len(own)))
                log("removing", gone)
                zoo.remove(gone)
                log("removed", gone)
    except Exception as error:  # of a thread it would be lost
        log("fault", f"writer {seed}: {type(error).__name__}: {error}")


def _read(zoo: Zoo, log: Log, stop: Path, permanent: Sequence[str], seed: int) -> None:
    """Read whatever is there; each entry must be the one that its name tells."""
    chance = random.Random(seed)
    try:
        while not stop.exists():
            try:
                _look(zoo, log, permanent, chance)
            except EntryNotFoundError:
                log("gone")
    except Exception as error:
        log("fault", f"reader {seed}: {type(error).__name__}: {error}")


def _look(zoo: Zoo, log: Log, permanent: Sequence[str], chance: random.Random) -> None:
    what = chance.choice(("get", "get", "get", "card", "cards", "sketch", "alias", "verify", "all"))
    wanted = chance.choice(list(zoo))
    if what == "get":
        found = zoo.get(wanted)
        expected = entry(int(found.card["name"].split()[-1]), num_values=50)
        if not torch.equal(found.state["weight"], expected.state["weight"]):
            log("fault", f"{wanted} is another entry")
    elif what == "card":
        zoo.card(wanted)
    elif what == "cards":
        if missing := set(permanent) - set(zoo.cards()):
            log("fault", f"the cards lack {missing}")
    elif what == "sketch":
        zoo.sketch(wanted)
    elif what == "alias":
        if strangers := set(zoo.aliases().values()) - set(permanent):
            log("fault", f"aliases point at {strangers}")
    elif problems := zoo.verify([wanted] if what == "verify" else None):
        log("fault", f"found damaged: {problems[0]}")
    log("verified" if what in ("verify", "all") else "read")


def judge(
    zoo: Zoo, log: Log, permanent: Sequence[str], killed: int, statuses: Sequence[int], seconds: float
) -> Outcome:
    """Hold what was logged against what is left in the zoo."""
    lines = log.lines()
    counts = Counter(event for event, _ in lines if event not in ("fault", "removing"))
    counts["killed"] = killed
    faults = [what for event, what in lines if event == "fault"]
    faults += [f"a process ended with status {status}" for status in statuses if status]
    by_event = {event: {what for name, what in lines if name == event} for event in ("added", "removing", "removed")}
    left = set(zoo)
    faults += [f"lost: {entry_id}" for entry_id in by_event["added"] - by_event["removing"] - left]
    faults += [f"lost: {entry_id}" for entry_id in set(permanent) - left]
    faults += [f"there again: {entry_id}" for entry_id in by_event["removed"] & left]
    faults += [str(problem) for problem in zoo.verify()]
    zoo.clear_leftovers()
    faults += [f"left behind: {name}" for name in os.listdir(zoo.path) if name.startswith((".incoming", ".outgoing"))]
    return Outcome(counts, faults, len(left), seconds)
