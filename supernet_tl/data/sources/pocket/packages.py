"""Files that other packages carry, found without importing those packages (which can take seconds)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from supernet_tl.data.errors import MissingPackageError


def package_file(package: str, relative: str) -> Path:
    """A file inside an installed package.

    Args:
        package: top-level import name.
        relative: the file's path inside the package's folder.

    Raises:
        MissingPackageError: the package is not installed, or does not carry the file.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackageError(
            f"the package {package!r}, whose images the pocket album shows, is not installed. "
            f"Run: pip install 'supernet-tl[demo]'"
        )
    path = Path(spec.submodule_search_locations[0]) / relative
    if not path.is_file():
        raise MissingPackageError(
            f"the installed package {package!r} does not carry {relative}, which the pocket album shows. "
            f"Run: pip install --force-reinstall 'supernet-tl[demo]'"
        )
    return path
