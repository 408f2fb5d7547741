"""Jobs in processes of this machine, several at a time; each process takes one job after another."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from supernet_tl.errors import EvaluationError
from supernet_tl.evaluating.executors.protocol import Ended

_SPAWN = multiprocessing.get_context("spawn")  # a fork of a process that has threads may hang
_PATIENCE = 5.0
_SPINS = "20000"  # short spins at OpenMP barriers: several workers share the cores


class LocalExecutor:
    """Keeps ``num_workers`` processes, which import what they need once.

    A worker that dies costs the task it had; another takes its place. Workers end when the driver does, however it
    ends.

    Args:
        function: ``MODULE:NAME`` of what is done with a payload; the module is imported by the workers alone.
        num_workers: tasks at a time.

    Raises:
        EvaluationError: there is to be no worker.
    """

    def __init__(self, function: str, num_workers: int = 1) -> None:
        if num_workers < 1:
            raise EvaluationError(f"num_workers is {num_workers}; expected 1 or more.")
        self.function = function
        self.capacity = num_workers
        self._idle: list[_Worker] = []
        self._busy: dict[str, _Worker] = {}

    def submit(self, key: str, payload: Mapping[str, Any]) -> None:
        """Give the task to a worker that waits, or to a new one."""
        worker = self._next_idle() or self._start()
        self._busy[key] = worker
        try:
            worker.connection.send(dict(payload))
        except OSError:  # it died this moment; `wait` says so
            return

    def wait(self, timeout: float) -> list[Ended]:
        """The tasks that ended since the last call; waits for one, at most so many seconds."""
        watched: dict[Any, str] = {}
        for key, worker in self._busy.items():
            watched |= {worker.connection: key, worker.process.sentinel: key}
        ready = {watched[found] for found in wait(list(watched), timeout)}
        return [self._end(key) for key in sorted(ready)]

    def _end(self, key: str) -> Ended:
        worker = self._busy.pop(key)
        try:
            if worker.connection.poll():  # a worker that answered and then died has done its task
                error, told = worker.connection.recv()
                self._idle.append(worker)
                return Ended(key, error, told)
        except (EOFError, OSError):
            pass
        worker.end()
        code = worker.process.exitcode
        how = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit status {code}"
        return Ended(key, f"the worker process died ({how}) in the middle of the job", lost=True)

    def _next_idle(self) -> _Worker | None:
        """A worker that waits; those that died meanwhile, for want of memory perhaps, are let go."""
        while self._idle:
            worker = self._idle.pop()
            if worker.process.is_alive():
                return worker
            worker.end()
        return None

    def _start(self) -> _Worker:
        taken = {worker.number for worker in (*self._idle, *self._busy.values())}
        number = next(number for number in count() if number not in taken)
        ours, theirs = _SPAWN.Pipe()
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)  # a spawned process has it before it imports torch
        process = _SPAWN.Process(
            target=_serve, args=(self.function, theirs, number)
        )  # no daemon: jobs may have children
        process.start()
        theirs.close()
        return _Worker(process, ours, number)

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(self, *exc: object) -> None:
        workers = [*self._idle, *self._busy.values()]
        for worker in workers:  # all at once: one in the middle of training may take its time
            worker.process.terminate()
        for worker in workers:
            worker.end()
        self._idle, self._busy = [], {}


@dataclass(frozen=True)
class _Worker:
    process: SpawnProcess
    connection: Connection
    number: int

    def end(self) -> None:
        """End the process and wait for it."""
        self.connection.close()
        self.process.terminate()
        self.process.join(_PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _serve(function: str, connection: Connection, number: int) -> None:
    """Do one payload after another until the driver closes the line or dies."""
    os.environ["SUPERNET_TL_WORKER"] = str(number)  # before torch is imported: workers choose a GPU by it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the driver ends its workers
    threading.Thread(target=_end_with_the_driver, daemon=True).start()
    module, _, name = function.partition(":")
    while True:
        try:
            payload = connection.recv()
        except (EOFError, OSError):
            return
        error, told = None, ""
        try:
            getattr(import_module(module), name)(payload)
        except Exception as found:
            error, told = f"{type(found).__name__}: {found}", traceback.format_exc()
        try:
            connection.send((error, told))
        except OSError:
            return


def _end_with_the_driver() -> None:
    driver = multiprocessing.parent_process()
    assert driver is not None  # this is a child
    driver.join()
    os._exit(1)
