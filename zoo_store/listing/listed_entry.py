"""An entry as a list of the zoo shows it."""

from dataclasses import dataclass

from zoo_store.format.card import Card


@dataclass(frozen=True)
class ListedEntry:
    """What is known of an entry without its tensors.

    Args:
        card: checked; None where the entry is damaged.
        num_bytes: of all its files together, by its manifest; 0 where the entry is damaged.
        problem: why it cannot be used, in a sentence; None where nothing is known against it.
    """

    card: Card | None
    num_bytes: int
    problem: str | None = None
