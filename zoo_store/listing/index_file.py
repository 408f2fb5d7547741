"""The file of an index: rows about entries that may be lost at any time, and are never believed unseen."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self

BUSY_SECONDS = 2.0
"""How long another process may keep the file to itself before this one does without."""

_NOT_THE_FILES_FAULT = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)


class IndexUnusableError(Exception):
    """The system does not let the file be used now; what is in it may well be good."""


class IndexDamagedError(Exception):
    """The file holds something else than the rows of this index."""


class IndexOutdatedError(IndexDamagedError):
    """The file is whole, but of no use: as after an upgrade."""


class Row(NamedTuple):
    """What is kept of an entry.

    Args:
        entry_id: whose.
        mark: of the entry when it was read.
        facts: what a search looks at, as JSON.
        card: the whole card, as JSON.
    """

    entry_id: str
    mark: str
    facts: str
    card: str


class IndexFile:
    """Rows in SQLite, each under a digest, so that damage which SQLite does not see is seen as well.

    Every method raises `IndexUnusableError` or `IndexDamagedError`.

    Args:
        path: the file, which is made where it is missing; None for one that is gone when it is closed.
        signature: what its rows are about and which rules they passed; a file with another is taken for damaged.
    """

    def __init__(self, path: Path | None, signature: str) -> None:
        self._path = path
        with _told_apart(path):
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path or "", timeout=BUSY_SECONDS, isolation_level=None)
        try:
            self._prepare(signature)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def facts(self) -> Iterator[tuple[str, str, str]]:
        """The entry id, mark and facts of every row."""
        with _told_apart(self._path):
            for *row, seal in self._connection.execute("SELECT id, mark, facts, card_digest, seal FROM entries"):
                if seal != _seal(*row):
                    raise IndexDamagedError(f"{self._path}: a row is not as it was written")
                yield row[0], row[1], row[2]

    def card(self, entry_id: str, mark: str) -> str | None:
        """The card of an entry; None where there is no row of this mark, since another process has changed it."""
        with _told_apart(self._path):
            query = "SELECT id, mark, facts, card_digest, seal, card FROM entries WHERE id = ? AND mark = ?"
            found = self._connection.execute(query, (entry_id, mark)).fetchone()
        if found is None:
            return None
        *row, seal, card = found
        if row[:2] != [entry_id, mark] or seal != _seal(*row) or row[3] != _digest(card):
            raise IndexDamagedError(f"{self._path}: a card is not as it was written")
        return str(card)

    def put(self, rows: Iterable[Row]) -> None:
        """Keep rows in place of those of the same entries."""
        values = []
        for row in rows:
            sealed = (row.entry_id, row.mark, row.facts, _digest(row.card))
            values.append((*sealed, _seal(*sealed), row.card))
        with self._transaction():
            self._connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?)", values)

    def forget(self, entry_ids: Iterable[str]) -> None:
        """Drop the rows of entries."""
        with self._transaction():
            self._connection.executemany("DELETE FROM entries WHERE id = ?", [(entry_id,) for entry_id in entry_ids])

    def _prepare(self, signature: str) -> None:
        with _told_apart(self._path):
            self._connection.execute("PRAGMA synchronous = OFF")  # what a power cut spoils is read again
            ((num_tables,),) = self._connection.execute("SELECT count(*) FROM sqlite_master")
        if not num_tables:
            with self._transaction():
                self._connection.execute(
                    "CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, signature TEXT NOT NULL)"
                )
                self._connection.execute("INSERT OR IGNORE INTO about VALUES ('zoo', ?)", (signature,))
                self._connection.execute(
                    "CREATE TABLE IF NOT EXISTS entries (id TEXT PRIMARY KEY, mark TEXT NOT NULL, facts TEXT NOT NULL, "
                    "card_digest TEXT NOT NULL, seal TEXT NOT NULL, card TEXT NOT NULL) WITHOUT ROWID"
                )
        with _told_apart(self._path):
            if self._connection.execute("SELECT * FROM about").fetchall() != [("zoo", signature)]:
                raise IndexOutdatedError(f"{self._path}: made of another zoo, or by another supernet-tl")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _told_apart(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # where the failure has ended the transaction
                    self._connection.execute("ROLLBACK")
                raise


def delete_index(path: Path) -> None:
    """Delete the file of an index and what SQLite left beside it.

    Raises:
        IndexUnusableError: it cannot be deleted.
    """
    with _told_apart(path):
        for leftover in (path, path.with_name(f"{path.name}-journal"), path.with_name(f"{path.name}-wal")):
            leftover.unlink(missing_ok=True)


@contextmanager
def _told_apart(path: Path | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise IndexUnusableError(f"{path}: {error.strerror or error}") from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF  # without its details
        kind = IndexUnusableError if code in _NOT_THE_FILES_FAULT else IndexDamagedError
        raise kind(f"{path}: {error}") from error
    except ValueError as error:  # as where what SQLite says of the damage is no Unicode
        raise IndexDamagedError(f"{path}: {error}") from error


def _seal(*columns: object) -> str:
    return _digest(repr(columns))  # of damaged columns, which may be of any type, too


def _digest(text: object) -> str:
    return hashlib.sha256(str(text).encode("utf-8", "surrogatepass")).hexdigest()
