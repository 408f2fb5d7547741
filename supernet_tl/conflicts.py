"""Refuse to run beside a distribution that owns one of our import names."""

from __future__ import annotations

from importlib import metadata

from supernet_tl.errors import ConflictingPackageError

_TIME_SERIES_DARTS = ("darts", "u8darts", "u8darts-all", "u8darts-torch", "u8darts-notorch")
"""Distributions of the time-series library that imports as ``darts`` too."""


def refuse_conflicting_packages() -> None:
    """Look through the installed distributions, without importing any.

    Raises:
        ConflictingPackageError: the time-series library ``darts`` is installed in this environment.
    """
    for name in _TIME_SERIES_DARTS:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        raise ConflictingPackageError(
            f"this environment has the distribution {name} {version}, a time-series library whose package is called "
            "'darts' like supernet-tl's own; the two overwrite each other's files. Install supernet-tl in an "
            f"environment of its own, or run `pip uninstall {name}` and then "
            "`pip install --force-reinstall --no-deps supernet-tl`."
        )
