"""Balanced accuracy and macro-F1 in the report: shown where a run tells them, missing where it is older."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from supernet_tl.files import read_json, write_json
from supernet_tl.report import ReportError, TargetGroup, build_overview, build_report

if TYPE_CHECKING:
    from tests.report.conftest import Page

RunWriter = Callable[..., Path]
PageReader = Callable[[Path], "Page"]
SCORES = {"validation_balanced_accuracy": 0.811, "validation_macro_f1": 0.822}
TEST_SCORES = {"test_balanced_accuracy": 0.833, "test_macro_f1": 0.844}
NAMES = (
    *("balanced accuracy, mean over classes (test)", "macro-F1, mean over classes (test)"),
    *("balanced accuracy (validation)", "macro-F1 (validation)"),
)


def _tell(run: Path, **scores: object) -> Path:
    summary = read_json(run / "summary.json")
    for part in ("network", "supernet"):
        summary[part] |= {**SCORES, **TEST_SCORES, **scores}
    write_json(run / "summary.json", summary)
    return run


def test_a_run_that_tells_them_shows_scores_over_classes(
    tmp_path: Path, make_run: RunWriter, read_page: PageReader
) -> None:
    page = read_page(build_report(_tell(make_run(tmp_path / "run"))))
    assert "mean over classes: balanced accuracy 83.3 %, macro-F1 84.4 %" in page.body
    for written in (*NAMES, "81.1 %", "82.2 %"):
        assert page.body.count(written) >= 2  # of the final network and of the supernet


def test_an_older_run_is_shown_without_them_and_beside_a_newer_one_with_a_dash(
    tmp_path: Path, make_run: RunWriter, read_page: PageReader
) -> None:
    old = make_run(tmp_path / "old")
    page = read_page(build_report(old))
    assert not [name for name in NAMES if name in page.body]
    new = _tell(make_run(tmp_path / "new"))
    groups = [TargetGroup("digits", {"old": old, "new": new})]
    overview = read_page(build_overview("Both", groups, tmp_path / "overview.html"))
    for name in NAMES:
        assert name in overview.body
    cells = overview.text("td")
    assert ["—", "83.3 %"] in [cells[start : start + 2] for start in range(len(cells))]


def test_a_score_that_is_no_number_is_refused(tmp_path: Path, make_run: RunWriter) -> None:
    run = _tell(make_run(tmp_path / "run"), test_macro_f1="good")
    with pytest.raises(ReportError, match=r"test_macro_f1 is 'good'; expected a number"):
        build_report(run)
