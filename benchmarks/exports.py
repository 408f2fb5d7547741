"""How long a fresh process takes to its first prediction with each export: `python -m benchmarks.exports`.

The network is that of a run (`--run`), or one of the size of the starter zoo's with random weights. Each format is
started several times in turn, `predict.py` as a user would; the median of the seconds counts.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from PIL import Image

import darts
from benchmarks.machine import machine, tell
from supernet_tl.data import Normalisation
from supernet_tl.exporting.export import Format, export
from supernet_tl.network_file import Classifier, save_classifier

GOALS = {"onnx": 3.0, "torch": 12.0}
"""Seconds to the first prediction on a CPU."""


def _network(folder: Path) -> Path:
    """A network of the starter zoo's size."""
    torch.manual_seed(0)
    alpha = torch.randn(darts.S1.num_edges, 2)
    network = darts.DiscreteNetwork(darts.discretize(darts.S1, alpha, alpha), 10, 8, 4, pool_norm=True).eval()
    names = tuple(map(str, range(10)))
    save_classifier(folder, Classifier(network, names, Normalisation((0.5,) * 3, (0.25,) * 3), 32), {"data": []})
    return folder


def main() -> int:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, help="folder of a finished run")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, help="JSON file for the result")
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {format: [] for format in get_args(Format)}
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        run = options.run or _network(place / "network")
        exported = {format: export(run, place / format, format) for format in get_args(Format)}
        image = place / "image.png"
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(image)
        for _ in range(options.repeats):
            for format, found in exported.items():
                started = time.perf_counter()
                subprocess.run([sys.executable, found.folder / "predict.py", image], check=True, capture_output=True)
                seconds[format].append(time.perf_counter() - started)
    result = {
        "machine": machine("cpu"),
        "formats": {
            format: {
                "num_bytes": exported[format].num_bytes,
                "largest_difference": exported[format].largest_difference,
                "median_seconds": statistics.median(found),
                "goal_seconds": GOALS.get(format),
                "seconds": found,
            }
            for format, found in seconds.items()
        },
    }
    tell(result, options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
