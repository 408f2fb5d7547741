"""Where on this machine data is kept that can be had again."""

from __future__ import annotations

from pathlib import Path

from zoo_store.environment import OFFLINE_SWITCH, cache_root, is_offline

__all__ = ["OFFLINE_SWITCH", "datasets_dir", "is_offline", "pixels_dir"]


def datasets_dir() -> Path:
    """Downloaded datasets: ``$SUPERNET_TL_CACHE/datasets``, or ``~/.cache/supernet-tl/datasets``."""
    return cache_root() / "datasets"


def pixels_dir() -> Path:
    """Decoded images: ``$SUPERNET_TL_CACHE/pixels``, or ``~/.cache/supernet-tl/pixels``."""
    return cache_root() / "pixels"
