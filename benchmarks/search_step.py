"""What one step of the search costs, ours against the plain twin: `python -m benchmarks.search_step`.

Both arms start from one state and see the same batches; if their first steps disagree, nothing is timed. They are
timed in turn, step by step, in one process with one torch thread, so that a busy moment touches both alike; every
raw time is kept and medians are compared. The plain arm is :mod:`benchmarks.plain_search`, NCHW and float32; ours is
``darts.search_step`` on a channels_last network, as the search runs it.

Peak memory is that of a fresh process for each arm, which first takes a step of a tiny network, so that all libraries
are loaded, then builds the arm and takes two steps. On a CPU: the highest resident size (``VmHWM``, which unlike
``ru_maxrss`` a process does not inherit from its parent) less the resident size before the arm was built. On a GPU:
``torch.cuda.max_memory_allocated``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, get_args

import torch

from benchmarks.machine import machine, resident_bytes
from benchmarks.plain_search import Method
from benchmarks.search_arms import ARMS, CASES, TOLERANCE, ArmName, Case, Setting, Step, check_agreement, prepare

DEFAULT_CASES = ("s1-large", "s5-small", "s1-small")
TINY = Case("s5", channels=2, num_cells=3, batch_size=2, num_classes=2)
"""What a process warms up on before its memory is measured."""


@dataclasses.dataclass(frozen=True)
class Cost:
    """What the steps of one arm cost.

    Attributes:
        cpu_s: CPU seconds of each timed step.
        wall_s: the same on the clock.
        median_cpu_s: of the above.
        median_wall_s: of the above.
        peak_memory_bytes: beyond what the process held before; None where it was not measured.
    """

    cpu_s: list[float]
    wall_s: list[float]
    median_cpu_s: float
    median_wall_s: float
    peak_memory_bytes: int | None


@dataclasses.dataclass(frozen=True)
class Result:
    """One case under one method.

    Attributes:
        case: what was searched.
        method: of perturbation.
        plain: cost of the twin.
        ours: cost of darts.
        speedup_cpu: plain / ours in median CPU seconds.
        speedup_wall: the same on the clock.
        load_average: of the machine when the last step ended, over 1, 5 and 15 minutes.
    """

    case: Case
    method: Method
    plain: Cost
    ours: Cost
    speedup_cpu: float
    speedup_wall: float
    load_average: tuple[float, float, float]


def time_step(step: Step, device: str) -> tuple[float, float]:
    """CPU and wall seconds of one step, until the device is done with it."""
    _wait_for(device)
    wall, cpu = time.perf_counter(), time.process_time()
    step()
    _wait_for(device)
    return time.process_time() - cpu, time.perf_counter() - wall


def _wait_for(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def time_arms(case: Case, method: Method, setting: Setting) -> dict[ArmName, list[tuple[float, float]]]:
    """The timed steps of both arms, taken in turn, after both have shown that they compute the same."""
    prepare()
    steps = {name: build(case, method, setting) for name, build in ARMS.items()}
    check_agreement(steps, setting.precision)
    for _ in range(setting.warmup - 2):
        for step in steps.values():
            step()
    timings: dict[ArmName, list[tuple[float, float]]] = {name: [] for name in steps}
    for _ in range(setting.steps):
        for name, step in steps.items():
            timings[name].append(time_step(step, setting.device))
    return timings


def _peak_of_this_process(name: ArmName, case: Case, method: Method, setting: Setting) -> int | None:
    prepare()
    ARMS[name](TINY, method, dataclasses.replace(setting, image_size=32))()
    before = resident_bytes("VmRSS")
    step = ARMS[name](case, method, setting)
    for _ in range(2):
        step()
    if setting.device == "cuda":
        return torch.cuda.max_memory_allocated()
    peak = resident_bytes("VmHWM")
    return None if peak is None or before is None else peak - before


def peak_memory(name: ArmName, case: Case, method: Method, setting: Setting) -> int | None:
    """Bytes that an arm needs at its peak, in a process of its own; None where the system does not tell."""
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as fresh:
        return fresh.submit(_peak_of_this_process, name, case, method, setting).result()


def measure(case: Case, method: Method, setting: Setting, *, memory: bool = True) -> Result:
    """Time both arms in one case under one method, and measure their memory unless told not to."""
    peaks = {name: peak_memory(name, case, method, setting) if memory else None for name in ARMS}
    costs: dict[ArmName, Cost] = {}
    for name, timings in time_arms(case, method, setting).items():
        cpu, wall = ([timing[part] for timing in timings] for part in (0, 1))
        costs[name] = Cost(cpu, wall, statistics.median(cpu), statistics.median(wall), peaks[name])
    plain, ours = costs["plain"], costs["ours"]
    return Result(
        case,
        method,
        plain,
        ours,
        speedup_cpu=plain.median_cpu_s / ours.median_cpu_s,
        speedup_wall=plain.median_wall_s / ours.median_wall_s,
        load_average=os.getloadavg(),
    )


HEADER = (
    f"{'':23} {'CPU s a step':^19} {'wall s a step':^19} {'peak memory, MiB':^19} {'images/s':>9} {'speed-up':^13}\n"
    f"{'case':10} {'method':12} " + f"{'plain':>9} {'ours':>9} " * 3 + f"{'ours':>9} {'CPU':>6} {'wall':>6}"
)


def row(name: str, result: Result) -> str:
    """One line of the table; images per second count both halves of a step."""
    both = (result.plain, result.ours)
    memory = ("-" if cost.peak_memory_bytes is None else f"{cost.peak_memory_bytes / 2**20:.0f}" for cost in both)
    cells = [
        f"{name:10} {result.method:12}",
        *(f"{cost.median_cpu_s:9.4f}" for cost in both),
        *(f"{cost.median_wall_s:9.4f}" for cost in both),
        *(f"{text:>9}" for text in memory),
        f"{2 * result.case.batch_size / result.ours.median_wall_s:9.0f}",
        f"{result.speedup_cpu:6.2f} {result.speedup_wall:6.2f}",
    ]
    return " ".join(cells)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the cases asked for; print a table, and write JSON where asked."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(DEFAULT_CASES))
    parser.add_argument("--methods", nargs="+", choices=get_args(Method), default=list(get_args(Method)))
    parser.add_argument("--steps", type=int, default=Setting.steps, help="timed steps of each arm")
    parser.add_argument("--warmup", type=int, default=Setting.warmup, help="untimed steps of each arm, at least 1")
    parser.add_argument("--device", choices=["cpu", "cuda"], default=Setting.device)
    parser.add_argument("--precision", choices=list(TOLERANCE), default=Setting.precision, help="of our arm")
    parser.add_argument("--image-size", type=int, default=Setting.image_size, help="height and width in pixels")
    parser.add_argument("--stem", choices=["cifar", "imagenet"], default=Setting.stem)
    parser.add_argument("--no-memory", action="store_true", help="skip the processes that measure peak memory")
    parser.add_argument("--json", type=Path, help="file to write everything to")
    options = parser.parse_args(arguments)
    if options.steps < 1 or options.warmup < 1:
        parser.error(f"--steps {options.steps} --warmup {options.warmup}; expected at least 1 of each.")
    setting = Setting(**{field.name: getattr(options, field.name) for field in dataclasses.fields(Setting)})

    print(HEADER)
    report: dict[str, Any] = {"machine": machine(setting.device), "setting": dataclasses.asdict(setting), "results": []}
    for name in options.cases:
        for method in options.methods:
            result = measure(CASES[name], method, setting, memory=not options.no_memory)
            print(row(name, result), flush=True)
            report["results"].append({"name": name, **dataclasses.asdict(result)})
            if options.json:
                options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
