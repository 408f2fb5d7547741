"""The package can neither unpickle nor reach into its neighbours."""

import ast
import subprocess
import sys
from pathlib import Path

import zoo_store

PACKAGE = Path(zoo_store.__file__).parent
FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
NEIGHBOURS = {"darts", "ot_select", "supernet_tl", "lightning"}
LOADERS_THAT_UNPICKLE = {("torch", "load"), ("torch", "save"), ("np", "load"), ("numpy", "load")}


def test_no_module_can_read_a_pickle_or_imports_a_neighbour() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 10
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names: set[str] = set()
            if isinstance(node, ast.Import):
                names = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").split(".")[0]}
            assert not names & (FORBIDDEN | NEIGHBOURS), file
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) not in LOADERS_THAT_UNPICKLE, file


def test_importing_the_package_loads_no_neighbour_and_nothing_heavy() -> None:
    # Oracle: a fresh interpreter's own list of what it has loaded.
    program = "import sys, zoo_store; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert "zoo_store" in loaded
    heavy = {"torch", "numpy", "ot", "timm", "jinja2", "matplotlib", "sklearn", "skimage", "fsspec", "sqlite3"}
    assert not set(loaded) & (NEIGHBOURS | heavy)
