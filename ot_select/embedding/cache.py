"""Features of single images on disk, found by the content of the image."""

import hashlib
import os
import sqlite3
import time
import warnings
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import torch

from ot_select.embedding.identity import EmbedderIdentity

_LAYOUT = "features 1"
_PAGE_BYTES = 16384  # a few rows of features fill a page well
_KEYS_A_QUERY = 500  # SQLite takes 999 in its oldest versions
_SECONDS_BETWEEN_WRITES = 1.0
_SECONDS_TO_WAIT = 60.0  # for another process that writes
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_CANNOT_HOLD_ROWS = (*_DAMAGED, sqlite3.SQLITE_ERROR)  # also a table of other columns, or a format of other versions

_CREATE = "CREATE TABLE IF NOT EXISTS features (image BLOB PRIMARY KEY, value BLOB, sha256 BLOB)"


def default_cache_dir() -> Path:
    """``$SUPERNET_TL_CACHE/embeddings``, or ``~/.cache/supernet-tl/embeddings`` where the variable is not set."""
    root = os.environ.get("SUPERNET_TL_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "supernet-tl") / "embeddings"


def image_keys(images: torch.Tensor) -> list[bytes]:
    """What an image is found by: a hash of its height, width and bytes.

    Args:
        images: shape (n, 3, h, w), uint8, on the CPU.
    """
    height, width = images.shape[2:]
    start = hashlib.sha256(f"{height} {width}\n".encode())
    keys = []
    for image in images.contiguous().numpy():
        digest = start.copy()
        digest.update(image.data)
        keys.append(digest.digest())
    return keys


class EmbeddingCache:
    """One SQLite file for an embedder, with a row for each image.

    Several processes may use it at once, and any may be killed: SQLite keeps what was written, and takes back what was
    written by half. Every row carries a hash, so that a damaged one counts as absent; a file that is damaged
    beyond reading is dropped. Rows are held back for a second at most and then written together.

    Args:
        folder: made when first needed.
        identity: of the embedder.
    """

    def __init__(self, folder: Path, identity: EmbedderIdentity) -> None:
        name = hashlib.sha256(f"{_LAYOUT} {identity}".encode()).hexdigest()[:32]
        self.path = folder / f"{name}.sqlite"
        self._dimension = identity.dimension
        self._pending: list[tuple[bytes, bytes, bytes]] = []
        self._written_at = time.monotonic()
        self._writable = True

    def find(self, keys: Sequence[bytes]) -> dict[bytes, torch.Tensor]:
        """The features of those images that are there, sound and readable: float32, shape (d,), by key."""
        rows: list[tuple[object, object, object]] = []
        try:
            with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
                connection.text_factory = bytes  # damage may turn the type of a value
                for start in range(0, len(keys), _KEYS_A_QUERY):
                    wanted = keys[start : start + _KEYS_A_QUERY]
                    marks = ",".join("?" * len(wanted))
                    query = f"SELECT image, value, sha256 FROM features WHERE image IN ({marks})"
                    rows += connection.execute(query, wanted)
        except sqlite3.DatabaseError as error:
            self._drop(error, _DAMAGED)  # and not where there is no table yet: another process may be making it
            return {}
        return {
            key: torch.from_numpy(np.frombuffer(value, dtype="<f4").astype(np.float32))
            for key, value, sha256 in rows
            if isinstance(key, bytes)
            and isinstance(value, bytes)
            and len(value) == 4 * self._dimension
            and _sha256(key, value) == sha256
        }

    def add(self, keys: Sequence[bytes], features: torch.Tensor) -> None:
        """Keep features of images; they are on disk after a second, or after ``flush``.

        Args:
            keys: n of them.
            features: shape (n, d), float32, on the CPU.
        """
        values = [row.tobytes() for row in features.numpy().astype("<f4")]
        self._pending += [(key, value, _sha256(key, value)) for key, value in zip(keys, values, strict=True)]
        if time.monotonic() - self._written_at >= _SECONDS_BETWEEN_WRITES:
            self.flush()

    def flush(self) -> None:
        """Write what was held back; warns, and keeps nothing from then on, where that is not possible."""
        pending, self._pending = self._pending, []
        if not pending or not self._writable:
            return
        try:
            try:
                self._write(pending)
            except sqlite3.DatabaseError as error:
                if not self._drop(error, _CANNOT_HOLD_ROWS):
                    raise
                self._write(pending)
        except (OSError, sqlite3.Error) as error:
            self._writable = False
            warnings.warn(
                f"The embeddings could not be kept in {self.path} ({error}), so they will be computed again next "
                "time. Set SUPERNET_TL_CACHE to a folder on a local disk that can be written.",
                stacklevel=3,
            )
        self._written_at = time.monotonic()

    def _write(self, rows: Sequence[tuple[bytes, bytes, bytes]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path, timeout=_SECONDS_TO_WAIT, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # counts only before the first table
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                connection.execute(_CREATE)
                connection.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", rows)

    def _drop(self, error: sqlite3.Error, codes: Sequence[int]) -> bool:
        """Remove the file if the error is one of these; whether it was."""
        damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in codes
        if damaged:
            for path in (self.path, self.path.with_name(f"{self.path.name}-journal")):
                with suppress(OSError):
                    path.unlink()
        return damaged


def _sha256(key: bytes, value: bytes) -> bytes:
    return hashlib.sha256(key + value).digest()
