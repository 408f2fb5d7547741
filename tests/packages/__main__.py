"""``python -m tests.packages``: build wheel and sdist, and use them with the lowest and the newest versions allowed.

The wheel is built from the sdist. Environments are made by uv, in a temporary folder, with the extras ``demo`` and
``onnx``; what is done in them is :mod:`tests.packages.use`. The outcome is kept with its date and told in
``docs/versions.md``.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from supernet_tl.files import write_whole
from tests.packages.page import KEPT, PAGE, versions_page
from tests.packages.required import EXTRAS, ROOT, requirements

RESOLUTIONS = {"lowest": "lowest-direct", "newest": "highest"}
ROUNDING = 1e-4
"""Relative differences of distances that float32 embeddings of other versions of PyTorch may make."""
PARTS = ("supernet_tl", "darts", "ot_select", "zoo_store")


def main() -> None:
    """Build, check, use, and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=tuple(RESOLUTIONS), help="one of the two, and write nothing down")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        wheel, sdist = _build(place / "dist")
        found: dict[str, Any] = {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "wheel_bytes": wheel.stat().st_size,
            "sdist_bytes": sdist.stat().st_size,
            "environments": {},
        }
        for name in [options.only] if options.only else RESOLUTIONS:
            print(f"{name} versions...", file=sys.stderr, flush=True)
            found["environments"][name] = _used(place / name, wheel, RESOLUTIONS[name])
    print(json.dumps(found, indent=2))
    if options.only is None:
        _refuse_differences(found["environments"])
        write_whole(KEPT, (json.dumps(found, indent=2) + "\n").encode())
        write_whole(PAGE, versions_page(found).encode())


def _refuse_differences(environments: Mapping[str, Mapping[str, Any]]) -> None:
    """End where a source or a distance depends on the versions by more than rounding."""
    lowest, newest = environments.values()
    if lowest["source"] != newest["source"] or lowest["distances"].keys() != newest["distances"].keys():
        sys.exit(f"the sources differ: {lowest['source']} with the lowest versions, {newest['source']} with the newest")
    for source, distance in newest["distances"].items():
        if not math.isclose(lowest["distances"][source], distance, rel_tol=ROUNDING):
            sys.exit(f"{source}: distance {lowest['distances'][source]} with the lowest versions, {distance} now")


def _build(folder: Path) -> tuple[Path, Path]:
    """The wheel and the sdist that it was built from, with what belongs into them and nothing else."""
    _run("uv", "build", "--quiet", "--out-dir", str(folder), str(ROOT))
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        files = set(archive.namelist())
    for part in PARTS:
        assert f"{part}/py.typed" in files, f"the wheel lacks {part}/py.typed"
    tracked = _run("git", "-C", str(ROOT), "ls-files").splitlines()
    expected = {path for path in tracked if PurePosixPath(path).parts[0] in PARTS}
    expected |= {f"supernet_tl/{path}" for path in tracked if path.startswith("recipes/")}
    assert not expected - files, f"the wheel lacks {sorted(expected - files)[:9]}"
    others = {path for path in files - expected if ".dist-info/" not in path}
    assert not others, f"the wheel holds {sorted(others)[:9]}, which git does not track"
    with tarfile.open(sdist) as archive:
        held = {str(PurePosixPath(*PurePosixPath(name).parts[1:])) for name in archive.getnames()}
    assert not (missing := set(tracked) - held), f"the sdist lacks {sorted(missing)[:9]}"
    return wheel, sdist


def _used(folder: Path, wheel: Path, resolution: str) -> dict[str, Any]:
    """What use of the wheel in a new environment found."""
    python = folder / "environment/bin/python"
    _run("uv", "venv", "--quiet", "--python", sys.executable, str(folder / "environment"))
    install = ("uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python))
    extras = [f"--extra={extra}" for extra in EXTRAS]
    _run(*install, "--resolution", resolution, "-r", str(ROOT / "pyproject.toml"), *extras)
    _run(*install, "--no-deps", str(wheel))
    (folder / "work").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [
            python,
            Path(__file__).with_name("use.py"),
            python.with_name("supernet-tl"),
            *(one.name for one in requirements()),
        ],
        cwd=folder / "work",
        env={**environment, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"with {resolution} versions: exit {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _run(program: str, *arguments: str) -> str:
    """What a program printed; uv is the one beside this Python."""
    beside = Path(sys.executable).with_name(program)
    done = subprocess.run(
        [beside if beside.exists() else program, *arguments], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{program} {' '.join(arguments)}: exit {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()
