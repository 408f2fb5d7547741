"""From a folder that has passed its checks to one that is kept."""

from __future__ import annotations

import os
import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path

from supernet_tl.data.album.inspection import Inspection, contents, names_and_sizes
from supernet_tl.data.album.kept import FetchedFile, KeptCard, KeptSet, openml_dir
from supernet_tl.data.album.lookup import find_id
from supernet_tl.data.album.openml_client import Description
from supernet_tl.data.album.table import table_version


def keep(folder: Path, inspection: Inspection, description: Description, files: tuple[FetchedFile, ...]) -> KeptSet:
    """Write a folder's card and put both where they are kept, in the place of what is there.

    Args:
        folder: in the Meta-Album layout; alone in its parent, which is moved, in the file system of the datasets.
        inspection: what was found in it, without problems.
        description: of the dataset.
        files: what of it was downloaded.
    """
    version = find_id(description.openml_id)
    digest, num_bytes = names_and_sizes(folder)
    card = KeptCard(
        openml_id=description.openml_id,
        openml_name=description.name,
        licence=(version.album_set.licence if version is not None else description.licence) or "not stated",
        openml_licence=description.licence,
        description=description.description,
        folder=folder.name,
        downloaded=datetime.now(UTC).isoformat(timespec="seconds"),
        files=files,
        num_rows=inspection.num_rows,
        num_classes=inspection.num_classes,
        num_bytes=num_bytes,
        names_and_sizes=digest,
        contents=contents(folder),
        table_version=table_version(),
        remarks=inspection.remarks,
    )
    card.write(folder.parent)
    target = openml_dir() / str(description.openml_id)
    _swap(folder.parent, target)
    return KeptSet(target / folder.name, card)


def _swap(whole: Path, target: Path) -> None:
    """Put a new folder in the place of an old one, which goes."""
    old = whole.with_name(f"old-{uuid.uuid4().hex}")
    if target.exists():
        os.rename(target, old)
    os.rename(whole, target)
    shutil.rmtree(old, ignore_errors=True)
