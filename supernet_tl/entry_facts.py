"""What a transfer needs to know of a zoo entry, read from a card that anyone may have written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import zoo_store

if TYPE_CHECKING:
    import darts


@dataclass(frozen=True)
class EntryFacts:
    """The settings that a supernet was pretrained with.

    Attributes:
        space: name of a search space of :data:`darts.SPACES`.
        channels: of the supernet's first cells.
        num_cells: of the supernet.
        image_size: pixels a side.
        in_channels: of the images.
        stem: of the supernet.
    """

    space: str
    channels: int
    num_cells: int
    image_size: int
    in_channels: int
    stem: darts.Stem

    @classmethod
    def of(cls, card: Mapping[str, Any]) -> EntryFacts:
        """The facts of a card.

        Raises:
            ValueError: with the reason why the entry cannot be used, as a clause.
        """
        missing = [key for key in ("space", "channels", "num_cells", "image_size") if card.get(key) is None]
        if missing:
            raise ValueError(f"its card does not tell {', '.join(missing)}")
        if not isinstance(card["image_size"], int):
            raise ValueError(f"its image_size is {card['image_size']!r}; only square images are supported")
        return cls(
            _space_name(card["space"]),
            card["channels"],
            card["num_cells"],
            card["image_size"],
            in_channels_of(card),
            stem_of(card),
        )

    def to_dict(self) -> dict[str, Any]:
        """The facts by the names of the recipe's settings."""
        return asdict(self)


def _space_name(space: str | Mapping[str, Any]) -> str:
    import darts  # brings torch, which who only lists entries can do without

    name = space if isinstance(space, str) else str(space.get("name"))
    if name not in darts.SPACES:
        raise ValueError(f"its space {name!r} is none of {', '.join(darts.SPACES)}")
    if isinstance(space, Mapping) and "normal" in space and darts.SearchSpace.from_dict(space) != darts.SPACES[name]:
        raise ValueError(f"its space is called {name!r} but has other primitives")
    return name


def in_channels_of(card: Mapping[str, Any]) -> int:
    """Channels of the images that the supernet takes; cards that do not tell are of colour images.

    Raises:
        ValueError: with the reason why the entry cannot be used, as a clause.
    """
    in_channels = card.get("in_channels")
    if in_channels is None:
        return 3
    if isinstance(in_channels, bool) or in_channels not in (1, 3):
        raise ValueError(f"its in_channels is {in_channels!r}, neither 3 nor, for grey images, 1")
    return int(in_channels)


def stem_of(card: Mapping[str, Any]) -> darts.Stem:
    """The supernet's stem; cards that do not tell are of the cifar stem.

    Raises:
        ValueError: with the reason why the entry cannot be used, as a clause.
    """
    import darts

    stem: darts.Stem | None = card.get("stem")
    if stem not in (None, *darts.STEM_STRIDES):
        raise ValueError(f"its stem is {stem!r}, none of {', '.join(darts.STEM_STRIDES)}")
    return stem or "cifar"


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


def entries_named(cards: Mapping[str, Mapping[str, Any]], text: str) -> list[str]:
    """The ids of the entries of this name; where there is none, of those whose ids begin so."""
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


def readable_cards(zoo: zoo_store.Zoo) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
    """The cards of a zoo's entries, and of damaged entries the reason why they cannot be read.

    Raises:
        ZooNotFoundError: there is no such folder.
    """
    found = zoo.find()
    cards: dict[str, Mapping[str, Any]] = {
        entry_id: entry.card for entry_id, entry in found.items() if entry.card is not None
    }
    return cards, {entry_id: entry.problem for entry_id, entry in found.items() if entry.problem is not None}
