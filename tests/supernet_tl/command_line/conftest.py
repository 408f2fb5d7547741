from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.supernet_tl.command_line.processes import CommandLine

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def command_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    command = [sys.executable, "-m", "tests.supernet_tl.command_line.command_line_server"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    ) as server:
        yield CommandLine(server, tmp_path_factory.mktemp("logs") / "log")
        assert server.stdin is not None
        server.stdin.close()
