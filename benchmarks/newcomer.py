"""How long a newcomer waits: `python -m benchmarks.newcomer`.

A folder of 200 photographs, twenty of each of ten classes, and a copy of the starter zoo without the entries that have
seen them (not timed); select, transfer and export with their defaults, each as its own process, and a prediction by
the export. The wall's seconds count, imports and all. Exit 1 where the goal is missed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import machine, tell

GOAL_SECONDS = 600.0
PER_CLASS = 20
SEEN_THEM = ("photos-s1-c8", "mixture-s1-c8")


def _write_images(folder: Path) -> None:
    """The first photographs of each class as files."""
    from supernet_tl.data import open_image_set

    photos = open_image_set("pocket:photos")
    counts: dict[int, int] = {}
    for index, label in enumerate(photos.labels.tolist()):
        number = counts[label] = counts.get(label, 0) + 1
        if number <= PER_CLASS:
            file = folder / photos.class_names[label] / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            photos.image(index).save(file)


def main() -> int:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="JSON file for the result")
    options = parser.parse_args()
    program = shutil.which("supernet-tl", path=str(Path(sys.executable).parent)) or "supernet-tl"
    seconds: dict[str, float] = {}

    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)

        def run(name: str, *arguments: str | Path) -> str:
            started = time.perf_counter()
            done = subprocess.run(arguments, stdout=subprocess.PIPE, check=True, text=True, cwd=place)
            seconds[name] = time.perf_counter() - started
            return done.stdout

        _write_images(place / "images")
        num_images = len(list((place / "images").rglob("*.png")))
        subprocess.run([program, "zoo", "copy", "starter", "zoo", "--quiet"], check=True, cwd=place)
        subprocess.run([program, "zoo", "rm", "zoo", "--aliases", *SEEN_THEM], check=True, cwd=place)
        run("select", program, "select", "--target", "images", "--zoo", "zoo", "--quiet")
        told = run("transfer", program, "transfer", "--target", "images", "--zoo", "zoo", "--output", "run", "--json")
        run("export", program, "export", "run", "--format", "torch", "--output", "exported")
        image = next((place / "images").rglob("*.png"))
        run("first prediction", sys.executable, place / "exported/predict.py", image)

    found: dict[str, Any] = json.loads(told)
    result: dict[str, Any] = {
        "machine": machine("cpu"),
        "images": num_images,
        "source": found["source"]["name"],
        "test_accuracy": found["network"]["test_accuracy"],
        "epochs": [found["recipe"]["epochs"], found["recipe"]["finetune_epochs"]],
        "seconds": seconds,
        "seconds_in_all": sum(seconds.values()),
        "goal_seconds": GOAL_SECONDS,
    }
    tell(result, options.output)
    return int(result["seconds_in_all"] > GOAL_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
