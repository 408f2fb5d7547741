from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supernet_tl.errors import EvaluationError
from supernet_tl.evaluating.driver import Progress
from supernet_tl.evaluating.executors.ray_cluster import RayExecutor, _fit
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
SMALL: dict[str, Any] = {
    "object_store_memory": 80 * 2**20,
    "include_dashboard": False,
    "include_log_monitor": False,
    "no_monitor": True,
}


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
    """A head of two logical CPUs; a node that dies is noticed within seconds."""
    import ray
    from ray.cluster_utils import Cluster

    health = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
    head = {"num_cpus": 2, "_system_config": health, **SMALL}
    made: Any = Cluster()
    try:
        _add_node(made, **head)
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def _add_node(cluster: Any, **settings: Any) -> Any:
    """Start a node, again where a busy machine took longer than the half minute that Ray waits."""
    for _ in range(2):
        try:
            return cluster.add_node(**settings)
        except Exception as error:
            if "timed out" not in str(error):
                raise
    return cluster.add_node(**settings)


def test_a_task_is_done_or_its_exception_is_told_with_the_traceback(cluster: Any, tmp_path: Path) -> None:
    with RayExecutor(f"{MODULE}:fail", address=cluster.address) as executor:
        executor.submit("a", {"message": "no such pixels"})
        ended = drain(executor, 1)["a"]
    assert ended.error == "RuntimeError: no such pixels"
    assert ended.traceback.rstrip().endswith("RuntimeError: no such pixels")
    assert "small_jobs.py" in ended.traceback
    assert not ended.lost


def test_as_many_tasks_are_kept_as_the_nodes_have_room_for(cluster: Any) -> None:
    # Oracle: the head has two CPUs; on a cluster whose nodes have too few, one task waits for a node with more.
    for num_cpus, room in [(1.0, 2), (0.5, 4), (1.5, 1), (0.1, 20), (64.0, 1)]:
        with RayExecutor(PERFORM, address=cluster.address, num_cpus=num_cpus) as executor:
            assert executor.capacity == room
    with RayExecutor(PERFORM, address=cluster.address, num_cpus=0.5, max_running=3) as executor:
        assert executor.capacity == 3


def test_tasks_that_share_a_cpu_are_done_at_the_same_time(cluster: Any, tmp_path: Path) -> None:
    with RayExecutor(f"{MODULE}:write_pid", address=cluster.address, num_cpus=0.5) as executor:
        for key in "abcd":
            executor.submit(key, {"path": str(tmp_path / key), "seconds": 600.0})
        wait_until(lambda: len(list(tmp_path.iterdir())) == 4)


def test_nodes_come_and_go_in_the_middle_of_a_run_and_all_jobs_are_finished(cluster: Any, tmp_path: Path) -> None:
    outcomes = Outcomes(tmp_path / "outcomes")
    jobs = [make_job(number, seconds=1.0) for number in range(16)]
    jobs += [make_job(16, jobs[0], jobs[15])]
    node = _add_node(cluster, num_cpus=2, **SMALL)
    executor = RayExecutor(PERFORM, address=cluster.address)
    running: set[str] = set()
    seen: list[int] = []

    def kill_the_node(progress: Progress) -> None:
        seen.append(executor.capacity)
        if not running and 4 <= progress.done < 12:
            running.update(set(begun(tmp_path)) - outcomes.names())
            cluster.remove_node(node, allow_graceful=False)

    found = sit(jobs, tmp_path, executor, retries=0, progress=kill_the_node)
    assert running
    assert len(found.finished) == 17
    assert not found.failed
    # Oracle: two nodes of two CPUs, then one; what was begun twice ran when the node died.
    assert seen[0] == 4
    assert seen[-1] == 2
    again = {name for name, times in begun(tmp_path).items() if times > 1}
    assert again <= running
    assert set(begun(tmp_path).values()) <= {1, 2}
    assert outcomes.failures(again) == {}


def test_a_worker_that_is_killed_costs_its_job_alone(cluster: Any, tmp_path: Path) -> None:
    jobs = [make_job(0, does="dies once"), *(make_job(number) for number in range(1, 4))]
    said: list[str] = []
    found = sit(jobs, tmp_path, RayExecutor(PERFORM, address=cluster.address), retries=0, say=said.append)
    assert len(found.finished) == 4
    assert begun(tmp_path) == {job.name: 2 if job is jobs[0] else 1 for job in jobs}
    (line,) = said
    assert "the worker process or its node died in the middle of the job (WorkerCrashedError: " in line


