from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import linalg  # type: ignore[import-untyped, unused-ignore]

from benchmarks import otdd, plain_otdd

TINY = otdd.Case(3, rows=60, dimension=6)


def test_the_plain_twin_computes_the_textbook_formula() -> None:
    cloud, _ = TINY.clouds()
    table, indices = torch.tensor(cloud.features), torch.tensor(cloud.class_indices)
    first, second, _ = plain_otdd.class_statistics(table, indices, 3)
    s, t = (np.cov(cloud.features[cloud.class_indices == index], rowvar=False) for index in (0, 1))
    root = linalg.sqrtm(s)  # oracle: SciPy's matrix root, fit for full rank
    cross = np.trace(linalg.sqrtm(root @ t @ root)).real
    expected = float((first.mean - second.mean).square().sum()) + np.trace(s) + np.trace(t) - 2 * cross
    found = plain_otdd.squared_wasserstein(first, plain_otdd.matrix_root(first.covariance), second)
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_both_arms_agree_on_every_pair_of_classes() -> None:
    clouds = TINY.clouds()
    a, b = otdd.PlainArm(TINY, clouds).classes()
    roots = [plain_otdd.matrix_root(one.covariance) for one in a]
    ours = TINY.distance("exact")(*clouds).label_distances
    assert np.allclose(plain_otdd.label_distances(a, roots, b).numpy(), ours, rtol=1e-9, atol=0)


@pytest.mark.parametrize("disagreement", [1e-3, float("nan")])
def test_arms_that_compute_something_else_are_not_reported(disagreement: float) -> None:
    otdd.check_agreement(1e-9, "float64")
    with pytest.raises(SystemExit, match=r"Label distances of the two arms differ by .* expected at most 1e-07"):
        otdd.check_agreement(disagreement, "float64")


@pytest.mark.parametrize("whole", [[], ["--whole"]])
def test_the_report_keeps_every_raw_time_and_says_how_the_plain_stage_came_about(
    tmp_path: Path, whole: list[str]
) -> None:
    path = tmp_path / "report.json"
    sizes = "--classes 3 --rows 60 --dimension 6 --rounds 3 --pairs 2 --no-memory --output".split()
    otdd.main([*sizes, str(path), *whole])
    (result,) = json.loads(path.read_text())["results"]
    plain, ours = result["plain"], result["ours"]
    assert len(plain["pair_s"]) == len(plain["root_s"]) == 6
    assert len(ours["stage_s"]) == len(ours["distance_s"]["paper"]) == 3
    # Oracle: 3 x 2 pairs i < j within both clouds and 3 x 3 between them, and a root for each of 2 x 3 classes.
    middle = {name: float(np.median(plain[name])) for name in ("statistics_s", "root_s", "pair_s")}
    expected = middle["statistics_s"] + 6 * middle["root_s"] + 15 * middle["pair_s"]
    assert result["plain_stage_s"] == pytest.approx(plain["whole_stage_s"] if whole else expected)
    assert result["plain_stage_is"] == ("measured whole" if whole else "medians of 6 sampled pairs, multiplied")
    assert result["speedup_stage"] == pytest.approx(result["plain_stage_s"] / np.median(ours["stage_s"]))
    assert result["largest_relative_disagreement"] < 1e-9
    assert result["values"]["exact"]["converged"]


def test_peak_memory_is_that_of_the_distance_without_the_libraries() -> None:
    case = otdd.Case(4, rows=400, dimension=64)
    peak = otdd.peak_memory(case, "exact")
    if peak is None:
        pytest.skip("this system does not tell a process its peak memory")
    # Oracle: from below the two clouds and one cost in float64; from above, all that a process holds after importing
    # the libraries (some 300 MB).
    assert 8 * (2 * 400 * 64 + 400 * 400) < peak < 200e6


@pytest.mark.parametrize("options", ["--rounds 0", "--rows 50 --classes 30"])
def test_cases_that_cannot_be_measured_are_refused(options: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        otdd.main(options.split())
    assert "expected at least" in capsys.readouterr().err
