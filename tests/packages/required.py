"""What the package requires where it is used."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent.parent
EXTRAS = ("demo", "onnx")
"""Those that are installed with it."""


def requirements() -> list[Requirement]:
    """Those of the package and of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = (one for extra in EXTRAS for one in project["optional-dependencies"][extra])
    return [Requirement(one) for one in (*project["dependencies"], *extras)]
