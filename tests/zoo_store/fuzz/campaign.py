"""Many altered entries, one after the other, and what became of them."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.zoo_store.fuzz.mutations import Mutation, mutations
from tests.zoo_store.fuzz.oracle import Oracle, tiny_entries

BATCH = 5000
MEASURE_EVERY = 20


@dataclass(frozen=True)
class Outcome:
    """What became of altered entries.

    Attributes:
        counts: how many, by what was done first and what became of it.
        seconds: that all of it took.
    """

    counts: Counter[tuple[str, str]]
    seconds: float

    def __str__(self) -> str:
        total = self.counts.total()
        by_fate = Counter[str]()
        for (_, fate), count in self.counts.items():
            by_fate[fate] += count
        kinds = sorted({kind for kind, _ in self.counts})
        lines = [
            f"{total} mutations in {self.seconds:.0f} s, {total / self.seconds:.0f}/s: {_line(by_fate)}; "
            "no crash, nothing altered accepted",
            *(
                f"  {kind}: {_line(Counter({f: n for (k, f), n in self.counts.items() if k == kind}))}"
                for kind in kinds
            ),
        ]
        return "\n".join(lines)


def run(num_mutations: int, first_seed: int = 0, progress: Callable[[int], None] | None = None) -> Outcome:
    """Alter and judge; a violation is raised with the smallest mutation that shows it.

    Args:
        num_mutations: at least this many.
        first_seed: the same seed alters in the same way.
        progress: is told how many there have been.
    """
    entries = tiny_entries()
    oracle = Oracle(entries)
    counts = Counter[tuple[str, str]]()
    start = time.monotonic()

    def judge(mutation: Mutation) -> None:
        measured = counts.total() % MEASURE_EVERY == 0
        counts[mutation.kinds[0], oracle.judge(mutation, measure_memory=measured)] += 1

    batch = 0
    while (left := num_mutations - counts.total()) > 0:
        every = settings(
            max_examples=min(BATCH, left),
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        seed(first_seed + batch)(every(given(mutations(entries))(judge)))()
        batch += 1
        if progress is not None:
            progress(counts.total())
    return Outcome(counts, time.monotonic() - start)


def _line(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {fate}" for fate, count in sorted(counts.items()))
