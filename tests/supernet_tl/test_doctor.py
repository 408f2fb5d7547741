from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
import torch

from supernet_tl import doctor
from supernet_tl.command_line.cli import main
from supernet_tl.doctor import Finding, examine
from supernet_tl.shipped_recipes import shipped_recipes

Found = Callable[[str], list[Finding]]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Found:
    """The findings about something; the recipes, which take seconds, are those of one only."""
    recipes = {name: one for name, one in shipped_recipes().items() if not name.startswith("hardware/gpu_4")}
    monkeypatch.setattr(doctor, "shipped_recipes", lambda: recipes)
    return lambda about: [finding for finding in examine() if finding.about == about]


def test_this_installation_is_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)
    about = {finding["about"] for finding in findings}
    assert about >= {"supernet-tl", "packages", "extras", "processor", "GPU", "embedder", "caches", "recipe"}
    assert all(finding["status"] != "problem" for finding in findings)
    (packages,) = [finding for finding in findings if finding["about"] == "packages"]
    assert packages["facts"]["torch"] == metadata.version("torch")


def test_a_missing_and_an_old_package_are_problems(
    found: Found, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = ["torch>=99", "no-such-package>=1", "numpy>=1.0", "moto>=5; extra == 'dev'"]
    monkeypatch.setattr(metadata, "requires", lambda name: needed)
    problems = [finding.sentence for finding in found("packages") if finding.status == "problem"]
    assert problems == [
        f"torch is {metadata.version('torch')}, and >=99 is needed; pip install 'torch>=99'",
        "no-such-package is missing; pip install 'no-such-package>=1'",
    ]
    assert main(["doctor"]) == 1
    told = capsys.readouterr()
    assert "2 problems found. packages: torch is" in told.err
    assert "no-such-package is missing" in " ".join(told.out.split())


def test_an_extra_of_which_a_package_is_missing_is_told(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = ["numpy", "no-such-package; extra == 'onnx'", "numpy; extra == 'ray'"]
    monkeypatch.setattr(metadata, "requires", lambda name: needed)
    (extras,) = found("extras")
    assert extras.status == "note"
    assert extras.facts["missing"]["onnx"] == ["no-such-package"]
    assert "not installed: onnx (exports to ONNX): pip install" in extras.sentence


def test_a_driver_without_a_gpu_that_pytorch_sees_is_a_problem(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    (gpu,) = found("GPU")
    assert gpu.status == "problem"
    assert "sees no GPU; install a PyTorch" in gpu.sentence


def test_caches_are_measured_and_a_full_disk_is_told(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERNET_TL_CACHE", str(tmp_path))
    (tmp_path / "pixels/deep").mkdir(parents=True)
    (tmp_path / "pixels/deep/file").write_bytes(b"x" * 1234)
    (caches,) = found("caches")
    assert caches.facts["bytes"] == {"embeddings": 0, "pixels": 1234, "datasets": 0, "zoos": 0}
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10**6))
    (caches,) = found("caches")
    assert caches.status == "note"
    assert "which is little" in caches.sentence


def test_recipes_for_machines_are_held_against_this_one(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    by_name = {finding.facts["recipe"]: finding for finding in found("recipe")}
    assert by_name["hardware/laptop_cpu"].facts["fits"]
    assert not by_name["hardware/gpu_80gb"].facts["fits"]
    monkeypatch.setattr(doctor, "_largest_device", lambda: (80 * 10**9, "cuda:0"))
    by_name = {finding.facts["recipe"]: finding for finding in found("recipe")}
    assert by_name["hardware/gpu_80gb"].facts["fits"]
    assert "fits cuda:0: a search step takes about 36.5 GB (estimated)" in by_name["hardware/gpu_80gb"].sentence
    monkeypatch.setattr(doctor, "_largest_device", lambda: (40 * 10**9, "cuda:0"))
    by_name = {finding.facts["recipe"]: finding for finding in found("recipe")}
    assert not by_name["hardware/gpu_80gb"].facts["fits"]


def test_a_checkout_that_is_not_installed_is_told(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    monkeypatch.setattr(metadata, "requires", missing)
    (own,) = found("supernet-tl")
    assert own.status == "problem"
    assert "not installed; pip install -e ." in own.sentence
