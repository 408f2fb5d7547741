from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOWER = ("darts", "ot_select", "zoo_store")
FORBIDDEN = {
    package: {"lightning", "pytorch_lightning", "supernet_tl", *(other for other in LOWER if other != package)}
    for package in LOWER
}


def _imported(package: str) -> set[str]:
    """Top-level names of every import statement in the package, wherever it stands."""
    found: set[str] = set()
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("package", LOWER)
def test_a_lower_package_imports_neither_its_siblings_nor_lightning(package: str) -> None:
    assert not _imported(package) & FORBIDDEN[package]


@pytest.mark.parametrize("package", LOWER)
def test_nor_does_using_any_of_its_names_load_them(package: str) -> None:
    code = (
        f"import sys, json, {package}; [getattr({package}, name) for name in {package}.__all__];"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    loaded = set(json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout))
    assert not loaded & FORBIDDEN[package]


def test_the_project_never_imports_the_published_otdd_or_pickle() -> None:
    for package in (*LOWER, "supernet_tl"):
        assert not _imported(package) & {"otdd", "geomloss", "pickle", "dill", "cloudpickle"}


def test_the_command_line_loads_nothing_heavy_before_a_verb_runs() -> None:
    code = (
        "import sys, json; from supernet_tl.command_line.verb_parsers import build_parser; build_parser();"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    loaded = set(json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout))
    assert not loaded & {"torch", "lightning", "ot", "timm", "matplotlib", "torchvision", "numpy", "scipy"}


def test_the_tables_of_an_evaluation_are_made_without_a_training_framework() -> None:
    code = (
        "import sys, json; import supernet_tl.evaluating.tables.summary, supernet_tl.evaluating.tables.files;"
        "import supernet_tl.evaluating.tables.markdown;"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    loaded = set(json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout))
    assert not loaded & {"torch", "lightning", "timm", "torchvision", "matplotlib"}


def test_a_zoo_is_listed_without_anything_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, json; from supernet_tl.command_line.cli import main;"
        "status = main(['zoo', 'list', sys.argv[1], '--json']);"
        "print(json.dumps([status, sorted({name.partition('.')[0] for name in sys.modules})]), file=sys.stderr)"
    )
    environment = os.environ | {"SUPERNET_TL_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", code, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, check=True, env=environment, text=True)
    status, loaded = json.loads(found.stderr.splitlines()[-1])
    assert status == 0
    assert json.loads(found.stdout) == {}
    assert not set(loaded) & {"torch", "numpy", "scipy", "fsspec", "huggingface_hub", "darts", "ot_select"}


def test_importing_the_package_loads_nothing_heavy_and_still_offers_its_names() -> None:
    code = "import sys, supernet_tl; print('torch' in sys.modules, sorted(supernet_tl.__all__)); supernet_tl.transfer"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert output.startswith("False ['Classifier'")
