"""Processes that write to a zoo on S3 and are killed: run by the tests as a program.

They are forked from one process, so that PyTorch is imported once. Each id is reported in a log, one line each, after
`Zoo.add` has returned it.
"""

import itertools
import os
import random
import signal
import sys
import time
from pathlib import Path

import fsspec
import torch

from zoo_store import Zoo, ZooEntry

NUM_KILLS = 3


def add_for_ever(url: str, log: Path, first_seed: int) -> None:
    zoo = Zoo(url)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for seed in itertools.count(first_seed):
        weights = torch.randn(1000, generator=torch.Generator().manual_seed(seed))
        entry = ZooEntry(state={"weight": weights}, sketch={"features": weights[:10]}, card={"name": f"entry {seed}"})
        os.write(descriptor, f"{zoo.add(entry)}\n".encode())  # one short write arrives whole


def main() -> None:
    url, log = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)  # threads do not survive a fork
    moments = random.Random(0)
    log.touch()
    fsspec.get_filesystem_class("s3")  # imported once for all writers
    for number in range(NUM_KILLS):
        before = log.stat().st_size
        child = os.fork()
        if not child:
            add_for_ever(url, log, 1000 * number)
        while log.stat().st_size == before:
            if os.waitpid(child, os.WNOHANG) != (0, 0):
                raise SystemExit("a writer failed")
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.2))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
