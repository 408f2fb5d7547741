"""Distance and transfer."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from scipy import stats  # type: ignore[import-untyped, unused-ignore]

from supernet_tl.evaluating.recipe import EvaluationRecipe
from tests.supernet_tl.evaluating.tables.conftest import ACCURACIES, Evaluation


def _row(summary: dict[str, Any], target: str, seed: int | str, part: str = "supernet") -> dict[str, Any]:
    (found,) = [one for one in summary["table2"] if (one["target"], one["seed"], one["part"]) == (target, seed, part)]
    return dict(found)


def test_coefficients_are_positive_where_nearer_sources_transfer_better(evaluation: Evaluation) -> None:
    first = _row(evaluation.summary(), "digits", 0)  # faces is nearer, 0.60 against 0.45
    second = _row(evaluation.summary(), "digits", 1)  # 50%_off is nearer, 0.44 against 0.50
    for name in ("kendall", "weighted_kendall", "pearson"):
        assert first[name] == pytest.approx(1)
        assert second[name] == pytest.approx(-1)
        assert _row(evaluation.summary(), "digits", "mean")[name] == pytest.approx(0)


def test_coefficients_are_scipys_of_negated_distances(make_evaluation: Callable[..., Evaluation]) -> None:
    names = ("a", "b", "c", "d", "e", "f")
    squared = {("a", 0): {"b": 1.0, "c": 2.0, "d": 2.0, "e": 9.0, "f": 16.0}}
    accuracies = {
        ("a", 0): dict(zip(("scratch", *names[1:]), [(x, x) for x in (0.5, 0.6, 0.4, 0.7, 0.4, 0.3)], strict=True))
    }
    recipe = EvaluationRecipe(datasets=names, targets=("a",), seeds=(0,), arms=("sources",))
    summary = make_evaluation(recipe, accuracies, squared, {("a", 0): "b"}).summary()
    found = _row(summary, "a", 0)
    closeness, gains = [-1.0, -(2.0**0.5), -(2.0**0.5), -3.0, -4.0], [0.6, 0.4, 0.7, 0.4, 0.3]
    assert found["kendall"] == pytest.approx(stats.kendalltau(closeness, gains).statistic)
    assert found["weighted_kendall"] == pytest.approx(stats.weightedtau(closeness, gains).statistic)
    assert found["pearson"] == pytest.approx(stats.pearsonr(closeness, gains).statistic)
    assert found["num_sources"] == 5


def test_a_negative_squared_distance_orders_sources_and_has_no_root(evaluation: Evaluation) -> None:
    found = _row(evaluation.summary(), "50%_off", 0)  # digits at -1, 0.55; faces at 16, 0.50
    assert (found["kendall"], found["pearson"]) == (pytest.approx(1), None)
    assert "negative after debiasing" in found["why"]
    mean = _row(evaluation.summary(), "50%_off", "mean")
    assert mean["pearson"] == pytest.approx(1)  # seed 1 alone
    assert mean["why"] == f"seed 0: {found['why']}"


def test_nothing_is_correlated_with_equal_accuracies(make_evaluation: Callable[..., Evaluation]) -> None:
    accuracies = deepcopy(ACCURACIES)
    accuracies["digits", 0] |= {"faces": (0.5, 0.6), "50%_off": (0.5, 0.7)}
    summary = make_evaluation(accuracies=accuracies).summary()
    found = _row(summary, "digits", 0)
    assert (found["kendall"], found["weighted_kendall"], found["pearson"]) == (None, None, None)
    assert found["why"] == "all 2 accuracies are equal, so nothing can be correlated with them"
    assert _row(summary, "digits", 0, "network")["why"] is None


def test_a_target_with_a_missing_run_has_no_coefficient_for_that_seed(evaluation: Evaluation) -> None:
    missing = evaluation.name(target="digits", seed=0, arm="source", source="faces")
    seeds = [row["seed"] for row in evaluation.summary(without=(missing,))["table2"] if row["target"] == "digits"]
    assert seeds == [1, "mean"] * 2


def test_distances_are_means_over_seeds_and_name_their_jobs(evaluation: Evaluation) -> None:
    table = evaluation.summary()["distances"]
    assert table["distance"] == "otdd"
    assert table["names"] == ["digits", "faces", "50%_off"]
    cells = {(one["target"], one["source"]): one for one in table["cells"]}
    assert len(cells) == 6
    assert cells["digits", "faces"]["squared"] == 5.0  # of 1 and 9
    assert cells["digits", "faces"]["distance"] == 2.0  # of 1 and 3
    assert cells["50%_off", "digits"]["distance"] is None  # one squared distance is -1
    jobs = [evaluation.name(target="digits", seed=seed, by="nearest", arm=None) for seed in (0, 1)]
    assert (cells["digits", "faces"]["job"], cells["digits", "faces"]["jobs"]) == (jobs[0], jobs)
