"""How long the command line takes to show its help: `python benchmarks/startup.py`.

Prints the median of several whole processes for `supernet-tl --help` and for a verb's, and beside them what importing
Lightning costs in the same run: help must not pay for it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "supernet-tl --help": ["-m", "supernet_tl.command_line.cli", "--help"],
    "supernet-tl transfer --help": ["-m", "supernet_tl.command_line.cli", "transfer", "--help"],
    "supernet-tl distance --help": ["-m", "supernet_tl.command_line.cli", "distance", "--help"],
    "import lightning.pytorch": ["-c", "import lightning.pytorch"],
}
NUM_RUNS = 5


def seconds(arguments: list[str]) -> float:
    """Wall time of one process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Measure in turn, so that a busy moment touches all alike."""
    found: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(NUM_RUNS + 1):
        for name, arguments in COMMANDS.items():
            found[name].append(seconds(arguments))
    medians = {name: statistics.median(values[1:]) for name, values in found.items()}
    for name, median in medians.items():
        print(f"{name:30} {median:6.2f} s   {median / medians['import lightning.pytorch']:5.2f} of importing Lightning")


if __name__ == "__main__":
    main()
