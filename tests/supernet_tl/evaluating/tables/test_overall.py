"""Means over targets and seeds, and Table 1."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from supernet_tl.evaluating.recipe import EvaluationRecipe
from tests.supernet_tl.evaluating.tables.conftest import Evaluation

_SEEDS, _NAMES = (0, 1, 2), ("digits", "faces", "mnist5k", "textures", "photos")


def _row(summary: Mapping[str, Any], method: str, part: str = "supernet") -> dict[str, Any]:
    (found,) = [one for one in summary["overall"] if (one["method"], one["part"]) == (method, part)]
    return dict(found)


@pytest.fixture(scope="module")
def drawn() -> dict[tuple[str, int], dict[str, tuple[float, float]]]:
    """Accuracies at random, to a hundredth, so that some are equal."""
    generator = np.random.default_rng(3)
    accuracies: dict[tuple[str, int], dict[str, tuple[float, float]]] = {}
    for target in _NAMES:
        for seed in _SEEDS:
            starts = ("scratch", "mixture", *(name for name in _NAMES if name != target))
            rows = generator.integers(30, 45, (len(starts), 2)) / 100
            accuracies[target, seed] = {start: (float(a), float(b)) for start, (a, b) in zip(starts, rows, strict=True)}
    return accuracies


@pytest.fixture(scope="module")
def chosen() -> dict[tuple[str, int], str | None]:
    generator = np.random.default_rng(4)
    return {
        (target, seed): str(generator.choice([name for name in _NAMES if name != target]))
        for target in _NAMES
        for seed in _SEEDS
    }


@pytest.fixture
def larger(
    make_evaluation: Callable[..., Evaluation],
    drawn: dict[tuple[str, int], dict[str, tuple[float, float]]],
    chosen: dict[tuple[str, int], str | None],
) -> Evaluation:
    recipe = EvaluationRecipe(
        datasets=tuple(f"pocket:{name}" for name in _NAMES), seeds=_SEEDS, arms=("sources", "mixture")
    )
    squared = {
        (target, seed): {name: float(number) for number, name in enumerate(_NAMES) if name != target}
        for target, seed in drawn
    }
    return make_evaluation(recipe, drawn, squared, chosen)


def test_table_1_has_mean_and_sample_standard_deviation_over_seeds(evaluation: Evaluation) -> None:
    rows = {(row["target"], row["part"]): row["cells"] for row in evaluation.summary()["table1"]}
    assert list(rows) == [(name, part) for name in ("digits", "faces", "50%_off") for part in ("supernet", "network")]
    cell = rows["digits", "supernet"]["by nearest"]  # 0.60 and 0.44 against 0.50 and 0.40: +0.2 and +0.1
    assert cell["mean"] == pytest.approx(0.15)
    assert cell["spread"] == pytest.approx(0.05 * 2**0.5)
    assert cell["num_seeds"] == 2
    assert "timm_time" not in rows["digits", "supernet"]
    assert rows["faces", "network"]["timm_time"]["mean"] == pytest.approx(-0.375)


def test_one_seed_has_no_spread(make_evaluation: Callable[..., Evaluation], recipe: EvaluationRecipe) -> None:
    summary = make_evaluation(recipe.replace(seeds=(1,))).summary()
    assert {cell["spread"] for row in summary["table1"] for cell in row["cells"].values()} == {None}
    assert {row["spread_ri"] for row in summary["overall"]} == {None}


def test_the_overall_spread_is_over_seeds_of_the_mean_over_targets(evaluation: Evaluation) -> None:
    row = _row(evaluation.summary(), "by nearest")
    first, second = (0.2 + 0.1 + 0.0) / 3, (0.1 - 0.05 + 0.2) / 3  # by seed: digits, faces, 50%_off
    assert row["mean_ri"] == pytest.approx((first + second) / 2)
    assert row["spread_ri"] == pytest.approx(abs(first - second) / 2**0.5)
    assert row["median_ri"] == pytest.approx(0.1)  # of 0.15, 0.025 and 0.1
    assert row["negative_transfer_rate"] == pytest.approx(1 / 6)
    assert row["mean_regret"] == pytest.approx((0 + 0.06 + 0 + 0.04 + 0.05 + 0) / 6)
    assert row["hit_rate"] == pytest.approx(3 / 6)
    assert (row["num_targets"], row["num_values"], row["num_undefined"]) == (3, 6, 0)


def test_epoch_shares_are_over_the_runs_that_reach_and_bounded_over_all(evaluation: Evaluation) -> None:
    row = _row(evaluation.summary(), "by nearest")
    # From faces in 3 epochs of 4; thrice from 50%_off in 2; scratch in its own 4; from digits never, in 5 epochs.
    assert row["share_reached"] == pytest.approx(5 / 6)
    assert row["mean_epoch_share"] == pytest.approx((3 / 4 + 3 * 2 / 4 + 1) / 5)
    assert row["mean_epoch_share_bounded"] == pytest.approx((3 / 4 + 3 * 2 / 4 + 1 + 5 / 4) / 6)
    assert _row(evaluation.summary(), "timm_time", "network")["share_reached"] is None


def test_every_target_weighs_the_same_where_seeds_are_missing(evaluation: Evaluation) -> None:
    summary = evaluation.summary(without=(evaluation.name(target="digits", seed=0, arm="mixture", schedule=None),))
    row = _row(summary, "mixture")  # digits: +0.25 alone; faces: 0, +0.1; 50%_off: +0.2, +0.1
    assert row["mean_ri"] == pytest.approx((0.25 + 0.05 + 0.15) / 3)
    assert row["num_values"] == 5
    assert row["spread_ri"] is None  # one seed alone has every target


@pytest.mark.parametrize("part", [0, 1])
def test_the_numbers_are_those_of_loops_over_a_dictionary(
    larger: Evaluation,
    drawn: dict[tuple[str, int], dict[str, tuple[float, float]]],
    chosen: dict[tuple[str, int], str | None],
    part: int,
) -> None:
    accuracy = {key: {start: pair[part] for start, pair in row.items()} for key, row in drawn.items()}
    singles = {key: {start: value for start, value in row.items() if start in _NAMES} for key, row in accuracy.items()}

    def gain(key: tuple[str, int], start: str) -> float:
        return (accuracy[key][start] - accuracy[key]["scratch"]) / accuracy[key]["scratch"]

    def fixed_best(target: str, seed: int) -> str:
        means = {}
        for source in singles[target, seed]:
            gains = [gain((other, seed), source) for other in _NAMES if other not in (target, source)]
            means[source] = sum(gains) / len(gains)
        return max(means, key=lambda source: means[source])

    starts: dict[str, dict[tuple[str, int], list[str]]] = {
        "scratch": {key: ["scratch"] for key in accuracy},
        "mixture": {key: ["mixture"] for key in accuracy},
        "by nearest": {key: [str(chosen[key])] for key in accuracy},
        "oracle": {key: [max(row, key=lambda source: row[source])] for key, row in singles.items()},
        "random source": {key: list(row) for key, row in singles.items()},
        "fixed best source": {(target, seed): [fixed_best(target, seed)] for target, seed in accuracy},
    }
    summary = larger.summary()
    assert [one["name"] for one in summary["methods"]] == [
        *("scratch", "by nearest", "mixture", "oracle", "random source", "fixed best source")
    ]
    for method, runs in starts.items():
        row = _row(summary, method, ("supernet", "network")[part])
        gains = {key: [gain(key, start) for start in started] for key, started in runs.items()}
        mean = {key: sum(values) / len(values) for key, values in gains.items()}
        by_seed = [sum(mean[target, seed] for target in _NAMES) / len(_NAMES) for seed in _SEEDS]
        everything = [value for values in gains.values() for value in values]
        assert row["mean_ri"] == pytest.approx(sum(mean.values()) / len(mean), abs=1e-12)
        assert row["spread_ri"] == pytest.approx(statistics.stdev(by_seed), abs=1e-12)
        assert row["negative_transfer_rate"] == sum(value < 0 for value in everything) / len(everything)
        if method in ("scratch", "mixture"):
            assert row["mean_regret"] is None
            continue
        short = [
            max(singles[key].values()) - accuracy[key][start] for key, started in runs.items() for start in started
        ]
        assert row["mean_regret"] == pytest.approx(sum(short) / len(short), abs=1e-12)
        assert row["hit_rate"] == pytest.approx(sum(value == 0 for value in short) / len(short))


def test_no_single_source_method_beats_the_oracle_which_has_no_regret(larger: Evaluation) -> None:
    values = larger.summary()["values"]
    best = {(one["target"], one["seed"]): one for one in values if one["method"] == "oracle"}
    for one in values:
        if one["method"] in ("by nearest", "random source", "fixed best source"):
            oracle = best[one["target"], one["seed"]]
            for part in ("supernet", "network"):
                assert one["accuracy"][part] <= oracle["accuracy"][part] + 1e-12
                short = oracle["accuracy"][part] - one["accuracy"][part]
                assert one["regret"][part] == pytest.approx(short, abs=1e-12)
    assert all(one["regret"] == {"supernet": 0.0, "network": 0.0} for one in best.values())
    assert _row(larger.summary(), "oracle")["hit_rate"] == 1.0
