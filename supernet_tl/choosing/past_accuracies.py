"""How well other targets did after starting from a zoo's entries, read from the file of ``--past-accuracies``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from supernet_tl.cards import called, entries_named
from supernet_tl.errors import SelectionError

_EXPECTED = "expected an object from entry names or ids to"


def read_past_accuracies(
    path: str, cards: Mapping[str, Mapping[str, Any]], say: Callable[[str], None]
) -> dict[str, float]:
    """The table of a JSON file, by entry id.

    Args:
        path: the file.
        cards: of the zoo's entries, by id.
        say: is told which keys name no entry.

    Raises:
        SelectionError: the file is no such table, it names none of the entries, or one of them twice, or a key names
            several.
    """
    table, found, unknown = _table(path), dict[str, float](), list[str]()
    for key, value in table.items():
        entry_ids = entries_named(cards, key)
        if len(entry_ids) > 1:
            raise SelectionError(
                f"{key!r} in {path} names {len(entry_ids)} entries of the zoo: {called(cards, entry_ids)}. Give the "
                "beginning of an id."
            )
        if found.keys() & set(entry_ids):
            raise SelectionError(f"{path} names the entry {called(cards, entry_ids)} twice. Leave one of the two out.")
        if not entry_ids:
            unknown.append(repr(key))
        found |= dict.fromkeys(entry_ids, float(value))
    if not found:
        raise SelectionError(
            f"{path} names {', '.join(unknown[:5]) or 'nothing'}, none of the zoo's entries: {called(cards, cards)}. "
            "Name at least one of them, or give the beginning of its id."
        )
    if unknown:
        say(f"note: {path} also names {', '.join(unknown)}, which the zoo does not hold")
    return found


def digest_of(path: str) -> str:
    """SHA-256, in hexadecimal, of the file's content.

    Raises:
        SelectionError: it cannot be read.
    """
    return hashlib.sha256(_content(path)).hexdigest()


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SelectionError(
            f"{path} cannot be read as --past-accuracies ({error.strerror}); {_EXPECTED} numbers, as JSON."
        ) from error


def _table(path: str) -> dict[str, Any]:
    try:
        table = json.loads(_content(path).decode())
    except ValueError as error:
        raise SelectionError(f"{path} is no JSON ({error}); {_EXPECTED} numbers as --past-accuracies.") from error
    numbers = isinstance(table, dict) and all(
        isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) for value in table.values()
    )
    if not numbers:
        raise SelectionError(
            f"{path} holds no table of numbers; {_EXPECTED} finite numbers, such as "
            '{"mnist5k": 0.91}, as --past-accuracies.'
        )
    return dict(table)
