"""What the dataset distance costs, ours against the plain twin: `python -m benchmarks.otdd --output FILE.json`.

Two Gaussian clouds of equally many rows, with spectra that fall off as those of embeddings do. The label stage is what
makes published implementations take hours: class statistics, then the distances between classes within both clouds
and across. Ours computes it whole each time. The plain arm (:mod:`benchmarks.plain_otdd`) needs one matrix root per
class and one per pair of classes, so unless `--whole` is given it computes a random sample of these in every round,
and its stage is the median root times the classes plus the median pair times the pairs plus the statistics. The arms
take turns in one process with one torch thread; if the sampled distances disagree, there is no report. Every raw time
is kept.

Peak memory is that of a fresh process, which first computes a tiny distance so that all libraries are loaded, then
makes the clouds and compares them: the highest resident size less the resident size after the tiny distance. On a
GPU: ``torch.cuda.max_memory_allocated``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from benchmarks import plain_otdd
from benchmarks.machine import machine, resident_bytes
from ot_select import OTDD, LabelledCloud
from ot_select.distances.device import DTYPES, Precision
from ot_select.distances.label_distance import label_distances
from ot_select.distances.side import Side, two_sides

DISTANCES = {"exact": OTDD(), "paper": OTDD.paper()}
TOLERANCE = 1e-7
"""How far label distances of the two arms may be apart, relative to the largest of the sample."""

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Case:
    """What is compared.

    Attributes:
        num_classes: of each cloud.
        rows: of each cloud.
        dimension: features of a row.
        device: ``cpu`` or ``cuda``.
        precision: of our arm's label distances and costs; the plain arm is float64.
    """

    num_classes: int
    rows: int = 1000
    dimension: int = 512
    device: str = "cpu"
    precision: Precision = "float64"

    def clouds(self) -> tuple[LabelledCloud, LabelledCloud]:
        """The two clouds."""
        first, second = (self._cloud(np.random.default_rng(seed)) for seed in (0, 1))
        return first, second

    def _cloud(self, generator: np.random.Generator) -> LabelledCloud:
        labels = np.arange(self.rows) % self.num_classes
        spectrum = 1 / np.sqrt(1 + np.arange(self.dimension))
        noise = generator.standard_normal((self.rows, self.dimension)) * generator.permutation(spectrum)
        means = generator.standard_normal((self.num_classes, self.dimension)) * spectrum
        return LabelledCloud(noise + means[labels], labels)

    def distance(self, name: str) -> OTDD:
        """One of the distances, as this case computes it."""
        return dataclasses.replace(DISTANCES[name], device=self.device, precision=self.precision)


@dataclasses.dataclass
class PlainTimes:
    """Seconds of the plain arm: statistics of both clouds, one root, one pair; the whole stage where it was run."""

    statistics_s: list[float] = dataclasses.field(default_factory=list)
    root_s: list[float] = dataclasses.field(default_factory=list)
    pair_s: list[float] = dataclasses.field(default_factory=list)
    whole_stage_s: float | None = None

    def stage(self, num_classes: int, num_pairs: int, num_roots: int) -> float:
        """Seconds of so many pairs and roots, from the medians."""
        statistics_s, root_s, pair_s = map(statistics.median, (self.statistics_s, self.root_s, self.pair_s))
        return statistics_s + num_roots * root_s + num_pairs * pair_s


@dataclasses.dataclass
class OurTimes:
    """Seconds of ours: the whole label stage, its part between the clouds, and whole distances by name."""

    stage_s: list[float] = dataclasses.field(default_factory=list)
    between_s: list[float] = dataclasses.field(default_factory=list)
    distance_s: dict[str, list[float]] = dataclasses.field(default_factory=dict)


def timed(work: Callable[[], T], device: str) -> tuple[T, float]:
    """A result and the seconds on the clock until the device was done with it."""
    _wait_for(device)
    start = time.perf_counter()
    result = work()
    _wait_for(device)
    return result, time.perf_counter() - start


def _wait_for(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


class PlainArm:
    """The plain twin on two clouds, a sample of its roots and pairs at a time."""

    def __init__(self, case: Case, clouds: Sequence[LabelledCloud]) -> None:
        self.case = case
        self.tables = [torch.tensor(cloud.features, device=case.device) for cloud in clouds]
        self.indices = [torch.tensor(cloud.class_indices, device=case.device) for cloud in clouds]
        self.times = PlainTimes()

    def classes(self) -> list[list[plain_otdd.PlainClass]]:
        """Class statistics of both clouds."""
        return [
            plain_otdd.class_statistics(table, indices, self.case.num_classes)
            for table, indices in zip(self.tables, self.indices, strict=True)
        ]

    def sample(self, pairs: Sequence[tuple[int, int]]) -> list[float]:
        """Distances of some pairs of classes between the clouds, timed one by one."""
        (a, b), seconds = timed(self.classes, self.case.device)
        self.times.statistics_s.append(seconds)
        distances = []
        for i, j in pairs:
            root, seconds = timed(lambda i=i: plain_otdd.matrix_root(a[i].covariance), self.case.device)  # type: ignore[misc]
            self.times.root_s.append(seconds)
            value, seconds = timed(
                lambda i=i, j=j, root=root: plain_otdd.squared_wasserstein(a[i], root, b[j]),  # type: ignore[misc]
                self.case.device,
            )
            self.times.pair_s.append(seconds)
            distances.append(float(value))
        return distances

    def whole(self) -> None:
        """The whole label stage, timed once."""

        def stage() -> None:
            a, b = self.classes()
            roots_a, roots_b = ([plain_otdd.matrix_root(one.covariance) for one in side] for side in (a, b))
            for one, roots, other in ((a, roots_a, a), (b, roots_b, b), (a, roots_a, b)):
                plain_otdd.label_distances(one, roots, other)

        self.times.whole_stage_s = timed(stage, self.case.device)[1]


def our_stage(a: Side, b: Side) -> torch.Tensor:
    """Class statistics and label distances within both clouds and between them, which are returned."""
    for side in (a, b):
        label_distances(side, side, "gaussian")
    return label_distances(a, b, "gaussian")[0]  # in the unit of the sides


def measure(case: Case, names: Sequence[str], *, rounds: int, pairs: int, whole: bool, memory: bool) -> dict[str, Any]:
    """Time both arms in one case; the report of it."""
    torch.set_num_threads(1)
    clouds = case.clouds()
    plain, ours = PlainArm(case, clouds), OurTimes(distance_s={name: [] for name in names})
    generator = np.random.default_rng(0)
    disagreement, values = 0.0, {}
    a, b = two_sides(*clouds, device=torch.device(case.device), dtype=DTYPES[case.precision], drop_singletons=False)
    for distance in (case.distance(name) for name in names):
        distance(*(Case(2, rows=4, dimension=2).clouds()))  # loads the solvers
    for _ in range(rounds):
        drawn = [(int(i), int(j)) for i, j in generator.integers(case.num_classes, size=(pairs, 2))]
        expected = np.array(plain.sample(drawn))
        table, seconds = timed(lambda: our_stage(a, b), case.device)
        ours.stage_s.append(seconds)
        ours.between_s.append(timed(lambda: label_distances(a, b, "gaussian"), case.device)[1])
        found = a.unit.squares(table.cpu().double().numpy())[np.ix_(a.class_order, b.class_order)][*np.array(drawn).T]
        disagreement = max(disagreement, float(np.abs(found - expected).max() / expected.max()))
        check_agreement(disagreement, case.precision)
        for name in names:
            result, seconds = timed(lambda name=name: case.distance(name)(*clouds), case.device)  # type: ignore[misc]
            ours.distance_s[name].append(seconds)
            values[name] = {"squared": result.squared, "converged": result.converged, "dual_gap": result.dual_gap}
    if whole:
        plain.whole()
    k = case.num_classes
    plain_stage = plain.times.whole_stage_s or plain.times.stage(k, num_pairs=k * (k - 1) + k * k, num_roots=2 * k)
    plain_between = plain.times.stage(k, num_pairs=k * k, num_roots=k)
    return {
        "case": dataclasses.asdict(case),
        "plain": dataclasses.asdict(plain.times),
        "ours": dataclasses.asdict(ours),
        "plain_stage_s": plain_stage,
        "plain_stage_is": "measured whole"
        if whole
        else f"medians of {len(plain.times.pair_s)} sampled pairs, multiplied",
        "plain_between_s": plain_between,
        "our_stage_s": statistics.median(ours.stage_s),
        "our_between_s": statistics.median(ours.between_s),
        "speedup_stage": plain_stage / statistics.median(ours.stage_s),
        "speedup_between": plain_between / statistics.median(ours.between_s),
        "our_distance_s": {name: statistics.median(seconds) for name, seconds in ours.distance_s.items()},
        "values": values,
        "largest_relative_disagreement": disagreement,
        "peak_memory_bytes": {name: peak_memory(case, name) if memory else None for name in names},
        "load_average": os.getloadavg(),
    }


def check_agreement(disagreement: float, precision: str) -> None:
    """Refuse to report on arms that compute different things."""
    tolerance = TOLERANCE if precision == "float64" else 1e-4
    if not disagreement <= tolerance:
        raise SystemExit(
            f"Label distances of the two arms differ by {disagreement:.3g} relative; expected at most {tolerance:g}. "
            "One of them is wrong, so nothing was timed."
        )


def peak_memory(case: Case, name: str) -> int | None:
    """Bytes that a distance needs at its peak, in a process of its own; None where the system does not tell."""
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as fresh:
        return fresh.submit(_peak_of_this_process, case, name).result()


def _peak_of_this_process(case: Case, name: str) -> int | None:
    torch.set_num_threads(1)
    distance = case.distance(name)
    distance(*dataclasses.replace(case, num_classes=2, rows=4, dimension=2).clouds())
    before = resident_bytes("VmRSS")
    distance(*case.clouds())
    if case.device == "cuda":
        return torch.cuda.max_memory_allocated()
    peak = resident_bytes("VmHWM")
    return None if peak is None or before is None else peak - before


def row(report: dict[str, Any]) -> str:
    """One line of the table."""
    memory = [peak for peak in report["peak_memory_bytes"].values() if peak is not None]
    cells = [
        f"{report['case']['num_classes']:7}",
        f"{report['plain_stage_s']:9.2f} {report['our_stage_s']:9.3f} {report['speedup_stage']:8.0f}",
        f"{report['speedup_between']:12.0f}",
        *(f"{seconds:9.3f}" for seconds in report["our_distance_s"].values()),
        f"{max(memory) / 2**20:9.0f}" if memory else f"{'-':>9}",
    ]
    return " ".join(cells)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the cases asked for; print a table, and write JSON where asked."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--classes", nargs="+", type=int, default=[10, 50, 100])
    parser.add_argument("--rows", type=int, default=Case.rows, help="of each cloud, at least two a class")
    parser.add_argument("--dimension", type=int, default=Case.dimension)
    parser.add_argument("--device", choices=["cpu", "cuda"], default=Case.device)
    parser.add_argument("--precision", choices=list(DTYPES), default=Case.precision, help="of our arm")
    parser.add_argument("--distances", nargs="+", choices=list(DISTANCES), default=list(DISTANCES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=4, help="pairs of classes of the plain arm in a round")
    parser.add_argument("--whole", action="store_true", help="run the plain arm's label stage whole, once")
    parser.add_argument("--no-memory", action="store_true", help="skip the processes that measure peak memory")
    parser.add_argument("--output", type=Path, help="JSON file to write everything to")
    options = parser.parse_args(arguments)
    if min(options.rounds, options.pairs) < 1:
        parser.error(f"--rounds {options.rounds} --pairs {options.pairs}; expected at least 1 of each.")
    if options.rows < 2 * max(options.classes) or min(options.classes) < 1:
        parser.error(f"--rows {options.rows} --classes {options.classes}; expected at least two rows a class.")

    print(f"{'':7} {'label stage, s':^19} {'speed-up':>8} {'W12 speed-up':>12} {'whole distance, s':^19}")
    print(
        f"classes {'plain':>9} {'ours':>9} {'':>8} {'':>12} " + " ".join(f"{name:>9}" for name in options.distances),
        "  peak MiB",
    )
    report: dict[str, Any] = {"machine": machine(options.device), "results": []}
    for num_classes in options.classes:
        case = Case(num_classes, options.rows, options.dimension, options.device, options.precision)
        result = measure(
            case,
            options.distances,
            rounds=options.rounds,
            pairs=options.pairs,
            whole=options.whole,
            memory=not options.no_memory,
        )
        print(row(result), flush=True)
        report["results"].append(result)
        if options.output:
            options.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
