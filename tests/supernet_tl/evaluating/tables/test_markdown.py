"""The page of results."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from supernet_tl.errors import EvaluationError
from supernet_tl.evaluating.outcomes import Failure
from supernet_tl.evaluating.recipe import EvaluationRecipe
from supernet_tl.evaluating.tables.comparison import Comparison
from supernet_tl.evaluating.tables.markdown import results_page
from tests.supernet_tl.evaluating.tables.conftest import Evaluation

_COMMAND = "supernet-tl evaluate recipe.yaml"


def _tables(page: str) -> list[list[str]]:
    """Runs of lines that are rows of a table."""
    blocks = re.split(r"\n\n", page)
    return [block.splitlines() for block in blocks if block.startswith("|")]


def test_equal_input_gives_an_equal_page(evaluation: Evaluation) -> None:
    pages = {results_page(evaluation.summary(), command=_COMMAND, reading="Read.") for _ in range(2)}
    assert len(pages) == 1


def test_every_row_has_a_cell_for_each_column(evaluation: Evaluation) -> None:
    tables = _tables(results_page(evaluation.summary(), command=_COMMAND, schedules=evaluation.summary()))
    assert len(tables) == 11  # two parts thrice, epochs, times, two starts of schedules, datasets
    for table in tables:
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {len(re.findall(r"\|", table[1]))}


def test_the_page_tells_what_the_numbers_were_made_with(evaluation: Evaluation) -> None:
    page = results_page(evaluation.summary(), command=_COMMAND, title="Pocket album")
    number = len(evaluation.plan.jobs)
    assert page.startswith("# Pocket album\n")
    assert f"- made by: `{_COMMAND}`\n" in page
    assert f"- jobs: {number} of {number} finished\n" in page
    assert f"- machines: cpu with 2 threads a job: {number} jobs\n" in page
    assert "- last job finished: 2026-01-02T03:04:" in page
    assert "- seeds: 0, 1\n" in page
    assert "What is missing" not in page


def test_its_tables_show_the_summarys_numbers(evaluation: Evaluation) -> None:
    page = results_page(evaluation.summary(), command=_COMMAND)
    assert "| digits | 0.1500 ± 0.0707 | 0.3750 ± 0.1768 |" in page
    assert "| 50%\\_off | 0.1000 ± 0.1414 |" in page
    # mean RI 11/120, median, accuracy, one negative of six, regret 0.15/6, three hits of six
    assert "| source by nearest | 0.0917 ± 0.0118 | 0.1000 | 0.630 | 0.167 | 0.025 | 0.500 | 6 |" in page
    assert "| mixture of all sources | 6 | 1.000 | 0.250 | 0.250 |" in page
    assert "- **oracle**: The single source whose run came out best" in page


def test_what_a_person_wrote_stands_under_reading(evaluation: Evaluation) -> None:
    summary = evaluation.summary()
    assert "\n\n## Reading\n\nNearer is *better*.\n\n## Table 1" in results_page(
        summary, command=_COMMAND, reading="Nearer is *better*.\n"
    )
    assert "## Reading" not in results_page(summary, command=_COMMAND)


def test_schedules_are_compared_from_the_chosen_source_and_from_the_mixture(
    evaluation: Evaluation, make_evaluation: Callable[..., Evaluation], recipe: EvaluationRecipe
) -> None:
    study = make_evaluation(recipe.replace(measure="validation", arms=("mixture",), transfer={"epochs": 4})).summary()
    page = results_page(evaluation.summary(), command=_COMMAND, schedules=study, schedules_command="study")
    section = page.partition("## Schedules of warm starts")[2].partition("\n## ")[0]
    assert "made by `study`, measured on validation images" in section
    assert "- main: `epochs` 4\n- slow: `weight_lr` 0.01" in section
    chosen, mixture = _tables(section)
    assert [line.split(" | ")[0] for line in chosen[2:]] == ["| main", "| slow"]
    # Supernets from the mixture on validation images, where scratch has a tenth less: digits 0.25 / 0.4 and 0.1 / 0.3,
    # faces 0 and 0.08 / 0.7, 50%_off 0.1 / 0.4 and 0.05 / 0.4.
    mean = (0.25 / 0.4 + 0.1 / 0.3 + 0 + 0.08 / 0.7 + 0.1 / 0.4 + 0.05 / 0.4) / 6
    difference = (0.25 + 0.1 + 0 + 0.08 + 0.1 + 0.05) / 6
    assert mixture[2].startswith(f"| main | {mean:.4f} ± ")
    assert mixture[2].endswith(f" | 1.000 | 0.250 | {difference:.4f} | — | — |")
    # The mixture's runs have the same accuracies with either schedule.
    assert mixture[3].endswith(" | 0.0000 ± 0.0000 | 0.0000 ± 0.0000 |")


def test_failed_jobs_are_shown_first_with_their_error(evaluation: Evaluation) -> None:
    failed = evaluation.name(target="faces", seed=1, arm="scratch")
    without = tuple(evaluation.outcomes)
    failure = Failure(failed, ({"error": "RuntimeError: a|b <c>"},))
    page = results_page(evaluation.summary(without=without, failures={failed: failure}), command=_COMMAND)
    section = page.partition("## What is missing\n\n")[2]
    assert section.splitlines()[0] == f"- `{failed}`: failed (RuntimeError: a\\|b \\<c\\>)"
    assert section.splitlines()[-1] == f"- and {len(without) - 20} more"


def test_a_page_of_nothing_can_be_made(evaluation: Evaluation) -> None:
    summary: dict[str, Any] = evaluation.summary(without=tuple(evaluation.outcomes))
    assert "No finished jobs tell of this yet." in results_page(summary, command=_COMMAND)


def test_evaluations_are_compared_method_by_method_in_one_table(
    evaluation: Evaluation, make_evaluation: Callable[..., Evaluation], recipe: EvaluationRecipe
) -> None:
    fewer = make_evaluation(recipe.replace(arms=(), schedules={"other": {"perturbation": "none"}}))
    compared = Comparison(
        "Two families", "By family.", {"A": evaluation.summary(), "B": fewer.summary()}, {"A": "run a", "B": "run b"}
    )
    page = results_page(evaluation.summary(), command=_COMMAND, comparisons=[compared])
    section = page.partition("## Two families")[2].partition("\n## ")[0]
    done = len(fewer.plan.jobs)
    assert f"- B: {done} of {done} jobs finished, 3 targets, seeds 0, 1, made by `run b`\n  - machines: cpu" in section
    assert "\n  - other: " in section
    all_targets, digits, _, made = _tables(section)
    assert [line.split(" | ")[:2] for line in digits[2:]] == [
        ["| A", "from scratch"],
        ["| A", "source by nearest"],
        ["| A", "mixture of all sources"],
        ["| A", "source by nearest, slow"],
        ["| A", "mixture of all sources, slow"],
        ["| A", "pretrained network, same time"],
        ["| A", "pretrained network, same time, slow"],
        ["| B", "from scratch"],
        ["| B", "source by nearest"],
        ["| B", "source by nearest, other"],
    ]
    # Digits starts from faces and 50%_off: supernets 0.6 and 0.44, networks 0.66 and 0.60 where scratch has 0.6 and
    # 0.5; scratch's best is reached in the third and in the second epoch.
    assert digits[3] == (
        "| A | source by nearest | 0.520 ± 0.113 | 0.630 ± 0.042 | 0.1500 ± 0.0707 | 1.00 | 2.5 | 1000 | 2 | 2 |"
    )
    # A network of another kind has no supernet: RI is (0.5 - 0.6) / 0.6 and 0.
    assert digits[8] == (
        "| A | pretrained network, same time, slow | — | 0.500 ± 0.000 | -0.0833 ± 0.1179 | — | — | 900 | 2 | 2 |"
    )
    # From digits the third target never gets there, which counts with its five epochs; its other seed is scratch
    # itself, in whose fourth epoch that is. Faces starts from 50%_off both times: two epochs.
    assert made[3].split(" | ")[5:7] == ["0.50", "4.5"]
    assert all_targets[3].split(" | ")[5:7] == [f"{(1 + 1 + 0.5) / 3:.2f}", f"{(2.5 + 2 + 4.5) / 3:.1f}"]


def test_a_comparison_rests_on_targets_and_seeds_that_every_method_has(evaluation: Evaluation) -> None:
    without = (evaluation.name(target="digits", seed=1, arm="mixture", schedule="slow"),)
    compared = Comparison("Of one", "Alone.", {"A": evaluation.summary(without=without)}, {"A": "run a"})
    tables = _tables(results_page(evaluation.summary(), command=_COMMAND, comparisons=[compared]))
    (digits,) = [table for table in tables if "source by nearest | 0.600 " in "".join(table)]
    assert {line.rsplit(" | ", 1)[1] for line in digits[2:]} == {"1 |"}
    assert "± " not in "".join(digits)


def test_evaluations_of_test_and_of_validation_images_are_not_compared(
    evaluation: Evaluation, make_evaluation: Callable[..., Evaluation], recipe: EvaluationRecipe
) -> None:
    other = make_evaluation(recipe.replace(measure="validation")).summary()
    compared = Comparison("Both", "So.", {"A": evaluation.summary(), "B": other}, {"A": "a", "B": "b"})
    with pytest.raises(EvaluationError, match="compares evaluations of test and of validation images"):
        results_page(evaluation.summary(), command=_COMMAND, comparisons=[compared])
