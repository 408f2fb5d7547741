"""A local folder that holds immutable subfolders: what the zoo asks of a place to keep its entries.

This is the only module that knows that entries lie on a local disk. It knows nothing of what is in them.
"""

import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from zoo_store.errors import ZooBusyError, ZooReadError, ZooWriteError
from zoo_store.files import make_folder, read_file, sync_folder, write_file

_INCOMING, _OUTGOING = ".incoming-", ".outgoing-"


class LocalFolder:
    """Named groups of files that appear and vanish whole.

    A group is written into a hidden folder and made visible by one rename; it is removed the other way round. So a
    reader needs no lock and never sees half a group, and a writer that dies leaves only a hidden folder, which the next
    writer clears away. Writers take turns through a lock that the operating system frees when its holder dies.

    Args:
        path: the folder; it is made by the first `publish`.
        lock_timeout: seconds to wait for another writer.
    """

    def __init__(self, path: Path, lock_timeout: float) -> None:
        self.path = path
        self.lock_timeout = lock_timeout

    def exists(self) -> bool:
        """Whether the folder is there."""
        return self.path.is_dir()

    def groups(self, is_group: Callable[[str], bool]) -> list[str]:
        """The sorted names in the folder that ``is_group`` knows; none where the folder is missing."""
        try:
            with self._reading("its list of names"):
                return sorted(filter(is_group, os.listdir(self.path)))
        except FileNotFoundError:
            return []

    def holds(self, group: str) -> bool:
        """Whether there is anything under a group's name."""
        return os.path.lexists(self.path / group)

    def mark(self, group: str) -> tuple[int, int] | None:
        """A value that is another one when a group has been replaced meanwhile; None when it is not there."""
        try:
            status = os.lstat(self.path / group)
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_ctime_ns

    def is_whole(self, group: str) -> bool:
        """Whether a group is a folder of its own, not a link to one or a file."""
        path = self.path / group
        return path.is_dir() and not path.is_symlink()

    def files(self, group: str) -> list[str]:
        """The sorted names of a group's files; hidden names are left out."""
        with self._reading(group):
            return sorted(name for name in os.listdir(self.path / group) if not name.startswith("."))

    def read(self, group: str, file: str, max_bytes: int) -> bytes:
        """The bytes of one file, as `zoo_store.files.read_file` reads them."""
        with self._reading(f"{group}/{file}"):
            return read_file(self.path / group / file, max_bytes)

    def publish(self, group: str, files: Mapping[str, bytes]) -> bool:
        """Make a new group visible, whole and on the disk.

        Returns:
            False when the group was there already, in which case nothing has changed.

        Raises:
            ZooWriteError: the operating system refused; no part of the group is visible unless all of it is.
            ZooBusyError: another writer held the lock for too long.
        """
        with self._writing(f"add {group}"):
            make_folder(self.path)
            with self._locked():
                if self.holds(group):
                    return False
                incoming = self._hidden(_INCOMING)
                try:
                    incoming.mkdir()
                    for name, data in files.items():
                        write_file(incoming / name, data)
                    sync_folder(incoming)
                    os.rename(incoming, self.path / group)
                finally:
                    shutil.rmtree(incoming, ignore_errors=True)
                sync_folder(self.path)
        return True

    def discard(self, group: str) -> bool:
        """Make a group vanish.

        Returns:
            False when there was nothing to remove.

        Raises:
            ZooWriteError: the operating system refused.
            ZooBusyError: another writer held the lock for too long.
        """
        with self._writing(f"remove {group}"), self._locked():
            outgoing = self._hidden(_OUTGOING)
            try:
                os.rename(self.path / group, outgoing)
            except FileNotFoundError:
                return False
            sync_folder(self.path)
            _delete(outgoing)
        return True

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ZooReadError(
                error.errno or errno.EIO,
                f"could not read {what} in the zoo {str(self.path)!r}: {error.strerror or error}. "
                "Allow reading there, or see to the cause, then try again.",
            ) from error

    def _hidden(self, prefix: str) -> Path:
        return self.path / f"{prefix}{uuid.uuid4().hex}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with FileLock(self.path / ".lock", timeout=self.lock_timeout):
                self._clear_leftovers()
                yield
        except Timeout:
            raise ZooBusyError(
                f"the zoo {str(self.path)!r} has been locked by another writer for more than {self.lock_timeout:g} s; "
                "wait for that writer or end it, then try again."
            ) from None

    def _clear_leftovers(self) -> None:
        """Delete what dead writers left; whoever holds the lock is the only living writer."""
        for name in os.listdir(self.path):
            if name.startswith((_INCOMING, _OUTGOING)):
                _delete(self.path / name)

    @contextmanager
    def _writing(self, action: str) -> Iterator[None]:
        try:
            yield
        except (ZooBusyError, ZooWriteError):
            raise
        except OSError as error:
            reason = error.strerror or str(error)
            raise ZooWriteError(
                error.errno or errno.EIO,
                f"could not {action} in the zoo {str(self.path)!r}: {reason}. The entries that it holds are untouched. "
                f"{_remedy(error.errno)}, then try again.",
            ) from error


def _delete(path: Path) -> None:
    """Delete what no reader can see; what cannot be deleted now is left to the next writer."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _remedy(code: int | None) -> str:
    if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "Make room on the disk (or raise the quota or file size limit)"
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Allow writing to that folder, or copy the zoo to a folder of your own"
    return "See to the cause"
