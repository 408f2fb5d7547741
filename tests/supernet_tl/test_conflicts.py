from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["darts", "u8darts"])
def test_the_time_series_library_of_the_same_name_is_refused_with_a_sentence(name: str, tmp_path: Path) -> None:
    # A distribution is what its metadata says: this is all that pip leaves of one that an environment can see.
    info = tmp_path / f"{name}-0.32.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.32.0\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-m", "supernet_tl.command_line.cli", "--help"],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert found.returncode != 0
    assert f"{name} 0.32.0, a time-series library whose package is called 'darts'" in found.stderr
    assert "Traceback" not in found.stderr


def test_so_is_a_first_use_from_a_script(tmp_path: Path) -> None:
    info = tmp_path / "darts-0.32.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: darts\nVersion: 0.32.0\n")
    found = subprocess.run(
        [sys.executable, "-c", "import supernet_tl; supernet_tl.transfer"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert "ConflictingPackageError: this environment has the distribution darts 0.32.0" in found.stderr


def test_without_it_nothing_is_refused() -> None:
    found = subprocess.run([sys.executable, "-c", "import supernet_tl"], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")
