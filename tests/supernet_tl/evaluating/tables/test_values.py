"""What each method comes to on one target with one seed."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from supernet_tl.evaluating.recipe import EvaluationRecipe
from tests.supernet_tl.evaluating.tables.conftest import ACCURACIES, Evaluation


def value(summary: dict[str, Any], method: str, target: str, seed: int) -> dict[str, Any]:
    (found,) = [
        one for one in summary["values"] if (one["method"], one["target"], one["seed"]) == (method, target, seed)
    ]
    return dict(found)


@pytest.mark.parametrize(
    ("target", "seed", "source", "accuracy", "regret", "hit"),
    [
        ("digits", 0, "faces", 0.60, 0.0, True),
        ("digits", 1, "50%_off", 0.44, 0.06, False),
        ("faces", 1, "50%_off", 0.76, 0.04, False),
        ("50%_off", 0, None, 0.50, 0.05, False),  # it chose scratch, from digits would have been better
        ("50%_off", 1, "digits", 0.60, 0.0, True),
    ],
)
def test_a_selector_has_the_run_from_its_choice(
    evaluation: Evaluation, target: str, seed: int, source: str | None, accuracy: float, regret: float, hit: bool
) -> None:
    found = value(evaluation.summary(), "by nearest", target, seed)
    assert found["source"] == source
    assert found["accuracy"]["supernet"] == accuracy
    assert found["regret"]["supernet"] == pytest.approx(regret)
    assert found["hit"]["supernet"] is hit


def test_a_selector_that_chose_scratch_has_scratchs_run(evaluation: Evaluation) -> None:
    found = value(evaluation.summary(), "by nearest", "50%_off", 0)
    scratch = evaluation.name(target="50%_off", seed=0, arm="scratch")
    assert found["ri"] == {"supernet": 0.0, "network": 0.0}
    assert found["jobs"] == [scratch, evaluation.name(target="50%_off", seed=0, kind=None, by="nearest", arm=None)]
    assert found["epoch_share"] == 1.0
    assert value(evaluation.summary(), "by nearest, slow", "50%_off", 0)["ri"] == found["ri"]


def test_a_choice_of_scratch_that_beats_every_source_falls_short_by_nothing(
    make_evaluation: Callable[..., Evaluation],
) -> None:
    accuracies = deepcopy(ACCURACIES)
    accuracies["50%_off", 0]["scratch"] = (0.9, 0.9)
    found = value(make_evaluation(accuracies=accuracies).summary(), "by nearest", "50%_off", 0)
    assert found["regret"] == {"supernet": 0.0, "network": 0.0}
    assert found["hit"] == {"supernet": True, "network": True}


def test_the_oracle_takes_the_best_source_of_each_part(evaluation: Evaluation) -> None:
    found = value(evaluation.summary(), "oracle", "faces", 0)
    assert found["accuracy"] == {"supernet": 0.88, "network": 0.88}
    assert found["sources"] == {"supernet": "50%_off", "network": "digits"}
    assert found["source"] is None
    assert value(evaluation.summary(), "oracle", "50%_off", 1)["source"] == "digits"


def test_a_random_source_has_the_mean_over_all_in_accuracy_regret_and_chance_of_a_hit(evaluation: Evaluation) -> None:
    found = value(evaluation.summary(), "random source", "digits", 0)
    assert found["accuracy"] == pytest.approx({"supernet": (0.60 + 0.45) / 2, "network": (0.66 + 0.63) / 2})
    assert found["regret"] == pytest.approx({"supernet": (0 + 0.15) / 2, "network": (0 + 0.03) / 2})
    assert found["hit"] == {"supernet": 0.5, "network": 0.5}
    assert found["source"] is None
    assert (found["epochs_to_scratch_best"], found["epoch_share"]) == (2.5, 2.5 / 4)  # 3 from faces, 2 from 50%_off


def test_a_random_sources_epochs_are_of_the_runs_that_reach_scratchs_best(evaluation: Evaluation) -> None:
    found = value(evaluation.summary(), "random source", "faces", 0)  # 2 from 50%_off, never from digits
    assert (found["num_searches"], found["num_reached"]) == (2, 1)
    assert found["epoch_share"] == 2 / 4
    assert found["epoch_share_bounded"] == (2 / 4 + 5 / 4) / 2


def test_the_fixed_best_source_is_the_best_on_the_other_targets(evaluation: Evaluation) -> None:
    # Supernets, seed 0. For digits: 50%_off gave faces +0.1, faces gave 50%_off 0.
    found = value(evaluation.summary(), "fixed best source", "digits", 0)
    assert found["sources"] == {"supernet": "50%_off", "network": "faces"}  # networks: 0 against +0.2
    assert found["ri"] == pytest.approx({"supernet": -0.1, "network": 0.1})
    assert found["looked_at"]["target"] == ["faces", "50%_off"]


@pytest.mark.parametrize("target", ["digits", "faces", "50%_off"])
def test_the_choice_of_the_fixed_best_source_never_looks_at_the_targets_own_runs(
    make_evaluation: Callable[..., Evaluation], evaluation: Evaluation, target: str
) -> None:
    accuracies = deepcopy(ACCURACIES)
    for seed in (0, 1):
        own = accuracies[target, seed]
        own.update({start: (1 - supernet, 1 - network) for start, (supernet, network) in own.items()})
    turned = make_evaluation(accuracies=accuracies).summary()
    for seed in (0, 1):
        before, after = (value(one, "fixed best source", target, seed) for one in (evaluation.summary(), turned))
        assert before["sources"] == after["sources"]
        assert before["accuracy"] != after["accuracy"]


def test_relative_improvement_over_nothing_is_undefined_and_says_so(make_evaluation: Callable[..., Evaluation]) -> None:
    accuracies = deepcopy(ACCURACIES)
    accuracies["digits", 0]["scratch"] = (0.0, 0.6)
    summary = make_evaluation(accuracies=accuracies).summary()
    found = value(summary, "mixture", "digits", 0)
    assert found["ri"] == pytest.approx({"supernet": None, "network": 0.2})
    assert found["why"] == {"supernet": "scratch's accuracy is 0, and nothing can be measured relative to 0"}
    assert found["difference"]["supernet"] == 0.75
    (row,) = [one for one in summary["overall"] if (one["method"], one["part"]) == ("mixture", "supernet")]
    assert (row["num_values"], row["num_undefined"], row["num_targets"]) == (5, 1, 3)
    assert row["spread_ri"] is None  # seed 0 has no mean over all targets
    cell = next(one for one in summary["table1"] if (one["target"], one["part"]) == ("digits", "supernet"))["cells"]
    assert (cell["mixture"]["num_seeds"], cell["mixture"]["spread"]) == (1, None)
    assert cell["mixture"]["mean"] == pytest.approx(0.25)
    assert "is 0" in cell["mixture"]["why"]


def test_an_accuracy_that_was_not_measured_is_not_imputed(make_evaluation: Callable[..., Evaluation]) -> None:
    accuracies: dict[Any, dict[str, tuple[float | None, float | None]]] = deepcopy(ACCURACIES)  # type: ignore[arg-type]
    accuracies["digits", 0]["faces"] = (None, 0.66)
    summary = make_evaluation(accuracies=accuracies).summary()
    found = value(summary, "by nearest", "digits", 0)
    assert found["why"] == {"supernet": "it has no accuracy"}
    assert found["regret"]["supernet"] is None
    assert value(summary, "random source", "digits", 0)["accuracy"]["supernet"] is None
    assert value(summary, "oracle", "digits", 0)["accuracy"]["supernet"] == 0.45
    (row,) = [
        one for one in summary["table2"] if (one["target"], one["seed"], one["part"]) == ("digits", 0, "supernet")
    ]
    assert row["why"] == "a run has no accuracy"


def test_without_the_arm_sources_a_selector_has_a_run_of_its_own_and_no_regret(
    make_evaluation: Callable[..., Evaluation], recipe: EvaluationRecipe
) -> None:
    evaluation = make_evaluation(recipe.replace(arms=("mixture",)))
    summary = evaluation.summary()
    assert [one["name"] for one in summary["methods"]] == [
        *("scratch", "by nearest", "mixture", "by nearest, slow", "mixture, slow")
    ]
    found = value(summary, "by nearest", "digits", 0)
    assert found["jobs"][0] == evaluation.name(target="digits", seed=0, arm="chosen", schedule=None)
    assert found["accuracy"]["supernet"] == 0.6
    assert found["regret"] is None
    assert summary["table2"] == []
