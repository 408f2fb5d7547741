"""What the page tells of a search that ended before its last epoch."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from supernet_tl.files import read_json, write_json
from supernet_tl.report import build_report
from supernet_tl.training.history import read_csv, write_csv

if TYPE_CHECKING:
    from tests.report.conftest import Page, RunWriter

PageReader = Callable[[Path], "Page"]


@pytest.fixture
def stopped_run(tmp_path: Path, make_run: "RunWriter") -> Path:
    """A transfer that was to search for ten epochs and ended after six."""
    folder = make_run(tmp_path / "stopped", recipe={"epochs": 10, "patience": 2})
    rows = [
        dataclasses.replace(row, stopped="accuracy rose no more") if (row.stage, row.epoch) == ("search", 6) else row
        for row in read_csv(folder / "metrics.csv")
    ]
    write_csv(folder / "metrics.csv", rows)
    return folder


def test_the_page_says_when_and_why_the_search_stopped(stopped_run: Path, read_page: PageReader) -> None:
    page = read_page(build_report(stopped_run))
    assert "The search stopped early, after epoch 6 of 10: accuracy rose no more." in page.body
    assert page.rows("epochs of search") == [["6"]]


def test_a_comparison_gives_the_epochs_of_each_search(
    stopped_run: Path, tmp_path: Path, make_scratch_run: "RunWriter", read_page: PageReader
) -> None:
    scratch = make_scratch_run(tmp_path / "scratch", accuracies=(0.1,) * 10)
    page = read_page(build_report(stopped_run, {"from scratch": scratch}))
    assert page.rows("epochs of search") == [["6", "10"]]


def test_a_search_that_ran_all_its_epochs_is_not_said_to_have_stopped(transfer_page: "Page") -> None:
    assert "stopped early" not in transfer_page.body
    assert transfer_page.rows("epochs of search") == []


def test_a_run_from_before_there_was_a_setting_counts_as_one_at_its_default(
    transfer_run: Path, scratch_run: Path, read_page: PageReader
) -> None:
    summary = read_json(scratch_run / "summary.json")
    for name in ("patience", "entropy_tolerance"):
        del summary["recipe"][name]
    write_json(scratch_run / "summary.json", summary)
    page = read_page(build_report(transfer_run, {"from scratch": scratch_run}))
    assert "These runs differ in more than their start" not in page.body
