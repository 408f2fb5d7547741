"""What sketches lose on real embeddings: `python -m benchmarks.sketches`.

Sets of the pocket album are embedded, and the squared OTDD of every pair is taken from what is kept of them:

- *half precision*: rows in float16 against rows in float32, the same rows;
- *Gaussians*: sources kept as class Gaussians of some rank against sources kept as rows, at equal rows, the mean over
  some draws; the target is kept as rows. The first line holds rows against other draws of rows: what the draw alone
  does. Errors are relative and signed. The nearest source counts as found if it is that of the rows.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.machine import machine
from ot_select import LabelledCloud, Sketch, otdd, sketch, sketch_gaussians
from supernet_tl.adapters import embedder_for
from supernet_tl.data.sources.pocket import POCKET_NAMES, open_pocket
from supernet_tl.demo import EMBEDDING

Table = dict[tuple[str, str], float]
"""Squared distances by the names of target and source."""


@dataclass(frozen=True)
class Loss:
    """How far distances from sketches are from those from rows.

    Attributes:
        kept: what is kept of the sources.
        mean: of the relative errors.
        worst: the error that is largest without its sign.
        nearest_found: targets whose nearest source stays the same.
        num_targets: in all.
        regret: how much farther than the nearest source the one chosen is by its rows, relative, at most.
    """

    kept: str
    mean: float
    worst: float
    nearest_found: int
    num_targets: int
    regret: float


def embed(name: str, num_images: int, size: int) -> LabelledCloud:
    """Embeddings of a set of the pocket album, or of some of its images drawn at random."""
    images = open_pocket(name)
    rows = np.sort(np.random.default_rng(0).permutation(len(images))[:num_images])
    features = embedder_for(EMBEDDING["embedder"], size, "cpu").embed(images.pixels(size, rows.tolist()))
    return LabelledCloud(features, images.labels[rows])


def half_precision(clouds: Mapping[str, LabelledCloud]) -> float:
    """The largest relative change of a squared distance."""
    half, full = (
        {name: sketch(cloud, embedder="e", dtype=dtype).cloud() for name, cloud in clouds.items()}
        for dtype in ("float16", "float32")
    )
    return max(
        abs(otdd(half[a], half[b]).squared / otdd(full[a], full[b]).squared - 1) for a, b in combinations(clouds, 2)
    )


def gaussians(clouds: Mapping[str, LabelledCloud], ranks: Sequence[int], num_draws: int) -> list[Loss]:
    """What is lost at each rank, after what another draw of rows does."""
    num_rows = int(0.9 * min(cloud.num_rows for cloud in clouds.values()))  # so that two draws of rows differ
    rows = {name: sketch(cloud, embedder="e") for name, cloud in clouds.items()}
    seeds = range(num_draws)
    truth = _table(rows, rows, num_rows, seeds)
    losses = [_loss("rows, other draws", _table(rows, rows, num_rows, [seed + num_draws for seed in seeds]), truth)]
    for rank in ranks:
        kept = {
            name: sketch_gaussians(cloud, embedder="e", rank=rank, min_class_rows=2) for name, cloud in clouds.items()
        }
        losses.append(_loss(f"Gaussians of rank {rank}", _table(rows, kept, num_rows, seeds), truth))
    return losses


def _table(targets: Mapping[str, Sketch], sources: Mapping[str, Sketch], num_rows: int, seeds: Sequence[int]) -> Table:
    found: dict[tuple[str, str], list[float]] = {pair: [] for pair in permutations(targets, 2)}
    for seed in seeds:
        drawn, kept = (
            {name: each.cloud(num_rows, seed) for name, each in sketches.items()} for sketches in (targets, sources)
        )
        for target, source in found:
            found[target, source].append(otdd(drawn[target], kept[source]).squared)
    return {pair: float(np.mean(values)) for pair, values in found.items()}


def _loss(kept: str, found: Table, truth: Table) -> Loss:
    errors: NDArray[np.float64] = np.array([found[pair] / truth[pair] - 1 for pair in truth])
    nearest, expected = _nearest(found), _nearest(truth)
    return Loss(
        kept,
        mean=float(errors.mean()),
        worst=float(errors[np.abs(errors).argmax()]),
        nearest_found=sum(nearest[target] == expected[target] for target in expected),
        num_targets=len(expected),
        regret=max(truth[target, nearest[target]] / truth[target, best] - 1 for target, best in expected.items()),
    )


def _nearest(table: Table) -> dict[str, str]:
    best: dict[str, str] = {}
    for target, source in table:
        if target not in best or table[target, source] < table[target, best[target]]:
            best[target] = source
    return best


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure; print a table, and write JSON where asked."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", nargs="+", choices=POCKET_NAMES, default=list(POCKET_NAMES))
    parser.add_argument("--num-images", type=int, default=EMBEDDING["sketch_rows"], help="embedded of each set")
    parser.add_argument("--image-size", type=int, default=EMBEDDING["embed_size"], help="pixels a side")
    parser.add_argument("--ranks", nargs="*", type=int, default=[0, 4, 8, 16])
    parser.add_argument("--draws", type=int, default=3, help="that distances are averaged over")
    parser.add_argument("--json", type=Path, help="file to write everything to")
    options = parser.parse_args(arguments)
    if options.draws < 1 or len(options.sets) < 2:
        parser.error("expected at least two --sets and one of the --draws.")
    torch.set_num_threads(1)
    clouds = {name: embed(name, options.num_images, options.image_size) for name in options.sets}
    half = half_precision(clouds)
    print(f"half precision changes no squared distance by more than {half:.1e} of it")
    losses = gaussians(clouds, options.ranks, options.draws)
    print(f"{'sources kept as':22} {'mean error':>10} {'worst':>7} {'nearest':>8} {'regret':>7}")
    for loss in losses:
        print(
            f"{loss.kept:22} {loss.mean:10.1%} {loss.worst:7.1%} {loss.nearest_found:>3} of {loss.num_targets} "
            f"{loss.regret:7.1%}",
            flush=True,
        )
    if options.json is not None:
        report: dict[str, Any] = {
            "machine": machine("cpu"),
            "setting": {key: value for key, value in vars(options).items() if key != "json"},
            "half_precision": half,
            "gaussians": [asdict(loss) for loss in losses],
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
