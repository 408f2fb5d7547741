"""The page that describes the starter zoo: made from the cards, so that it says what is in the zoo."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import zoo_store
from supernet_tl.cards import data_of, embedder_of, num_images_of

_HEAD = """\
# The starter zoo

{num} small supernets, pretrained on the pocket album, real image sets that packages carry; {megabytes:.2f} MB in all.

```
supernet-tl select   --target my_images/ --zoo starter
supernet-tl transfer --target my_images/ --zoo starter --output run/
supernet-tl zoo copy starter my_zoo/        # to add entries of your own, with recipes/pretrain/starter.yaml
```

All have space `{space}`, {channels} channels and {num_cells} cells, see images of {image_size} x {image_size} pixels,
and keep a sketch of at most {sketch_rows} images, embedded by `{embedder}` at {embed_size} pixels. *Images* counts
those that weights and architecture parameters learnt from; validation and test images are others. The test letters of
the glyph sets come from fonts, and are distorted to degrees, that training never shows.
"""

_FOOT = """\
## Made by

`make starter`, which runs `python -m supernet_tl.starter.build`; [plan.py](plan.py) has the settings. On other versions
or machines the last digits of the weights, and so the ids, may come out differently.

Versions: {versions}.
"""


def page(zoo: zoo_store.Zoo) -> str:
    """The page of a zoo in a local folder that has an alias for every entry, all of one size and one embedder."""
    cards = {alias: zoo.card(entry_id) for alias, entry_id in zoo.aliases().items()}
    sizes = {alias: _num_bytes(zoo, entry_id) for alias, entry_id in zoo.aliases().items()}
    first = next(iter(cards.values()))
    recipe = first["recipe"]
    head = _HEAD.format(
        num=len(cards),
        megabytes=sum(sizes.values()) / 1e6,
        space=first["space"]["name"],
        channels=first["channels"],
        num_cells=first["num_cells"],
        image_size=first["image_size"],
        sketch_rows=max(card["recipe"]["sketch_rows"] for card in cards.values()),
        embedder=embedder_of(first)["name"],
        embed_size=recipe["embed_size"],
    )
    entries = _table(
        ("alias", "classes", "images", "epochs", "validation accuracy", "test accuracy", "bytes", "id"),
        (
            (
                f"`{alias}`",
                card["num_classes"],
                f"{num_images_of(card):,}",
                card["recipe"]["epochs"],
                _accuracy(card, "validation"),
                _accuracy(card, "test"),
                f"{sizes[alias]:,}",
                f"`{zoo.resolve(alias)[:12]}`",
            )
            for alias, card in cards.items()
        ),
    )
    sources = {str(data["name"]): data for card in cards.values() for data in data_of(card)}
    licences = _table(
        ("source", "images are", "origin", "licence"),
        ((name, data["domain"], data["origin"], data["licence"]) for name, data in sorted(sources.items())),
    )
    foot = _FOOT.format(versions="; ".join(_versions(cards.values())))
    return "\n".join((head, "## Entries\n", entries, "## Sources\n", licences, foot))


def _num_bytes(zoo: zoo_store.Zoo, entry_id: str) -> int:
    return sum(file.stat().st_size for file in (zoo.path / entry_id).iterdir())


def _accuracy(card: Mapping[str, Any], split: str) -> str:
    return f"{card['metrics'][f'{split}_accuracy']:.3f}"


def _versions(cards: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every set of versions that entries were made with, once."""
    return list(dict.fromkeys(", ".join(f"{name} {v}" for name, v in card["versions"].items()) for card in cards))


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)
