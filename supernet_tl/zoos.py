"""Zoos and entries by the words that people use for them; nothing heavy is imported for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zoo_store
from supernet_tl.cards import embedder_of, entries_named
from supernet_tl.errors import RecipeError, SelectionError, StarterZooError
from supernet_tl.starter import STARTER, STARTER_PATH


def open_zoo(
    zoo: zoo_store.Zoo | str | os.PathLike[str],
    *,
    to_write: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> zoo_store.Zoo:
    """A zoo, given as one, as its address, or by the word ``starter``.

    Args:
        zoo: ``starter`` is the zoo that the package ships; a folder of that name is ``./starter``.
        to_write: entries or aliases are to be added or removed.
        storage_options: of a zoo that is given by its address, as :class:`zoo_store.Zoo` takes them.

    Raises:
        StarterZooError: the starter zoo is to be written to.
    """
    if isinstance(zoo, zoo_store.Zoo):
        store = zoo
    else:
        store = zoo_store.Zoo(STARTER_PATH if zoo == STARTER else zoo, storage_options=storage_options)
    if to_write and store.address == str(STARTER_PATH):
        raise StarterZooError(
            "the starter zoo is part of the installed package and is never written to; copy it first: "
            f"supernet-tl zoo copy {STARTER} my_zoo/, then give my_zoo/. (A folder called {STARTER} is ./{STARTER}.)"
        )
    return store


def check_zoo(address: str, *, to_pretrain: bool, has_output: bool) -> None:
    """Refuse a zoo that a verb cannot use.

    Args:
        address: as :func:`open_zoo` takes it.
        to_pretrain: it is to be written to, and made when missing.
        has_output: whether the runs have a folder of their own.

    Raises:
        ZooError: the address is none, or there is no zoo.
        StarterZooError: the starter zoo is to be written to.
        RecipeError: the runs of a pretraining into a zoo elsewhere have no folder.
    """
    zoo = open_zoo(address, to_write=to_pretrain)
    if to_pretrain:
        folder_of_runs(zoo, has_output=has_output)
    elif not zoo.exists():
        zoo.cards()  # says so


def folder_of_runs(zoo: zoo_store.Zoo, *, has_output: bool) -> Path | None:
    """Where the runs of pretrainings into a zoo are; None where they have a folder of their own.

    Raises:
        RecipeError: they have none, and the zoo is not in a local folder.
    """
    if has_output:
        return None
    if not zoo.is_local:
        raise RecipeError(
            f"zoo {zoo.address!r} is not in a local folder, and the runs need one for logs and checkpoints; "
            "give it with --output DIR."
        )
    return zoo.path / ".runs"


def find_entry(zoo: zoo_store.Zoo, text: str) -> str:
    """The full id of the entry that people call so: an alias, an id, its beginning, or the card's name.

    Raises:
        SelectionError: several entries have this name.
        ZooError: there is no such entry.
    """
    try:
        return zoo.resolve(text)
    except (zoo_store.InvalidIdError, zoo_store.EntryNotFoundError):
        cards, _ = readable_cards(zoo)
        named = entries_named(cards, text)
        if len(named) > 1:
            ids = ", ".join(entry_id[:12] for entry_id in named)
            raise SelectionError(
                f"{len(named)} entries are named {text!r}: {ids}; give the beginning of an id."
            ) from None
        if not named:
            raise
        return named[0]


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


def zoo_default(zoo: zoo_store.Zoo, name: str) -> Any:
    """What the entries of a zoo agree on: embedder, embed_size or embed_precision; None where they differ."""
    key = {"embedder": "name", "embed_size": "image_size", "embed_precision": "precision"}[name]
    cards, _ = readable_cards(zoo)
    found = {embedder_of(card).get(key) for card in cards.values()} - {None}
    return found.pop() if len(found) == 1 else None
