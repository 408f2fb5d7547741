"""Jobs as tasks of a Ray cluster, or of a local Ray; nodes may come and go meanwhile."""

from __future__ import annotations

import math
import os
import time
import traceback
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from supernet_tl.errors import EvaluationError
from supernet_tl.evaluating.executors.protocol import Ended

_OBJECT_STORE = 100 * 2**20
"""Bytes of a local Ray's object store: payloads and answers are small."""
_ROUNDING = 1e-6  # shares such as 0.1 have no exact binary form


class RayExecutor:
    """Keeps tasks on a Ray cluster, as many as its nodes have room for.

    A task is never repeated by Ray: whoever submitted it decides. A worker or node that dies costs the tasks it had.
    Ray ends the tasks when the driver does, however it ends.

    Args:
        function: ``MODULE:NAME`` of what is done with a payload; the module is imported by the workers alone, on whose
            nodes it must be installed.
        address: of the cluster, as ``ray.init`` takes it. When absent, the one that the environment's ``RAY_ADDRESS``
            names or that runs on this machine is joined, and where there is none, a local one is started, and ended by
            leaving.
        num_cpus: logical CPUs of a task; a share below 1 lets several tasks have one.
        num_gpus: GPUs of a task; a share below 1 lets several tasks have one. With 0 a task sees none.
        max_running: tasks at a time, at most; as many as there is room for when absent.

    Raises:
        EvaluationError: a task is to have less than nothing, or nothing at all.
    """

    def __init__(
        self,
        function: str,
        *,
        address: str | None = None,
        num_cpus: float = 1.0,
        num_gpus: float = 0.0,
        max_running: int | None = None,
    ) -> None:
        if not (0 <= num_cpus < math.inf and 0 <= num_gpus < math.inf and num_cpus + num_gpus > 0):
            raise EvaluationError(
                f"a task is to have {num_cpus} CPUs and {num_gpus} GPUs; expected numbers of 0 or more, not both 0."
            )
        if num_gpus > 1 and num_gpus != int(num_gpus):
            raise EvaluationError(f"a task is to have {num_gpus} GPUs; expected a share of one, or a whole number.")
        if max_running is not None and max_running < 1:
            raise EvaluationError(f"max_running is {max_running}; expected 1 or more, or nothing.")
        self.function = function
        self.address = address
        self.num_cpus = num_cpus
        self.num_gpus = num_gpus
        self.max_running = max_running
        self._running: dict[Any, str] = {}
        self._joined = False
        self._task: Any = None

    @property
    def capacity(self) -> int:
        """How many tasks the nodes that are alive now have room for, be they in use or not; at least 1."""
        room = max(1, self._room())
        return room if self.max_running is None else min(room, self.max_running)

    def submit(self, key: str, payload: Mapping[str, Any]) -> None:
        """Hand the task to Ray, which begins it as soon as a node has room."""
        reference = self._task.options(name=key).remote(self.function, dict(payload), self.num_gpus == 0)
        self._running[reference] = key

    def wait(self, timeout: float) -> list[Ended]:
        """The tasks that ended since the last call; waits for one, at most so many seconds."""
        if not self._running:
            time.sleep(timeout)
            return []
        import ray

        ready, _ = ray.wait(list(self._running), timeout=timeout)
        if ready:  # others may have ended beside the first
            ready, _ = ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        return [self._end(reference) for reference in ready]

    def _end(self, reference: Any) -> Ended:
        import ray
        from ray.exceptions import RayError, RayTaskError, RuntimeEnvSetupError, TaskUnschedulableError

        key = self._running.pop(reference)
        try:
            error, told = ray.get(reference)
        except (RayTaskError, RuntimeEnvSetupError, TaskUnschedulableError) as found:
            return Ended(key, f"Ray could not begin the job: {_first_line(found)}", str(found))
        except RayError as found:
            reason = f"{type(found).__name__}: {_first_line(found)}"
            return Ended(key, f"the worker process or its node died in the middle of the job ({reason})", lost=True)
        return Ended(key, error, told)

    def __enter__(self) -> RayExecutor:
        ray = _require_ray()
        if not ray.is_initialized():
            started = _join(ray, self.address)
            self._joined = True
            if started and self._room() < 1:
                raise self._never_begins(ray)
        self._task = ray.remote(num_cpus=self.num_cpus, num_gpus=self.num_gpus, max_retries=0)(_serve)
        return self

    def __exit__(self, *exc: object) -> None:
        import ray

        running, self._running = list(self._running), {}
        try:
            for reference in running:
                ray.cancel(reference, force=True)
        finally:
            if self._joined:  # leaves a cluster as it was; a local Ray that was started for this ends
                self._joined = False
                ray.shutdown()

    def _room(self) -> int:
        alive = [node["Resources"] for node in _require_ray().nodes() if node["Alive"]]
        rooms: list[int] = [_fit(resources, self.num_cpus, self.num_gpus) for resources in alive]
        return sum(rooms)

    def _never_begins(self, ray: Any) -> EvaluationError:
        """Nobody joins a Ray of our own later, so that a task without room would wait for ever."""
        there = ray.cluster_resources()
        self.__exit__()
        return EvaluationError(
            f"a task is to have {self.num_cpus:g} CPUs and {self.num_gpus:g} GPUs, and this machine's Ray has "
            f"{there.get('CPU', 0):g} and {there.get('GPU', 0):g}. Ask for less, or give the address of a larger "
            "cluster."
        )


