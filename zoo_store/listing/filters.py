"""Which entries of a zoo somebody is looking for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from zoo_store.errors import FilterError
from zoo_store.format.card import KINDS, Card
from zoo_store.format.plain_json import Json, is_count, is_text
from zoo_store.listing.listed_entry import ListedEntry

_MAX_VALUES_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class EntryFilter:
    """What the card and the size of an entry must be; what is not given does not matter.

    What a card does not record fits nothing. Names, licences and tags fit in upper and lower case, and may be
    patterns: ``*`` stands for any text, ``?`` for one character.

    Args:
        space: name of the search space.
        channels: of the supernet's first cells.
        num_cells: of the supernet.
        image_size: pixels a side; images that are not square fit none.
        kind: ``single`` or ``mixture``.
        max_bytes: the most that all files of the entry take together.
        licences: every source dataset of the entry has one of these.
        tags: the entry has all of these.
        name: of the entry.

    Raises:
        FilterError: with every value that cannot be.
    """

    space: str | None = None
    channels: int | None = None
    num_cells: int | None = None
    image_size: int | None = None
    kind: str | None = None
    max_bytes: int | None = None
    licences: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    name: str | None = None

    def __post_init__(self) -> None:
        faults = []
        for key, value in self.given.items():
            expected, accepts = _EXPECTED[key]
            if not accepts(value):
                faults.append(f"{key} is {value!r}; expected {expected}")
        if faults:
            raise FilterError(f"the zoo cannot be searched so: {'; '.join(faults)}. Correct what is asked for.")

    @cached_property
    def given(self) -> Mapping[str, Any]:
        """What an entry must be, by the names above."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {key: value for key, value in values.items() if value is not None and value != ()}

    def fits(self, card: Card, num_bytes: int) -> bool:
        """Whether an entry of this card and size is looked for."""
        return all(_fits(key, wanted, _found(key, card, num_bytes)) for key, wanted in self.given.items())

    def why_nothing_fits(self, entries: Mapping[str, ListedEntry]) -> str:
        """What the entries of a zoo are like, seen from a filter that none of them fits.

        Args:
            entries: all of the zoo, as `Zoo.find` lists them.

        Returns:
            A line for people: of each thing that not all entries fit, how many fit it alone, and what they have.
        """
        readable = [(entry.card, entry.num_bytes) for entry in entries.values() if entry.card is not None]
        if not readable:
            return "the zoo holds no entry that can be read"
        clauses = []
        for key, wanted in self.given.items():
            found = [_found(key, *entry) for entry in readable]
            num_fitting = sum(_fits(key, wanted, values) for values in found)
            if num_fitting == len(readable):
                continue
            others = {value for values in found for value in values if value is not None}
            clauses.append(f"{_asked(wanted)} as {key} fits {num_fitting} of {len(readable)}{_listed(others)}")
        return f"no entry fits: {'; '.join(clauses)}"


def what_filters_see(card: Card) -> Card:
    """A part of a card that every filter takes for the whole."""
    seen: Card = {
        key: card[key] for key in ("name", "kind", "channels", "num_cells", "image_size", "tags") if key in card
    }
    return {**seen, "space": _space_of(card), "data": [{"licence": licence} for licence in _licences_of(card)]}


def _found(key: str, card: Card, num_bytes: int) -> list[Any]:
    """What an entry has where a filter looks; None for what its card does not record."""
    if key == "max_bytes":
        return [num_bytes]
    if key == "licences":
        return _licences_of(card)
    if key == "tags":
        return card.get("tags") or []
    if key == "space":
        return [_space_of(card)]
    value = card.get(key)
    if key == "image_size" and isinstance(value, list):
        return [value[0] if value[0] == value[1] else f"{value[0]} x {value[1]}"]
    return [value]


def _fits(key: str, wanted: Any, found: list[Any]) -> bool:
    if key == "max_bytes":
        return bool(found[0] <= wanted)
    if key == "licences":
        return bool(found) and all(any(_is_like(licence, pattern) for pattern in wanted) for licence in found)
    if key == "tags":
        return all(any(_is_like(tag, pattern) for tag in found) for pattern in wanted)
    if key == "name":
        return _is_like(found[0], wanted)
    return wanted in found


def _space_of(card: Card) -> Json:
    space = card.get("space")
    return space.get("name") if isinstance(space, dict) else space


def _licences_of(card: Card) -> list[str | None]:
    """Of each source dataset."""
    data = card.get("data") or []
    found = [part.get("licence") for part in ([data] if isinstance(data, dict) else data)]
    return [licence if isinstance(licence, str) else None for licence in found]


def _is_like(text: str | None, pattern: str) -> bool:
    return text is not None and fnmatchcase(text.casefold(), pattern.casefold().replace("[", "[[]"))


def _are_texts(value: object) -> bool:
    return isinstance(value, tuple) and all(map(is_text, value))


_EXPECTED: dict[str, tuple[str, Callable[[object], bool]]] = {
    "space": ("the name of a search space", is_text),
    "channels": ("a whole number above 0", is_count),
    "num_cells": ("a whole number above 0", is_count),
    "image_size": ("a whole number of pixels above 0", is_count),
    "kind": (f"one of {', '.join(KINDS)}", lambda value: value in KINDS),
    "max_bytes": ("a whole number of bytes above 0", is_count),
    "licences": ("a tuple of texts", _are_texts),
    "tags": ("a tuple of texts", _are_texts),
    "name": ("a text", is_text),
}


def _asked(value: Any) -> str:
    return " and ".join(map(repr, value)) if isinstance(value, tuple) else repr(value)


def _listed(there: set[Any]) -> str:
    if not there:
        return ", none records it"
    in_order = sorted(there, key=lambda value: (isinstance(value, str), value))
    more = len(in_order) - _MAX_VALUES_SHOWN
    shown = ", ".join(map(str, in_order[:_MAX_VALUES_SHOWN]))
    return f" (there {'is' if len(in_order) == 1 else 'are'} {shown}{f' and {more} more' if more > 0 else ''})"
