from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from supernet_tl.errors import EvaluationError
from supernet_tl.evaluating.executors.local import LocalExecutor
from tests.supernet_tl.evaluating.small_jobs import MODULE, ROOT, alive, drain, wait_until

LONG = 600.0


def _driver(folder: Path) -> subprocess.Popen[bytes]:
    """A process with two workers in the middle of long tasks, whose pids they write into the folder."""
    code = (
        "import sys\n"
        "from supernet_tl.evaluating.executors.local import LocalExecutor\n"
        f"with LocalExecutor('{MODULE}:write_pid', 2) as executor:\n"
        "    for key in 'ab':\n"
        f"        executor.submit(key, {{'path': sys.argv[1] + '/' + key, 'seconds': {LONG}}})\n"
        f"    executor.wait({LONG})\n"
    )
    # A session of its own, so that a signal to the whole group, as of Ctrl-C, does not reach the tests.
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL)


def _pids(folder: Path) -> list[int]:
    """Those of the two workers, once both are at work."""
    paths = [folder / "a", folder / "b"]
    wait_until(lambda: all(path.exists() and path.read_text() for path in paths))
    return [int(path.read_text()) for path in paths]


def test_tasks_are_done_several_at_a_time_by_workers_that_take_one_after_another(tmp_path: Path) -> None:
    with LocalExecutor(f"{MODULE}:write_pid", 2) as executor:
        for number in range(6):
            if number >= executor.capacity:
                drain(executor, 1)
            executor.submit(str(number), {"path": str(tmp_path / str(number)), "seconds": 0.5})
        drain(executor, 2)
        workers = {int(path.read_text()) for path in tmp_path.iterdir()}
    assert len(list(tmp_path.iterdir())) == 6
    assert len(workers) == 2
    assert os.getpid() not in workers
    assert not any(alive(pid) for pid in workers)


def test_an_exception_is_told_with_its_traceback_and_the_worker_goes_on() -> None:
    with LocalExecutor(f"{MODULE}:fail") as executor:
        for message in ("no such pixels", "nor these"):
            executor.submit("a", {"message": message})
            ended = drain(executor, 1)["a"]
            assert ended.error == f"RuntimeError: {message}"
            assert ended.traceback.rstrip().endswith(ended.error)
            assert "small_jobs.py" in ended.traceback
            assert not ended.lost


def test_a_task_may_start_processes_of_its_own(tmp_path: Path) -> None:
    with LocalExecutor(f"{MODULE}:write_pid_of_child") as executor:
        executor.submit("a", {"path": str(tmp_path / "a")})
        assert drain(executor, 1)["a"].error is None
    assert int((tmp_path / "a").read_text()) != os.getpid()


def test_a_module_that_cannot_be_imported_is_an_error_of_the_task() -> None:
    with LocalExecutor("supernet_tl.no_such_module:perform") as executor:
        executor.submit("a", {})
        ended = drain(executor, 1)["a"]
    assert ended.error == "ModuleNotFoundError: No module named 'supernet_tl.no_such_module'"
    assert not ended.lost


def test_a_killed_worker_costs_the_task_it_had_and_no_other(tmp_path: Path) -> None:
    with LocalExecutor(f"{MODULE}:write_pid", 2) as executor:
        executor.submit("a", {"path": str(tmp_path / "a"), "seconds": LONG})
        executor.submit("b", {"path": str(tmp_path / "b"), "seconds": 2.0})
        victim, _ = _pids(tmp_path)
        os.kill(victim, signal.SIGKILL)
        found = drain(executor, 2)
        assert found["a"].lost
        assert found["a"].error == "the worker process died (signal SIGKILL) in the middle of the job"
        assert found["b"].error is None
        executor.submit("c", {"path": str(tmp_path / "c"), "seconds": 0.0})
        executor.submit("d", {"path": str(tmp_path / "d"), "seconds": 0.0})
        assert {ended.error for ended in drain(executor, 2).values()} == {None}


def test_a_worker_that_dies_while_it_waits_costs_nothing(tmp_path: Path) -> None:
    with LocalExecutor(f"{MODULE}:write_pid") as executor:
        executor.submit("a", {"path": str(tmp_path / "a"), "seconds": 0.0})
        drain(executor, 1)
        victim = int((tmp_path / "a").read_text())
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: not alive(victim))
        executor.submit("b", {"path": str(tmp_path / "b"), "seconds": 0.0})
        assert drain(executor, 1)["b"].error is None


def test_a_function_that_ends_its_process_is_told_by_its_status() -> None:
    with LocalExecutor(f"{MODULE}:leave") as executor:
        executor.submit("a", {"status": 7})
        ended = drain(executor, 1)["a"]
    assert ended.lost
    assert ended.error == "the worker process died (exit status 7) in the middle of the job"


def test_workers_are_numbered_from_0_and_a_number_is_given_again_after_a_death(tmp_path: Path) -> None:
    with LocalExecutor(f"{MODULE}:write_number", 2) as executor:
        for key, dies in (("a", True), ("b", False)):
            executor.submit(key, {"path": str(tmp_path / key), "dies": dies})
        drain(executor, 2)
        for key in "cd":
            executor.submit(key, {"path": str(tmp_path / key), "dies": False})
        drain(executor, 2)
    assert {key: (tmp_path / key).read_text() for key in "ab"} == {"a": "0", "b": "1"}
    assert {(tmp_path / key).read_text() for key in "cd"} == {"0", "1"}
    assert "SUPERNET_TL_WORKER" not in os.environ


def test_workers_end_within_seconds_after_their_driver_is_killed(tmp_path: Path) -> None:
    driver = _driver(tmp_path)
    workers = _pids(tmp_path)
    driver.kill()
    driver.wait()
    wait_until(lambda: not any(alive(pid) for pid in workers), seconds=10.0)


def test_ctrl_c_ends_driver_and_workers(tmp_path: Path) -> None:
    driver = _driver(tmp_path)
    workers = _pids(tmp_path)
    time.sleep(0.2)
    os.killpg(driver.pid, signal.SIGINT)  # as a terminal does: all processes of the group get it
    assert driver.wait(timeout=30) != 0
    wait_until(lambda: not any(alive(pid) for pid in workers), seconds=10.0)


@pytest.mark.parametrize("num_workers", [0, -1])
def test_fewer_than_one_worker_are_refused(num_workers: int) -> None:
    with pytest.raises(EvaluationError, match=f"num_workers is {num_workers}; expected 1 or more"):
        LocalExecutor(f"{MODULE}:fail", num_workers)
