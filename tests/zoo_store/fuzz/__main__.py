"""``python -m tests.zoo_store.fuzz``: alter entries by the hundred thousand.

The work is done in a process of its own, so that a crash of the interpreter is seen and told.
"""

import argparse
import resource
import subprocess
import sys

import torch

from tests.zoo_store.fuzz.campaign import run


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mutations", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--here", action="store_true", help="in this process")
    options = parser.parse_args()
    if not options.here:
        command = [sys.executable, "-X", "faulthandler", "-m", "tests.zoo_store.fuzz", "--here"]
        done = subprocess.run([*command, f"--mutations={options.mutations}", f"--seed={options.seed}"], check=False)
        if done.returncode < 0:
            sys.exit(f"the interpreter died of signal {-done.returncode}")
        sys.exit(done.returncode)
    torch.set_num_threads(1)
    before = _peak_mib()
    outcome = run(options.mutations, options.seed, lambda done: print(f"{done} mutations", file=sys.stderr, flush=True))
    print(outcome)
    print(f"peak memory of the process: {_peak_mib()} MiB, {before} of them before the first mutation")


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
