"""From the words that name datasets to datasets that can be compared."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ot_select
import zoo_store
from supernet_tl.cards import entries_named
from supernet_tl.comparing.datasets import ComparedDataset, Found, from_embedding, from_entry, from_images
from supernet_tl.comparing.embedding_file import SUFFIX, load_embedding
from supernet_tl.control import Control, Source
from supernet_tl.data import ImageSet
from supernet_tl.errors import ComparisonError
from supernet_tl.recipe import Recipe
from supernet_tl.zoos import readable_cards


def find_datasets(given: Sequence[Source], zoo: zoo_store.Zoo | None, control: Control) -> list[Found]:
    """The datasets of some words, each under a name of its own.

    Args:
        given: folders, Meta-Album folders, ``pocket:NAME``, embedding files, image sets; with a zoo also names and ids
            of its entries. None at all stands for all entries of the zoo.
        zoo: the zoo.
        control: device, bad images.

    Raises:
        ComparisonError: fewer than two datasets are found, or a word names several entries, or an entry and a folder.
        DataError: a word names nothing.
    """
    cards, damaged = ({}, {}) if zoo is None else readable_cards(zoo)
    if zoo is not None and not given:
        found = _all_entries(zoo, cards, damaged, control)
    else:
        found = [_find(source, zoo, cards, control) for source in given]
    if zoo is not None and not given and not found:
        raise ComparisonError(
            f"{zoo.address} holds no zoo entry that can be compared; expected a zoo of two or more, as "
            "`supernet-tl pretrain` makes one. To compare folders of images, name them without --zoo."
        )
    if len(found) < 2:
        raise ComparisonError(
            f"{len(found)} dataset(s) were named; expected at least two: folders, pocket:NAME, files that "
            "`supernet-tl embed` wrote, or a zoo of two or more entries."
        )
    return _distinct(found)


def common_recipe(found: Sequence[Found], options: Mapping[str, Any]) -> Recipe:
    """The settings that images are embedded with: what is given, else those of the features that exist already.

    Raises:
        ComparisonError: features that exist already are of several embedders.
    """
    existing = {item.name: item.embedder for item in found if item.embedder is not None}
    if len(set(existing.values())) > 1:
        listed = "; ".join(f"{name}: {embedder}" for name, embedder in existing.items())
        raise ComparisonError(
            f"the datasets were embedded by {len(set(existing.values()))} different embedders, so their features "
            f"cannot be compared ({listed}). Name only those of one embedder, or embed the images again with "
            f"the same --embedder and --embed-size {next(iter(existing.values())).image_size}."
        )
    agreed = next(iter(existing.values()), None)
    made_by: dict[str, Any] = {}
    if agreed is not None:
        made_by = {
            "embedder": agreed.name,
            "embed_size": agreed.image_size,
            "embed_precision": agreed.precision,
        }
    return Recipe.from_options({**made_by, **{name: value for name, value in options.items() if value is not None}})


def load_datasets(found: Sequence[Found], recipe: Recipe, max_rows: int) -> list[ComparedDataset]:
    """Embed what is not embedded yet, at most so many rows of each.

    Raises:
        ComparisonError: features were made by another embedder than the recipe's.
    """
    # What is embedded already goes first: if it does not fit, that is known before any work is done.
    loaded = {item.name: item.load(recipe, max_rows) for item in sorted(found, key=lambda item: item.embedder is None)}
    datasets = [replace(loaded[item.name], name=item.name) for item in found]
    for other in datasets[1:]:
        if other.embedder != datasets[0].embedder:
            raise ComparisonError(
                f"{datasets[0].name!r} was embedded by {datasets[0].embedder!r} and {other.name!r} by "
                f"{other.embedder!r}, so their features cannot be compared. Give --embedder NAME@FILE with the "
                "weights that made the stored features, --embed-size with their image_size, or embed both again."
            )
    return datasets


def _all_entries(
    zoo: zoo_store.Zoo, cards: Mapping[str, Any], damaged: Mapping[str, str], control: Control
) -> list[Found]:
    """Every entry of a zoo that has a sketch; of the others it is said why they are left out."""
    found, reasons = [], dict(damaged)
    for entry_id, card in cards.items():
        try:
            found.append(from_entry(zoo, entry_id, card, entry_id[:12]))
        except (zoo_store.ZooError, ot_select.OTSelectError) as error:
            reasons[entry_id] = str(error)
    for entry_id, reason in reasons.items():
        control.say(f"left out: {entry_id[:12]}, because {reason}")
    return found


def _find(source: Source, zoo: zoo_store.Zoo | None, cards: Mapping[str, Any], control: Control) -> Found:
    if isinstance(source, ImageSet):
        return from_images(source, source.name, control)
    text = os.fspath(source)
    if zoo is not None:
        entries = entries_named(cards, text, zoo.aliases())
        if len(entries) > 1:
            raise ComparisonError(
                f"{text!r} names {len(entries)} entries of the zoo: {', '.join(item[:12] for item in entries)}. "
                "Give the beginning of an id."
            )
        if entries and Path(text).expanduser().exists():
            raise ComparisonError(
                f"{text!r} names an entry of the zoo and also a folder or file here; expected one of them. Give "
                f"{entries[0][:12]} for the entry, or {os.path.join(os.curdir, text)} for the other."
            )
        if entries:
            return from_entry(zoo, entries[0], cards[entries[0]], text)
        if not Path(text).expanduser().exists() and os.sep not in text and ":" not in text:
            known = ", ".join(f"{card.get('name')} ({entry_id[:12]})" for entry_id, card in cards.items())
            raise ComparisonError(
                f"{text!r} is neither an entry of the zoo nor a folder or file. The zoo has {known or 'no entries'}."
            )
    if text.endswith(SUFFIX) and not Path(text).is_dir():
        return from_embedding(load_embedding(Path(text).expanduser()), text)
    return from_images(control.open(source, to_split=False), text, control)


def _distinct(found: Sequence[Found]) -> list[Found]:
    """The same datasets with names that tell them apart: by what they were called by, and then by number."""
    shared = Counter(item.name for item in found)
    named = [
        replace(item, name=f"{item.name} ({item.given})") if shared[item.name] > 1 and item.given != item.name else item
        for item in found
    ]
    seen: Counter[str] = Counter()
    distinct = []
    for item in named:
        seen[item.name] += 1
        distinct.append(item if seen[item.name] == 1 else replace(item, name=f"{item.name} ({seen[item.name]})"))
    return distinct
