"""Names that people give to entries: an alias may move to another entry, an entry never changes."""

import itertools
import re
from collections.abc import Mapping
from contextlib import suppress

from zoo_store.errors import AliasError, EntryNotFoundError, NewerVersionError, ZooReadError
from zoo_store.format.identity import is_full_id
from zoo_store.format.plain_json import parse, pretty, shown
from zoo_store.places.files import UnfitFileError
from zoo_store.places.place import Place
from zoo_store.problem import Problem

ALIAS_FORMAT = 1

_MAX_BYTES = 4096
_MAX_SET_ASIDE_BYTES = 16 * 1024 * 1024
_SET_ASIDE = ".quarantine"

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


class Aliases:
    """The aliases of a place, one small file each.

    Args:
        place: where the files are.
    """

    def __init__(self, place: Place) -> None:
        self.place = place

    def all(self) -> dict[str, str]:
        """The ids that the aliases point at, by alias in sorted order.

        Raises:
            AliasError: the file of an alias is damaged.
        """
        return {alias: entry_id for alias in self._names() if (entry_id := self.find(alias)) is not None}

    def find(self, alias: str) -> str | None:
        """The id that an alias points at, whether or not there is such an entry; None where there is no such alias.

        Raises:
            AliasError: its file is damaged.
        """
        try:
            return self._read(alias)
        except (ValueError, UnfitFileError) as error:
            raise AliasError(
                f"the file of the alias {alias!r} in zoo {self.place.address!r} {error}. Point it at an entry again "
                f"with `supernet-tl zoo alias {self.place.address} {alias} ENTRY`, or delete it with --delete."
            ) from error

    def point(self, targets: Mapping[str, str]) -> None:
        """Let aliases point at entries, whatever they pointed at before.

        Args:
            targets: full ids by alias.
        """
        self.place.write_notes({_note(alias): _encode(alias, entry_id) for alias, entry_id in targets.items()})

    def delete(self, *aliases: str) -> None:
        """Forget aliases, damaged or not.

        Raises:
            EntryNotFoundError: one is none of this place.
        """
        known = self.place.notes()
        for alias in aliases:
            if _note(alias) not in known:
                raise EntryNotFoundError(
                    f"zoo {self.place.address!r} has no alias {alias!r}: `supernet-tl zoo alias {self.place.address}` "
                    "lists them."
                )
        self.place.write_notes(dict.fromkeys(map(_note, aliases)))

    def problems(self) -> list[Problem]:
        """Aliases whose file is damaged, and those that point at an entry that the place does not hold."""
        return [problem for alias in self._names() if (problem := self._problem(alias)) is not None]

    def set_aside(self) -> dict[str, str]:
        """Rename the files of all aliases that are damaged or point at nothing, so that they are aliases no longer.

        One that is larger than any alias could be, or is no regular file, stays.

        Returns:
            What each file is called now, by what it was called.
        """
        moved = {}
        for alias in self._names():
            problem = self._problem(alias)
            if problem is None or not problem.damaged:
                continue
            note = _note(alias)
            with suppress(UnfitFileError):
                data = self.place.read_note(note, _MAX_SET_ASIDE_BYTES)
                if data is not None:
                    aside = self._free_note(f"{note}{_SET_ASIDE}")
                    self.place.write_notes({aside: data, note: None})
                    moved[_file(note)] = _file(aside)
        return moved

    def _names(self) -> list[str]:
        return [alias for note in self.place.notes() if (alias := _alias_of(note)) is not None]

    def _read(self, alias: str) -> str | None:
        data = self.place.read_note(_note(alias), _MAX_BYTES)
        return None if data is None else _decode(data, alias)

    def _problem(self, alias: str) -> Problem | None:
        file = _file(_note(alias))
        try:
            while (entry_id := self._read(alias)) is not None and not self.place.holds(entry_id):
                if self._read(alias) == entry_id:  # it has not moved since
                    return Problem(None, file, f"points at {entry_id}, which the zoo does not hold")
        except (NewerVersionError, ZooReadError) as error:
            return Problem(None, file, f"cannot be read: {error}".rstrip("."), damaged=False)
        except (ValueError, UnfitFileError) as error:
            return Problem(None, file, str(error))
        return None

    def _free_note(self, name: str) -> str:
        taken = self.place.notes()
        return next(free for number in itertools.count(1) if (free := f"{name}-{number}") not in taken)


def _file(note: str) -> str:
    return f"aliases/{note}"


def _note(alias: str) -> str:
    return f"{alias}{_SUFFIX}"


def _alias_of(note: str) -> str | None:
    alias = note.removesuffix(_SUFFIX)
    return alias if note.endswith(_SUFFIX) and is_alias(alias) else None


def _encode(alias: str, entry_id: str) -> bytes:
    return pretty({"format_version": ALIAS_FORMAT, "alias": alias, "entry": entry_id})


def _decode(data: bytes, alias: str) -> str:
    found = parse(data)
    version = found.get("format_version") if isinstance(found, dict) else None
    if isinstance(version, int) and version > ALIAS_FORMAT:
        raise NewerVersionError(
            f"has the format version {shown(version)}, and this supernet-tl reads {ALIAS_FORMAT}: upgrade supernet-tl"
        )
    if not isinstance(found, dict) or set(found) != {"format_version", "alias", "entry"}:
        raise ValueError("is not an object of exactly format_version, alias and entry")
    if version != ALIAS_FORMAT or isinstance(version, bool):
        raise ValueError(f"has the format version {shown(version)}; this supernet-tl reads {ALIAS_FORMAT}")
    if found["alias"] != alias:
        raise ValueError(f"is about the alias {shown(found['alias'])}, which is not the name of its file")
    entry_id = found["entry"]
    if not isinstance(entry_id, str) or not is_full_id(entry_id):
        raise ValueError(f"points at {shown(entry_id)}; expected an id of 64 characters of 0-9 and a-f")
    return entry_id
