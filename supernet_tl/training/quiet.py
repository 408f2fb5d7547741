"""Keeps what Lightning says about small trainers off the terminal; all else is heard."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_HARMLESS = (
    ".*does not have many workers.*",  # images are in memory: workers would only copy them
    ".*number of training batches.*smaller than the logging interval.*",
    ".*GPU available but not used.*",
    "LightningCLI's args parameter is intended to run from within Python.*",  # as it does: from our command line
    ".*LeafSpec.*deprecated.*",  # Lightning's own use of torch
)


@contextmanager
def without_harmless_warnings() -> Iterator[None]:
    """Ignore warnings that are known to be harmless here."""
    with warnings.catch_warnings():
        for message in _HARMLESS:
            warnings.filterwarnings("ignore", message=message)
        yield


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Ignore harmless warnings, and the news of every trainer that begins."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with without_harmless_warnings():
            yield
    finally:
        logger.setLevel(level)
