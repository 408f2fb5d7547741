"""What the environment of a process says: where to keep what can be had again, and whether to ask what lies afar."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """``$SUPERNET_TL_CACHE/zoos``, or ``~/.cache/supernet-tl/zoos`` where the variable is not set."""
    root = os.environ.get("SUPERNET_TL_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "supernet-tl").absolute() / "zoos"


OFFLINE_SWITCH = "SUPERNET_TL_OFFLINE"


def is_offline() -> bool:
    """Whether ``$SUPERNET_TL_OFFLINE`` forbids to ask what lies afar."""
    return os.environ.get(OFFLINE_SWITCH, "").lower() in ("1", "true", "yes", "on")
