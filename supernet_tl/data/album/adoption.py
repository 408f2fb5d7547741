"""Sets that the openml package has downloaded, as Meta-Album's authors show how to, are not downloaded again."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from supernet_tl.data.album.fetching import Fetching
from supernet_tl.data.album.inspection import inspect
from supernet_tl.data.album.keeping import keep
from supernet_tl.data.album.kept import KeptSet, openml_dir
from supernet_tl.data.album.openml_client import Description
from supernet_tl.data.album.table import AlbumVersion


def package_copy(version: AlbumVersion) -> Path | None:
    """The folder to which the openml package has downloaded a set from openml.org; None where there is none."""
    root = os.environ.get("OPENML_CACHE_DIR")
    if not root:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        root = os.path.join(base, "openml") if sys.platform == "linux" else os.path.expanduser("~/.openml")
    folder = Path(root, "org", "openml", "www", "datasets", str(version.openml_id), version.folder)
    return folder if (folder / "labels.csv").is_file() else None


def adopt(version: AlbumVersion, fetching: Fetching) -> KeptSet | None:
    """Copy what the openml package has downloaded, if it is whole; None where it has not, or is not."""
    theirs = package_copy(version)
    if theirs is None:
        return None
    whole = openml_dir() / ".incoming" / str(version.openml_id) / "whole"
    shutil.rmtree(whole, ignore_errors=True)
    try:
        ours = Path(shutil.copytree(theirs, whole / version.folder))
        inspection = inspect(ours, version, fetching.checked)
        if inspection.problems:
            fetching.notify(
                f"{theirs} is no whole copy of {version.name} and is not used: {' '.join(inspection.problems)}"
            )
            return None
        fetching.notify(
            f"{version.name} is copied from {theirs}, where the openml package has downloaded it; "
            f"licence: {version.album_set.licence}"
        )
        return keep(ours, inspection, Description(version.openml_id, version.openml_name, "", "", ""), files=())
    finally:
        shutil.rmtree(whole, ignore_errors=True)
