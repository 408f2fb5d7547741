"""Jobs in this very process, one after another: for a debugger, and where a second process is too much."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from supernet_tl.evaluating.executors.protocol import Ended


class InProcessExecutor:
    """Does a task when it is submitted. Whatever ends the task's process ends the driver too.

    Args:
        function: ``MODULE:NAME`` of what is done with a payload.
    """

    capacity = 1

    def __init__(self, function: str) -> None:
        self.function = function
        self._ended: list[Ended] = []

    def submit(self, key: str, payload: Mapping[str, Any]) -> None:
        """Do the task."""
        module, _, name = self.function.partition(":")
        try:
            getattr(import_module(module), name)(dict(payload))
        except Exception as error:
            self._ended.append(Ended(key, f"{type(error).__name__}: {error}", traceback.format_exc()))
        else:
            self._ended.append(Ended(key))

    def wait(self, timeout: float) -> list[Ended]:
        """The tasks that ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def __enter__(self) -> InProcessExecutor:
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended = []
