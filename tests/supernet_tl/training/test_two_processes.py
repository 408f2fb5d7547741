"""One search in two processes, by Lightning's DDP over gloo on the CPU."""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import darts

SCRIPT = Path(__file__).with_name("two_processes.py")
ROOT = Path(__file__).parents[3]
SEARCHES = (
    *("first order, random", "unrolled", "adversarial", "all in parts", "warm, head alone, then pulled"),
    *("drawn mixing weights", "weights of edges"),
)
PLACE_AMONG_PROCESSES = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "RANK", "WORLD_SIZE")
"""Names in the environment by which Lightning takes a process for one that others have started."""

Found = dict[str, Any]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Found, Found]:
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("two")
    ours = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    told = folder / "told.txt"
    outer = {name: value for name, value in os.environ.items() if name not in PLACE_AMONG_PROCESSES}
    with told.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", str(SCRIPT), str(folder), "2"],
            env={**outer, **ours},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        process.wait(timeout=600)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGABRT)  # each process tells where it is
        process.wait()
        time.sleep(2)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the second waits for a first that has failed
    assert process.returncode == 0, told.read_text()
    first, second = (json.loads((folder / f"{rank}.json").read_text()) for rank in range(2))
    return first, second


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What one process finds with batches twice as large."""
    folder = tmp_path_factory.mktemp("one")
    runpy.run_path(str(SCRIPT))["main"](folder, 1)
    values: Found = json.loads((folder / "0.json").read_text())
    return values


@pytest.mark.parametrize("search", SEARCHES)
def test_two_processes_search_as_one_with_batches_twice_as_large(
    search: str, found: tuple[Found, Found], alone: Found
) -> None:
    # Oracle: five steps an epoch in one process, float64, normalisations with fixed statistics, no augmentation.
    for name, values in alone[search]["parameters"].items():
        for rank in range(2):
            assert found[rank][search]["parameters"][name] == pytest.approx(values, rel=0, abs=1e-6), name
    for rank in range(2):
        assert found[rank][search]["metrics"] == pytest.approx(alone[search]["metrics"], rel=1e-6)
    assert {"train_loss", "arch_loss", "validation_loss"} <= set(alone[search]["metrics"])
    assert {"validation_accuracy", "validation_balanced_accuracy", "validation_macro_f1"} <= set(
        alone[search]["metrics"]
    )


def test_the_searches_that_were_compared_are_different_ones(alone: Found) -> None:
    ends = [torch.tensor(alone[search]["parameters"]["normal_alpha"]) for search in SEARCHES]
    moved = [torch.tensor(alone[search]["parameters"]["classifier.weight"]) for search in SEARCHES]
    for other in range(1, len(SEARCHES) - 1):  # the last one is of another width
        assert max((ends[0] - ends[other]).abs().max(), (moved[0] - moved[other]).abs().max()) > 1e-5


def test_alphas_genotype_statistics_and_record_are_one_and_augmentations_two(found: tuple[Found, Found]) -> None:
    first, second = (side["normal"] for side in found)
    for what in ("alphas", "genotype", "statistics", "rows", "noise seed"):
        assert first[what] == second[what], what
    assert first["augmentation seed"] != second["augmentation seed"]
    assert first["images"] != second["images"]
    assert (
        darts.Genotype.from_dict(first["genotype"]).count("skip_connect") == first["rows"][-1]["num_skip_connections"]
    )


def test_alphas_that_drift_apart_end_the_search_in_every_process(found: tuple[Found, Found]) -> None:
    for side in found:
        assert side["corrupted"]["error"] == "ProcessesDifferError"
        assert (
            "after epoch 2 the alphas in the processes of rank 1 differ from those of rank 0"
            in (side["corrupted"]["sentence"])
        )
