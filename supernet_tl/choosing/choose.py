"""Which zoo entry a search on a target starts from, or whether it starts from scratch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Protocol

import ot_select
import zoo_store
from supernet_tl.cards import called, distinct_name, entries_named, num_images_of
from supernet_tl.choosing.past_accuracies import read_past_accuracies
from supernet_tl.choosing.selection import Selection
from supernet_tl.entry_facts import EntryFacts
from supernet_tl.errors import RecipeError, SelectionError
from supernet_tl.recipe import Recipe
from supernet_tl.zoos import readable_cards


class Prober(Protocol):
    """A short search that tells how well a start does; see :class:`supernet_tl.choosing.probing.Prober`."""

    def __call__(self, entry_id: str | None, name: str, settings: Mapping[str, Any]) -> float | None:
        """Validation accuracy after starting from an entry, or from scratch for None; None where it diverged."""
        ...

    @property
    def num_validation_images(self) -> int:
        """Images that the accuracies rest on."""
        ...


def select_entry(
    zoo: zoo_store.Zoo,
    target: ot_select.Sketch,
    select: str,
    recipe: Recipe,
    required: Mapping[str, Any],
    progress: Callable[[int, int], None] | None = None,
    prober: Prober | None = None,
    say: Callable[[str], None] = lambda _: None,
    among: Collection[str] | None = None,
) -> Selection:
    """Rank a zoo's entries by their distance to the target and choose one, or scratch.

    Args:
        zoo: the zoo.
        target: the target's sketch.
        select: a selector's name (``nearest``, ``probe``, ``mixture``, ``random``, ``largest``, ``same-classes``,
            ``fixed-best``, or one that another package offers), or an entry's id, its beginning, or its name.
        recipe: gives seed and the settings of selection.
        required: settings among :data:`supernet_tl.recipe.ADOPTED` that the entry must have been pretrained with.
        progress: called after each distance.
        prober: makes short searches; where absent, ``probe`` says what would be probed and leaves the choice open.
        say: is told what a person should know and nothing fails for.
        among: ids of the entries that may be chosen; all when absent.

    Raises:
        SelectionError: no entry can be used, with the reason for each.
    """
    cards, excluded = readable_cards(zoo)
    if among is not None:
        cards = {entry_id: card for entry_id, card in cards.items() if entry_id in among}
        excluded = {entry_id: reason for entry_id, reason in excluded.items() if entry_id in among}
    if not cards and not excluded:
        raise SelectionError("the zoo has no entries; add one with `supernet-tl pretrain --source SRC --zoo ZOO`.")
    named = None if select in ot_select.selector_names() else _named(cards, select, zoo.aliases())
    kind = _kind_wanted(select) if named is None else _kind(cards[named])
    candidates: dict[str, ot_select.Candidate] = {}
    for entry_id, card in cards.items():
        if kind in (None, _kind(card)):
            try:
                candidates[entry_id] = _candidate(zoo, entry_id, card, target, recipe, required)
            except ValueError as error:
                excluded[entry_id] = str(error)
    if not candidates or (named is not None and named not in candidates):
        raise SelectionError(_nothing_usable(cards, excluded, kind, named))
    past = None if recipe.past_accuracies is None else read_past_accuracies(recipe.past_accuracies, cards, say)
    if select == "fixed-best":
        _check_past(past, candidates, cards)
    sketches = {entry_id: candidate.sketch for entry_id, candidate in candidates.items()}
    smallest = sketches[named].num_sampled if named is not None else ot_select.MIN_ROWS  # a named entry is not left out
    probing = named is None and (select == "probe" or select not in ot_select.SELECTORS)
    num_listed = max(recipe.num_ranked, recipe.probe_candidates) if probing else recipe.num_ranked
    rank = _ranker(recipe, num_listed, min_rows=min(ot_select.MIN_ROWS, smallest))
    ranking = rank(target, sketches, progress=progress)

    def settings_of(entry_id: str | None) -> dict[str, Any]:
        return EntryFacts.of(cards[entry_id or ranking.names[0]]).to_dict()

    if named is not None:
        choice = ot_select.Choice(named, ranking, "it was asked for")
    elif select == "probe" and prober is None:
        choice = _still_to_probe(ranking, cards, recipe)
    else:
        question = ot_select.Question(
            target=target,
            candidates=candidates,
            ranker=lambda asked, sources: ranking if asked is target and sources == sketches else rank(asked, sources),
            seed=recipe.seed,
            probe=None if prober is None else partial(_probe, prober, cards, settings_of),
            num_probes=recipe.probe_candidates,
            past_accuracies=past,
        )
        choice = ot_select.find_selector(select)(question)
    reason = choice.reason
    if choice.probes and prober is not None:
        reason += f" (accuracies on {prober.num_validation_images} validation images)"
    return Selection(
        select=select,
        entry_id=choice.name,
        settings=settings_of(choice.name),
        reason=reason,
        ranking=ranking,
        cards=cards,
        excluded=excluded | dict(ranking.left_out),
        probes=choice.probes,
        decided=choice.name is not None or not choice.probes or prober is not None,
    )


def _kind_wanted(select: str) -> str | None:
    """The kind of entries that a selector chooses among; those of other packages see all kinds."""
    if select not in ot_select.SELECTORS:
        return None
    return "mixture" if select == "mixture" else "single"


def _ranker(recipe: Recipe, num_listed: int, min_rows: int) -> Callable[..., ot_select.Ranking[ot_select.Comparison]]:
    """``rank`` as the recipe wants it."""
    return partial(
        ot_select.rank,
        k=num_listed,
        distance=None if recipe.distance is None else ot_select.parse_distance(recipe.distance),
        preset=recipe.preset,
        num_draws=recipe.num_draws,
        seed=recipe.seed,
        min_rows=min_rows,
        terms=recipe.terms,
    )


def _probe(
    prober: Prober,
    cards: Mapping[str, Mapping[str, Any]],
    settings_of: Callable[[str | None], dict[str, Any]],
    entry_id: str | None,
) -> float | None:
    name = "scratch" if entry_id is None else distinct_name(cards, entry_id)
    return prober(entry_id, name, settings_of(entry_id))


def _still_to_probe(
    ranking: ot_select.Ranking[ot_select.Comparison], cards: Mapping[str, Mapping[str, Any]], recipe: Recipe
) -> ot_select.Choice:
    first = ranking.names[: recipe.probe_candidates]
    names = ", ".join(distinct_name(cards, entry_id) for entry_id in first)
    epochs = f"{recipe.probe_epochs} epoch{'' if recipe.probe_epochs == 1 else 's'}"
    reason = (
        f"a transfer would search for {epochs} from each of {names} and from scratch, and take what does best on "
        "validation; select trains nothing"
    )
    probes = tuple(ot_select.Probe(entry_id, None) for entry_id in (*first, None))
    return ot_select.Choice(None, ranking, reason, probes)


def _check_past(
    past: Mapping[str, float] | None, candidates: Mapping[str, object], cards: Mapping[str, Mapping[str, Any]]
) -> None:
    """Refuse a table that tells of no source which the fixed best one could be."""
    if past is None:
        raise SelectionError(
            "--select fixed-best takes the source that did best on other targets, but no file says how they did. Give "
            "--past-accuracies FILE, a JSON object from entry names or ids to mean accuracies."
        )
    if not past.keys() & candidates.keys():
        raise SelectionError(
            f"the past accuracies are of {called(cards, past)}, none of the sources that may be chosen: "
            f"{called(cards, candidates)}. Add at least one of them to the file."
        )


def _kind(card: Mapping[str, Any]) -> str:
    return str(card.get("kind", "single"))


def _named(cards: Mapping[str, Mapping[str, Any]], select: str, aliases: Mapping[str, str]) -> str:
    found = entries_named(cards, select, aliases)
    if len(found) == 1:
        return found[0]
    how_many = "no entry" if not found else f"{len(found)} entries"
    raise SelectionError(
        f"{select!r} names {how_many} of the zoo; expected one of {', '.join(ot_select.selector_names())}, an entry's "
        f"alias, name or the beginning of its id. The zoo has {called(cards, cards)}."
    )


def _candidate(
    zoo: zoo_store.Zoo,
    entry_id: str,
    card: Mapping[str, Any],
    target: ot_select.Sketch,
    recipe: Recipe,
    required: Mapping[str, Any],
) -> ot_select.Candidate:
    """An entry that a transfer to this target may start from.

    Raises:
        ValueError: with the reason why it may not, as a clause.
    """
    facts = EntryFacts.of(card).to_dict()
    for name, value in required.items():
        if facts[name] != value:
            raise ValueError(f"its {name} is {facts[name]!r}, not {value!r}")
    try:
        recipe.replace(**facts).with_final()
    except RecipeError as error:
        raise ValueError(f"the settings do not go with it: {str(error).removesuffix('.')}") from error
    sketch = ot_select.Sketch.from_tensors(zoo.sketch(entry_id))
    if sketch.embedder != target.embedder:
        raise ValueError(f"its images were embedded by {sketch.embedder!r}, the target's by {target.embedder!r}")
    return ot_select.Candidate(
        sketch=sketch,
        num_rows=num_images_of(card) or sketch.num_rows,
        num_classes=len(sketch.class_names),
        kind="mixture" if _kind(card) == "mixture" else "single",
    )


def _nothing_usable(
    cards: Mapping[str, Mapping[str, Any]], excluded: Mapping[str, str], kind: str | None, named: str | None
) -> str:
    if named is not None:
        return f"the zoo entry {cards[named].get('name')!r} cannot be used here: {excluded[named]}."
    wanted = "" if kind is None else f"{kind} "
    if not excluded:
        advice = (
            "pretrain one with --mixture"
            if kind == "mixture"
            else "choose --select mixture, or pretrain single sources"
        )
        return f"the zoo has no {wanted}entry among its {len(cards)}; {advice}."
    reasons = "; ".join(
        f"{cards[entry_id].get('name')} ({entry_id[:12]}): {why}" if entry_id in cards else why
        for entry_id, why in excluded.items()
    )
    return (
        f"none of the zoo's {len(excluded)} {wanted}entries can be used: {reasons}. Use the settings and the embedder "
        "that the zoo was pretrained with, or pretrain sources with yours."
    )
