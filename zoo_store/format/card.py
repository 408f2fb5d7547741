"""The card of an entry: what a person, and the rest of the toolkit, needs to know about a supernet.

A card is a plain JSON object. No key is required, since provenance that is not known cannot be invented, except
``schema_version``, which is filled in. The keys below have a fixed meaning, so their types are checked; None stands for
"not recorded"; any other key is kept as it is.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeAlias

from zoo_store.errors import CardError
from zoo_store.format.migrations import CARD_SCHEMA, check_version
from zoo_store.format.plain_json import Json, is_count, is_text, is_whole, listed, pretty, shown, to_plain

Card: TypeAlias = dict[str, Json]

MAX_CARD_BYTES = 4 * 1024 * 1024
"""The largest ``card.json``."""
KINDS = ("single", "mixture")
"""Of entries: pretrained on one dataset, or on several through one head."""

VOLATILE_KEYS = frozenset({"created", "versions", "timings"})
"""Keys that tell of the run and not of the supernet: they are stored, but the entry's id does not cover them."""


def checked_card(card: object) -> Card:
    """Copy a card into plain JSON and check it.

    Args:
        card: a mapping with string keys.

    Returns:
        A deep copy that shares nothing with ``card``; ``schema_version`` comes first when it was absent.

    Raises:
        CardError: with every fault found.
        SchemaVersionError: the card is of a version that is not read.
    """
    if not isinstance(card, Mapping):
        raise CardError(f"the card is a {type(card).__name__}; expected a dict of plain JSON values.")
    faults: list[str] = []
    plain: Card = to_plain(card, "card", faults)
    if faults:
        raise _card_error(faults)
    if "schema_version" not in plain:
        plain = {"schema_version": CARD_SCHEMA, **plain}
    check_version(plain["schema_version"], newest=CARD_SCHEMA, what="the card")
    for key, (expected, accepts) in KNOWN_KEYS.items():
        value = plain.get(key)
        if value is not None and not accepts(value):
            faults.append(f"card[{key!r}] is {shown(value)}; expected {expected}")
    if not faults:
        faults.extend(_contradictions(plain))
    if faults:
        raise _card_error(faults)
    return plain


def encode_card(card: Card) -> bytes:
    """The bytes of ``card.json``.

    Raises:
        CardError: there are too many of them.
    """
    data = pretty(card)
    if len(data) > MAX_CARD_BYTES:
        raise CardError(
            f"the card cannot be kept: it makes a file of {len(data)} bytes; expected at most {MAX_CARD_BYTES}. "
            "Leave out what is no description, such as arrays and logs, and build the entry again."
        )
    return data


def lasting_part(card: Card) -> Card:
    """The part of a card that makes an entry what it is, without `VOLATILE_KEYS`."""
    return {key: value for key, value in card.items() if key not in VOLATILE_KEYS}


def _contradictions(card: Card) -> list[str]:
    classes, num_classes = card.get("classes"), card.get("num_classes")
    if classes is None or num_classes is None or len(classes) == num_classes:
        return []
    return [f"card['num_classes'] is {num_classes}, but card['classes'] names {len(classes)}; they must agree"]


def _card_error(faults: list[str]) -> CardError:
    return CardError(f"the card cannot be kept: {listed(faults)}. Correct the card and build the entry again.")


def _is_object(value: Json) -> bool:
    return isinstance(value, dict)


def _is_named(value: Json) -> bool:
    return is_text(value) or (_is_object(value) and is_text(value.get("name")))


def _is_text_or_object(value: Json) -> bool:
    return is_text(value) or _is_object(value)


def _is_size(value: Json) -> bool:
    return is_count(value) or (isinstance(value, list) and len(value) == 2 and all(map(is_count, value)))


def _are_classes(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _are_texts(value: Json) -> bool:
    return isinstance(value, list) and all(map(is_text, value))


def _are_data_cards(value: Json) -> bool:
    return _is_object(value) or (isinstance(value, list) and all(map(_is_object, value)))


def _is_kind(value: Json) -> bool:
    return value in KINDS


def _is_time(value: Json) -> bool:
    try:
        return datetime.fromisoformat(value).utcoffset() == timedelta(0)
    except (TypeError, ValueError):
        return False


KNOWN_KEYS: dict[str, tuple[str, Callable[[Json], bool]]] = {
    "kind": ("'single' or 'mixture'", _is_kind),
    "name": ("a text for people", is_text),
    "space": ("the JSON object of a search space with its 'name', or that name", _is_named),
    "channels": ("a whole number above 0", is_count),
    "num_cells": ("a whole number above 0", is_count),
    "num_classes": ("a whole number above 0", is_count),
    "classes": ("a list of class names, each a string", _are_classes),
    "image_size": ("a whole number of pixels above 0, or [height, width]", _is_size),
    "in_channels": ("1 or 3", lambda value: is_count(value) and value in (1, 3)),
    "stem": ("'cifar' or 'imagenet'", lambda value: value in ("cifar", "imagenet")),
    "family": ("a name, such as 'darts' or 'pc-darts'", is_text),
    "recipe": ("an object with the settings of the run, or a recipe's name", _is_text_or_object),
    "seed": ("a whole number", is_whole),
    "metrics": ("an object of named numbers", _is_object),
    "data": ("a list of data cards, each an object", _are_data_cards),
    "tags": ("a list of texts for people to search by", _are_texts),
    "embedder": ("an object with its 'name', or that name", _is_named),
    "created": ("an ISO 8601 time in UTC such as '2026-01-31T12:00:00+00:00'", _is_time),
    "versions": ("an object of library versions", _is_object),
    "timings": ("an object of durations", _is_object),
}
"""The keys whose meaning is fixed: what is expected of their values, and whether a value is that."""
