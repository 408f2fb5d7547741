"""The command line in processes of its own, without the imports of each."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass
class CommandLine:
    """The command line, run in one process after another."""

    server: subprocess.Popen[str]
    log: Path

    def start(self, *arguments: str) -> int:
        """Begin a run and give its process' id."""
        assert self.server.stdin is not None
        self.server.stdin.write(json.dumps({"arguments": arguments, "log": str(self.log)}) + "\n")
        self.server.stdin.flush()
        return self._answer()

    def wait(self) -> tuple[int, str]:
        """Exit status of the run that was begun, and what it printed."""
        return self._answer(), self.log.read_text()

    def run(self, *arguments: str) -> tuple[int, str]:
        """Begin a run and wait for its end."""
        self.start(*arguments)
        return self.wait()

    def _answer(self) -> int:
        assert self.server.stdout is not None
        return int(self.server.stdout.readline())
