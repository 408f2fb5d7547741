"""What the environment of a process says: where to keep what can be had again, and whether to ask what lies afar."""

import logging
import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

_log = logging.getLogger("zoo_store")


def cache_root() -> Path:
    """``$SUPERNET_TL_CACHE``, or ``~/.cache/supernet-tl`` where the variable is not set.

    Where this user has no home folder, it is a temporary one of this process, and a warning says so.
    """
    root = os.environ.get("SUPERNET_TL_CACHE") or "~/.cache/supernet-tl"
    try:
        return Path(root).expanduser().absolute()
    except RuntimeError as error:
        return Path(_temporary_root(root, str(error)).name)


def cache_dir() -> Path:
    """The folder ``zoos`` of :func:`cache_root`."""
    return cache_root() / "zoos"


OFFLINE_SWITCH = "SUPERNET_TL_OFFLINE"


def is_offline() -> bool:
    """Whether ``$SUPERNET_TL_OFFLINE`` forbids to ask what lies afar."""
    return os.environ.get(OFFLINE_SWITCH, "").lower() in ("1", "true", "yes", "on")


@cache
def _temporary_root(wanted: str, why: str) -> TemporaryDirectory[str]:
    folder = TemporaryDirectory(prefix="supernet-tl-")
    _log.warning(
        "nothing can be kept in %s (%s); until this process ends, %s serves. Set SUPERNET_TL_CACHE to a folder.",
        wanted,
        why.rstrip("."),
        folder.name,
    )
    return folder
