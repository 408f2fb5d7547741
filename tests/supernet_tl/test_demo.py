from __future__ import annotations

import json
from pathlib import Path

import pytest

from supernet_tl import demo


def test_the_demonstration_compares_three_starts_goes_on_where_it_stopped_and_writes_one_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The real demonstration at a smaller size: two sources, one target, real images.
    monkeypatch.setattr(demo, "NETWORK", {**demo.NETWORK, "channels": 2, "num_cells": 3, "image_size": 8})
    monkeypatch.setattr(demo, "EMBEDDING", {**demo.EMBEDDING, "embed_size": 32, "sketch_rows": 40})
    schedule = {"epochs": 1, "batch_size": 16}
    monkeypatch.setattr(demo, "SOURCES", {"pocket:faces": schedule, "pocket:textures": schedule})
    monkeypatch.setattr(demo, "TARGETS", {"pocket:digits": {"max_search_images": 60}})
    monkeypatch.setattr(demo, "BUDGET", {**demo.BUDGET, "epochs": 2, "finetune_epochs": 1})

    lines = demo.run(tmp_path, seeds=[0, 1], device="cpu")
    assert [(line.target, line.start) for line in lines] == [("pocket:digits", start) for start in demo.STARTS]
    nearest, scratch, random = lines
    assert scratch.sources == [None, None]
    assert {*nearest.sources, *random.sources} == {"faces", "textures"}
    assert all(near != drawn for near, drawn in zip(nearest.sources, random.sources, strict=True))
    assert scratch.epochs_to_scratch_best != [None, None]  # it reaches its own best
    assert len(json.loads((tmp_path / "table.json").read_text())) == 3
    assert "<html" in (tmp_path / "report.html").read_text()

    demo.show(lines)
    assert "nearest source" in capsys.readouterr().out
    again = demo.run(tmp_path, seeds=[0, 1], device="cpu")
    assert again == lines
    assert capsys.readouterr().err.count("already done in") == 6  # runs, not pretraining
