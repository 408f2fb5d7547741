"""The package can neither unpickle nor reach into its neighbours, and old entries stay readable."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import zoo_store
from zoo_store import Zoo

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


def test_entries_stored_by_earlier_releases_are_read(tmp_path: Path) -> None:
    # Oracle: a zoo of one entry as format 1 wrote it; in an archive, since formatters would improve its files.
    with zipfile.ZipFile(Path(__file__).with_name("zoo_of_format_1.zip")) as archive:
        archive.extractall(tmp_path)
    zoo = Zoo(tmp_path)

    assert zoo.verify() == []
    (entry_id,) = zoo
    entry = zoo.get(entry_id)
    assert entry.card["name"] == "An entry of format 1"
    assert entry.state["stem.weight"].tolist() == [[0.5, -0.25], [2.0, 0.0]]
    assert entry.sketch["labels"].tolist() == [0, 1, 1]
