from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from benchmarks import input_pipeline
from supernet_tl.data.decoded.pixel_rows import PixelRows


def test_the_report_keeps_every_raw_time_and_divides_our_speed_by_that_of_the_faster_torchvision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cache = tmp_path / "report.json", os.environ["SUPERNET_TL_CACHE"]
    settings = "--images 100 --file-sizes 32 --image-sizes 16 --workers 0 --repeats 3 --no-memory --json"
    input_pipeline.main([*settings.split(), str(path)])
    report = json.loads(path.read_text())
    (result,) = report["results"]
    theirs, ours = result["torchvision"]["0"], result["ours"]
    assert len(theirs["epochs_s"]) == len(ours["epochs_s"]) == 3
    assert result["num_images"] == 100
    assert ours["images_per_s"] == pytest.approx(100 / sorted(ours["epochs_s"])[1])
    assert result["speedup"] == pytest.approx(ours["images_per_s"] / theirs["images_per_s"])
    assert {"cpu", "torch", "date"} <= set(report["machine"])
    assert os.environ["SUPERNET_TL_CACHE"] == cache


def test_arms_that_see_other_pixels_are_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERNET_TL_CACHE", str(tmp_path / "cache"))
    input_pipeline.write_images(tmp_path / "images", 16, 100)
    input_pipeline.check_agreement(tmp_path / "images", 8)

    def darker(*arguments: object) -> tuple[object, object]:
        pixels, labels = real(*arguments)  # type: ignore[arg-type]
        return PixelRows.of(pixels.gather() // torch.tensor(2, dtype=torch.uint8)), labels

    real = input_pipeline._our_images
    monkeypatch.setattr(input_pipeline, "_our_images", darker)
    with pytest.raises(SystemExit, match=r"image 0 of .* differs between the arms at 8 pixels; nothing is timed"):
        input_pipeline.check_agreement(tmp_path / "images", 8)


def test_too_few_images_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        input_pipeline.main(["--images", "10"])
    assert "expected at least 100 and 1" in capsys.readouterr().err
