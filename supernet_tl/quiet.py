"""What Lightning says about every small trainer, silenced; all else is heard."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_HARMLESS = (
    ".*does not have many workers.*",  # images are in memory: workers would only copy them
    ".*number of training batches.*smaller than the logging interval.*",
    ".*GPU available but not used.*",
    ".*isinstance.treespec, LeafSpec.*",
    ".*LeafSpec.*deprecated.*",
)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence what Lightning says about every small trainer and what is known to be harmless; all else is heard."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for message in _HARMLESS:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        logger.setLevel(level)
