"""Which source to start from: the nearest by OTDD, and the honest baseline."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from ot_select.arrays import check_positive_int, check_seed
from ot_select.errors import EmbedderMismatchError, OptionError
from ot_select.otdd import PRESETS, PresetName, otdd
from ot_select.ranking import Comparison, Ranking
from ot_select.sketch import Sketch


def rank(
    target: Sketch,
    sources: Mapping[str, Sketch],
    k: int | None = None,
    *,
    num_draws: int = 3,
    seed: int = 0,
    preset: PresetName | None = None,
    max_rows: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Ranking[Comparison]:
    """Sources in the order of their OTDD to the target, nearest first.

    The exact distance grows as samples shrink, so sources are compared on equal terms: every comparison takes the
    same number of rows of the target and of the source, as many as the smallest sketch has, and the distance is the
    mean over several draws. The draws of a sketch depend on its content, the seed and the number of
    rows, and on nothing else: neither on names nor on the order or company of the sources.

    Args:
        target: what we want to solve.
        sources: what there is, by name.
        k: how many to return; all are evaluated, and all are returned with ``None``.
        num_draws: draws of rows for each source; one suffices, and is used, where both sketches are compared whole.
        seed: of the draws.
        preset: of ``otdd``.
        max_rows: compare at most so many rows.
        progress: called after every draw with the draws done and the draws in all.

    Returns:
        The ranking; equal distances are ordered by name.

    Raises:
        OptionError: there are no sources, or an option is out of range.
        EmbedderMismatchError: a source was embedded by another embedder than the target.
    """
    if not sources:
        raise OptionError("There are no sources to rank. Add at least one pretrained source to the zoo first.")
    k = len(sources) if k is None else check_positive_int("k", k)
    for name, source in sources.items():
        _check_comparable(target, name, source)
    rows = _equal_rows([target, *sources.values()], max_rows, preset)
    seeds = _draw_seeds(seed, check_positive_int("num_draws", num_draws))
    draws_of = {
        name: seeds[:1] if target.num_sampled == source.num_sampled == rows else seeds
        for name, source in sorted(sources.items())
    }
    total, done = sum(map(len, draws_of.values())), 0
    target_cloud = target.cloud()
    results: list[tuple[str, Comparison]] = []
    for name, draw_seeds in draws_of.items():
        source_cloud = sources[name].cloud()
        draws = []
        for draw_seed in draw_seeds:
            draws.append(otdd(target_cloud, source_cloud, max_samples=rows, seed=draw_seed, preset=preset))
            done += 1
            if progress is not None:
                progress(done, total)
        values = tuple(draw.squared for draw in draws)
        results.append(
            (
                name,
                Comparison(
                    squared=float(np.mean(values)),
                    spread=float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
                    draws=values,
                    rows=draws[0].num_rows,
                    converged=all(draw.converged for draw in draws),
                    marginal_error=max(draw.marginal_error for draw in draws),
                    labels_target=tuple(map(str, draws[0].labels_a)),
                    labels_source=tuple(map(str, draws[0].labels_b)),
                    label_distances=tuple(map(tuple, draws[0].label_distances.tolist())),
                ),
            )
        )
    results.sort(key=lambda entry: (entry[1].squared, entry[0]))
    return Ranking(method="nearest", entries=tuple(results[:k]), num_evaluated=len(results), rows_compared=rows)


def rank_randomly(names: Iterable[str], seed: int = 0) -> Ranking[None]:
    """Sources in random order: what any selection has to beat.

    Args:
        names: of the sources; their order plays no part.
        seed: of the order.

    Raises:
        OptionError: there are no names.
    """
    ordered = sorted(set(names))
    if not ordered:
        raise OptionError("There are no sources to draw from. Add at least one pretrained source to the zoo first.")
    shuffled = np.random.default_rng(check_seed(seed)).permutation(len(ordered))
    return Ranking(
        method="random", entries=tuple((ordered[index], None) for index in shuffled), num_evaluated=0, rows_compared=0
    )


def _check_comparable(target: Sketch, name: str, source: Sketch) -> None:
    if source.embedder != target.embedder:
        raise EmbedderMismatchError(
            f"The target was embedded by {target.embedder!r} and the source {name!r} by {source.embedder!r}; their "
            "features cannot be compared. Embed the target with the source's embedder, or pretrain the source again."
        )


def _equal_rows(sketches: Iterable[Sketch], max_rows: int | None, preset: PresetName | None) -> int:
    limits = [sketch.num_sampled for sketch in sketches]
    if max_rows is not None:
        limits.append(check_positive_int("max_rows", max_rows))
    if preset is not None and preset in PRESETS:
        limits.append(PRESETS[preset].max_samples)
    return min(limits)


def _draw_seeds(seed: int, num_draws: int) -> list[int]:
    """Independent seeds for the draws, the first few the same however many there are."""
    return [int(np.random.SeedSequence([check_seed(seed), draw]).generate_state(1)[0]) for draw in range(num_draws)]
