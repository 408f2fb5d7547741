import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What processes of each kind report; one program for all, for its imports take the most time."""
    command = [
        sys.executable,
        "-m",
        "tests.ot_select.embedding.embedding_processes",
        str(tmp_path_factory.mktemp("processes")),
    ]
    finished = subprocess.run(
        command, cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=180, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return dict(json.loads(finished.stdout))


def test_embedding_goes_on_after_kill_9_where_it_was(outcomes: dict[str, Any]) -> None:
    outcome = outcomes["killed"]
    assert outcome["killed"]
    first, calls = outcome["calls"][0], outcome["calls"]
    # of the nine images done, the last second's may be lost: four, and the one that was under way
    assert outcome["done"] == 9
    assert 5 <= first <= 11
    assert calls == list(range(first, 13))
    assert outcome["same"]


def test_processes_that_embed_at_once_disturb_each_other_in_nothing(outcomes: dict[str, Any]) -> None:
    assert outcomes["together"] == {"statuses": [0, 0, 0], "calls": [12], "same": True}


def test_no_row_that_was_written_is_lost_when_writers_are_killed(outcomes: dict[str, Any]) -> None:
    assert outcomes["writing"]["reported"] >= 12
    assert outcomes["writing"]["lost"] == 0
