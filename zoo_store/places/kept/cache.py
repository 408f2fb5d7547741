"""All that this machine keeps of zoos, to be deleted at once."""

import time
from contextlib import suppress

from zoo_store.environment import cache_dir
from zoo_store.places.kept.copies import KeptCopies, KeptFile


def clear_cache(*, unused_days: float = 0.0) -> list[KeptFile]:
    """Delete what this machine keeps of zoos: copies of files that lie afar, lists of what there is, and indexes.

    All of it can be had again from the zoos; until then, a zoo that lies afar cannot be read offline.

    Args:
        unused_days: what was used within these last days stays; an index is used when entries come or go.

    Returns:
        What was deleted.
    """
    cleared = KeptCopies().clear(unused_days=unused_days)
    oldest = time.time() - unused_days * 24 * 3600
    for kind in ("pages", "hub", "indexes"):
        for path in sorted((cache_dir() / kind).rglob("*")):
            with suppress(OSError):
                status = path.lstat()
                if status.st_mtime <= oldest and not path.is_dir():
                    path.unlink()
                    cleared.append(KeptFile(path, status.st_size, status.st_mtime, is_partial=False))
    return cleared
