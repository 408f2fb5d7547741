"""A disk with little room: a file system of its own where the system allows one to be mounted."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(folder: Path, num_bytes: int) -> Iterator[bool]:
    """Mount a file system in memory on a folder; gives False where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={num_bytes}"
    try:
        command = ["mount", "-t", "tmpfs", "-o", options, "zoo-of-a-test", str(folder)]
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
