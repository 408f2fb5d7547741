"""The machine that a benchmark ran on, and how much memory its process takes."""

from __future__ import annotations

import datetime
import json
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal


def machine(device: str) -> dict[str, Any]:
    """Where and with what the numbers came about."""
    import torch  # not above: processes whose memory is measured do without

    info = Path("/proc/cpuinfo")
    model = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE) if info.exists() else None
    return {
        "cpu": model[1] if model else platform.processor(),
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "torch_threads": torch.get_num_threads(),
    }


def tell(result: Mapping[str, Any], output: Path | None) -> None:
    """Print a result as JSON, and write it where asked to."""
    text = json.dumps(result, indent=2)
    print(text)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")


def resident_bytes(field: Literal["VmHWM", "VmRSS"]) -> int | None:
    """What this process holds now (VmRSS) or held at its peak (VmHWM); None where the system does not tell."""
    status = Path("/proc/self/status")
    found = re.search(rf"^{field}:\s+(\d+) kB$", status.read_text(), re.MULTILINE) if status.exists() else None
    return 1024 * int(found[1]) if found else None
