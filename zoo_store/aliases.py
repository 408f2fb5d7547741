"""Names that people give to entries: an alias may move to another entry, an entry never changes."""

import re

from zoo_store.errors import AliasError
from zoo_store.format.identity import is_full_id
from zoo_store.format.plain_json import parse, pretty

ALIAS_FORMAT = 1
MAX_NOTE_BYTES = 4096

_ALIAS = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_ID_LIKE = re.compile(r"[0-9a-f]{6,}")
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))})
_SUFFIX = ".json"


def is_alias(text: str) -> bool:
    """Whether a text may be an alias."""
    return bool(_ALIAS.fullmatch(text)) and not _ID_LIKE.fullmatch(text) and text.partition(".")[0] not in _DEVICES


def checked_alias(text: object) -> str:
    """A text that may be an alias.

    Raises:
        AliasError: it may not; with the rule.
    """
    if isinstance(text, str) and is_alias(text):
        return text
    raise AliasError(
        f"{text!r} cannot be an alias; expected 1 to 64 of a-z, 0-9, '.', '_' and '-', beginning and ending with a "
        "letter or digit, that could not be taken for the beginning of an id (six or more of 0-9 and a-f), nor for a "
        "device of Windows: such as 'plk-s1-c16'."
    )


def note_name(alias: str) -> str:
    """The file that holds an alias."""
    return f"{alias}{_SUFFIX}"


def alias_of(note: str) -> str | None:
    """The alias that a file holds; None where its name is that of no alias."""
    alias = note.removesuffix(_SUFFIX)
    return alias if note.endswith(_SUFFIX) and is_alias(alias) else None


def encode_alias(alias: str, entry_id: str) -> bytes:
    """The bytes of an alias' file."""
    return pretty({"format_version": ALIAS_FORMAT, "alias": alias, "entry": entry_id})


def decode_alias(data: bytes, alias: str) -> str:
    """The id of the entry that an alias' file points at.

    Raises:
        ValueError: with what was found and what was expected, as a clause.
    """
    found = parse(data)
    if not isinstance(found, dict) or set(found) != {"format_version", "alias", "entry"}:
        raise ValueError("is not an object of exactly format_version, alias and entry")
    if found["format_version"] != ALIAS_FORMAT or isinstance(found["format_version"], bool):
        raise ValueError(f"has the format version {found['format_version']!r}; this supernet-tl reads {ALIAS_FORMAT}")
    if found["alias"] != alias:
        raise ValueError(f"is about the alias {found['alias']!r}, which is not the name of its file")
    entry_id = found["entry"]
    if not isinstance(entry_id, str) or not is_full_id(entry_id):
        raise ValueError(f"points at {entry_id!r}; expected an id of 64 characters of 0-9 and a-f")
    return entry_id
