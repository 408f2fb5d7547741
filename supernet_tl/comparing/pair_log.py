"""Finished comparisons on disk, so that a stopped table of distances goes on where it was."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class PairLog:
    """A file with a line for every finished comparison, found by a key of everything it depends on.

    A line that was being written when its process died is passed over, and its comparison made again.

    Args:
        path: the file; made when first written to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, Any] = {}
        for line in path.read_bytes().splitlines() if path.exists() else []:
            try:
                key, values = json.loads(line)
            except (ValueError, TypeError):
                continue
            self._found[key] = values

    def get(self, key: str) -> Any:
        """What was kept under a key; None if nothing was."""
        return self._found.get(key)

    def add(self, key: str, values: Any) -> None:
        """Keep plain JSON values under a key."""
        line = json.dumps([key, values], allow_nan=False).encode()
        with self._path.open("ab") as file:
            file.write(b"\n" + line if self._is_torn() else line)
            file.write(b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._found[key] = values

    def _is_torn(self) -> bool:
        """Whether the file ends within a line."""
        with self._path.open("rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return False
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
