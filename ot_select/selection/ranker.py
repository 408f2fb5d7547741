"""Sources in the order of their distance to a target, compared on equal terms."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import get_args

from ot_select.arrays import check_positive_int
from ot_select.cloud import LabelledCloud
from ot_select.distances.otdd import OTDD, PresetName, preset_named
from ot_select.distances.protocol import DatasetDistance
from ot_select.errors import EmbedderMismatchError, OptionError
from ot_select.rows import draw_seeds
from ot_select.selection.equal_terms import Comparer, Terms, rows_for_floor
from ot_select.selection.nearest import Stage, has_bounds, nearest_sources
from ot_select.selection.ranking import Comparison, Ranking
from ot_select.selection.source_index import SourceIndex
from ot_select.sketches.sketch import Sketch

_SEARCHED_FROM = 32  # sources; for fewer, bounds cost more than the distances they spare
MIN_ROWS = 32
"""Rows below which a source is left out rather than compared at so few with all others."""


def rank(
    target: Sketch,
    sources: Mapping[str, Sketch],
    k: int | None = None,
    *,
    distance: DatasetDistance | None = None,
    preset: PresetName | None = None,
    num_draws: int = 3,
    seed: int = 0,
    max_rows: int | None = None,
    min_rows: int = MIN_ROWS,
    terms: Terms = "rows",
    progress: Callable[[int, int], None] | None = None,
) -> Ranking[Comparison]:
    """Sources in the order of their distance to the target, nearest first.

    Distances grow as samples shrink, so sources are compared on equal terms (:mod:`ot_select.selection.equal_terms`
    says why and how well). By default every comparison takes the same number of rows of the target and of the source,
    as many as the smallest sketch has; with ``terms="self_distances"`` every source has its own number of rows and is
    corrected. The distance is the mean over several draws. The draws of a sketch depend on its content, the seed and
    the number of rows, and on nothing else: neither on names nor on the order or company of the sources.

    Args:
        target: what we want to solve.
        sources: what there is, by name.
        k: how many to return, all with ``None``. Where the exact OTDD ranks many sources at equal rows, only so many
            are evaluated as it takes to be certain of the first k (``ot_select.selection.nearest``); otherwise all are.
            The results are the same.
        distance: what is measured; the exact OTDD by default.
        preset: of ``otdd``, in place of ``distance``.
        num_draws: draws of rows for each source; one suffices, and is used, where both sketches hold rows and all of
            them are compared. Sketches of Gaussians are drawn anew every time.
        seed: of the draws.
        max_rows: compare at most so many rows.
        min_rows: on the terms ``"rows"``, sources with fewer rows are left out, and named in the ranking with the
            reason, so that one tiny source does not drag all comparisons down to its size. They stay where no source
            has as many, or where ``max_rows`` or the target allows no more.
        terms: ``"rows"`` or ``"self_distances"``. The second leaves out sources with less than eight rows a class,
            unless they have twice as many rows as are compared.
        progress: called after every draw with the draws done and the draws in all; where not all sources are
            evaluated, with the sources found and ``k``.

    Returns:
        The ranking; equal distances are ordered by name.

    Raises:
        OptionError: there are no sources or what is given is none, none can be compared on these terms, or an option
            is out of range.
        EmbedderMismatchError: a source was embedded by another embedder than the target.
    """
    _check_sketches(target, sources)
    if terms not in get_args(Terms):
        raise OptionError(f"terms is {terms!r}, but one of {', '.join(map(repr, get_args(Terms)))} is needed.")
    k = len(sources) if k is None else check_positive_int("k", k)
    seeds = draw_seeds(seed, num_draws)
    measure = _measure(distance, preset)
    limits = [check_positive_int("max_rows", max_rows)] if max_rows is not None else []
    limits += [preset_named(preset).max_samples] if preset is not None else []
    if terms == "rows":
        limits.append(target.num_sampled)
        left_out = _too_small(sources, limits, check_positive_int("min_rows", min_rows))
    else:
        left_out = _without_floor(target, sources, limits)
        limits.append(max(sketch.num_sampled for sketch in (target, *sources.values())))
    compared = {name: source for name, source in sorted(sources.items()) if name not in left_out}
    rows = min([*limits, *(source.num_sampled for source in compared.values() if terms == "rows")])
    comparer = Comparer(target, measure, rows, terms, seeds)
    searchable = terms == "rows" and len(compared) >= max(_SEARCHED_FROM, k + 1)
    if searchable and isinstance(measure, OTDD) and has_bounds(measure):
        results, num_evaluated = _searched(comparer, replace(measure, keep_coupling=False), compared, k, progress)
    else:
        drawn = _counter(sum(len(comparer.seeds_of(source)) for source in compared.values()), progress)
        results = [(name, comparer.compare(source, drawn)) for name, source in compared.items()]
        num_evaluated = len(results)
    results.sort(key=lambda entry: (entry[1].squared, entry[0]))
    return Ranking(
        method="nearest",
        entries=tuple(results[:k]),
        num_evaluated=num_evaluated,
        rows_compared=min(rows, target.num_sampled),
        terms=terms,
        distance=measure.name,
        left_out=tuple(left_out.items()),
    )


def _searched(
    comparer: Comparer,
    distance: OTDD,
    sources: Mapping[str, Sketch],
    k: int,
    progress: Callable[[int, int], None] | None,
) -> tuple[list[tuple[str, Comparison]], int]:
    """The k nearest without measuring all distances, and how many were measured."""
    seeds = max((comparer.seeds_of(source) for source in sources.values()), key=len)
    draws = [_Drawn(sources, comparer.rows, seed) for seed in seeds]
    indexes = [SourceIndex(clouds) for clouds in draws]
    found = nearest_sources(
        comparer.target_draws[: len(seeds)],
        lambda name: [clouds[name] for clouds in draws],
        indexes,
        k,
        distance=distance,
        progress=progress,
    )
    # The draws of a source that is compared whole are all one, as they are where every source is measured.
    draws_of = {name: len(comparer.seeds_of(sources[name])) for name, _ in found.results}
    results = [(name, Comparison.of_draws(results[: draws_of[name]])) for name, results in found.results]
    return results, found.reached[Stage.DISTANCE]


class _Drawn(Mapping[str, LabelledCloud]):
    """A draw of rows of each sketch, made when asked for."""

    def __init__(self, sketches: Mapping[str, Sketch], rows: int, seed: int) -> None:
        self._sketches, self._rows, self._seed = sketches, rows, seed

    def __getitem__(self, name: str) -> LabelledCloud:
        return self._sketches[name].cloud(self._rows, self._seed)

    def __iter__(self) -> Iterator[str]:
        return iter(self._sketches)

    def __len__(self) -> int:
        return len(self._sketches)


def _measure(distance: DatasetDistance | None, preset: PresetName | None) -> DatasetDistance:
    if distance is not None and preset is not None:
        raise OptionError(
            f"Both a distance ({distance.name}) and a preset ({preset!r}) were given, but one decides what is "
            "measured. Give one of them."
        )
    if preset is not None:
        return preset_named(preset).distance
    if distance is None:
        return OTDD()
    if not callable(distance) or not isinstance(getattr(distance, "name", None), str):
        raise OptionError(
            f"distance is {distance!r}, but a distance such as OTDD() is needed. Give one, or parse_distance of its "
            "name."
        )
    return distance


def _too_small(sources: Mapping[str, Sketch], limits: Iterable[int], min_rows: int) -> dict[str, str]:
    """Sources that would drag the others down to less rows than are wanted, with the reason."""
    wanted = min(min_rows, *limits, max(source.num_sampled for source in sources.values()))
    return {
        name: f"it has {source.num_sampled} rows, and at equal rows every source would be compared at so few; at least "
        f"{wanted} are wanted (min_rows), or terms='self_distances'"
        for name, source in sorted(sources.items())
        if source.num_sampled < wanted
    }


def _without_floor(target: Sketch, sources: Mapping[str, Sketch], limits: Iterable[int]) -> dict[str, str]:
    """Sources whose distance to themselves cannot be measured, with the reason."""
    if reason := _no_floor(target, limits):
        raise OptionError(f"The target cannot be compared with terms='self_distances': {reason}. Give terms='rows'.")
    reasons = {name: _no_floor(source, limits) for name, source in sorted(sources.items())}
    left_out = {name: reason for name, reason in reasons.items() if reason is not None}
    if len(left_out) == len(sources):
        name, reason = next(iter(left_out.items()))
        raise OptionError(
            f"None of the {len(sources)} sources can be compared with terms='self_distances'; of {name!r}: {reason}. "
            "Give terms='rows'."
        )
    return left_out


def _no_floor(sketch: Sketch, limits: Iterable[int]) -> str | None:
    classes, rows = len(sketch.class_names), min([sketch.num_sampled, *limits])
    needed = rows_for_floor(rows, classes)
    if sketch.num_sampled >= needed:
        return None
    return f"it has {sketch.num_sampled} rows of {classes} classes, and its distance to itself at {rows} takes {needed}"


def _check_sketches(target: Sketch, sources: Mapping[str, Sketch]) -> None:
    if not isinstance(target, Sketch) or not isinstance(sources, Mapping):
        raise OptionError(
            f"The target is of type {type(target).__name__} and the sources of type {type(sources).__name__}, but a "
            "Sketch and a mapping of names to Sketches are needed. Give the sources as {name: sketch}."
        )
    if not sources:
        raise OptionError("There are no sources to rank. Add at least one pretrained source to the zoo first.")
    for name, source in sources.items():
        if not isinstance(name, str) or not isinstance(source, Sketch):
            raise OptionError(
                f"The sources hold a {type(source).__name__} by the name {name!r}, but Sketches by names that are text "
                "are needed. Give the sources as {name: sketch}."
            )
        if source.embedder != target.embedder:
            raise EmbedderMismatchError(
                f"The target was embedded by {target.embedder!r} and the source {name!r} by {source.embedder!r}; their "
                "features cannot be compared. Embed the target with the source's embedder, or pretrain the source "
                "again."
            )


def _counter(total: int, progress: Callable[[int, int], None] | None) -> Callable[[], None]:
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    return count
