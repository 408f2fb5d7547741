from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import evaluation_driver


def test_the_report_tells_the_cost_of_a_job_beside_its_goal_and_that_of_a_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.json"
    sizes = "--jobs 6 --workers 2 --ray-jobs 0 --plan-jobs 1500 --output".split()
    evaluation_driver.main([*sizes, str(path)])
    report = json.loads(path.read_text())
    # Oracle: workers are processes that import the project; a job of theirs writes one small file.
    assert report["local"]["start_s"] > report["local"]["s_per_job"] > 0
    assert "ray" not in report
    assert report["plan"]["jobs"] >= 1500
    assert {"cpu", "python", "date"} <= set(report["machine"])
    told = capsys.readouterr().out
    assert "s a job (goal: under 1 s)" in told
    assert "(goal: under 5 s)" in told


def test_no_jobs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        evaluation_driver.main(["--jobs", "0"])
    assert "expected at least 1 job" in capsys.readouterr().err
