"""Where this machine keeps what can be had again: copies of what lies afar, and indexes."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """``$SUPERNET_TL_CACHE/zoos``, or ``~/.cache/supernet-tl/zoos`` where the variable is not set."""
    root = os.environ.get("SUPERNET_TL_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "supernet-tl").absolute() / "zoos"
