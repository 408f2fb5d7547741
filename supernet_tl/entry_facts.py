"""What a transfer needs to know of a zoo entry, read from a card that anyone may have written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import darts
from supernet_tl.spaces import find_space, space_names


@dataclass(frozen=True)
class EntryFacts:
    """The settings that a supernet was pretrained with.

    Attributes:
        space: name of a search space of :mod:`supernet_tl.spaces`.
        channels: of the supernet's first cells.
        num_cells: of the supernet.
        image_size: pixels a side.
        in_channels: of the images.
        stem: of the supernet.
        family: of the supernet, a name of :data:`darts.FAMILIES`.
    """

    space: str
    channels: int
    num_cells: int
    image_size: int
    in_channels: int
    stem: darts.Stem
    family: str

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
            family_of(card),
        )

    def to_dict(self) -> dict[str, Any]:
        """The facts by the names of the recipe's settings."""
        return asdict(self)


def _space_name(space: str | Mapping[str, Any]) -> str:
    name = space if isinstance(space, str) else str(space.get("name"))
    if name not in darts.SPACES and name not in space_names():
        raise ValueError(f"its space {name!r} is none of {', '.join(space_names())}")
    if isinstance(space, Mapping) and "normal" in space and darts.SearchSpace.from_dict(space) != find_space(name):
        raise ValueError(f"its space is called {name!r} but has other primitives")
    return name


def in_channels_of(card: Mapping[str, Any]) -> int:
    """Channels of the images that the supernet takes; cards that do not tell are of colour images."""
    in_channels: int | None = card.get("in_channels")
    return 3 if in_channels is None else in_channels


def stem_of(card: Mapping[str, Any]) -> darts.Stem:
    """The supernet's stem; cards that do not tell are of the cifar stem."""
    stem: darts.Stem | None = card.get("stem")
    return "cifar" if stem is None else stem


def family_of(card: Mapping[str, Any]) -> str:
    """The supernet's family; cards that do not tell are of the family ``darts``.

    Raises:
        ValueError: a family that this version does not know, as a clause.
    """
    family: str | None = card.get("family")
    if family is not None and family not in darts.FAMILIES:
        raise ValueError(f"its family {family!r} is none of {', '.join(darts.FAMILIES)}")
    return "darts" if family is None else family
