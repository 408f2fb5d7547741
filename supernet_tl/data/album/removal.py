"""Deleting what this machine keeps of OpenML."""

from __future__ import annotations

import shutil
from pathlib import Path

from supernet_tl.data.album.kept import openml_dir
from supernet_tl.data.album.table import AlbumVersion, name_of, number_of
from supernet_tl.data.errors import SourceNotFoundError


def remove(wanted: AlbumVersion | int) -> tuple[Path, int]:
    """Delete a kept dataset, damaged or not, and what an unfinished download of it left.

    Args:
        wanted: of Meta-Album, or a number of OpenML.

    Returns:
        The folder that went, and its size in bytes.

    Raises:
        SourceNotFoundError: it is not kept.
    """
    openml_id, name = number_of(wanted), name_of(wanted)
    target = openml_dir() / str(openml_id)
    folders = [folder for folder in (target, openml_dir() / ".incoming" / str(openml_id)) if folder.is_dir()]
    if not folders:
        raise SourceNotFoundError(
            f"openml:{name} is not kept in {openml_dir()}, so there is nothing to delete; `supernet-tl data list "
            f"--kept` shows what is."
        )
    num_bytes = 0
    for folder in folders:
        num_bytes += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        shutil.rmtree(folder)
    return target, num_bytes
