"""Have the jobs of a plan done: what is finished is not done again, what fails is tried again and put on record."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from supernet_tl.evaluating.executors.protocol import Ended, Executor
from supernet_tl.evaluating.job import Job
from supernet_tl.evaluating.outcomes import Outcomes

_POLL = 1.0
_MAX_LOST = 5


@dataclass(frozen=True)
class Progress:
    """Where an evaluation stands.

    Attributes:
        done: jobs that are finished, those of earlier sittings included.
        total: jobs of the plan.
        failed: jobs that were given up in this sitting.
        running: jobs that are being done.
    """

    done: int
    total: int
    failed: int
    running: int


@dataclass(frozen=True)
class Sitting:
    """What one call of :func:`run_jobs` came to.

    Attributes:
        finished: names of the jobs that were finished in it.
        failed: by name, the last error of those that were given up.
        blocked: by name, the jobs that wait for one that failed, with that one's name.
    """

    finished: tuple[str, ...]
    failed: Mapping[str, str]
    blocked: Mapping[str, str]


def run_jobs(
    jobs: Iterable[Job],
    outcomes: Outcomes,
    executor: Executor,
    payload: Callable[[Job], Mapping[str, Any]],
    *,
    retries: int = 1,
    say: Callable[[str], None] = lambda _: None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Sitting:
    """Have all jobs done that are not finished, each after those it needs.

    Args:
        jobs: of the plan, each after those it needs.
        outcomes: where workers leave what they found.
        executor: does the jobs; entered and left here.
        payload: what an executor is given for a job.
        retries: how often a job that failed is tried again in this sitting. One whose worker or node died under it is
            tried again up to five times beside that.
        say: is told of failures.
        progress: is called after each change.
    """
    listed = list(jobs)
    done = outcomes.names()
    state = _State({job.name: job for job in listed if job.name not in done}, done)
    finished: list[str] = []
    tries: dict[str, int] = {}
    lost: dict[str, int] = {}

    def tell() -> None:
        num_done = len(listed) - len(state.waiting) - len(state.ready) - len(state.running) - len(state.failed)
        progress(Progress(num_done, len(listed), len(state.failed), len(state.running)))

    with executor, _stopped_by_signals():
        tell()
        while state.ready or state.running:
            while state.ready and len(state.running) < executor.capacity:
                job = state.begin()
                executor.submit(job.name, payload(job))
                tell()
            for ended in executor.wait(_POLL):
                if ended.error is None or (ended.lost and ended.key in outcomes):  # some die after they are done
                    state.finish(ended.key)
                    finished.append(ended.key)
                    tell()
                    continue
                job = state.running[ended.key]
                outcomes.put_failure(job.name, _attempt(ended))
                counter, limit = (lost, _MAX_LOST) if ended.lost else (tries, retries)
                counter[job.name] = counter.get(job.name, 0) + 1
                again = counter[job.name] <= limit
                say(f"{job}: {ended.error}{'; trying again' if again else '; given up for now'}")
                if again:
                    state.give_back(ended.key)
                else:
                    state.fail(ended.key, ended.error)
                tell()
    return Sitting(tuple(finished), dict(state.failed), state.blocked())


class _State:
    """Which jobs wait for others, can begin, run, or cannot be done."""

    def __init__(self, jobs: Mapping[str, Job], done: set[str]) -> None:
        self.jobs = jobs
        self.missing = {name: {need for need in job.needs if need not in done} for name, job in jobs.items()}
        self.needed_by: dict[str, list[str]] = {}
        for name, needs in self.missing.items():
            for need in needs:
                self.needed_by.setdefault(need, []).append(name)
        self.ready = deque(name for name in jobs if not self.missing[name])
        self.waiting = {name for name in jobs if self.missing[name]}
        self.running: dict[str, Job] = {}
        self.failed: dict[str, str] = {}

    def begin(self) -> Job:
        name = self.ready.popleft()
        self.running[name] = self.jobs[name]
        return self.jobs[name]

    def finish(self, name: str) -> None:
        del self.running[name]
        for later in self.needed_by.get(name, ()):
            self.missing[later].discard(name)
            if not self.missing[later] and later in self.waiting:
                self.waiting.discard(later)
                self.ready.append(later)

    def give_back(self, name: str) -> None:
        del self.running[name]
        self.ready.append(name)

    def fail(self, name: str, error: str) -> None:
        del self.running[name]
        self.failed[name] = error

    def blocked(self) -> dict[str, str]:
        """The jobs that can never begin in this sitting, each with the one that stands at the root of it."""
        return {name: self._root(name) for name in self.jobs if name in self.waiting}

    def _root(self, name: str) -> str:
        while name in self.waiting:
            name = min(self.missing[name])
        return name


def _attempt(ended: Ended) -> dict[str, Any]:
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "error": ended.error,
        "traceback": ended.traceback,
        "lost": ended.lost,
    }


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM end the driver as Ctrl-C does, so that workers are ended too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
