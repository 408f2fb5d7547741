"""How many of a zoo's sources a search for the nearest looks at: `python -m benchmarks.zoo_search`.

The zoo is made of resampled real embeddings: entry i draws, by (seed, i), one of the eight sets of the pocket album, at
least two of its classes, and ``--rows`` of the rows of these classes, without replacement. Targets are made the same
way, from other draws; *outside* means that a set and its kin (all glyphs, both sets of digits) are left out of the zoo.
The eight sets themselves are targets too, each by a stratified draw of as many rows.

Every search is held against measuring the distance to every source. A source counts as *evaluated* when its distance is
measured by network simplex, and as *posed* when at least the table of costs between its rows and the target's was made;
both shares are reported. ``--large N`` makes another zoo on the fly, which is too large to keep, and searches it once.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine, resident_bytes
from ot_select import OTDD, LabelledCloud, SourceIndex, draw_rows
from ot_select.selection.nearest import Stage, nearest_sources
from supernet_tl.adapters import embedder_for
from supernet_tl.control import Control

KIN = {
    "digits": "handwriting",
    "mnist5k": "handwriting",
    "textures": "textures",
    "photos": "photos",
    "faces": "faces",
    "glyphs_latin": "glyphs",
    "glyphs_greek": "glyphs",
    "glyphs_cyrillic": "glyphs",
}
"""The pocket album's sets and the domain of each."""

NUM_NEAREST = (1, 5)


class ResampledZoo(Mapping[str, LabelledCloud]):
    """Clouds resampled from real ones, made anew whenever one is asked for.

    Args:
        sets: the real clouds by name.
        num_entries: how many.
        num_rows: of each.
        seed: of all draws.
        without: a domain that no entry comes from.
    """

    def __init__(
        self,
        sets: Mapping[str, LabelledCloud],
        num_entries: int,
        num_rows: int,
        seed: int,
        without: str | None = None,
    ) -> None:
        self._sets = {name: cloud for name, cloud in sets.items() if KIN[name] != without}
        self._names = {f"entry-{index:05d}": index for index in range(num_entries)}
        self._num_rows = num_rows
        self._seed = seed

    def __getitem__(self, name: str) -> LabelledCloud:
        generator = np.random.default_rng([self._seed, self._names[name]])
        return resample(self._sets[str(generator.choice(list(self._sets)))], self._num_rows, generator)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def resample(cloud: LabelledCloud, num_rows: int, generator: np.random.Generator) -> LabelledCloud:
    """Some of the rows of some of the classes; classes are drawn again while they have too few rows."""
    while True:
        num_classes = int(generator.integers(2, cloud.num_classes + 1))
        classes = generator.choice(cloud.num_classes, num_classes, replace=False)
        rows = np.flatnonzero(np.isin(cloud.class_indices, classes))
        if len(rows) >= num_rows:
            return cloud.take(np.sort(generator.choice(rows, num_rows, replace=False)))


@dataclass(frozen=True)
class Query:
    """What one search cost.

    Attributes:
        target: a set's name.
        kind: ``inside``, ``outside`` or ``whole set``.
        k: how many sources were asked for.
        reached: sources that got as far as each stage of the cascade.
        evaluated: share of the sources whose distance was measured.
        posed: share whose table of costs was made.
        search_s: seconds of the search, the index at hand.
        brute_force_s: seconds of measuring every distance; None where it was not done.
        same: whether both found the same sources in the same order; None likewise.
        approximate_s: seconds of the search by kept vectors alone.
        approximate_recall: share of the k nearest that it finds.
        approximate_excess: distance of its first source over that of the nearest, less 1.
    """

    target: str
    kind: str
    k: int
    reached: dict[str, int]
    evaluated: float
    posed: float
    search_s: float
    brute_force_s: float | None
    same: bool | None
    approximate_s: float
    approximate_recall: float
    approximate_excess: float


def embedded_sets(embedder: str, image_size: int) -> dict[str, LabelledCloud]:
    """The pocket album as clouds, all rows."""
    control = Control(quiet=True)
    network = embedder_for(embedder, image_size, "cpu")
    clouds = {}
    for name in KIN:
        images = control.open(f"pocket:{name}")
        features = network.embed(images.pixels(image_size, list(range(len(images.labels)))))
        clouds[name] = LabelledCloud(features, images.labels)
    return clouds


def run_query(
    name: str, kind: str, target: LabelledCloud, zoo: Mapping[str, LabelledCloud], index: SourceIndex, *, brute: bool
) -> list[Query]:
    """Search for the nearest and the five nearest sources, with and without visiting all."""
    distance = OTDD()
    exact: dict[str, float] | None = None
    brute_force_s: float | None = None
    if brute:
        start = time.perf_counter()
        exact = {source: distance(target, cloud).squared for source, cloud in zoo.items()}
        brute_force_s = time.perf_counter() - start
    queries = []
    for k in NUM_NEAREST:
        start = time.perf_counter()
        found = nearest_sources([target], lambda source: [zoo[source]], [index], k)
        search_s = time.perf_counter() - start
        start = time.perf_counter()
        approximate = [source for source, _ in index.approximately_nearest(target, k)]
        approximate_s = time.perf_counter() - start
        nearest = [source for source, _ in found.results]
        first = distance(target, zoo[approximate[0]]).distance
        queries.append(
            Query(
                target=name,
                kind=kind,
                k=k,
                reached={stage.name.lower(): count for stage, count in found.reached.items()},
                evaluated=found.reached[Stage.DISTANCE] / len(zoo),
                posed=found.reached[Stage.CLASS_POTENTIALS] / len(zoo),
                search_s=search_s,
                brute_force_s=brute_force_s,
                same=None if exact is None else nearest == sorted(exact, key=lambda s: (exact[s], s))[:k],
                approximate_s=approximate_s,
                approximate_recall=len(set(nearest) & set(approximate)) / k,
                approximate_excess=first / found.results[0][1][0].distance - 1,
            )
        )
        print(_line(queries[-1]), flush=True)
    return queries


