"""What a family of supernets costs against the usual one: `python -m benchmarks.families`.

Activation memory is the size of all tensors that a forward pass keeps for its backward pass, each storage once, without
the network's own parameters and buffers and the images. It is compared with that of the family ``darts``, whose edges
share what they can, and with that of :mod:`benchmarks.plain_search`, whose edges each compute all by themselves. Steps
are timed in turn in one process with one torch thread.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch.nn import functional as F
from torch.optim import SGD, Adam

import darts
from benchmarks.machine import machine
from benchmarks.plain_search import PlainSupernet
from benchmarks.search_arms import prepare
from supernet_tl.memory import kept_bytes

SPACES = ("s1", "s2", "darts")


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a family costs in one space.

    Attributes:
        space: name of the search space.
        family: name of the family.
        activation_bytes: kept by a forward pass for its backward pass.
        step_seconds: CPU seconds of each timed step.
        memory_share: of the activation memory of the family that it is compared with.
        share_of_plain: of the plain twin's activation memory.
        time_share: of the median step of the family that it is compared with.
    """

    space: str
    family: str
    activation_bytes: int
    step_seconds: list[float]
    memory_share: float
    share_of_plain: float
    time_share: float


def supernet(space: str, family: str, channels: int, num_cells: int) -> darts.Supernet:
    """A supernet of a family, the same at every call."""
    torch.manual_seed(0)
    return darts.Supernet(darts.SPACES[space], 10, channels, num_cells, family=darts.FAMILIES[family])


def _step(net: darts.Supernet, batch: darts.Batch) -> Callable[[], object]:
    weights = SGD(net.weight_parameters(), lr=0.025, momentum=0.9)
    alphas = Adam(net.arch_parameters(), lr=3e-4, betas=(0.5, 0.999))
    generator = torch.Generator().manual_seed(0)
    return lambda: darts.search_step(net, F.cross_entropy, batch, batch, weights, alphas, generator=generator)


def measure(
    space: str, families: Sequence[str], *, channels: int = 16, num_cells: int = 8, batch_size: int = 16, steps: int = 5
) -> list[Cost]:
    """The costs of families in one space, the first one being what the others are compared with."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((batch_size, 3, 32, 32), generator=generator)
    batch = images, torch.randint(10, (batch_size,), generator=generator)
    memory = {name: kept_bytes(supernet(space, name, channels, num_cells), images) for name in families}
    twin = kept_bytes(PlainSupernet(darts.SPACES[space], 10, channels, num_cells), images)
    taken = {name: _step(supernet(space, name, channels, num_cells), batch) for name in families}
    seconds: dict[str, list[float]] = {name: [] for name in families}
    for number in range(steps + 1):
        for name, step in taken.items():
            started = time.process_time()
            step()
            if number:  # the first warms up
                seconds[name].append(time.process_time() - started)
    usual = families[0]
    return [
        Cost(
            space,
            name,
            memory[name],
            seconds[name],
            memory[name] / memory[usual],
            memory[name] / twin,
            statistics.median(seconds[name]) / statistics.median(seconds[usual]),
        )
        for name in families
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all families in two spaces and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each, at least 1")
    parser.add_argument("--output", type=Path, help="JSON file for the figures")
    options = parser.parse_args(arguments)
    prepare()
    print(
        f"{'space':8} {'family':12} {'activations, MiB':>17} {'of darts':>9} {'of plain':>9} "
        f"{'step, s':>8} {'of darts':>9}"
    )
    costs = []
    for space in SPACES:
        for cost in measure(space, tuple(darts.FAMILIES), steps=options.steps):
            costs.append(cost)
            print(
                f"{cost.space:8} {cost.family:12} {cost.activation_bytes / 2**20:17.1f} {cost.memory_share:9.2f} "
                f"{cost.share_of_plain:9.2f} {statistics.median(cost.step_seconds):8.3f} {cost.time_share:9.2f}"
            )
    if options.output:
        record = {"machine": machine("cpu"), "costs": [dataclasses.asdict(cost) for cost in costs]}
        options.output.write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
