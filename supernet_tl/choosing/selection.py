"""Where a search starts from, a zoo entry or scratch, with the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ot_select
import zoo_store
from supernet_tl.cards import data_of, distinct_name
from supernet_tl.entry_facts import EntryFacts
from supernet_tl.errors import SelectionError
from supernet_tl.zoos import readable_cards


@dataclass(frozen=True)
class Selection:
    """The outcome.

    Attributes:
        select: how the start was chosen.
        entry_id: the chosen entry; None for scratch, and where it takes a transfer to decide.
        settings: those of :data:`supernet_tl.recipe.ADOPTED` that the search has: of the chosen entry, for scratch of
            the nearest.
        reason: why this one, as a clause.
        ranking: the comparable entries of the kind asked for, nearest first; the nearest of many.
        cards: of the zoo's entries, by id.
        excluded: entries that could not be used or compared, by id, with the reason.
        probes: short searches that decided; without accuracies where they are still to be made.
        decided: whether the choice is made; ``--select probe`` is left open where nothing may be trained.
        target: fingerprint of the content of the target's images; None where it is not known.
    """

    select: str
    entry_id: str | None
    settings: Mapping[str, Any]
    reason: str
    ranking: ot_select.Ranking[ot_select.Comparison]
    cards: Mapping[str, Mapping[str, Any]] = field(repr=False)
    excluded: Mapping[str, str]
    probes: Sequence[ot_select.Probe] = ()
    decided: bool = True
    target: str | None = None

    @property
    def card(self) -> Mapping[str, Any] | None:
        """The chosen entry's card; None for scratch."""
        return None if self.entry_id is None else self.cards[self.entry_id]

    @property
    def name(self) -> str:
        """How people call the chosen entry; ``scratch`` where there is none."""
        return self.name_of(self.entry_id)

    @property
    def comparison(self) -> ot_select.Comparison | None:
        """The chosen entry's distance to the target; None for scratch, and where it is not among those ranked."""
        return dict(self.ranking).get(self.entry_id or "")

    def to_dict(self) -> dict[str, Any]:
        """The selection as plain JSON values, nearest first."""
        return {
            "schema_version": 1,
            **self.decision(),
            "has_seen_target": self.has_seen_target,
            "settings": dict(self.settings),
            "num_evaluated": self.ranking.num_evaluated,
            "rows_compared": self.ranking.rows_compared,
            "unit": "squared distances in embedding units squared; distance is the root",
            "ranking": [self._row(entry_id, comparison) for entry_id, comparison in self.ranking],
            "excluded": [
                {"entry": entry_id, "name": self.cards.get(entry_id, {}).get("name"), "reason": reason}
                for entry_id, reason in self.excluded.items()
            ],
        }

    def decision(self) -> dict[str, Any]:
        """What was chosen, how and why, as plain JSON values."""
        return {
            "select": self.select,
            "chosen": self.entry_id,
            "name": self.name,
            "decided": self.decided,
            "reason": self.reason,
            "terms": self.ranking.terms,
            "distance": self.ranking.distance,
            "probes": [
                {"entry": probe.name, "name": self.name_of(probe.name), "accuracy": probe.accuracy}
                for probe in self.probes
            ],
        }

    def name_of(self, entry_id: str | None) -> str:
        """How people call an entry, or scratch for None; equal names are followed by the beginnings of their ids."""
        return "scratch" if entry_id is None else distinct_name(self.cards, entry_id)

    def __str__(self) -> str:
        """The choice and the next, in a line."""
        if not self.decided:
            return f"not decided: {self.reason}"
        others = [self._told(entry_id, result) for entry_id, result in self.ranking if entry_id != self.entry_id]
        beside = f"; others: {', '.join(others[:3])}" if others else ""
        if self.entry_id is None:
            return f"starting from scratch: {self.reason}{beside.replace('others', 'sources')}"
        return f"starting from {self._told(self.entry_id, self.comparison)}: {self.reason}{beside}"

    def _told(self, entry_id: str, result: ot_select.Comparison | None) -> str:
        name = f"{self.cards[entry_id].get('name')} ({entry_id[:12]})"
        if result is None:
            return name
        if result.squared < 0:
            return f"{name} at squared distance {result.squared:.4g}"
        return f"{name} at distance {result.distance:.4g}"

    @property
    def has_seen_target(self) -> bool:
        """Whether the chosen supernet was pretrained on the target's very images, however they were split."""
        return (
            self.card is not None
            and self.target is not None
            and any(
                data.get("content_fingerprint", data.get("fingerprint")) == self.target for data in data_of(self.card)
            )
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], zoo: zoo_store.Zoo, target: str | None = None) -> Selection:
        """The selection that :meth:`to_dict` wrote, for a run that is continued on the target of a fingerprint.

        Raises:
            SelectionError: the zoo no longer has the chosen entry.
        """
        cards, _ = readable_cards(zoo)
        chosen = values["chosen"]
        if chosen is not None and chosen not in cards:
            raise SelectionError(
                f"the run began from the zoo entry {chosen[:12]}, which zoo {zoo.address!r} does not hold "
                "whole; give the zoo it began with, or choose another --output."
            )
        rows, probes = values["ranking"], values.get("probes", [])
        named = {row["entry"]: {"name": row["name"]} for row in probes if row["entry"] is not None}
        named |= {row["entry"]: {"name": row["name"], "kind": row["kind"]} for row in rows}
        return cls(
            select=values["select"],
            entry_id=chosen,
            settings=values.get("settings") or EntryFacts.of(cards[chosen]).to_dict(),
            reason=values.get("reason", "it was chosen when the run began"),
            ranking=ot_select.Ranking(
                "nearest",
                tuple((row["entry"], ot_select.Comparison.from_dict(row)) for row in rows),
                values["num_evaluated"],
                values["rows_compared"],
                values.get("terms"),
                values.get("distance"),
            ),
            cards=named | ({} if chosen is None else {chosen: cards[chosen]}),
            excluded={row["entry"]: row["reason"] for row in values["excluded"]},
            probes=tuple(ot_select.Probe(row["entry"], row["accuracy"]) for row in probes),
            target=target,
        )

    def source_dict(self) -> dict[str, Any] | None:
        """The chosen entry as plain JSON values, and whether it has seen the target's images; None for scratch."""
        if self.card is None:
            return None
        return {
            "select": self.select,
            "entry": self.entry_id,
            **{key: self.card.get(key) for key in ("name", "kind", "data", "metrics", "genotype")},
            "has_seen_target": self.has_seen_target,
            "squared_distance": None if self.comparison is None else self.comparison.squared,
            "distance": None if self.comparison is None else _root(self.comparison),
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
    """The distance; None where a debiased or corrected value is negative."""
    return comparison.distance if comparison.squared >= 0 else None
