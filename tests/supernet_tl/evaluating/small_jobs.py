"""Jobs that cost nothing, for tests of executors and driver: `python -m ...small_jobs local|ray FOLDER [ADDRESS]`."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from supernet_tl.evaluating.driver import Sitting, run_jobs
from supernet_tl.evaluating.executors.local import LocalExecutor
from supernet_tl.evaluating.executors.protocol import Ended, Executor
from supernet_tl.evaluating.executors.ray_cluster import RayExecutor
from supernet_tl.evaluating.job import Job
from supernet_tl.evaluating.outcomes import Outcomes

MODULE = "tests.supernet_tl.evaluating.small_jobs"
ROOT = Path(__file__).parents[3]


def make_job(number: int, *needs: Job, seconds: float = 0.0, does: str = "works") -> Job:
    """A job that ``works``, ``fails``, ``fails once``, ``dies`` or ``dies once`` after so many seconds.

    One that ``works and dies`` takes its worker with it after its outcome is there.
    """
    spec = {"number": number, "seconds": seconds, "does": does}
    return Job("run", spec, {"target": str(number)}, tuple(job.name for job in needs))


def perform(payload: Mapping[str, Any]) -> None:
    """What an evaluation's worker does: nothing for a finished job, else the work, and its outcome at the end."""
    job, folder = Job.from_dict(payload["job"]), Path(payload["folder"])
    outcomes = Outcomes(folder / "outcomes")
    if job.name in outcomes.names():
        return
    missing = [need for need in job.needs if need not in outcomes.names()]
    if missing:
        raise AssertionError(f"{job.name} began before {missing} were finished")
    first = job.name not in begun(folder)
    (folder / "begun").mkdir(exist_ok=True)
    (folder / "begun" / f"{job.name}.{uuid.uuid4().hex}").write_text(str(os.getpid()))
    time.sleep(job.spec["seconds"])
    does = job.spec["does"]
    if does == "fails" or (does == "fails once" and first):
        raise RuntimeError(f"job {job.spec['number']} was told to fail")
    if does == "dies" or (does == "dies once" and first):
        os.kill(os.getpid(), signal.SIGKILL)
    outcomes.put(job, {"result": job.spec["number"]})
    if does == "works and dies":
        os.kill(os.getpid(), signal.SIGKILL)


def begun(folder: Path) -> Counter[str]:
    """How often each job was begun."""
    there = (folder / "begun").iterdir() if (folder / "begun").is_dir() else ()
    return Counter(path.stem for path in there)


def pids(folder: Path) -> set[int]:
    """The processes that jobs were begun in."""
    return {int(text) for path in (folder / "begun").glob("*") if (text := path.read_text())}


def sit(jobs: Sequence[Job], folder: Path, executor: Executor, **settings: Any) -> Sitting:
    """Have the jobs done, with all they leave in the folder."""

    def payload(job: Job) -> dict[str, Any]:
        return {"job": job.to_dict(), "folder": str(folder)}

    return run_jobs(jobs, Outcomes(folder / "outcomes"), executor, payload, **settings)


def many_jobs() -> list[Job]:
    """Twelve of a third of a second, the last three after others."""
    jobs = [make_job(number, seconds=0.3) for number in range(9)]
    return [*jobs, *(make_job(9 + number, jobs[number], jobs[8], seconds=0.3) for number in range(3))]


def write_pid(payload: Mapping[str, Any]) -> None:
    """Tell who does it in a file, and work for a while."""
    Path(payload["path"]).write_text(str(os.getpid()))
    time.sleep(payload["seconds"])


def write_number(payload: Mapping[str, Any]) -> None:
    """Tell the worker's number in a file, and let the other one have its turn; dies then if told to."""
    Path(payload["path"]).write_text(os.environ["SUPERNET_TL_WORKER"])
    time.sleep(0.5)
    if payload["dies"]:
        os.kill(os.getpid(), signal.SIGKILL)


def write_pid_of_child(payload: Mapping[str, Any]) -> None:
    """Have a process of its own tell who it is, as loaders of batches do."""
    child = multiprocessing.get_context("spawn").Process(target=write_pid, args=({**payload, "seconds": 0.0},))
    child.start()
    child.join()


def fail(payload: Mapping[str, Any]) -> None:
    """Raise what the payload says."""
    raise RuntimeError(payload["message"])


def leave(payload: Mapping[str, Any]) -> None:
    """End the process as no function should."""
    os._exit(payload["status"])


def drain(executor: Executor, num_tasks: int, seconds: float = 60.0) -> dict[str, Ended]:
    """Wait until so many tasks ended."""
    found: dict[str, Ended] = {}
    until = time.monotonic() + seconds
    while len(found) < num_tasks:
        found |= {ended.key: ended for ended in executor.wait(1.0)}
        assert time.monotonic() < until, f"only {sorted(found)} ended in {seconds} s"
    return found


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something to become true."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"it did not come true in {seconds} s"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits for its parent to look does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        num_threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX" or num_threads > 1  # the first thread of a killed process may be gone before the others


def main(arguments: Sequence[str]) -> None:
    """One sitting over :func:`many_jobs`, to be killed."""
    kind, folder, *address = arguments
    function = f"{MODULE}:perform"
    executor: Executor = (
        LocalExecutor(function, 2) if kind == "local" else RayExecutor(function, address=address[0], max_running=2)
    )
    sit(many_jobs(), Path(folder), executor)


if __name__ == "__main__":
    main(sys.argv[1:])
