from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import sketches
from ot_select import LabelledCloud


def test_half_precision_changes_distances_between_real_embeddings_by_less_than_one_in_ten_thousand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERNET_TL_CACHE", str(tmp_path))
    path = tmp_path / "report.json"
    sketches.main(
        [*"--sets digits photos textures --num-images 60 --image-size 32 --ranks 4 --draws 1 --json".split(), str(path)]
    )
    report = json.loads(path.read_text())
    assert 0 < report["half_precision"] < 1e-4
    assert [loss["kept"] for loss in report["gaussians"]] == ["rows, other draws", "Gaussians of rank 4"]


def test_gaussian_data_lose_nothing_but_the_draw_when_kept_as_gaussians() -> None:
    # Oracle: rows drawn from the very Gaussians are as good as rows of the data, which are drawn from them too
    generator = np.random.default_rng(0)

    def population(mean: float) -> LabelledCloud:
        tables = [generator.standard_normal((200, 5)) * [5, 2, 1, 1, 1] + mean + label for label in (0, 4)]
        return LabelledCloud(np.concatenate(tables), np.repeat([0, 1], 200))

    clouds = {"a": population(0.0), "b": population(3.0), "c": population(9.0)}
    rows, kept, round_ = sketches.gaussians(clouds, ranks=[5, 0], num_draws=3)
    assert abs(rows.mean) < 0.05
    assert abs(kept.mean) < 0.05
    assert (kept.nearest_found, kept.num_targets, kept.regret) == (3, 3, 0)
    assert abs(round_.mean) < 0.1  # the spread lies along the axes, which rank 0 keeps


def test_two_sets_are_the_least(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        sketches.main(["--sets", "digits"])
    assert "expected at least two --sets" in capsys.readouterr().err
