"""A place on an object store, or any other file system that fsspec knows."""

import errno
import hashlib
import itertools
import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from zoo_store.errors import ZooBusyError, ZooError, ZooReadError, ZooWriteError
from zoo_store.places.files import UnfitFileError
from zoo_store.places.kept.copies import Fetch, KeptCopies, download
from zoo_store.places.kept.pages import KeptPages
from zoo_store.places.layout import NOTES, QUARANTINE
from zoo_store.places.remote.remote_files import Info, RemoteFiles, reason_of, remedy_of

_PROBE = ".probe-"
_ROUNDS = 24
_PAUSES = random.SystemRandom()
_MORE_BYTES = 64 * 1024 * 1024  # than one's own, which another writer's file of the same content may have
_AMBIGUOUS = frozenset(("", ".", ".."))
_TELLING_KEYS = frozenset(
    {"size", "created", "mtime", "modified", "modify", "modificationtime", "lastmodified", "last_modified", "updated"}
    | {
        "timemodified",
        "etag",
        "md5",
        "md5hash",
        "content_md5",
        "crc32c",
        "checksum",
        "content_hash",
        "sha",
        "rev",
        "ino",
    }
    | {"generation", "versionid", "version_id"}
)  # of what file systems tell; others tell also when a file was last read


class ObjectStore:
    """A `Place` where files appear whole, one by one, and nothing can be renamed or locked.

    The files are laid out as in a local folder, so a folder can be synchronised with a bucket either way. A group is
    there if its marker is, which is written last and deleted first. Names that are not plain are not the zoo's.

    *Several writers* of one group write equal content, yet maybe other files that tell of their runs. So a writer takes
    what is there: a file is created only where it is missing, one that lies there already is kept if the group can be
    made of it, and the marker is written for what is there in the end. Files that make the group are never replaced, so
    all writers arrive at the same bytes, and none who is slow or dies harms what another has reported as written.
    Having written the marker, a writer looks at it and the files once more, and begins anew until they agree or the
    marker is gone. *A remover* deletes the marker first, and when the files are deleted too looks again for it,
    beginning anew if there is one; a writer whose files it took puts them back. *One that dies* leaves a group without
    a marker, which nobody sees and the next writer of that group completes.

    *What remains.* A file of which the group can never be made (somebody else put it there) is replaced while there is
    no marker; where the store cannot create exclusively, two writers may each create a file; and a remover may be
    deleting files that a new writer has just taken. The writers put all of this right; if one dies before he has, the
    group may be left with a marker that is not that of its files. A reader holds every file against the marker, and
    never takes such a mixture for an entry.

    Args:
        url: with a scheme that fsspec knows.
        marker: the file that makes a group visible.
        is_group: which names are those of groups.
        seal: makes the marker of a group from the bytes of its other files, by name; raises a `ZooError` where the
            group cannot be made of them.
        storage_options: passed on to fsspec.
        grace: how old the files of a dead writer must be to be cleared away, by the store's own clock.

    Raises:
        ZooPathError: the URL is none that fsspec can open here.
    """

    def __init__(
        self,
        url: str,
        *,
        marker: str,
        is_group: Callable[[str], bool],
        seal: Callable[[str, Mapping[str, bytes]], bytes],
        storage_options: Mapping[str, Any] | None = None,
        grace: timedelta = timedelta(days=1),
    ) -> None:
        self.remote = RemoteFiles(url, storage_options)
        self.marker = marker
        self.is_group = is_group
        self.seal = seal
        self.grace = grace
        self.copies = KeptCopies()
        self.pages = KeptPages(self.address, self.remote.endpoint)

    @property
    def address(self) -> str:
        """The URL."""
        return self.remote.url

    @property
    def path(self) -> Path | None:
        """None: this is no local folder."""
        return None

    def exists(self) -> bool:
        """Whether there is the folder, or the bucket, where folders are no more than parts of names."""
        with self._reading("look for anything"):
            return self.remote.exists()

    def groups(self, is_group: Callable[[str], bool]) -> list[str]:
        """The sorted names of the groups whose marker is there."""
        return sorted(self.marks(is_group))

    def holds(self, group: str) -> bool:
        """Whether the marker of a group is there."""
        with self._reading(f"look for {group}"):
            return self._is_there(group)

    def mark(self, group: str) -> str | None:
        """What the store tells of a group's files: sizes, times of writing, tags of their content.

        Where it tells no tags, a file that is altered twice within one tick of its clock keeps its mark.
        """
        return self._marks(self._listing(group)).get(group)

    def marks(self, is_group: Callable[[str], bool]) -> dict[str, str]:
        """The marks of all groups, from one listing."""
        marks = self._marks(self._listing())
        self.pages.forget_others(self.marker, {NOTES, *marks})
        return {group: mark for group, mark in marks.items() if is_group(group)}

    def is_whole(self, group: str) -> bool:
        """True: there are no links."""
        return True

    def files(self, group: str) -> list[str]:
        """The sorted names of a group's files, also of those further down; hidden names are left out."""
        names = sorted("/".join(parts[1:]) for parts in self._listing(group) if parts[1:] and parts[1][0] != ".")
        if not names:
            raise FileNotFoundError(f"{self.address}/{group}")
        return names

    def read(self, group: str, file: str, max_bytes: int, sha256: str | None = None) -> bytes:
        """The bytes of one file: from a copy if its digest is known, and kept as one then."""
        fetch = self._fetch(f"{group}/{file}", max_bytes)
        if sha256 is not None:
            return self.copies.read(sha256, max_bytes, fetch)
        if file != self.marker:
            return download(fetch, max_bytes)
        return self._read_page(group, file, fetch, max_bytes)

    def publish(self, group: str, files: Mapping[str, bytes]) -> bool:
        """Make a group visible; see the class for what happens between several writers.

        Returns:
            False when there was such a group already, or another writer was quicker.

        Raises:
            ZooWriteError: the store refused; the group is not visible unless all of it is there.
            ZooBusyError: other writers changed the group again and again.
        """
        path, given = f"{group}/{self.marker}", {name: data for name, data in files.items() if name != self.marker}
        with self._writing(f"add {group}"):
            if self._is_there(group):
                return False
            created = False
            for round_number in range(_ROUNDS):
                _pause(round_number)
                there = self._completed(group, given)
                if there is None:
                    return created
                marker = files[self.marker] if there == given else self.seal(group, there)
                if round_number == 0:
                    created = self.remote.create(path, marker)
                    continue
                found = self._now(path, len(marker))
                if found is None and not self._is_there(group):
                    return created  # and removed again just now
                if found == marker or found == (marker := self.seal(group, there)):
                    return created
                self.remote.replace(path, marker)
            raise self._busy(group)

    def discard(self, group: str) -> bool:
        """Make a group vanish.

        Returns:
            False when there was nothing to remove.

        Raises:
            ZooWriteError: the store refused.
            ZooBusyError: other writers added the group again and again.
        """
        with self._writing(f"remove {group}"):
            if not self._is_there(group):
                return False
            for round_number in range(_ROUNDS):
                _pause(round_number)
                self.remote.delete(f"{group}/{self.marker}")
                self._delete(self._listing(group))
                if not self._is_there(group):
                    self.pages.forget(group, self.marker)
                    return True
            raise self._busy(group)

    def set_aside(self, group: str, *, mark: str | None = None) -> str | None:
        """Copy a group to ``quarantine``, beside others of its name, and then remove it.

        Returns:
            Where it lies now; None, and the group stays as it is, when it is not there, has another mark than the one
            given, or was changed while it was copied (what was copied so far then stays in ``quarantine``).

        Raises:
            ZooWriteError: the store refused.
            ZooBusyError: other writers added the group again and again.
        """
        with self._writing(f"set {group} aside"):
            files = self._listing(group)
            before = self._marks(files).get(group)
            if before is None or (mark is not None and mark != before):
                return None
            taken = {parts[1] for parts in self._listing(QUARANTINE) if parts[1:]}
            names = itertools.chain((group,), (f"{group}.{number}" for number in itertools.count(2)))
            aside = f"{QUARANTINE}/{next(name for name in names if name not in taken)}"
            try:
                for parts in files:
                    self.remote.copy("/".join(parts), "/".join((aside, *parts[1:])))
            except FileNotFoundError:
                if self._is_there(group):
                    raise
            if self.mark(group) != before:
                return None
            self.discard(group)
        return f"{self.address}/{aside}"

    def clear_leftovers(self) -> list[str]:
        """Delete the files of groups without a marker, if the store says that all of them are old.

        Ages come from the store's own clock: a file written just now tells what it shows. Where it tells no times,
        nothing is deleted. A writer that should still live after all notices, and writes its files again.
        """
        with self._writing("clear what was left behind"):
            listing = self._listing()
            visible = self._marks(listing)
            dead: dict[str, list[tuple[str, ...]]] = {}
            for parts in listing:
                is_file_of_group = len(parts) > 1 and self.is_group(parts[0]) and parts[0] not in visible
                if is_file_of_group or (len(parts) == 1 and parts[0].startswith(_PROBE)):
                    dead.setdefault(parts[0], []).append(parts)
            now = self._store_time() if dead else None
            cleared = []
            for name, files in sorted(dead.items()):
                if now is not None and self._are_old(files, now) and not self._is_there(name):
                    self._delete(files)
                    cleared.append(name)
            return cleared

    def notes(self) -> list[str]:
        """The sorted names of the files in ``aliases``; hidden ones, and those that are not plain, are left out."""
        found = (parts[1] for parts in self._listing(NOTES) if len(parts) == 2)
        names = sorted(name for name in found if _is_plain(name) and not name.startswith("."))
        for gone in set(self.pages.files(NOTES)).difference(names):
            self.pages.forget(NOTES, gone)
        return names

    def read_note(self, name: str, max_bytes: int) -> bytes | None:
        """A note; None where there is none."""
        try:
            return self._read_page(NOTES, name, self._fetch(f"{NOTES}/{name}", max_bytes), max_bytes)
        except FileNotFoundError:
            return None

    def write_notes(
        self, notes: Mapping[str, bytes | None], *, expected: Mapping[str, bytes | None] | None = None
    ) -> bool:
        """Replace notes, each by one write.

        The expected ones are looked at first, then the notes are written: a change between the two goes unnoticed.
        """
        with self._writing("write the aliases"):
            for name, data in (expected or {}).items():
                if not self._is_note(name, data):
                    return False
            for name, data in notes.items():
                if data is None:
                    self.remote.delete(f"{NOTES}/{name}")
                    self.pages.forget(NOTES, name)
                else:
                    self.remote.replace(f"{NOTES}/{name}", data)
        return True

    def _is_note(self, name: str, data: bytes | None) -> bool:
        path = f"{NOTES}/{name}"
        return self.remote.size(path) is None if data is None else self._now(path, len(data)) == data

    def _listing(self, under: str = "") -> dict[tuple[str, ...], Info]:
        """What the store tells of the files, by the parts of their path; those that might mean another are left out."""
        with self._reading("list the files"):
            listing = self.remote.listing(under)
        found = {tuple(path.split("/")): info for path, info in listing.items()}
        return {parts: info for parts, info in found.items() if not _AMBIGUOUS & set(parts)}

    def _marks(self, listing: Mapping[tuple[str, ...], Info]) -> dict[str, str]:
        """The marks of the groups that have a marker."""
        told: dict[str, list[str]] = {parts[0]: [] for parts in listing if parts[1:] == (self.marker,)}
        for parts, info in sorted(listing.items()):
            if parts[0] in told:
                telling = sorted((key, str(value)) for key, value in info.items() if key.lower() in _TELLING_KEYS)
                told[parts[0]].append(f"{parts} {telling}")
        return {group: hashlib.sha256("\n".join(lines).encode()).hexdigest() for group, lines in told.items()}

    def _is_there(self, group: str) -> bool:
        return self.remote.size(f"{group}/{self.marker}") is not None

    def _fetch(self, path: str, max_bytes: int) -> Fetch:
        """Reads parts of a file, after its size has been asked for once."""
        sizes: list[int] = []

        def fetch(start: int, end: int) -> bytes:
            with self._reading(f"read {path}"):
                if not sizes:
                    size = self.remote.size(path)
                    if size is None:
                        raise FileNotFoundError(f"{self.address}/{path}")
                    if size > max_bytes:
                        raise UnfitFileError(f"has {size} bytes; expected at most {max_bytes}")
                    sizes.append(size)
                return self.remote.read(path, min(start, sizes[0]), min(end, sizes[0]))

        return fetch

    def _read_page(self, group: str, file: str, fetch: Fetch, max_bytes: int) -> bytes:
        try:
            data = download(fetch, max_bytes)
        except FileNotFoundError:
            self.pages.forget(group, file)
            raise
        self.pages.keep(group, file, data)
        return data

    def _now(self, path: str, max_bytes: int) -> bytes | None:
        """What a file holds now; None where there is none, or a longer one."""
        size = self.remote.size(path)
        if size is None or size > max_bytes:
            return None
        try:
            return download(lambda start, end: self.remote.read(path, min(start, size), min(end, size)), max_bytes)
        except FileNotFoundError:
            return None

    def _completed(self, group: str, given: Mapping[str, bytes]) -> dict[str, bytes] | None:
        """Write the files of a group that are missing, or of which it cannot be made.

        Returns:
            What is there now. None, and nothing replaced, where the group is visible, yet cannot be made of its files:
            it was damaged, as its readers will tell, or belongs to a newer version of the zoo.
        """
        there = {}
        for name, data in given.items():
            path = f"{group}/{name}"
            found = self._created_or_found(path, data)
            if found is None or (found != data and not self._fits(group, {**given, name: found})):
                if self._is_there(group):
                    return None
                self.remote.replace(path, data)
                found = data
            there[name] = found
        return there

    def _created_or_found(self, path: str, data: bytes) -> bytes | None:
        """What a file holds, after it has been created if it was missing; None where it is far longer."""
        for round_number in range(_ROUNDS):
            _pause(round_number)
            info = self.remote.info(path)
            if info is None:
                if self.remote.create(path, data):
                    return data
            elif info["size"] > len(data) + _MORE_BYTES:
                return None
            elif _is_md5(info, data):
                return data
            elif (found := self._now(path, info["size"])) is not None:
                return found
        raise self._busy(path)

    def _fits(self, group: str, files: Mapping[str, bytes]) -> bool:
        try:
            self.seal(group, files)
        except ZooError:
            return False
        return True

    def _delete(self, files: Iterable[tuple[str, ...]]) -> None:
        for parts in files:
            self.remote.delete("/".join(parts))

    def _store_time(self) -> datetime | None:
        """What the store's clock shows; None where it tells no times."""
        probe = f"{_PROBE}{uuid.uuid4().hex}"
        self.remote.replace(probe, b"")
        try:
            return self.remote.modified(probe)
        finally:
            self.remote.delete(probe)

    def _are_old(self, files: Iterable[tuple[str, ...]], now: datetime) -> bool:
        for parts in files:
            try:
                modified = self.remote.modified("/".join(parts))
            except FileNotFoundError:
                continue
            if modified is None or now - modified < self.grace:
                return False
        return True

    def _busy(self, group: str) -> ZooBusyError:
        return ZooBusyError(
            f"the entry {group} of the zoo {self.address!r} was changed by other writers {_ROUNDS} times; wait "
            "for them, then try again."
        )

    @contextmanager
    def _reading(self, action: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, UnfitFileError, ZooError):
            raise
        except Exception as error:  # file systems have no common ancestor of what they raise
            raise ZooReadError(*self._told(action, error)) from error

    @contextmanager
    def _writing(self, action: str) -> Iterator[None]:
        try:
            yield
        except ZooError:
            raise
        except Exception as error:  # file systems have no common ancestor of what they raise
            raise ZooWriteError(*self._told(action, error, "The other entries are untouched. ")) from error

    def _told(self, action: str, error: Exception, more: str = "") -> tuple[int, str]:
        """The code and the sentence for what a file system raised."""
        return (
            getattr(error, "errno", None) or errno.EIO,
            f"could not {action} in the zoo {self.address!r}: {reason_of(error, self.remote.secrets)}. {more}"
            f"{remedy_of(error, self.remote.scheme)}, then try again.",
        )


def _pause(round_number: int) -> None:
    """Let the others finish; longer and longer, and never as long as they do."""
    if round_number > 1:
        time.sleep(_PAUSES.uniform(0, min(0.01 * 2**round_number, 1.0)))


def _is_md5(info: Info, data: bytes) -> bool:
    """Whether the store's tag tells that a file holds this: S3's is the MD5 of what was put at once and unencrypted."""
    return str(info.get("ETag")).strip('"') == hashlib.md5(data, usedforsecurity=False).hexdigest()


def _is_plain(name: str) -> bool:
    return "\\" not in name and name.isprintable()
