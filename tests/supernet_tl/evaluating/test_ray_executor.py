from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supernet_tl.errors import EvaluationError
from supernet_tl.evaluating.executors.ray_cluster import RayExecutor
from supernet_tl.evaluating.outcomes import Outcomes
from tests.supernet_tl.evaluating.small_jobs import (
    MODULE,
    ROOT,
    alive,
    begun,
    drain,
    make_job,
    many_jobs,
    pids,
    sit,
    wait_until,
)

pytest.importorskip("ray")
pytestmark = [
    # Ray leaves pipes and log files of the processes it started to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
]

PERFORM = f"{MODULE}:perform"
SMALL: dict[str, Any] = {"object_store_memory": 80 * 2**20, "include_dashboard": False}


@pytest.fixture(scope="module", autouse=True)
def _surroundings() -> Iterator[None]:
    """Ray's files under a short path, for its sockets; the tests' modules where its workers find them."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(dir="/tmp", prefix="r") as folder:
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        yield


@pytest.fixture(scope="module")
def cluster(_surroundings: None) -> Iterator[Any]:
    """Two nodes of two logical CPUs each; a dead node is noticed within seconds."""
    import ray
    from ray.cluster_utils import Cluster

    health = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "_system_config": health, **SMALL})
    made.add_node(num_cpus=2, **SMALL)
    yield made
    ray.shutdown()
    made.shutdown()


def test_a_task_is_done_or_its_exception_is_told_with_the_traceback(cluster: Any, tmp_path: Path) -> None:
    with RayExecutor(f"{MODULE}:fail", address=cluster.address) as executor:
        executor.submit("a", {"message": "no such pixels"})
        ended = drain(executor, 1)["a"]
    assert ended.error == "RuntimeError: no such pixels"
    assert ended.traceback.rstrip().endswith("RuntimeError: no such pixels")
    assert "small_jobs.py" in ended.traceback
    assert not ended.lost


def test_as_many_tasks_are_kept_as_the_nodes_have_room_for(cluster: Any) -> None:
    # Oracle: two nodes of two CPUs; a task of one and a half fits once on each, one of half a CPU four times.
    for num_cpus, room in [(1.0, 4), (0.5, 8), (1.5, 2), (0.1, 40), (64.0, 1)]:
        with RayExecutor(PERFORM, address=cluster.address, num_cpus=num_cpus) as executor:
            assert executor.capacity == room
    with RayExecutor(PERFORM, address=cluster.address, num_cpus=0.5, max_running=3) as executor:
        assert executor.capacity == 3
