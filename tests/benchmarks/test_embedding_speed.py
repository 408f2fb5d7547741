from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import embedding


def test_the_report_says_what_was_embedded_how_fast_and_that_known_images_are_not_embedded_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "report.json"
    embedding.main([*"--network resnet18 --image-size 64 --batch-size 4 --num-images 12 --json".split(), str(path)])
    report = json.loads(path.read_text())
    assert report["load"]["network"] == "resnet18"
    assert report["load"]["precision"] == "float32"
    assert report["speed"]["known"] > 3 * report["speed"]["embedded"] > 0
    assert report["speed"]["peak_gpu_bytes"] is None
    assert {"cpu", "torch", "date"} <= set(report["machine"])


def test_no_images_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        embedding.main(["--num-images", "0"])
    assert "expected at least 1" in capsys.readouterr().err
