"""The manifest of a stored entry: which files it has, and what each must be."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from zoo_store.format.card import MAX_CARD_BYTES
from zoo_store.format.identity import Content
from zoo_store.format.migrations import MANIFEST_FORMAT, check_version
from zoo_store.format.plain_json import Json, parse, pretty, shown

SUPERNET_FILE = "supernet.safetensors"
SKETCH_FILE = "sketch.safetensors"
CARD_FILE = "card.json"
README_FILE = "README.md"
MANIFEST_FILE = "manifest.json"

LISTED_FILES = (SUPERNET_FILE, SKETCH_FILE, CARD_FILE, README_FILE)
"""The files that a manifest lists: exactly these."""

MAX_MANIFEST_BYTES = 64 * 1024
_MAX_BYTES = {CARD_FILE: MAX_CARD_BYTES, README_FILE: 16 * MAX_CARD_BYTES}  # a page is made from a card

_HEX_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class FileRecord:
    """What a file must be.

    Args:
        sha256: of its bytes, in hex.
        size: in bytes.
    """

    sha256: str
    size: int

    @classmethod
    def of(cls, data: bytes) -> "FileRecord":
        """The record of a file with these bytes."""
        return cls(sha256=hashlib.sha256(data).hexdigest(), size=len(data))

    def fault_of(self, data: bytes) -> str | None:
        """What is wrong with a file's bytes, or None when they are the recorded ones."""
        found = FileRecord.of(data)
        if found.size != self.size:
            return f"has {found.size} bytes; the manifest records {self.size}"
        if found.sha256 != self.sha256:
            return f"has the SHA-256 {found.sha256}; the manifest records {self.sha256}"
        return None


@dataclass(frozen=True)
class Manifest:
    """The digests of an entry's content and the records of its files.

    Args:
        content: whose digest is the entry's id.
        files: one record for each of `LISTED_FILES`.
    """

    content: Content
    files: Mapping[str, FileRecord]

    def to_bytes(self) -> bytes:
        """The file: JSON with the format's version, the id, the content digests and the file records."""
        return pretty(
            {
                "format_version": MANIFEST_FORMAT,
                "id": self.content.entry_id,
                "content": asdict(self.content),
                "files": {name: asdict(record) for name, record in self.files.items()},
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes, entry_id: str) -> "Manifest":
        """Read the manifest of an entry, trusting nothing.

        Args:
            data: the file's bytes.
            entry_id: the id that it must be about; the digests are held against it.

        Raises:
            ValueError: with what was found and what was expected.
            SchemaVersionError: the format is newer, or unknown.
        """
        found = parse(data)
        if not isinstance(found, dict):
            raise ValueError("is not a JSON object")
        what = f"{MANIFEST_FILE} of zoo entry {entry_id}"
        check_version(found.get("format_version"), newest=MANIFEST_FORMAT, what=what)
        _expect_keys(found, ("format_version", "id", "content", "files"), "the manifest")
        content = _content(found["content"])
        if found["id"] != entry_id:
            raise ValueError(f"is about the entry {shown(found['id'])}, which is not the name of its folder")
        if content.entry_id != entry_id:
            raise ValueError(f"lists content whose id is {content.entry_id}, which is not the name of its folder")
        return cls(content=content, files=_files(found["files"]))


def _content(found: Json) -> Content:
    _expect_keys(found, ("card", "sketch", "state"), "'content'")
    for part, digest in found.items():
        _expect_digest(digest, f"the content digest of {part!r}")
    return Content(**found)


def _files(found: Json) -> dict[str, FileRecord]:
    _expect_keys(found, LISTED_FILES, "'files'")
    records = {}
    for name, record in found.items():
        _expect_keys(record, ("sha256", "size"), f"the record of {name!r}")
        _expect_digest(record["sha256"], f"the SHA-256 of {name!r}")
        size = record["size"]
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise ValueError(f"gives {name!r} the size {shown(size)}; expected a number of bytes")
        if size > _MAX_BYTES.get(name, size):
            raise ValueError(f"gives {name!r} the size {size}; expected at most {_MAX_BYTES[name]} bytes")
        records[name] = FileRecord(sha256=record["sha256"], size=size)
    return records


def _expect_keys(found: Json, expected: tuple[str, ...], what: str) -> None:
    if not isinstance(found, dict):
        raise ValueError(f"holds {what} as a {type(found).__name__}; expected an object")
    if set(found) != set(expected):
        raise ValueError(f"lists {shown(sorted(found))} in {what}; expected exactly {sorted(expected)}")


def _expect_digest(found: Json, what: str) -> None:
    if not isinstance(found, str) or not _HEX_DIGEST.fullmatch(found):
        raise ValueError(f"holds {shown(found)} as {what}; expected 64 hex digits")
