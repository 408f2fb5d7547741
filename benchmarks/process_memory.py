"""How much memory this process has held at most."""

from __future__ import annotations

import re
from pathlib import Path


def peak_bytes() -> int:
    """The highest resident size of this process so far; unlike ``ru_maxrss`` it is not inherited from the parent."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise OSError("/proc/self/status tells no VmHWM; this benchmark needs Linux.")
    return 1024 * int(found[1])
