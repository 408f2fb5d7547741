"""The commands that the README shows do what it says, in one folder and in its order, on images that cost nothing."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from supernet_tl.command_line.cli import main
from tests.supernet_tl.conftest import EMBEDDING, make_images, write_class_folders

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
COMMANDS = [line.partition("#")[0].strip() for line in README.splitlines() if line.startswith("supernet-tl ")]
SMALL = ["--epochs", "1", "--batch-size", "8"]
SIZES = ["--channels", "2", "--num-cells", "3", "--image-size", "8"]
EMBEDDED = [text for name, value in EMBEDDING.items() for text in (f"--{name.replace('_', '-')}", str(value))]
"""In the place of the defaults of settings that no command of the README gives."""
ELSEWHERE = {
    "openml:": "tests/data/album, against a server that speaks as OpenML does",
    "hf://": "tests/zoo_store/places, against a server that speaks as the Hub does",
}
"""What needs the network, and where it is tested."""


def _added(command: list[str]) -> list[str]:
    """Settings that make a command small."""
    verb, rest = command[1], command[2:]
    if verb == "leave-one-out":
        return ["--dry-run", "--quiet"]
    if verb in ("select", "distance", "embed"):
        return ["--embedder", EMBEDDING["embedder"], *(["--embed-size", "32"] if verb != "select" else [])]
    if verb == "pretrain":
        return [*SMALL, *SIZES, *EMBEDDED]
    if verb == "search":
        return [*SMALL, *SIZES, "--finetune-epochs", "1"]
    if verb == "transfer":
        return [*SMALL, "--finetune-epochs", "1", *([] if "starter" in rest else EMBEDDED)]
    return []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("readme")
    for seed, name in enumerate(("my_images", "birds", "plankton", "new_images")):
        write_class_folders(make_images(name, seed=seed), place / name)
    shutil.copytree(Path(__file__).parent.parent / "recipes", place / "recipes")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        yield place


def test_the_commands_of_the_readme_run(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before: set[Path] = set()
    for command in COMMANDS:
        given = shlex.split(command)
        elsewhere = [where for what, where in ELSEWHERE.items() if what in command]
        if elsewhere:
            assert (Path(__file__).parent.parent / elsewhere[0].partition(",")[0]).is_dir()
            continue
        assert main([*given[1:], *_added(given)]) == 0, f"{command}: {capfd.readouterr().err}"
        found = set(folder.rglob("*"))
        if given[1] in ("transfer", "pretrain", "search", "embed", "export") or "--output" in given[:-1]:
            assert found > before or given[1] == "leave-one-out", f"{command} leaves nothing"
        before = found
    assert (folder / "run/report.html").exists()
    assert (folder / "run/export/onnx/predict.py").exists()
