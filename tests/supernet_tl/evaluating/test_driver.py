from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from supernet_tl.evaluating.driver import Progress
from supernet_tl.evaluating.executors.local import LocalExecutor
from supernet_tl.evaluating.outcomes import Outcomes
from tests.supernet_tl.evaluating.small_jobs import (
    MODULE,
    ROOT,
    alive,
    begun,
    make_job,
    many_jobs,
    pids,
    sit,
    wait_until,
)


def _local(num_workers: int = 2) -> LocalExecutor:
    return LocalExecutor(f"{MODULE}:perform", num_workers)


def test_each_job_is_done_once_after_those_it_needs(tmp_path: Path) -> None:
    first, second = make_job(1, seconds=0.3), make_job(2)
    middle = make_job(3, first, second)
    last = make_job(4, middle)
    found = sit([first, second, middle, last], tmp_path, _local())
    # Oracle: a small job raises when one that it needs has no outcome yet.
    assert set(found.finished) == {first.name, second.name, middle.name, last.name}
    assert found.finished[2:] == (middle.name, last.name)
    assert not found.failed
    assert not found.blocked
    assert set(begun(tmp_path).values()) == {1}


def test_what_is_finished_is_not_done_again_and_new_jobs_are_added_to_it(tmp_path: Path) -> None:
    jobs = [make_job(number) for number in range(3)]
    sit(jobs, tmp_path, _local())
    more = make_job(9, jobs[0], jobs[2])
    found = sit([*jobs, more], tmp_path, _local())
    assert found.finished == (more.name,)
    assert sit([*jobs, more], tmp_path, _local()).finished == ()
    assert begun(tmp_path) == {job.name: 1 for job in [*jobs, more]}


def test_a_job_that_always_fails_is_tried_as_often_as_asked_and_what_needs_it_is_blocked(tmp_path: Path) -> None:
    bad, good = make_job(1, does="fails"), make_job(2)
    blocked = make_job(3, bad, good)
    later = make_job(4, blocked)
    said: list[str] = []
    found = sit([bad, good, blocked, later], tmp_path, _local(), retries=2, say=said.append)
    assert begun(tmp_path) == {bad.name: 3, good.name: 1}
    assert found.finished == (good.name,)
    assert found.failed == {bad.name: "RuntimeError: job 1 was told to fail"}
    assert found.blocked == {blocked.name: bad.name, later.name: bad.name}
    assert [line.rpartition("; ")[2] for line in said] == ["trying again", "trying again", "given up for now"]
    failure = Outcomes(tmp_path / "outcomes").failure(bad.name)
    assert failure is not None
    assert len(failure.attempts) == 3
    for attempt in failure.attempts:
        assert attempt["error"] == "RuntimeError: job 1 was told to fail"
        assert "small_jobs.py" in attempt["traceback"]
        assert attempt["lost"] is False
    assert (tmp_path / "outcomes" / f"{bad.name}.failed.json").exists()


def test_a_later_sitting_tries_what_was_given_up_again(tmp_path: Path) -> None:
    job = make_job(1, does="fails once")
    later = make_job(2, job)
    first = sit([job, later], tmp_path, _local(), retries=0)
    assert set(first.failed) == {job.name}
    second = sit([job, later], tmp_path, _local(), retries=0)
    assert second.finished == (job.name, later.name)


def test_a_job_that_fails_once_leaves_an_outcome_and_no_failure(tmp_path: Path) -> None:
    job = make_job(1, does="fails once")
    found = sit([job], tmp_path, _local())
    assert found.finished == (job.name,)
    assert begun(tmp_path)[job.name] == 2
    assert [path.name for path in (tmp_path / "outcomes").iterdir()] == [f"{job.name}.json"]


def test_a_worker_that_is_killed_costs_its_job_an_attempt_that_is_not_counted(tmp_path: Path) -> None:
    job, *others = make_job(0, does="dies once"), *(make_job(number, seconds=0.1) for number in range(1, 6))
    said: list[str] = []
    found = sit([job, *others], tmp_path, _local(), retries=0, say=said.append)
    assert len(found.finished) == 6
    assert begun(tmp_path) == {job.name: 2} | {other.name: 1 for other in others}
    (line,) = said
    assert "signal SIGKILL" in line
    assert line.endswith("trying again")


def test_a_worker_that_dies_right_after_its_outcome_has_done_its_job(tmp_path: Path) -> None:
    job = make_job(1, does="works and dies")
    said: list[str] = []
    assert sit([job], tmp_path, _local(), say=said.append).finished == (job.name,)
    assert begun(tmp_path)[job.name] == 1
    assert said == []
    assert [path.name for path in (tmp_path / "outcomes").iterdir()] == [f"{job.name}.json"]


def test_a_job_under_which_every_worker_dies_is_given_up_in_the_end(tmp_path: Path) -> None:
    job, other = make_job(1, does="dies"), make_job(2)
    found = sit([job, other], tmp_path, _local(), retries=0)
    assert begun(tmp_path) == {job.name: 6, other.name: 1}  # oracle: once, and five times more
    assert "died (signal SIGKILL)" in found.failed[job.name]
    assert found.finished == (other.name,)


def test_after_the_driver_is_killed_another_goes_on_and_only_what_ran_then_is_begun_again(tmp_path: Path) -> None:
    jobs, outcomes = many_jobs(), Outcomes(tmp_path / "outcomes")
    command = [sys.executable, "-m", MODULE, "local", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as driver:
        wait_until(lambda: len(outcomes.names()) >= 4)
        driver.kill()
    workers = pids(tmp_path)
    wait_until(lambda: not any(alive(pid) for pid in workers), seconds=10.0)
    finished = outcomes.names()
    assert 4 <= len(finished) < 12
    running = set(begun(tmp_path)) - finished
    assert len(running) <= 2  # oracle: there are two workers
    found = sit(jobs, tmp_path, _local())
    assert set(found.finished) == {job.name for job in jobs} - finished
    assert begun(tmp_path) == {job.name: 2 if job.name in running else 1 for job in jobs}


def test_sigterm_ends_the_driver_and_its_workers(tmp_path: Path) -> None:
    command = [sys.executable, "-m", MODULE, "local", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as driver:
        wait_until(lambda: len(begun(tmp_path)) >= 2)
        driver.send_signal(signal.SIGTERM)
        assert driver.wait(timeout=30) != 0
    assert not any(alive(pid) for pid in pids(tmp_path))


def test_progress_counts_earlier_sittings_failures_and_what_runs(tmp_path: Path) -> None:
    good, bad = make_job(1), make_job(2, does="fails")
    sit([good], tmp_path, _local())
    seen: list[Progress] = []
    sit([good, bad, make_job(3), make_job(4, bad)], tmp_path, _local(), retries=0, progress=seen.append)
    assert seen[0] == Progress(done=1, total=4, failed=0, running=0)
    assert seen[-1] == Progress(done=2, total=4, failed=1, running=0)
    assert max(one.running for one in seen) <= 2


def test_a_driver_may_be_a_thread_whose_signals_are_others_to_handle(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    job = make_job(1)
    thread = threading.Thread(target=sit, args=([job], tmp_path, _local()))
    thread.start()
    thread.join()
    assert job.name in Outcomes(tmp_path / "outcomes")
    assert signal.getsignal(signal.SIGTERM) is before
    assert os.getpid() not in pids(tmp_path)
