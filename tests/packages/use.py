"""Use an installed package as its users do; run by the Python of its environment, in an empty folder.

    python use.py supernet-tl PACKAGE...

The packages are those whose versions are told.
No file of the checkout is imported here. What was found is printed as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata, resources
from pathlib import Path
from typing import Any

HEAVY = ("torch", "lightning", "numpy", "ot", "timm", "openml", "matplotlib")
PROGRAM = """
import torch

import darts
import ot_select
import supernet_tl
import zoo_store

net: darts.Supernet = supernet_tl.load_supernet("starter", "digits-s1-c8").like(num_classes=3)
logits: torch.Tensor = net(torch.zeros(2, 3, 16, 16))
assert logits.shape == (2, 3)
"""
TARGET = ("--target", "images", "--zoo", "starter", "--device", "cpu", "--quiet", "--json")
SHORT = ("--epochs", "2", "--finetune-epochs", "2", "--batch-size", "16")
LIGHTNING = (
    "--config",
    "search/base",
    "--config",
    "search/tiny",
    "--data.target",
    "images",
    "--trainer.fast_dev_run=true",
)


def main(program: str, packages: Sequence[str]) -> dict[str, Any]:
    """Every kind of work once, and its figures."""

    def run(*arguments: str) -> str:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}")
        return done.stdout

    versions = {name: metadata.version(name) for name in packages}
    found: dict[str, Any] = {"python": sys.version.split()[0], "versions": versions}

    # What is in it.
    for package in ("supernet_tl", "darts", "ot_select", "zoo_store"):
        assert (resources.files(package) / "py.typed").is_file(), f"{package} is not typed"
    assert "transfer" in run("--help")
    probe = "import sys, supernet_tl.command_line.verb_parsers as parsers; parsers.build_parser(); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout.split()
    assert not set(HEAVY) & set(modules), f"--help imports {sorted(set(HEAVY) & set(modules))}"

    # Recipes, by the parsers of these versions.
    recipes = json.loads(run("recipe", "list", "--json"))
    checks = [["recipe", "validate", *recipe["lies_over"], recipe["name"], "--json"] for recipe in recipes]
    script = f"from supernet_tl.command_line.cli import main; raise SystemExit(any(main(c) for c in {checks!r}))"
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)
    found["recipes"] = len(recipes)

    # From images to a network, and away with it.
    _draw(Path("images"))
    chosen = json.loads(run("select", *TARGET))
    found["distances"] = {one["name"]: one["distance"] for one in chosen["ranking"]}
    result = json.loads(run("transfer", *TARGET, *SHORT, "--output", "run"))
    found["source"] = result["source"]["name"]
    found["test_accuracy"] = result["network"]["test_accuracy"]
    image = next(Path("images").rglob("*.png"))
    run("predict", "--network", "run/network", "--images", str(image.parent), "--json", "--quiet")
    for format in ("onnx", "torch", "state_dict"):
        run("export", "run", "--format", format, "--output", f"as_{format}", "--json")
    for format in ("onnx", "torch"):
        subprocess.run([sys.executable, f"as_{format}/predict.py", image], check=True, capture_output=True)

    # A plain Lightning run, and the library.
    run("fit", *LIGHTNING)
    Path("program.py").write_text(PROGRAM)
    subprocess.run([sys.executable, "program.py"], check=True)
    return found


def _draw(folder: Path) -> None:
    """Sixty pictures of discs, squares and stripes."""
    import numpy as np
    from PIL import Image

    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:32, :32]
    for index in range(60):
        middle, size = generator.uniform(12, 20, 2), generator.uniform(5, 10)
        down, across = rows - middle[0], columns - middle[1]
        inside = {
            "disc": down**2 + across**2 < size**2,
            "square": np.maximum(abs(down), abs(across)) < size * 0.85,
            "stripes": np.sin(down * 12 / size) > 0,
        }
        for name, mask in inside.items():
            shade = np.where(mask[..., None], generator.uniform(0.6, 1, 3), generator.uniform(0, 0.4, 3))
            pixels = np.clip(255 * (shade + generator.normal(0, 0.05, shade.shape)), 0, 255).astype(np.uint8)
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2:])))
