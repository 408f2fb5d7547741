"""A cache that a benchmark has to itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def own_cache(folder: Path) -> Iterator[None]:
    """Let everything be kept in a folder of the benchmark's own meanwhile."""
    before = os.environ.get("SUPERNET_TL_CACHE")
    os.environ["SUPERNET_TL_CACHE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["SUPERNET_TL_CACHE"]
        else:
            os.environ["SUPERNET_TL_CACHE"] = before
