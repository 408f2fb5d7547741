"""Processes that write to a zoo and are stopped, or get in each other's way: run by the tests as a program.

They are forked from one process, so that PyTorch is imported once. Each id is reported in a log, one line each, after
`Zoo.add` has returned it.
"""

import argparse
import itertools
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import torch

from zoo_store import Zoo, ZooEntry

NUM_SYNCS_OF_AN_ADD = 7  # five files, the incoming folder, the zoo's folder


def entry(seed: int, num_values: int = 5000) -> ZooEntry:
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(num_values, generator=generator)
    return ZooEntry(state={"weight": weights}, sketch={"features": weights[:10]}, card={"name": f"entry {seed}"})


def fork(work: Callable[[], None]) -> int:
    """Run ``work`` in a process of its own, which ends with status 0 only if ``work`` does."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)
    os._exit(0)


def add_and_report(zoo: Zoo, log: Path, seed: int) -> None:
    line = f"{zoo.add(entry(seed))}\n".encode()
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line)  # one short write to a file opened for appending arrives whole
    os.close(descriptor)


def stop_at_every_sync(zoo: Zoo, log: Path) -> None:
    """Kill one writer at each place where it waits for the disk, which are the borders between the steps of `add`."""
    zoo.add(entry(0))
    for place in range(1, NUM_SYNCS_OF_AN_ADD + 1):

        def add_until_killed(place: int = place) -> None:
            sync, calls = os.fsync, itertools.count(1)

            def sync_or_die(descriptor: int) -> None:
                if next(calls) == place:
                    os.kill(os.getpid(), signal.SIGKILL)
                sync(descriptor)

            with patch("os.fsync", sync_or_die):
                add_and_report(zoo, log, seed=place)

        _, status = os.waitpid(fork(add_until_killed), 0)
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            raise SystemExit(f"the writer was not killed at sync {place}: status {status}")


def stop_at_random(zoo: Zoo, log: Path, num_kills: int) -> None:
    moments = random.Random(0)
    log.touch()
    for round_number in range(num_kills):

        def add_for_ever(first_seed: int = 10_000 * (round_number + 1)) -> None:
            for seed in itertools.count(first_seed):
                add_and_report(zoo, log, seed)

        before = log.stat().st_size
        child = fork(add_for_ever)
        while log.stat().st_size == before:  # it has got going, however busy the machine is
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def write_together(zoo: Zoo, log: Path, num_writers: int, num_entries: int) -> None:
    """Each writer adds ``num_entries`` that all writers add, and as many of its own, turn by turn."""
    gate_out, gate_in = os.pipe()
    children = []
    for writer in range(num_writers):

        def add_all(writer: int = writer) -> None:
            os.close(gate_in)
            os.read(gate_out, 1)  # returns at once for all, when the parent closes its end
            for number in range(num_entries):
                add_and_report(zoo, log, seed=number)
                add_and_report(zoo, log, seed=1000 * (writer + 1) + number)

        children.append(fork(add_all))
    os.close(gate_in)
    if any(os.waitpid(child, 0)[1] for child in children):
        raise SystemExit("a writer failed")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=("every-sync", "random", "together"))
    parser.add_argument("zoo", type=Path)
    parser.add_argument("log", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # threads do not survive a fork
    zoo = Zoo(arguments.zoo)
    if arguments.mode == "every-sync":
        stop_at_every_sync(zoo, arguments.log)
    elif arguments.mode == "random":
        stop_at_random(zoo, arguments.log, num_kills=12)
    else:
        write_together(zoo, arguments.log, num_writers=4, num_entries=5)


if __name__ == "__main__":
    main()
