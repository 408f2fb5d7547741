"""A place in this process' memory: what the format makes of bytes, with no file system in between."""

from collections.abc import Callable, Mapping
from pathlib import Path

from zoo_store.places.files import UnfitFileError


class DictPlace:
    """A `Place` of two dicts, for one process.

    Attributes:
        groups_of_files: bytes by name, by group; tests alter them as an intruder would.
        notes_by_name: bytes by name.
        aside: groups that were set aside, by where they went.
        names_read: every name that a file was asked by, with its group.
    """

    address = "dict://zoo"
    path: Path | None = None

    def __init__(self, groups_of_files: Mapping[str, Mapping[str, bytes]] | None = None) -> None:
        self.groups_of_files = {group: dict(files) for group, files in (groups_of_files or {}).items()}
        self.notes_by_name: dict[str, bytes] = {}
        self.aside: dict[str, dict[str, bytes]] = {}
        self.names_read: set[tuple[str, str]] = set()
        self._changes = 0

    def exists(self) -> bool:
        return True

    def groups(self, is_group: Callable[[str], bool]) -> list[str]:
        return sorted(filter(is_group, self.groups_of_files))

    def holds(self, group: str) -> bool:
        return group in self.groups_of_files

    def mark(self, group: str) -> str | None:
        return str(self._changes) if group in self.groups_of_files else None

    def marks(self, is_group: Callable[[str], bool]) -> dict[str, str]:
        return dict.fromkeys(self.groups(is_group), str(self._changes))

    def is_whole(self, group: str) -> bool:
        return group in self.groups_of_files

    def files(self, group: str) -> list[str]:
        if group not in self.groups_of_files:
            raise FileNotFoundError(group)
        return sorted(name for name in self.groups_of_files[group] if not name.startswith("."))

    def read(self, group: str, file: str, max_bytes: int, sha256: str | None = None) -> bytes:
        self.names_read.add((group, file))
        data = self.groups_of_files.get(group, {}).get(file)
        if data is None:
            raise FileNotFoundError(file)
        return _at_most(data, max_bytes)

    def publish(self, group: str, files: Mapping[str, bytes]) -> bool:
        if group in self.groups_of_files:
            return False
        self._changes += 1
        self.groups_of_files[group] = dict(files)
        return True

    def discard(self, group: str) -> bool:
        self._changes += 1
        return self.groups_of_files.pop(group, None) is not None

    def set_aside(self, group: str, *, mark: str | None = None) -> str | None:
        if self.mark(group) is None or mark not in (None, self.mark(group)):
            return None
        self._changes += 1
        where = f"{self.address}/quarantine/{group}.{self._changes}"
        self.aside[where] = self.groups_of_files.pop(group)
        return where

    def clear_leftovers(self) -> list[str]:
        return []

    def notes(self) -> list[str]:
        return sorted(self.notes_by_name)

    def read_note(self, name: str, max_bytes: int) -> bytes | None:
        data = self.notes_by_name.get(name)
        return None if data is None else _at_most(data, max_bytes)

    def write_notes(
        self, notes: Mapping[str, bytes | None], *, expected: Mapping[str, bytes | None] | None = None
    ) -> bool:
        if any(self.notes_by_name.get(name) != data for name, data in (expected or {}).items()):
            return False
        for name, data in notes.items():
            if data is None:
                self.notes_by_name.pop(name, None)
            else:
                self.notes_by_name[name] = data
        return True


def _at_most(data: bytes, max_bytes: int) -> bytes:
    if len(data) > max_bytes:
        raise UnfitFileError(f"has {len(data)} bytes; expected at most {max_bytes}")
    return data
