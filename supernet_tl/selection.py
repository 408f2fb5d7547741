"""Which zoo entry a search starts from, with the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ot_select
import zoo_store
from supernet_tl.entry_facts import EntryFacts, data_of, embedder_of, readable_cards
from supernet_tl.errors import SelectionError
from supernet_tl.recipe import Recipe

ADOPTED = ("space", "channels", "num_cells", "image_size", "in_channels", "stem")
"""Settings that a transfer takes from the chosen entry unless they are given."""

STRATEGIES = ("nearest", "mixture", "random")
"""Ways to choose; anything else names an entry."""


@dataclass(frozen=True)
class Selection:
    """The outcome.

    Attributes:
        select: how the entry was chosen.
        entry_id: the chosen entry.
        card: its card.
        comparison: its distance to the target.
        ranking: all comparable single-source entries, nearest first; for ``mixture``, the mixtures.
        cards: of the zoo's entries, by id.
        excluded: entries that could not be used, by id, with the reason.
    """

    select: str
    entry_id: str
    card: Mapping[str, Any]
    comparison: ot_select.Comparison
    ranking: ot_select.Ranking[ot_select.Comparison]
    cards: Mapping[str, Mapping[str, Any]]
    excluded: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """The selection as plain JSON values, nearest first."""
        return {
            "schema_version": 1,
            "select": self.select,
            "chosen": self.entry_id,
            "num_evaluated": self.ranking.num_evaluated,
            "rows_compared": self.ranking.rows_compared,
            "unit": "squared OTDD in embedding units squared; distance is its root",
            "ranking": [self._row(entry_id, comparison) for entry_id, comparison in self.ranking],
            "excluded": [
                {"entry": entry_id, "name": self.cards.get(entry_id, {}).get("name"), "reason": reason}
                for entry_id, reason in self.excluded.items()
            ],
        }

    def adopted(self) -> dict[str, Any]:
        """The settings :data:`ADOPTED` from the chosen supernet."""
        return EntryFacts.of(self.card).to_dict()

    def __str__(self) -> str:
        """The chosen source and the next, in a line."""
        listed = [
            f"{self.cards[entry_id].get('name')} ({entry_id[:12]}) at "
            + (f"squared distance {result.squared:.4g}" if result.squared < 0 else f"distance {result.distance:.4g}")
            for entry_id, result in self.ranking
        ]
        chosen = listed[self.ranking.names.index(self.entry_id)]
        others = [text for text in listed if text != chosen]
        return f"starting from {chosen}" + (f"; others: {', '.join(others[:3])}" if others else "")

    def has_seen(self, fingerprint: str) -> bool:
        """Whether the chosen supernet was pretrained on these very images."""
        return any(data.get("fingerprint") == fingerprint for data in data_of(self.card))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], zoo: zoo_store.Zoo) -> Selection:
        """The selection that :meth:`to_dict` wrote, for a run that is continued.

        Raises:
            SelectionError: the zoo no longer has the chosen entry.
        """
        cards, _ = readable_cards(zoo)
        if values["chosen"] not in cards:
            raise SelectionError(
                f"the run began from the zoo entry {values['chosen'][:12]}, which zoo {str(zoo.path)!r} does not hold "
                "whole; give the zoo it began with, or choose another --output."
            )
        rows = values["ranking"]
        entries = tuple((row["entry"], ot_select.Comparison.from_dict(row)) for row in rows)
        return cls(
            select=values["select"],
            entry_id=values["chosen"],
            card=cards[values["chosen"]],
            comparison=dict(entries)[values["chosen"]],
            ranking=ot_select.Ranking("nearest", entries, values["num_evaluated"], values["rows_compared"]),
            cards={row["entry"]: {"name": row["name"], "kind": row["kind"]} for row in rows},
            excluded={row["entry"]: row["reason"] for row in values["excluded"]},
        )

    def source_dict(self, target_fingerprint: str) -> dict[str, Any]:
        """The chosen entry as plain JSON values, and whether it was pretrained on the target's very images."""
        return {
            "select": self.select,
            "entry": self.entry_id,
            **{key: self.card.get(key) for key in ("name", "kind", "data", "metrics")},
            "has_seen_target": self.has_seen(target_fingerprint),
            "squared_distance": self.comparison.squared,
            "distance": _root(self.comparison),
            "rows_compared": self.ranking.rows_compared,
            "num_evaluated": self.ranking.num_evaluated,
        }

    def _row(self, entry_id: str, comparison: ot_select.Comparison) -> dict[str, Any]:
        return {
            "entry": entry_id,
            "name": self.cards[entry_id].get("name"),
            "kind": self.cards[entry_id].get("kind"),
            "chosen": entry_id == self.entry_id,
            "distance": _root(comparison),
            **comparison.to_dict(),
        }


