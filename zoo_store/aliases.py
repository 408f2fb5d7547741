"""Names that people give to entries: an alias may move to another entry, an entry never changes."""

import errno
import itertools
import logging
import re
import shlex
from collections.abc import Collection, Mapping

from zoo_store.errors import AliasError, EntryNotFoundError, NewerVersionError, ZooReadError
from zoo_store.format.identity import is_full_id
from zoo_store.format.plain_json import parse, pretty, shown
from zoo_store.places.files import UnfitFileError
from zoo_store.places.layout import NOTES
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

_log = logging.getLogger("zoo_store")


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
        """The ids that the aliases point at, by alias in sorted order; a warning tells of those that cannot be read."""
        return {alias: entry_id for alias, (entry_id, _) in self._readable().items()}

    def find(self, alias: str) -> str | None:
        """The id that an alias points at, whether or not there is such an entry; None where there is no such alias.

        Raises:
            AliasError: its file is damaged.
        """
        found = self._look(alias)
        return None if found is None else found[0]

    def point(self, targets: Mapping[str, str]) -> None:
        """Let aliases point at entries, whatever they pointed at before.

        Args:
            targets: full ids by alias.
        """
        self.place.write_notes(_notes_of(targets))

    def add(self, targets: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Let aliases point at entries where the place has none of that name.

        Args:
            targets: full ids by alias.

        Returns:
            Those that do so now; and those that point elsewhere and stay so, with what they point at.
        """
        while True:  # again only when another process has set one of them meanwhile
            taken = self._taken()
            lacking = {alias: entry_id for alias, entry_id in targets.items() if _note(alias) not in taken}
            notes = _notes_of(lacking)
            if not notes or self.place.write_notes(notes, expected=dict.fromkeys(notes)):
                break
        there = self.all() if len(lacking) < len(targets) else {}
        return lacking, {alias: there[alias] for alias in targets if there.get(alias, targets[alias]) != targets[alias]}

    def pointing_at(self, entry_ids: Collection[str]) -> dict[str, bytes]:
        """The aliases that point at one of these entries, each with what its file holds."""
        return {alias: data for alias, (entry_id, data) in self._readable().items() if entry_id in entry_ids}

    def delete(self, alias: str) -> None:
        """Forget an alias, damaged or not.

        Raises:
            EntryNotFoundError: it is none of this place.
        """
        if _note(alias) not in self._taken():
            raise EntryNotFoundError(
                f"zoo {self.place.address!r} has no alias {alias!r}: `supernet-tl zoo alias "
                f"{shlex.quote(self.place.address)}` lists them."
            )
        self.place.write_notes({_note(alias): None})

    def delete_unchanged(self, aliases: Mapping[str, bytes]) -> bool:
        """Forget aliases whose files hold what `pointing_at` told. Returns False when one does no longer; all stay."""
        expected = {_note(alias): data for alias, data in aliases.items()}
        return self.place.write_notes(dict.fromkeys(expected), expected=expected)

    def problems(self) -> list[Problem]:
        """Aliases whose file is damaged, and those that point at an entry that the place does not hold."""
        try:
            names = self._names()
        except UnfitFileError as error:
            return [Problem(None, NOTES, str(error))]
        except ZooReadError as error:
            return [Problem(None, NOTES, f"cannot be read: {error}".rstrip("."), damaged=False)]
        return [problem for alias in names if (problem := self._problem(alias)) is not None]

    def set_aside(self, file: str) -> str | None:
        """Rename the file of an alias that is damaged or points at nothing, so that it is an alias no longer.

        Where it is no regular file, or larger than any alias could be, it goes where entries go that are set aside.

        Args:
            file: as `Problem` names it, and `file_of`.

        Returns:
            Where it is now; None when it stays, because it is good by now, gone, or has just been changed.
        """
        mark = self.place.mark(file)
        if file == NOTES:
            return self.place.set_aside(file, mark=mark) if any(p.file == file for p in self.problems()) else None
        note = file.removeprefix(f"{NOTES}/")
        alias = _alias_of(note)
        if alias is None:
            return None
        try:
            data = self.place.read_note(note, _MAX_SET_ASIDE_BYTES)
        except UnfitFileError:
            return self.place.set_aside(file, mark=mark)
        problem = self._problem(alias)
        if data is None or problem is None or not problem.damaged:
            return None
        aside = self._free_note(f"{note}{_SET_ASIDE}")
        if not self.place.write_notes({aside: data, note: None}, expected={aside: None, note: data}):
            return None
        return f"{NOTES}/{aside}"

    def _taken(self) -> set[str]:
        """The names of all notes, where some are to be written."""
        try:
            return set(self.place.notes())
        except UnfitFileError as error:
            raise ZooReadError(
                errno.ENOTDIR,
                f"what lies at {NOTES} in zoo {self.place.address!r} {error}. Move it away with "
                f"`supernet-tl zoo verify --fix {shlex.quote(self.place.address)}`, then try again.",
            ) from None

    def _names(self) -> list[str]:
        return [alias for note in self.place.notes() if (alias := _alias_of(note)) is not None]

    def _readable(self) -> dict[str, tuple[str, bytes]]:
        """The ids that aliases point at and the bytes of their files; a warning tells of those that cannot be read."""
        try:
            names = self._names()
        except UnfitFileError as error:
            _log.warning("what lies at %s in zoo %r %s; there are no aliases", NOTES, self.place.address, error)
            return {}
        found = {}
        for alias in names:
            try:
                if (told := self._look(alias)) is not None:
                    found[alias] = told
            except (AliasError, ZooReadError) as error:
                _log.warning("%s", error)
        return found

    def _look(self, alias: str) -> tuple[str, bytes] | None:
        try:
            return self._read(alias)
        except (ValueError, UnfitFileError) as error:
            address = shlex.quote(self.place.address)
            raise AliasError(
                f"the file of the alias {alias!r} in zoo {self.place.address!r} {error}. Point it at an entry again "
                f"with `supernet-tl zoo alias {address} {alias} ENTRY`, or delete it with --delete."
            ) from error

    def _read(self, alias: str) -> tuple[str, bytes] | None:
        """The id that an alias points at, and the bytes of its file."""
        data = self.place.read_note(_note(alias), _MAX_BYTES)
        return None if data is None else (_decode(data, alias), data)

    def _problem(self, alias: str) -> Problem | None:
        file = file_of(alias)
        try:
            while (found := self._read(alias)) is not None and not self.place.holds(found[0]):
                if self._read(alias) == found:  # it has not moved since
                    return Problem(None, file, f"points at {found[0]}, which the zoo does not hold")
        except (NewerVersionError, ZooReadError) as error:
            return Problem(None, file, f"cannot be read: {error}".rstrip("."), damaged=False)
        except (ValueError, UnfitFileError) as error:
            return Problem(None, file, str(error))
        return None

    def _free_note(self, name: str) -> str:
        taken = self._taken()
        return next(free for number in itertools.count(1) if (free := f"{name}-{number}") not in taken)


def file_of(alias: str) -> str:
    """The file of an alias, as a `Problem` names it."""
    return f"{NOTES}/{_note(alias)}"


def _note(alias: str) -> str:
    return f"{alias}{_SUFFIX}"


def _notes_of(targets: Mapping[str, str]) -> dict[str, bytes | None]:
    return {_note(alias): _encode(alias, entry_id) for alias, entry_id in targets.items()}


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
