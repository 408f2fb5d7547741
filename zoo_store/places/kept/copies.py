"""Local copies of files that lie afar, each named by the SHA-256 of its bytes."""

import hashlib
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType

from filelock import BaseFileLock, FileLock, Timeout

from zoo_store.environment import cache_dir
from zoo_store.places.files import UnfitFileError, read_file

Fetch = Callable[[int, int], bytes]
"""Gives the bytes of a file from one position up to another: fewer at its end, none beyond it."""

CHUNK_BYTES = 8 * 1024 * 1024
"""How much is asked for at once, which is also what a download that dies may lose."""

_log = logging.getLogger("zoo_store")


@dataclass(frozen=True)
class KeptFile:
    """A file among the copies.

    Args:
        path: where it is.
        num_bytes: its size.
        last_used: seconds since the epoch.
        is_partial: whether it is the beginning of a download that was stopped, or is under way.
    """

    path: Path
    num_bytes: int
    last_used: float
    is_partial: bool


class KeptCopies:
    """Files by digest, shared by all zoos and processes.

    They are ``copies/<aa>/<sha256>``, and ``partial/<sha256>`` while on their way. A copy is held against its digest at
    every use, from the very bytes that are returned; one that is damaged is deleted and fetched again. A download goes
    to ``partial`` and is moved from there when it is whole and right. One that was stopped is resumed where it was, by
    one process at a time. Where nothing can be kept, as on a full disk, reading works all the same, and the log says
    so.

    Args:
        folder: where they are; that of `cache_dir` when absent.
        lock_timeout: seconds to wait for another process that downloads the same file, before doing so as well.
    """

    def __init__(self, folder: Path | None = None, lock_timeout: float = 600.0) -> None:
        self._folder = folder
        self.lock_timeout = lock_timeout

    @property
    def folder(self) -> Path:
        """Where the copies are."""
        return cache_dir() if self._folder is None else self._folder

    def find(self, sha256: str, max_bytes: int) -> bytes | None:
        """The bytes with a digest; None where there is no copy, or none that is right, which is then deleted."""
        path = self._copy(sha256)
        try:
            data = read_file(path, max_bytes)
            if hashlib.sha256(data).hexdigest() == sha256:
                with suppress(OSError):
                    os.utime(path)  # it has been used
                return data
            fault = "holds other bytes"
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (UnfitFileError, OSError) as error:
            fault = str(error)
        _log.warning("the copy %s was damaged (%s); it is deleted and fetched again.", path, fault)
        with suppress(OSError):
            path.unlink()
        return None

    def read(self, sha256: str, max_bytes: int, fetch: Fetch) -> bytes:
        """The bytes of a file, from its copy or else from afar.

        Args:
            sha256: what their digest should be.
            max_bytes: the largest size that is read.
            fetch: asks for them; what it raises passes through.

        Returns:
            The bytes. If they have another digest also when they have been fetched twice, they are returned as they
            are, and not kept.

        Raises:
            UnfitFileError: there are more than ``max_bytes``.
        """
        kept = self.find(sha256, max_bytes)
        if kept is not None:
            return kept
        lock = self._lock(sha256)
        if lock is None:
            return download(fetch, max_bytes)
        try:
            kept = self.find(sha256, max_bytes)  # another process may have fetched it meanwhile
            return self._fetch(sha256, max_bytes, fetch) if kept is None else kept
        finally:
            lock.release()

    def files(self) -> list[KeptFile]:
        """All copies and partial downloads, least recently used first."""
        found = []
        for path in (*self.folder.glob("copies/*/*"), *self.folder.glob("partial/*")):
            with suppress(FileNotFoundError):
                status = path.lstat()
                if path.suffix != ".lock":
                    is_partial = path.parent.name == "partial"
                    found.append(KeptFile(path, status.st_size, status.st_mtime, is_partial))
        return sorted(found, key=lambda file: (file.last_used, file.path))

    def clear(self, *, unused_days: float = 0.0, max_bytes: int = 0) -> list[KeptFile]:
        """Delete what can be had again; without arguments, all of it.

        Args:
            unused_days: what was used within these last days stays.
            max_bytes: of the rest, as much stays as this, the most recently used.

        Returns:
            What was deleted.
        """
        oldest = time.time() - unused_days * 24 * 3600
        unused = [file for file in self.files() if file.last_used <= oldest]
        num_bytes = sum(file.num_bytes for file in unused)
        deleted = []
        for file in unused:
            if num_bytes <= max_bytes:
                break
            if self._delete(file):
                deleted.append(file)
                num_bytes -= file.num_bytes
        return deleted

    def _copy(self, sha256: str) -> Path:
        return self.folder / "copies" / sha256[:2] / sha256

    def _partial(self, sha256: str) -> Path:
        return self.folder / "partial" / sha256

    def _lock(self, sha256: str, timeout: float | None = None) -> BaseFileLock | None:
        """The lock of a download, or None; digests that begin alike share one, so that there are few."""
        path = self.folder / "partial" / f"{sha256[:2]}.lock"
        lock = FileLock(path, timeout=self.lock_timeout if timeout is None else timeout)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            _log.info("%s is held by another process; reading goes on without keeping a copy.", path)
            return None
        except OSError as error:
            _warn_unkept(path, error)
            return None
        return lock

    def _fetch(self, sha256: str, max_bytes: int, fetch: Fetch) -> bytes:
        data = b""
        for _ in range(2):
            with _PartialFile(self._partial(sha256)) as partial:
                data = download(fetch, max_bytes, partial.read(max_bytes), partial.append)
                if hashlib.sha256(data).hexdigest() == sha256:
                    partial.move(self._copy(sha256))
                    break
                partial.discard()
                _log.warning("what was fetched has not the SHA-256 %s that it should have.", sha256)
        return data

    def _delete(self, file: KeptFile) -> bool:
        lock = self._lock(file.path.name, timeout=0) if file.is_partial else None
        if file.is_partial and lock is None:
            return False  # it is under way
        try:
            file.path.unlink()
        except OSError:
            return False
        finally:
            if lock is not None:
                lock.release()
        return True


