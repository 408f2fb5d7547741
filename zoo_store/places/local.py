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
from zoo_store.places.files import UnfitFileError, fill_folder, make_folder, read_file, sync_folder, write_file
from zoo_store.places.layout import NOTES, QUARANTINE

_INCOMING, _OUTGOING, _LOCK = ".incoming-", ".outgoing-", ".lock"
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
        with self._reading("its folder"):
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
        with self._reading(group):
            return _status(self.path / group) is not None

    def mark(self, group: str) -> str | None:
        """Inode and times of the group's folder and of what is in it; None when it is not there."""
        return None if (statuses := self._statuses(group)) is None else _mark(statuses)

    def marks(self, is_group: Callable[[str], bool]) -> dict[str, str | None]:
        """The marks of all groups; None for those altered within two seconds, or later than this clock tells."""
        settled = time_ns() - _COARSEST_TIMES_NS
        found: dict[str, str | None] = {}
        for group in self.groups(is_group):
            statuses = self._statuses(group)
            found[group] = None
            if statuses and max(max(part.st_mtime_ns, part.st_ctime_ns) for part in statuses) <= settled:
                found[group] = _mark(statuses)
        return found

    def is_whole(self, group: str) -> bool:
        """Whether a group is a folder of its own, not a link to one or a file."""
        with self._reading(group):
            status = _status(self.path / group)
        return status is not None and stat.S_ISDIR(status.st_mode)

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
                if _status(self.path / group) is not None:
                    return False
                with self._incoming() as incoming:
                    fill_folder(incoming, files)
                    if set(os.listdir(incoming)) != set(files):
                        raise OSError(errno.EBUSY, f"somebody else has changed {incoming.name} meanwhile")
                    os.rename(incoming, self.path / group)
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
        with self._writing(f"remove {group}"):
            if _status(self.path / group) is None:
                return False
            with self._locked():
                outgoing = self.path / f"{_OUTGOING}{uuid.uuid4().hex}"
                try:
                    os.rename(self.path / group, outgoing)
                except FileNotFoundError:
                    return False
                sync_folder(self.path)
                _delete(outgoing)
        return True

    def set_aside(self, group: str, *, mark: str | None = None) -> str | None:
        """Move a group into the folder ``quarantine``, beside others of its name.

        Returns:
            Where it lies now; None, and nothing has moved, when it is not there, or has another mark now.

        Raises:
            ZooWriteError: the operating system refused.
            ZooBusyError: another writer held the lock for too long.
        """
        path = self.path / group
        with self._writing(f"set {group} aside"):
            if _status(path) is None:
                return None
            with self._locked():
                if (now := self.mark(group)) is None or mark not in (None, now):
                    return None
                folder = self._own(QUARANTINE)
                make_folder(folder)
                names = itertools.chain((path.name,), (f"{path.name}.{number}" for number in itertools.count(2)))
                aside = next(free for name in names if not os.path.lexists(free := folder / name))
                os.rename(path, aside)
                sync_folder(folder)
                sync_folder(path.parent)
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
        """The sorted names of the files in the folder ``aliases``; hidden ones are left out.

        Raises:
            UnfitFileError: that is a link, or something else than a folder.
        """
        folder = self.path / NOTES
        try:
            with self._reading("its list of aliases"):
                mode = os.lstat(folder).st_mode
                if not stat.S_ISDIR(mode):
                    raise UnfitFileError(f"is a {'symbolic link' if stat.S_ISLNK(mode) else 'file'}; expected a folder")
                return sorted(name for name in os.listdir(folder) if not name.startswith("."))
        except FileNotFoundError:
            return []

    def read_note(self, name: str, max_bytes: int) -> bytes | None:
        """The bytes of a note; None where there is none."""
        try:
            with self._reading(f"{NOTES}/{name}"):
                return read_file(self._own(NOTES) / name, max_bytes)
        except FileNotFoundError:
            return None

    def write_notes(
        self, notes: Mapping[str, bytes | None], *, expected: Mapping[str, bytes | None] | None = None
    ) -> bool:
        """Replace notes, each by one rename.

        Returns:
            False, and nothing has been written, when one of the expected notes holds something else.

        Raises:
            ZooWriteError: the operating system refused.
            ZooBusyError: another writer held the lock for too long.
        """
        with self._writing("write the aliases"):
            folder = self._own(NOTES)
            make_folder(folder)
            with self._locked():
                if not all(self._is_note(name, data) for name, data in (expected or {}).items()):
                    return False
                for name, data in notes.items():
                    if data is None:
                        (folder / name).unlink(missing_ok=True)
                        continue
                    with self._incoming() as incoming:
                        write_file(incoming, data)
                        os.replace(incoming, folder / name)
                sync_folder(folder)
        return True

    def _is_note(self, name: str, data: bytes | None) -> bool:
        """Whether a note holds these bytes; or, for None, whether there is nothing of that name."""
        path = self.path / NOTES / name
        if data is None:
            return _status(path) is None
        try:
            return read_file(path, len(data)) == data
        except (FileNotFoundError, UnfitFileError):
            return False

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

    @contextmanager
    def _incoming(self) -> Iterator[Path]:
        """A hidden name for what is being written, which no one clears away as long as this writer lives."""
        path = self.path / f"{_INCOMING}{uuid.uuid4().hex}"
        with self._alive(path):
            try:
                yield path
            finally:
                _delete(path)

    @contextmanager
    def _alive(self, hidden: Path) -> Iterator[None]:
        """Hold the lock of a hidden name, which the operating system frees when its holder dies; do not wait for it."""
        lock = hidden.with_name(f"{hidden.name}{_LOCK}")
        with FileLock(lock, timeout=0):
            try:
                yield
            finally:
                _delete(lock)

    @contextmanager
    def _locked(self, *, clear: bool = True) -> Iterator[None]:
        lock = self.path / _LOCK
        status = _status(lock)
        if status is not None and not stat.S_ISREG(status.st_mode):
            what = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "not a regular file"
            raise OSError(errno.ELOOP, f"{_LOCK} is {what}; expected an empty file: delete it")
        try:
            with FileLock(lock, timeout=self.lock_timeout):
                if clear:
                    self._clear_leftovers()
                yield
        except Timeout:
            raise ZooBusyError(
                f"the zoo {str(self.path)!r} has been locked by another writer for more than {self.lock_timeout:g} s; "
                "wait for that writer or end it, then try again."
            ) from None

    def _clear_leftovers(self) -> list[str]:
        """Delete what dead writers left.

        Whoever holds the lock is the only living writer, unless somebody has deleted its file: so each writer also
        holds a lock on what it writes.
        """
        names = {name.removesuffix(_LOCK) for name in os.listdir(self.path) if name.startswith((_INCOMING, _OUTGOING))}
        cleared = []
        for name in sorted(names):
            with suppress(Timeout, OSError), self._alive(self.path / name):
                _delete(self.path / name)
                cleared.append(name)
        return cleared

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


def _status(path: Path) -> os.stat_result | None:
    """Of what lies at a path, a link not followed; None when there is nothing."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


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
