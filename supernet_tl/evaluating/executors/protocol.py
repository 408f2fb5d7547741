"""What the driver asks of an executor; nothing heavy is imported for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Function = Callable[[Mapping[str, Any]], None]
"""What is done with a payload of plain values; importable by name on every worker."""


@dataclass(frozen=True)
class Ended:
    """A task that ended.

    Attributes:
        key: that it was submitted under.
        error: what kept it from being done, in a sentence; None where it was done.
        traceback: of the worker; empty where it was done or the worker died.
        lost: whether its worker or node died under it, so that the task itself may be without fault.
    """

    key: str
    error: str | None = None
    traceback: str = ""
    lost: bool = False


class Executor(Protocol):
    """Does tasks somewhere. Used by one thread, as a context manager; leaving it ends all workers."""

    @property
    def capacity(self) -> int:
        """How many tasks may be submitted and not ended at a time; it may change."""
        ...

    def submit(self, key: str, payload: Mapping[str, Any]) -> None:
        """Begin a task."""
        ...

    def wait(self, timeout: float) -> list[Ended]:
        """The tasks that ended since the last call; waits for one, at most so many seconds."""
        ...

    def __enter__(self) -> Executor: ...

    def __exit__(self, *exc: object) -> None: ...
