from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import supernet_tl
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.files import read_json
from supernet_tl.mistakes import mistakes_of
from supernet_tl.prepared_data import prepare
from supernet_tl.recipe import Recipe


@pytest.fixture(scope="module")
def run(stripes: Callable[..., ImageSet], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A run that has learnt little, and its settings."""
    folder = tmp_path_factory.mktemp("mistakes") / "run"
    settings: dict[str, Any] = {
        "channels": 2,
        "num_cells": 3,
        "image_size": 8,
        "epochs": 1,
        "batch_size": 8,
        "finetune_epochs": 0,
    }
    control = Control(device="cpu", quiet=True)
    supernet_tl.search(stripes("target", per_class=40), output=folder, control=control, **settings)
    return folder, settings


def test_confusions_are_counted_over_the_test_images_and_agree_with_the_accuracy(
    run: tuple[Path, dict[str, Any]], stripes: Callable[..., ImageSet]
) -> None:
    folder, settings = run
    kept, summary = read_json(folder / "mistakes.json"), read_json(folder / "summary.json")
    data = prepare(stripes("target", per_class=40), Recipe(**settings))
    # Oracle: every test image by itself, counted in plain Python.
    classifier = supernet_tl.load_classifier(folder / "network")
    counts: Counter[tuple[int, int]] = Counter()
    wrong = []
    for row in range(len(data.test)):
        pixels, label = data.test.images[row : row + 1], int(data.test.labels[row])
        probabilities = classifier.predict(pixels)[0]
        taken = int(probabilities.argmax())
        counts[label, taken] += 1
        if taken != label:
            wrong.append((float(probabilities[taken]), int(data.splits[0].test[row])))
    assert kept["confusion"] == [[counts[row, column] for column in range(3)] for row in range(3)]
    assert kept["num_wrong"] == len(wrong)
    assert summary["network"]["test_accuracy"] == pytest.approx(1 - len(wrong) / len(data.test))
    surest = sorted(wrong, key=lambda pair: -pair[0])[:24]
    assert [one["probability"] for one in kept["surest"]] == pytest.approx([pair[0] for pair in surest])
    assert {one["index"] for one in kept["surest"]} == {pair[1] for pair in surest}


def test_the_images_of_the_mistakes_are_kept_with_their_names(
    run: tuple[Path, dict[str, Any]], stripes: Callable[..., ImageSet]
) -> None:
    folder, settings = run
    images = stripes("target", per_class=40)
    values, pictures = mistakes_of(supernet_tl.load_classifier(folder / "network"), prepare(images, Recipe(**settings)))
    assert len(pictures) == len(values["surest"]) > 0
    for one, picture in zip(values["surest"], pictures, strict=True):
        assert torch.equal(picture, images.pixels(8, [one["index"]])[0])
        assert one["class"] == images.class_names[images.labels[one["index"]]] != one["taken_for"]
        assert one["path"] is None
    assert np.array(values["confusion"]).sum() == read_json(folder / "summary.json")["target"]["splits"]["test"]


def test_the_page_shows_confusions_and_mistakes_and_old_runs_go_without(run: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = run
    page = (folder / "report.html").read_text(encoding="utf-8")
    kept = read_json(folder / "mistakes.json")
    assert f"{kept['num_wrong']} of {sum(map(sum, kept['confusion']))} test images are taken for another class" in page
    assert "The mistakes it is surest of" in page
    assert page.count('alt="" width="72"') == len(kept["surest"])
    (folder / "mistakes.json").rename(folder / "aside.json")
    supernet_tl.report.build_report(folder)
    assert "What it takes for what" not in (folder / "report.html").read_text(encoding="utf-8")
    (folder / "aside.json").rename(folder / "mistakes.json")
