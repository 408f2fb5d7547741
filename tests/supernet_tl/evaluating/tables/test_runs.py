"""Rows of single runs, and when they reach scratch's best validation accuracy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from supernet_tl.evaluating.recipe import EvaluationRecipe
from supernet_tl.evaluating.tables.runs import Best, best_of, first_reaching, read_runs
from tests.supernet_tl.evaluating.tables.conftest import Evaluation


def _rows(summary: dict[str, Any], **tags: Any) -> list[dict[str, Any]]:
    return [row for row in summary["runs"] if all(row[name] == value for name, value in tags.items())]


def test_a_best_value_is_reached_in_the_first_epoch_that_has_it() -> None:
    assert best_of([None, 0.2, 0.7, 0.7]) == Best(0.7, 3)
    assert best_of([None, None]) is None
    assert best_of([]) is None


def test_reaching_allows_for_the_last_bit_and_for_nothing_that_six_digits_can_tell() -> None:
    third = 0.1 + 0.2  # a bit above 0.3
    assert first_reaching([0.1, 0.3], third) == 2
    assert first_reaching([0.299999, 0.3], 0.3) == 2
    assert first_reaching([None, 0.2], 0.3) is None


def test_every_run_and_baseline_has_a_row(evaluation: Evaluation) -> None:
    done = [job.name for job in evaluation.plan.jobs.values() if job.kind in ("run", "baseline")]
    assert [row["job"] for row in evaluation.summary()["runs"]] == done


@pytest.mark.parametrize(
    ("source", "epochs"),
    [
        ("faces", 3),  # 0.69999949 in epoch 2 is not 0.7
        ("50%_off", 2),
    ],
)
def test_epochs_and_seconds_to_scratchs_best_are_read_from_the_rounded_curves(
    evaluation: Evaluation, source: str, epochs: int
) -> None:
    (row,) = _rows(evaluation.summary(), target="digits", seed=0, arm="source", source=source)
    assert row["epochs_to_scratch_best"] == epochs
    assert row["seconds_to_scratch_best"] == float(epochs)  # an epoch takes a second
    assert row["scratch_best_epoch"] == 4


def test_a_run_that_never_reaches_it_has_no_epoch(evaluation: Evaluation) -> None:
    (row,) = _rows(evaluation.summary(), target="faces", seed=0, arm="source", source="digits")
    assert row["epochs_to_scratch_best"] is None
    assert row["seconds_to_scratch_best"] is None
    assert row["epochs"] == 5


def test_a_row_tells_what_the_run_started_from(evaluation: Evaluation) -> None:
    rows = _rows(evaluation.summary(), target="50%_off", seed=0)
    starts = {(row["arm"], row["source"], row["schedule"]): row["start"] for row in rows}
    assert starts == {
        ("scratch", None, None): None,
        ("source", "digits", None): "digits",
        ("source", "faces", None): "faces",
        ("mixture", None, None): "mixture",
        ("chosen", None, "slow"): None,  # the selector chose scratch
        ("mixture", None, "slow"): "mixture",
        ("timm_time", None, None): None,
        ("timm_time", None, "slow"): None,
    }


def test_improvements_are_of_test_accuracy_unless_the_recipe_measures_validation(
    evaluation: Evaluation, make_evaluation: Callable[..., Evaluation], recipe: EvaluationRecipe
) -> None:
    tags = {"target": "digits", "seed": 0, "arm": "source", "source": "faces"}
    (row,) = _rows(evaluation.summary(), **tags)
    assert row["ri"] == pytest.approx({"supernet": 0.1 / 0.5, "network": 0.06 / 0.6})
    (row,) = _rows(make_evaluation(recipe.replace(measure="validation")).summary(), **tags)
    assert row["ri"] == pytest.approx({"supernet": 0.1 / 0.4, "network": 0.06 / 0.5})


def test_a_run_whose_scratch_is_not_finished_keeps_its_row_without_an_improvement(evaluation: Evaluation) -> None:
    scratch = evaluation.name(target="digits", seed=0, arm="scratch")
    (row,) = _rows(evaluation.summary(without=(scratch,)), target="digits", seed=0, arm="mixture", schedule=None)
    assert row["ri"] == {"supernet": None, "network": None}
    assert row["scratch_best_epoch"] is None
    assert row["supernet"]["test_accuracy"] == 0.75


def test_a_baseline_has_no_supernet(evaluation: Evaluation) -> None:
    (row,) = _rows(evaluation.summary(), target="faces", seed=1, arm="timm_time", schedule=None)
    assert row["supernet"] is None
    assert row["ri"] == pytest.approx({"supernet": None, "network": (0.5 - 0.8) / 0.8})
    assert row["epochs"] == 7


def test_processor_time_of_a_run_that_was_stopped_and_continued_is_not_told(evaluation: Evaluation) -> None:
    name = evaluation.name(target="digits", seed=0, arm="scratch")
    stages = sum(evaluation.outcomes[name]["result"]["seconds"].values())
    for seconds, told in ((stages - 1, None), (stages + 1, 1.5)):
        outcomes = {**evaluation.outcomes, name: {**evaluation.outcomes[name], "seconds": seconds}}
        (run,) = [run for run in read_runs(evaluation.plan, outcomes) if run.job.name == name]
        assert run.cpu_seconds == told
