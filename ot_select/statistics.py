"""What tables of distances and accuracies say about transfer and selection: pure functions of numbers.

Notation: for one target, source i lies at distance d_i, and a transfer from it gains g_i (a relative improvement, or
any number of which more is better). Correlations are those of closeness, -d, with g: **positive means that nearer
sources transfer better**, +1 that the order is perfect. A *ranked* list holds the gains in the order in which a
selection put the sources, its first choice first.
"""

from collections.abc import Sequence
from math import isfinite

import numpy as np

from ot_select.arrays import FloatArray, check_positive_int
from ot_select.errors import OptionError


def relative_improvement(accuracy: float, scratch_accuracy: float) -> float:
    """Relative improvement of a transfer over training from scratch.

    Args:
        accuracy: of the transfer, a fraction in [0, 1].
        scratch_accuracy: of the same target and seed from scratch, a fraction in (0, 1].

    Returns:
        (accuracy - scratch_accuracy) / scratch_accuracy, a fraction; 0.1 means a tenth better.

    Raises:
        OptionError: an accuracy is no fraction, or the one from scratch is 0.
    """
    for name, value in (("accuracy", accuracy), ("scratch_accuracy", scratch_accuracy)):
        if not isfinite(value) or not 0 <= value <= 1:
            raise OptionError(f"{name} is {value!r}, but a fraction in [0, 1] is needed. Divide a percentage by 100.")
    if scratch_accuracy == 0:
        raise OptionError(
            "scratch_accuracy is 0, and nothing can be measured relative to 0. "
            "Compare the accuracies themselves, or train the baseline longer."
        )
    return (accuracy - scratch_accuracy) / scratch_accuracy


def kendall(distances: Sequence[float], gains: Sequence[float]) -> float:
    """Kendall's tau-b of closeness and gain: pairs in the right order less pairs in the wrong one, ties discounted.

    Args:
        distances: of n sources, n at least 2, in any unit.
        gains: of the same sources, more is better.

    Returns:
        A value in [-1, 1]; positive where nearer sources transfer better.

    Raises:
        OptionError: lengths differ or are below 2, a number is not finite, or all numbers of a side are equal.

    Source: Kendall 1945, "The treatment of ties in ranking problems".
    """
    from scipy.stats import kendalltau  # type: ignore[import-untyped, unused-ignore]

    closeness, values = _paired(distances, gains)
    return float(kendalltau(closeness, values).statistic)


def weighted_kendall(distances: Sequence[float], gains: Sequence[float]) -> float:
    """Kendall's tau in which exchanges among the nearest and the best sources weigh most.

    The pair of positions r and s (from 0) weighs 1 / (r + 1) + 1 / (s + 1). The value is the mean of two: positions by
    distance, and positions by gain; ties take the order of the other side. Arguments and errors as :func:`kendall`.

    Returns:
        A value in [-1, 1]; positive where nearer sources transfer better.

    Source: Vigna 2015, "A weighted correlation index for rankings with ties" (additive hyperbolic weights).
    """
    from scipy.stats import weightedtau

    closeness, values = _paired(distances, gains)
    return float(weightedtau(closeness, values).statistic)


def pearson(distances: Sequence[float], gains: Sequence[float]) -> float:
    """Pearson's correlation of closeness and gain. Arguments and errors as :func:`kendall`.

    Returns:
        A value in [-1, 1]; positive where nearer sources transfer better.
    """
    from scipy.stats import pearsonr

    closeness, values = _paired(distances, gains)
    return float(pearsonr(closeness, values).statistic)


def hit_at_k(ranked_gains: Sequence[float], k: int = 1) -> bool:
    """Whether a best source is among the first k; its mean over targets is hit@k.

    Args:
        ranked_gains: gains in the order of a ranking, its first choice first.
        k: how many first choices count; all where there are fewer.

    Raises:
        OptionError: there are no gains, one is not finite, or ``k`` is below 1.
    """
    return regret(ranked_gains, k) == 0.0


def regret(ranked_gains: Sequence[float], k: int = 1) -> float:
    """What the best of the first k falls short of the best of all, in the unit of the gains; 0 is perfect.

    Arguments and errors as :func:`hit_at_k`.
    """
    k, gains = check_positive_int("k", k), _finite("ranked_gains", ranked_gains)
    return float(gains.max() - gains[:k].max())


def negative_transfer_rate(gains: Sequence[float]) -> float:
    """Share of transfers that did worse than scratch.

    Args:
        gains: relative improvements over scratch of the transfers that were made, one a target and seed.

    Returns:
        A fraction in [0, 1]; a transfer that equals scratch is not negative.

    Raises:
        OptionError: there are no gains, or one is not finite.
    """
    return float((_finite("gains", gains) < 0).mean())


def _paired(distances: Sequence[float], gains: Sequence[float]) -> tuple[FloatArray, FloatArray]:
    """Closeness (negated distance) and gain, checked."""
    closeness, values = -_finite("distances", distances), _finite("gains", gains)
    if len(closeness) != len(values) or len(values) < 2:
        raise OptionError(
            f"There are {len(closeness)} distances and {len(values)} gains, but a correlation needs as many of one as "
            "of the other, and at least 2. Give one distance and one gain for every source."
        )
    for name, side in (("distances", closeness), ("gains", values)):
        if (side == side[0]).all():
            raise OptionError(
                f"All {len(side)} {name} are equal, so nothing can be correlated with them. "
                "Compare sources that differ, or leave this target out."
            )
    return closeness, values


def _finite(name: str, numbers: Sequence[float]) -> FloatArray:
    values = np.asarray(numbers, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise OptionError(f"{name} has shape {values.shape}, but a list of at least one number is needed.")
    if not np.isfinite(values).all():
        position = int(np.argmin(np.isfinite(values)))
        raise OptionError(
            f"{name}[{position}] is {values[position]}, but finite numbers are needed. Leave what was not measured out "
            "of every list."
        )
    return values
