"""Work done as another user, so that rights count also for tests that the superuser runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Within, the superuser of this process is a user without rights, who may pass through to a folder."""
    if os.geteuid() != 0:
        yield
        return
    modes = {parent: parent.stat().st_mode for parent in folder.parents}
    closed = {parent: mode for parent, mode in modes.items() if mode & 0o055 != 0o055}
    for parent, mode in closed.items():
        parent.chmod(mode | 0o055)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        for parent, mode in closed.items():
            parent.chmod(mode)
