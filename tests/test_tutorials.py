"""What `docs/tutorials` and `docs/paper-to-code.md` show runs, and is there."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import darts
from tests.supernet_tl.conftest import make_images, write_class_folders

ROOT = Path(__file__).parent.parent
TUTORIAL_OF_SLURM = ROOT / "docs/tutorials/leave_one_out_on_a_cluster.slurm"
TUTORIALS = sorted((ROOT / "docs/tutorials").glob("*.py"))


def _tutorial(name: str) -> ModuleType:
    spec = spec_from_file_location(name, ROOT / f"docs/tutorials/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_tutorial_is_tested_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert TUTORIALS
    for path in TUTORIALS:
        assert f'_tutorial("{path.stem}")' in text
        assert f"python docs/tutorials/{path.name}" in path.read_text(encoding="utf-8")


def test_own_images_become_a_network_that_runs_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = make_images("stripes", seed=3, per_class=12, size=24)
    write_class_folders(images, tmp_path / "images")
    folder = _tutorial("own_images").main(str(tmp_path / "images"), str(tmp_path / "run"), epochs=1, finetune_epochs=1)
    assert "test accuracy" in capsys.readouterr().out
    image = next((tmp_path / "images").rglob("*.png"))
    found = subprocess.run([sys.executable, folder / "predict.py", image], check=True, capture_output=True, text=True)
    assert found.stdout.split("\t")[1] in images.class_names


def test_a_supernet_is_warm_started_in_plain_pytorch(capsys: pytest.CaptureFixture[str]) -> None:
    accuracy = _tutorial("warm_start_in_pytorch").main(num_steps=12)
    assert "new: classifier.weight, classifier.bias" in capsys.readouterr().out
    assert accuracy > 0.6  # of three classes


def test_a_search_space_of_ones_own_is_searched() -> None:
    genotype: darts.Genotype = _tutorial("add_a_search_space").main()
    ops = {name for name, _ in (*genotype.normal, *genotype.reduction)}
    assert ops <= {"skip_connect", "max_pool_3x3", "sep_conv_3x3"}


def _named_in_the_code(page: Path) -> list[str]:
    return re.findall(r"`((?:darts|ot_select|zoo_store|supernet_tl)(?:\.\w+)+)", page.read_text(encoding="utf-8"))


def test_what_the_paper_says_is_found_in_the_code() -> None:
    names = _named_in_the_code(ROOT / "docs/paper-to-code.md")
    assert len(names) > 25
    for name in names:
        _look_up(name)


def _look_up(name: str) -> Any:
    """A module, or what stands in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise AssertionError(f"there is no {name}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


_SCONTROL = """#!/bin/sh
echo 127.0.0.1
echo localhost
"""
_SRUN = """#!/bin/sh
echo "$@" >> "$CALLS_OF_SRUN"
while [ "${1#--}" != "$1" ]; do shift; done
exec "$@"
"""


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[Callable[..., tuple[int, str]]]:
    """Submits the script for SLURM, and gives its exit status and what it and its steps said.

    What ``srun`` would start on a node is started here; two nodes have one CPU each.
    """
    bash = shutil.which("bash") or "bash"
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in {"scontrol": _SCONTROL, "srun": _SRUN}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="r") as short:  # for the paths of Ray's sockets
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
            **{"HOME": short, "TMPDIR": short, "RAY_TMPDIR": short, "CALLS_OF_SRUN": str(tmp_path / "calls")},
            **{"SLURM_JOB_NODELIST": "two", "SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "1"},
            **{"GPUS_PER_JOB": "0", "CPUS_PER_JOB": "1", "RAY_PORT": str(_free_port())},
            **{"RAY_USAGE_STATS_ENABLED": "0", "RAY_object_store_memory": str(80 * 2**20)},
            "PATH": os.pathsep.join((str(programs), str(Path(sys.executable).parent), os.environ["PATH"])),
        }

        def submit(*arguments: str | Path, **changes: str) -> tuple[int, str]:
            done = subprocess.run(
                [bash, TUTORIAL_OF_SLURM, *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=400,
                env={**environment, **changes},
            )
            return done.returncode, done.stdout

        yield submit


def test_the_script_for_slurm_evaluates_on_a_ray_cluster_of_two_nodes(
    slurm: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    recipe = yaml.safe_load((ROOT / "recipes/leave_one_out/tiny.yaml").read_text(encoding="utf-8"))
    recipe |= {"targets": ["pocket:textures"], "arms": []}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    status, said = slurm(tmp_path / "recipe.yaml", tmp_path / "loo")
    assert status == 0, said[-5000:]
    assert said.count("Ray runtime started") == 2
    assert json.loads((tmp_path / "loo/summary.json").read_text())["progress"]["missing"] == []
    assert (tmp_path / "loo/report.html").exists()
    head, other = (tmp_path / "calls").read_text().splitlines()
    assert "--overlap" in head
    assert "--nodelist=127.0.0.1 ray start --head" in head
    assert "--nodelist=localhost ray start --address=127.0.0.1:" in other


def test_the_script_for_slurm_says_what_is_missing(slurm: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    status, said = slurm("recipe.yaml", "loo", PATH=str(tmp_path / "programs"))
    assert (status, "there is no ray here: activate the environment" in said) == (1, True)


def test_the_script_for_slurm_ends_where_the_head_of_the_cluster_does(
    slurm: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    ray = tmp_path / "programs/ray"
    ray.write_text("#!/bin/sh\necho the port is in use\nexit 1\n")
    ray.chmod(0o755)
    status, said = slurm("recipe.yaml", "loo")
    assert status == 1
    assert "the port is in use" in said
    assert "the head of the Ray cluster does not answer at 127.0.0.1:" in said
