"""A place on a local disk: a folder that holds immutable subfolders."""

import errno
import itertools
import os
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time_ns

from filelock import FileLock, Timeout

from zoo_store.errors import ZooBusyError, ZooReadError, ZooWriteError
from zoo_store.places.files import fill_folder, make_folder, read_file, sync_folder, write_file
from zoo_store.places.layout import NOTES as _NOTES
from zoo_store.places.layout import QUARANTINE as _QUARANTINE

_INCOMING, _OUTGOING = ".incoming-", ".outgoing-"
_COARSEST_TIMES_NS = 2_000_000_000  # of all file systems, FAT keeps the coarsest times


class LocalFolder:
    """A `Place` on a local disk.

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

    @property
    def address(self) -> str:
        """The folder's path."""
        return str(self.path)

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

    def mark(self, group: str) -> str | None:
        """Inode and times of the group's folder and of what is in it; None when it is not there."""
        return None if (statuses := self._statuses(group)) is None else _mark(statuses)

    def marks(self, is_group: Callable[[str], bool]) -> dict[str, str]:
        """The marks of all groups but those altered within the last two seconds, or later than this clock tells."""
        settled = time_ns() - _COARSEST_TIMES_NS
        found = {}
        for group in self.groups(is_group):
            statuses = self._statuses(group)
            if statuses and max(max(part.st_mtime_ns, part.st_ctime_ns) for part in statuses) <= settled:
                found[group] = _mark(statuses)
        return found

    def is_whole(self, group: str) -> bool:
        """Whether a group is a folder of its own, not a link to one or a file."""
        path = self.path / group
        return path.is_dir() and not path.is_symlink()

    def files(self, group: str) -> list[str]:
        """The sorted names of a group's files; hidden names are left out."""
        with self._reading(group):
            return sorted(name for name in os.listdir(self.path / group) if not name.startswith("."))

    def read(self, group: str, file: str, max_bytes: int, sha256: str | None = None) -> bytes:
        """The bytes of one file, as `zoo_store.places.files.read_file` reads them; there are no copies of it."""
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
                    fill_folder(incoming, files)
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

    def set_aside(self, group: str) -> str:
        """Move a group into the folder ``quarantine``, beside others of its name.

        Raises:
            ZooWriteError: the operating system refused; also when there is no such group.
            ZooBusyError: another writer held the lock for too long.
        """
        with self._writing(f"set {group} aside"), self._locked():
            folder = self._own(_QUARANTINE)
            make_folder(folder)
            names = itertools.chain((group,), (f"{group}.{number}" for number in itertools.count(2)))
            aside = next(path for name in names if not os.path.lexists(path := folder / name))
            os.rename(self.path / group, aside)
            sync_folder(aside.parent)
            sync_folder(self.path)
        return str(aside)

    def clear_leftovers(self) -> list[str]:
        """Delete the hidden folders of dead writers.

        Raises:
            ZooWriteError: the operating system refused.
            ZooBusyError: another writer held the lock for too long.
        """
        if not self.exists():
            return []
        with self._writing("clear what was left behind"), self._locked(clear=False):
            return self._clear_leftovers()

    def notes(self) -> list[str]:
        """The sorted names of the files in the folder ``aliases``; hidden ones are left out."""
        try:
            with self._reading("its list of aliases"):
                return sorted(name for name in os.listdir(self._own(_NOTES)) if not name.startswith("."))
        except FileNotFoundError:
            return []

    def read_note(self, name: str, max_bytes: int) -> bytes | None:
        """The bytes of a note; None where there is none."""
        try:
            with self._reading(f"{_NOTES}/{name}"):
                return read_file(self._own(_NOTES) / name, max_bytes)
        except FileNotFoundError:
            return None

    def write_notes(self, notes: Mapping[str, bytes | None]) -> None:
        """Replace notes, each by one rename.

        Raises:
            ZooWriteError: the operating system refused.
            ZooBusyError: another writer held the lock for too long.
        """
        with self._writing("write the aliases"):
            folder = self._own(_NOTES)
            make_folder(folder)
            with self._locked():
                for name, data in notes.items():
                    if data is None:
                        (folder / name).unlink(missing_ok=True)
                        continue
                    incoming = self._hidden(_INCOMING)
                    try:
                        write_file(incoming, data)
                        os.replace(incoming, folder / name)
                    finally:
                        incoming.unlink(missing_ok=True)
                sync_folder(folder)

    def _statuses(self, group: str) -> list[os.stat_result] | None:
        """Of the group's folder and of what is in it; None when it is not there."""
        folder = f"{self.path}/{group}"
        found: list[os.stat_result] = []
        try:
            found.append(os.lstat(folder))
            if stat.S_ISDIR(found[0].st_mode):
                found += [os.lstat(f"{folder}/{name}") for name in sorted(os.listdir(folder))]
        except FileNotFoundError:
            return None
        except OSError:
            return found  # a folder that may not be listed: reading it tells why
        return found

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

    def _own(self, name: str) -> Path:
        """A folder of this one; a symbolic link in its place is not followed."""
        path = self.path / name
        if path.is_symlink():
            raise OSError(errno.ELOOP, f"{name} is a symbolic link; expected a folder")
        return path

    def _hidden(self, prefix: str) -> Path:
        return self.path / f"{prefix}{uuid.uuid4().hex}"

    @contextmanager
    def _locked(self, *, clear: bool = True) -> Iterator[None]:
        try:
            with FileLock(self.path / ".lock", timeout=self.lock_timeout):
                if clear:
                    self._clear_leftovers()
                yield
        except Timeout:
            raise ZooBusyError(
                f"the zoo {str(self.path)!r} has been locked by another writer for more than {self.lock_timeout:g} s; "
                "wait for that writer or end it, then try again."
            ) from None

    def _clear_leftovers(self) -> list[str]:
        """Delete what dead writers left; whoever holds the lock is the only living writer."""
        names = sorted(name for name in os.listdir(self.path) if name.startswith((_INCOMING, _OUTGOING)))
        for name in names:
            _delete(self.path / name)
        return names

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


def _mark(statuses: list[os.stat_result]) -> str:
    return " ".join([f"{part.st_ino}.{part.st_size}.{part.st_mtime_ns}.{part.st_ctime_ns}" for part in statuses])


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
