"""An evaluation that is not finished tells what it has, and what is missing and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from supernet_tl.evaluating.outcomes import Failure
from supernet_tl.evaluating.recipe import EvaluationRecipe
from tests.supernet_tl.evaluating.tables.conftest import Evaluation


def _jobs_named(values: Any) -> Iterator[str]:
    if isinstance(values, dict):
        for name, value in values.items():
            if name == "job":
                yield value
            elif name == "jobs":
                yield from value
            else:
                yield from _jobs_named(value)
    elif isinstance(values, list):
        for value in values:
            yield from _jobs_named(value)


def test_every_job_that_a_number_comes_from_is_in_the_plan(evaluation: Evaluation) -> None:
    named = set(_jobs_named(evaluation.summary()))
    assert named <= set(evaluation.plan.jobs)
    assert {evaluation.plan.jobs[name].kind for name in named} == {"run", "baseline", "select"}
    assert all(value["jobs"] for value in evaluation.summary()["values"])


def test_the_summary_is_plain_json_and_the_same_for_the_same_outcomes_in_any_order(evaluation: Evaluation) -> None:
    text = json.dumps(evaluation.summary(), allow_nan=False)
    turned = Evaluation(evaluation.plan, dict(reversed(evaluation.outcomes.items())))
    assert json.dumps(turned.summary(), allow_nan=False) == text


def test_nothing_finished_gives_empty_tables(evaluation: Evaluation) -> None:
    summary = evaluation.summary(without=tuple(evaluation.outcomes))
    assert summary["progress"]["finished"] == 0
    assert len(summary["progress"]["missing"]) == len(evaluation.plan.jobs)
    for name in ("runs", "values", "table1", "overall", "table2", "source_sizes", "final_training", "machines"):
        assert summary[name] == []
    assert summary["created"] is None
    assert summary["distances"]["cells"] == []
    assert [one["num_images"] for one in summary["datasets"]] == [None] * 3


def test_a_missing_run_takes_away_what_rests_on_it_and_changes_nothing_else(evaluation: Evaluation) -> None:
    missing = evaluation.name(target="digits", seed=0, arm="source", source="faces")
    whole, partial = evaluation.summary(), evaluation.summary(without=(missing,))

    def by_key(summary: dict[str, Any]) -> dict[tuple[str, str, int], dict[str, Any]]:
        return {(one["method"], one["target"], one["seed"]): one for one in summary["values"]}

    there, left = by_key(whole), by_key(partial)
    assert all(there[key] == value for key, value in left.items())
    assert there.keys() - left.keys() == {
        *((method, "digits", 0) for method in ("by nearest", "oracle", "random source")),
        ("fixed best source", "digits", 0),  # whose network would start from faces
        *(("fixed best source", target, 0) for target in ("faces", "50%_off")),  # who look at it
    }


def test_a_missing_scratch_takes_away_all_values_of_its_target_and_seed(evaluation: Evaluation) -> None:
    summary = evaluation.summary(without=(evaluation.name(target="digits", seed=0, arm="scratch"),))
    assert not [one for one in summary["values"] if (one["target"], one["seed"]) == ("digits", 0)]
    assert {one["target"] for one in summary["values"] if one["method"] == "mixture"} == {"digits", "faces", "50%_off"}


def test_missing_jobs_are_told_with_the_reason(evaluation: Evaluation) -> None:
    failed = evaluation.name(arm="mixture", without="digits", seed=0)
    waiting = [job.name for job in evaluation.plan.jobs.values() if failed in job.needs]
    idle = evaluation.name(target="faces", seed=1, arm="scratch")
    attempts = ({"when": "then", "error": "first"}, {"when": "later", "error": "RuntimeError: out of memory"})
    summary = evaluation.summary(without=(failed, idle, *waiting), failures={failed: Failure(failed, attempts)})
    missing = {one["job"]: one for one in summary["progress"]["missing"]}
    assert missing[failed]["why"] == "failed"
    assert missing[failed]["error"] == "RuntimeError: out of memory"
    assert len(waiting) == 4  # two schedules, two seeds, which start from one pretraining
    assert {missing[name]["why"] for name in waiting} == {f"waits for {failed}"}
    assert missing[idle] == {
        "job": idle,
        "kind": "run",
        "tags": dict(evaluation.plan.jobs[idle].tags),
        "why": "not run",
        "error": None,
    }
    assert summary["progress"]["finished"] + len(missing) == summary["progress"]["planned"]


def test_a_failure_of_a_job_that_was_finished_later_is_no_failure(evaluation: Evaluation) -> None:
    name = evaluation.name(target="faces", seed=1, arm="scratch")
    assert evaluation.summary(failures={name: Failure(name, ({"error": "once"},))})["progress"]["missing"] == []


def test_outcomes_of_another_plan_are_passed_over(
    evaluation: Evaluation, make_evaluation: Callable[..., Evaluation], recipe: EvaluationRecipe
) -> None:
    smaller = make_evaluation(recipe.replace(seeds=(0,)))
    both = Evaluation(smaller.plan, {**evaluation.outcomes, **smaller.outcomes})
    assert both.summary() == smaller.summary()


def test_a_summary_tells_what_the_numbers_were_made_on(evaluation: Evaluation) -> None:
    summary = evaluation.summary()
    number = len(evaluation.plan.jobs)
    assert summary["machines"] == [{"device": "cpu", "threads": 2, "num_jobs": number}]
    assert summary["versions"] == {"torch": "2.0"}
    assert summary["cpu_seconds"] == pytest.approx(1.5 * number)
    assert summary["seconds"] == 30.0 * number
    assert summary["datasets"][0] == {
        "name": "digits",
        "dataset": "pocket:digits",
        "num_classes": 10,
        "num_images": 100,
        "source_accuracy": 0.8,
    }


def test_sources_are_told_with_their_size_and_what_starting_from_them_gives(evaluation: Evaluation) -> None:
    (row,) = [one for one in evaluation.summary()["source_sizes"] if one["source"] == "faces"]
    networks = [0.66, 0.55, 0.60, 0.44]  # on digits and 50%_off, two seeds each
    assert row["mean_accuracy"] == pytest.approx(sum(networks) / 4)
    assert row["mean_ri"] == pytest.approx((0.1 + 0.1 + 0.2 + 0.1) / 4)
    assert row["supernet"]["mean_accuracy"] == pytest.approx((0.60 + 0.50 + 0.50 + 0.45) / 4)
    assert (row["num_images"], len(row["jobs"])) == (100, 4)


def test_training_times_of_final_networks_are_compared_with_scratchs(evaluation: Evaluation) -> None:
    rows = {row["method"]: row for row in evaluation.summary()["final_training"]}
    assert rows["mixture"]["mean_share_of_scratch"] == pytest.approx(0.9)
    assert rows["by nearest"]["mean_seconds"] == pytest.approx((5 * 18 + 20) / 6)  # scratch was chosen once
    assert rows["mixture"]["mean_epoch_seconds"] == pytest.approx(1.8)
    assert rows["timm_time"]["mean_num_parameters"] == 900