def download(fetch: Fetch, max_bytes: int, begun: bytes = b"", arrived: Callable[[bytes], None] | None = None) -> bytes:
    """Fetch a file in chunks.

    Args:
        fetch: asks for bytes.
        max_bytes: the largest size that is read.
        begun: the file's beginning, which is not asked for.
        arrived: is given each chunk.

    Raises:
        UnfitFileError: there are more than ``max_bytes``.
    """
    chunks, num_bytes = [begun], len(begun)
    while num_bytes <= max_bytes:
        chunk = fetch(num_bytes, min(num_bytes + CHUNK_BYTES, max_bytes + 1))
        if not chunk:
            return b"".join(chunks)
        if arrived is not None:
            arrived(chunk)
        chunks.append(chunk)
        num_bytes += len(chunk)
    raise UnfitFileError(f"has {num_bytes} or more bytes; expected at most {max_bytes}")


class _PartialFile:
    """A download on its way to the disk. What the disk refuses ends the keeping, not the download."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: FileIO | None = None

    def __enter__(self) -> "_PartialFile":
        try:
            self._file = self.path.open("a+b", buffering=0)
        except OSError as error:
            _warn_unkept(self.path, error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        if isinstance(error, UnfitFileError):
            self.discard()

    def read(self, max_bytes: int) -> bytes:
        """What an earlier download has left; nothing of what is too long to be a part of the file."""
        if self._file is None:
            return b""
        try:
            if self._file.seek(0, os.SEEK_END) > max_bytes:
                self._file.truncate(0)
            self._file.seek(0)
            return self._file.read()
        except OSError as error:
            self._give_up(error)
            return b""

    def append(self, chunk: bytes) -> None:
        if self._file is None:
            return
        try:
            view = memoryview(chunk)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            self._give_up(error)

    def move(self, target: Path) -> None:
        if self._file is None:
            return
        self._file.close()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(self.path, target)
        except OSError as error:
            self._give_up(error)

    def discard(self) -> None:
        with suppress(OSError):
            self.path.unlink()

    def _give_up(self, error: OSError) -> None:
        _warn_unkept(self.path, error)
        if self._file is not None:
            self._file.close()
        self._file = None
        self.discard()


def _warn_unkept(path: Path, error: OSError) -> None:
    _log.warning("could not keep a copy at %s (%s); reading goes on without.", path, error.strerror or error)