def _fit(resources: Mapping[str, float], num_cpus: float, num_gpus: float) -> int:
    """How many tasks a node has room for; a GPU is shared by tasks that fit on it whole."""
    rooms: list[float] = []
    if num_cpus:
        rooms.append(resources.get("CPU", 0.0) / num_cpus)
    if num_gpus:
        gpus = resources.get("GPU", 0.0)
        rooms.append(gpus / num_gpus if num_gpus >= 1 else gpus * math.floor(1 / num_gpus + _ROUNDING))
    return math.floor(min(rooms) + _ROUNDING)


def _join(ray: Any, address: str | None) -> bool:
    """Join a cluster; whether it is a local one that was started for it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    where = address or os.environ.get("RAY_ADDRESS") or "auto"
    try:
        if "://" in where:  # Ray's client, which knows fewer options
            ray.init(where, log_to_driver=False)
            return False
        if where != "local":
            ray.init(where, **quiet)
            return False
    except ConnectionError as error:
        if address is not None or where != "auto":
            token = (
                "" if os.environ.get("RAY_AUTH_MODE") == "token" else " If it wants a token, set RAY_AUTH_MODE=token."
            )
            raise EvaluationError(
                f"no Ray cluster answers at {where!r} ({_first_line(error)}); expected one that was begun with "
                f"`ray start --head`. Begin it, correct the address, or leave it out to have a local Ray.{token}"
            ) from error
    ray.init("local", include_dashboard=False, object_store_memory=_OBJECT_STORE, **quiet)
    return True


def _require_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise EvaluationError(
            f"jobs are to be done by Ray, which cannot be imported ({error}). Run: pip install 'supernet-tl[ray]'"
        ) from error
    return ray


def _serve(function: str, payload: Mapping[str, Any], hide_gpus: bool) -> tuple[str | None, str]:
    """Do a payload on a node; what kept it from being done and the traceback, or None and nothing.

    Exceptions are told and not raised: the driver may not have the packages to unpickle them.
    """
    if hide_gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    module, _, name = function.partition(":")
    try:
        getattr(import_module(module), name)(payload)
    except Exception as found:
        return f"{type(found).__name__}: {found}", traceback.format_exc()
    return None, ""


def _first_line(error: Exception) -> str:
    lines: Iterable[str] = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), "no message")