def _root(comparison: ot_select.Comparison) -> float | None:
    """The distance; None where a debiased value is negative."""
    return comparison.distance if comparison.squared >= 0 else None


def zoo_default(zoo: zoo_store.Zoo, name: str) -> Any:
    """What the entries of a zoo agree on: embedder, embed_size or embed_precision; None where they differ."""
    key = {"embedder": "name", "embed_size": "image_size", "embed_precision": "precision"}[name]
    cards, _ = readable_cards(zoo)
    found = {embedder_of(card).get(key) for card in cards.values()} - {None}
    return found.pop() if len(found) == 1 else None


def select_entry(
    zoo: zoo_store.Zoo,
    target: ot_select.Sketch,
    select: str,
    recipe: Recipe,
    required: Mapping[str, Any],
    progress: Any = None,
) -> Selection:
    """Rank a zoo's entries by their distance to the target and choose one.

    Args:
        zoo: the zoo.
        target: the target's sketch.
        select: ``nearest``, ``mixture``, ``random``, or an entry's id, its beginning, or its name.
        recipe: gives seed, draws and preset.
        required: settings among :data:`ADOPTED` that the entry must have been pretrained with.
        progress: called after each distance.

    Raises:
        SelectionError: no entry can be used, with the reason for each.
    """
    cards, excluded = readable_cards(zoo)
    if not cards and not excluded:
        raise SelectionError("the zoo has no entries; add one with `supernet-tl pretrain --source SRC --zoo ZOO`.")
    named = _named(cards, select) if select not in STRATEGIES else None
    wanted_kind = "mixture" if select == "mixture" else cards[named].get("kind", "single") if named else "single"
    sketches: dict[str, ot_select.Sketch] = {}
    for entry_id, card in cards.items():
        if card.get("kind", "single") == wanted_kind:
            try:
                sketches[entry_id] = _usable_sketch(zoo, entry_id, card, target, required)
            except ValueError as error:
                excluded[entry_id] = str(error)
    if not sketches or (named is not None and named not in sketches):
        raise SelectionError(_nothing_usable(cards, excluded, wanted_kind, named))
    ranking = ot_select.rank(
        target, sketches, num_draws=recipe.num_draws, seed=recipe.seed, preset=recipe.preset, progress=progress
    )
    if named is not None:
        chosen = named
    elif select == "random":
        chosen = ot_select.rank_randomly(sorted(sketches), recipe.seed).names[0]
    else:
        chosen = ranking.names[0]
    return Selection(select, chosen, cards[chosen], dict(ranking)[chosen], ranking, cards, excluded)


def _named(cards: Mapping[str, Mapping[str, Any]], select: str) -> str:
    found = [entry_id for entry_id, card in cards.items() if card.get("name") == select]
    if not found and len(select) >= 6:
        found = [entry_id for entry_id in cards if entry_id.startswith(select)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{card.get('name')} ({entry_id[:12]})" for entry_id, card in cards.items())
    how_many = "no entry" if not found else f"{len(found)} entries"
    raise SelectionError(
        f"{select!r} names {how_many} of the zoo; expected one of {', '.join(STRATEGIES)}, an entry's name or the "
        f"beginning of its id. The zoo has {known}."
    )


def _usable_sketch(
    zoo: zoo_store.Zoo, entry_id: str, card: Mapping[str, Any], target: ot_select.Sketch, required: Mapping[str, Any]
) -> ot_select.Sketch:
    """The sketch of an entry that a transfer to this target may start from.

    Raises:
        ValueError: with the reason why it may not, as a clause.
    """
    facts = EntryFacts.of(card).to_dict()
    for name, value in required.items():
        if facts[name] != value:
            raise ValueError(f"its {name} is {facts[name]!r}, not {value!r}")
    sketch = ot_select.Sketch.from_tensors(zoo.sketch(entry_id))
    if sketch.embedder != target.embedder:
        raise ValueError(f"its images were embedded by {sketch.embedder!r}, the target's by {target.embedder!r}")
    return sketch


def _nothing_usable(
    cards: Mapping[str, Mapping[str, Any]], excluded: Mapping[str, str], kind: str, named: str | None
) -> str:
    if named is not None:
        return f"the zoo entry {cards[named].get('name')!r} cannot be used here: {excluded[named]}."
    if not excluded:
        advice = {"mixture": "pretrain one with --mixture"}.get(
            kind, "choose --select mixture, or pretrain single sources"
        )
        return f"the zoo has no {kind} entry among its {len(cards)}; {advice}."
    reasons = "; ".join(
        f"{cards[entry_id].get('name')} ({entry_id[:12]}): {why}" if entry_id in cards else why
        for entry_id, why in excluded.items()
    )
    return (
        f"none of the zoo's {len(excluded)} {kind} entries can be used: {reasons}. Use the settings and the embedder "
        "that the zoo was pretrained with, or pretrain sources with yours."
    )