def build(zoo: Mapping[str, LabelledCloud], rank: int) -> tuple[SourceIndex, dict[str, float]]:
    """An index of a zoo, and what it cost."""
    start = time.perf_counter()
    index = SourceIndex(zoo, rank=rank)
    costs = {"entries": len(zoo), "build_s": time.perf_counter() - start, "index_bytes": index.num_bytes}
    print(f"index of {len(zoo)} entries: {costs['build_s']:.1f} s, {index.num_bytes / 1e6:.1f} MB", flush=True)
    return index, costs


def summarise(queries: Sequence[Query]) -> dict[str, Any]:
    """Medians and largest shares, by kind of target and k."""
    table = {}
    for kind in dict.fromkeys(query.kind for query in queries):
        for k in NUM_NEAREST:
            chosen = [query for query in queries if (query.kind, query.k) == (kind, k)]
            table[f"{kind}, k={k}"] = {
                "targets": len(chosen),
                "same_as_brute_force": sum(query.same is True for query in chosen),
                "evaluated_median": statistics.median(query.evaluated for query in chosen),
                "evaluated_largest": max(query.evaluated for query in chosen),
                "posed_median": statistics.median(query.posed for query in chosen),
                "posed_largest": max(query.posed for query in chosen),
                "search_s_median": statistics.median(query.search_s for query in chosen),
                "brute_force_s_median": statistics.median(query.brute_force_s or 0.0 for query in chosen),
                "approximate_s_largest": max(query.approximate_s for query in chosen),
                "approximate_recall_mean": statistics.fmean(query.approximate_recall for query in chosen),
                "approximate_excess_median": statistics.median(query.approximate_excess for query in chosen),
            }
    return table


def benchmark(
    sets: Mapping[str, LabelledCloud], *, num_entries: int, num_rows: int, rank: int, seed: int, targets: Sequence[str]
) -> dict[str, Any]:
    """All searches in a zoo that is small enough for brute force."""
    generator = np.random.default_rng([seed, 2**31])
    drawn = {name: resample(sets[name], num_rows, generator) for name in targets}
    whole = {name: draw_rows(sets[name], num_rows, seed) for name in targets}
    zoo = dict(ResampledZoo(sets, num_entries, num_rows, seed))
    index, costs = build(zoo, rank)
    queries: list[Query] = []
    for name in targets:
        queries += run_query(name, "inside", drawn[name], zoo, index, brute=True)
        queries += run_query(name, "whole set", whole[name], zoo, index, brute=True)
    del zoo
    for domain in dict.fromkeys(KIN[name] for name in targets):
        foreign = dict(ResampledZoo(sets, num_entries, num_rows, seed, without=domain))
        index, _ = build(foreign, rank)
        for name in targets:
            if KIN[name] == domain:
                queries += run_query(name, "outside", drawn[name], foreign, index, brute=True)
    return {"index": costs, "summary": summarise(queries), "queries": [asdict(query) for query in queries]}


def large(
    sets: Mapping[str, LabelledCloud], *, num_entries: int, num_rows: int, rank: int, seed: int, target: str
) -> dict[str, Any]:
    """One query in a zoo that is made on the fly."""
    zoo = ResampledZoo(sets, num_entries, num_rows, seed + 1)
    before = resident_bytes("VmRSS")
    index, costs = build(zoo, rank)
    drawn = resample(sets[target], num_rows, np.random.default_rng([seed + 1, 2**31]))
    queries = run_query(target, "inside", drawn, zoo, index, brute=False)
    peak = resident_bytes("VmHWM")
    return {
        "index": costs,
        "peak_bytes_beyond_the_embeddings": None if peak is None or before is None else peak - before,
        "queries": [asdict(query) for query in queries],
    }


def _line(query: Query) -> str:
    verdict = {True: "as brute force", False: "NOT AS BRUTE FORCE", None: "unchecked"}[query.same]
    brute = "" if query.brute_force_s is None else f" (all: {query.brute_force_s:.1f} s)"
    return (
        f"{query.target:16} {query.kind:9} k={query.k}: {verdict}, evaluated {query.evaluated:.1%}, posed "
        f"{query.posed:.1%}, {query.search_s:.2f} s{brute}; approximate {query.approximate_s:.2f} s, recall "
        f"{query.approximate_recall:.1f}, excess {query.approximate_excess:.1%}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the searches and write what they cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1000, help="of the zoo that brute force checks")
    parser.add_argument("--large", type=int, default=0, help="entries of a zoo made on the fly; 0 for none")
    parser.add_argument("--rows", type=int, default=150, help="of every entry and target")
    parser.add_argument("--rank", type=int, default=32, help="of the index")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--targets", nargs="+", choices=list(KIN), default=list(KIN))
    parser.add_argument("--embedder", default="tf_efficientnet_lite0")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--output", type=Path, help="JSON file with every number")
    options = parser.parse_args(arguments)
    sets = embedded_sets(options.embedder, options.image_size)
    shared = {"num_rows": options.rows, "rank": options.rank, "seed": options.seed}
    found: dict[str, Any] = {
        "machine": machine("cpu"),
        "options": {key: value for key, value in vars(options).items() if key != "output"},
    }
    if options.large:
        found["large"] = large(sets, num_entries=options.large, target=options.targets[0], **shared)
    if options.entries:
        found["zoo"] = benchmark(sets, num_entries=options.entries, targets=options.targets, **shared)
        print(json.dumps(found["zoo"]["summary"], indent=2))
    if options.output:
        options.output.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
