"""What a repository on the Hugging Face Hub holds at one commit, and how this machine remembers it."""

import hashlib
import json
import os
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class HubFile:
    """What the Hub says of one file.

    Args:
        size: in bytes.
        blob: SHA-1 of the file as git keeps it, in hex; of a pointer where ``sha256`` is given.
        sha256: of the bytes, in hex, where the Hub keeps the file outside git; else None.
    """

    size: int
    blob: str
    sha256: str | None

    def describes(self, data: bytes) -> bool:
        """Whether these are the file's bytes."""
        if len(data) != self.size:
            return False
        if self.sha256 is not None:
            return hashlib.sha256(data).hexdigest() == self.sha256
        return hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest() == self.blob


@dataclass(frozen=True)
class Listing:
    """The files of a repository at one commit.

    Args:
        commit: its full name.
        asked: when the Hub first gave this listing to this machine, ISO 8601 in UTC.
        files: by path in the repository.
    """

    commit: str
    asked: str
    files: Mapping[str, HubFile]

    @classmethod
    def of(cls, commit: str, files: Mapping[str, HubFile]) -> "Listing":
        """What the Hub has just answered."""
        return cls(commit, datetime.now(UTC).isoformat(timespec="seconds"), files)

    @cached_property
    def groups(self) -> Mapping[str, Mapping[str, HubFile]]:
        """The files by the first part of their path and then by the rest; the rest is empty for one at the top."""
        groups: defaultdict[str, dict[str, HubFile]] = defaultdict(dict)
        for path, file in self.files.items():
            group, _, rest = path.partition("/")
            groups[group][rest] = file
        return groups

    def mark(self, group: str) -> str | None:
        """A text that stands for what a group holds; None where there is no such group."""
        files = self.groups.get(group)
        return None if files is None else " ".join(f"{name}:{file.blob}" for name, file in sorted(files.items()))

    def names_in(self, folder: str) -> list[str]:
        """The sorted names right in a folder at the top; hidden ones are left out."""
        names = {rest.partition("/")[0] for rest in self.groups.get(folder, {}) if rest}
        return sorted(name for name in names if not name.startswith("."))


def remembered(path: Path) -> Listing | None:
    """The listing in a file; None where there is none, or another version or another program wrote it."""
    try:
        found = json.loads(path.read_bytes())
        files = {str(name): HubFile(int(size), str(blob), sha256) for name, (size, blob, sha256) in _items(found)}
        return Listing(str(found["commit"]), str(found["asked"]), files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # it is only a cache: the Hub is asked again


def remember(listing: Listing, path: Path) -> None:
    """Put a listing into a file, whole or not at all."""
    files = {name: (file.size, file.blob, file.sha256) for name, file in listing.files.items()}
    text = json.dumps({"commit": listing.commit, "asked": listing.asked, "files": files})
    path.parent.mkdir(parents=True, exist_ok=True)
    incoming = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        incoming.write_text(text, encoding="utf-8")
        os.replace(incoming, path)
    finally:
        incoming.unlink(missing_ok=True)


def _items(
    found: dict[str, dict[str, tuple[int, str, str | None]]],
) -> Iterable[tuple[str, tuple[int, str, str | None]]]:
    return found["files"].items()