def test_after_the_driver_is_killed_another_goes_on_and_only_what_ran_then_is_begun_again(
    cluster: Any, tmp_path: Path
) -> None:
    jobs, outcomes = many_jobs(), Outcomes(tmp_path / "outcomes")
    command = [sys.executable, "-m", MODULE, "ray", str(tmp_path), cluster.address]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as driver:
        wait_until(lambda: len(outcomes.names()) >= 3)
        driver.kill()
    workers = pids(tmp_path)
    wait_until(lambda: not any(alive(pid) for pid in workers))
    finished = outcomes.names()
    assert 3 <= len(finished) < 12
    running = set(begun(tmp_path)) - finished
    assert len(running) <= 2  # oracle: the driver kept two at a time
    found = sit(jobs, tmp_path, RayExecutor(PERFORM, address=cluster.address))
    assert set(found.finished) == {job.name for job in jobs} - finished
    assert begun(tmp_path) == {job.name: 2 if job.name in running else 1 for job in jobs}


def test_leaving_ends_what_runs_and_leaves_the_cluster(cluster: Any, tmp_path: Path) -> None:
    import ray

    with RayExecutor(f"{MODULE}:write_pid", address=cluster.address) as executor:
        executor.submit("a", {"path": str(tmp_path / "a"), "seconds": 600.0})
        wait_until(lambda: (tmp_path / "a").exists() and (tmp_path / "a").read_text())
        worker = int((tmp_path / "a").read_text())
    wait_until(lambda: not alive(worker))
    assert not ray.is_initialized()
    with RayExecutor(PERFORM, address=cluster.address) as executor:
        assert executor.capacity == 2


def test_a_connection_of_the_caller_is_used_and_kept(cluster: Any, tmp_path: Path) -> None:
    import ray

    ray.init(cluster.address, log_to_driver=False)
    try:
        sit([make_job(1)], tmp_path, RayExecutor(PERFORM))
        assert ray.is_initialized()
    finally:
        ray.shutdown()


def test_a_local_ray_without_room_for_a_task_is_refused_and_ended() -> None:
    import ray

    with (
        pytest.raises(EvaluationError, match=r"to have 4096 CPUs and 0 GPUs, and this machine's Ray has \d+ .*Ask for"),
        RayExecutor(PERFORM, address="local", num_cpus=4096),
    ):
        pass
    assert not ray.is_initialized()


def test_without_ray_the_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EvaluationError, match=r"pip install 'supernet-tl\[ray\]'"):
        RayExecutor(PERFORM).__enter__()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_cpus": -1.0}, r"-1.0 CPUs and 0.0 GPUs; expected numbers of 0 or more, not both 0"),
        ({"num_cpus": 0.0}, r"0.0 CPUs and 0.0 GPUs; expected numbers of 0 or more, not both 0"),
        ({"num_gpus": 1.5}, r"1.5 GPUs; expected a share of one, or a whole number"),
        ({"max_running": 0}, r"max_running is 0; expected 1 or more, or nothing"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        RayExecutor(PERFORM, **settings)


@pytest.mark.parametrize(
    ("resources", "num_cpus", "num_gpus", "room"),
    [
        ({"CPU": 8.0}, 1.0, 0.0, 8),
        ({"CPU": 8.0}, 1.0, 1.0, 0),
        ({"CPU": 8.0, "GPU": 2.0}, 1.0, 1.0, 2),
        ({"CPU": 8.0, "GPU": 2.0}, 1.0, 0.25, 8),
        ({"CPU": 8.0, "GPU": 2.0}, 0.0, 0.4, 4),  # two on each GPU: a task is not spread over two
        ({"CPU": 3.0, "GPU": 2.0}, 1.0, 0.5, 3),
        ({"CPU": 1.0}, 0.1, 0.0, 10),
    ],
)
def test_room_on_a_node_is_that_of_its_scarcest_resource(
    resources: dict[str, float], num_cpus: float, num_gpus: float, room: int
) -> None:
    assert _fit(resources, num_cpus, num_gpus) == room
