"""What the cards of a zoo tell, whatever form they tell it in; nothing heavy is imported for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any


def embedder_of(card: Mapping[str, Any]) -> dict[str, Any]:
    """The card's embedder as an object, whatever its form; empty when it names none.

    Cards that do not tell the precision are of float32.
    """
    embedder = card.get("embedder")
    known = {"name": embedder} if isinstance(embedder, str) else dict(embedder or {})
    return {"precision": "float32", **known} if known else {}


def data_of(card: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The card's data as a list, whatever its form."""
    data = card.get("data")
    return [data] if isinstance(data, Mapping) else list(data or [])


def num_images_of(card: Mapping[str, Any]) -> int | None:
    """Images that the supernet learnt from, all sources together; None where the card does not tell."""
    parts = [data.get("splits") for data in data_of(card)]
    counts = [
        part.get(name) if isinstance(part, Mapping) else None for part in parts for name in ("weight", "architecture")
    ]
    known = [count for count in counts if isinstance(count, int)]
    return sum(known) if known and len(known) == len(counts) else None


def entries_named(
    cards: Mapping[str, Mapping[str, Any]], text: str, aliases: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """The id that an alias points at, else those of the entries of this name, else of those whose ids begin so."""
    if aliases.get(text) in cards:
        return [aliases[text]]
    named = [entry_id for entry_id, card in cards.items() if card.get("name") == text]
    return named or [entry_id for entry_id in cards if len(text) >= 6 and entry_id.startswith(text)]


def called(cards: Mapping[str, Mapping[str, Any]], entry_ids: Iterable[str]) -> str:
    """Entries as people call them, each with the beginning of its id."""
    return ", ".join(f"{cards[entry_id].get('name')} ({entry_id[:12]})" for entry_id in entry_ids)


def distinct_name(cards: Mapping[str, Mapping[str, Any]], entry_id: str) -> str:
    """The entry's name; where others bear it too, with the beginning of the id."""
    name = str(cards[entry_id].get("name"))
    shared = sum(card.get("name") == cards[entry_id].get("name") for card in cards.values()) > 1
    return f"{name} ({entry_id[:12]})" if shared else name
