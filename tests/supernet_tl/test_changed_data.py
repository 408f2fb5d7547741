"""Runs whose images, or whose images' own splits, have changed since; and folders that are finished."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import supernet_tl
import zoo_store
from supernet_tl import pipeline
from supernet_tl.control import Control
from supernet_tl.data import ImageSet, SplitError
from supernet_tl.errors import RunFolderError
from supernet_tl.report import build_report
from supernet_tl.report.errors import ReportError
from tests.supernet_tl.conftest import write_class_folders

Images = Callable[..., ImageSet]
ONCE: dict[str, Any] = {"epochs": 1, "finetune_epochs": 1}
CHANGED = r"other settings \(the images, their classes or the splits that they define have changed since\)"


def _tested_on(images: ImageSet, first: int) -> ImageSet:
    """The set with a test split of its own: of every four images one."""
    return images.described(official_test=np.arange(len(images)) % 4 == first)


def _stop(*_: object, **__: object) -> None:
    raise ConnectionError("the machine went away")


def test_neither_goes_a_run_on_nor_is_it_compared_with_another_test_split_of_the_datas_own(
    stripes: Images, tiny: dict[str, Any], quiet: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**tiny, **ONCE, "control": quiet}
    before, after = (_tested_on(stripes("t"), first) for first in range(2))
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "train_final", _stop)
        with pytest.raises(ConnectionError, match=r"went away"):
            supernet_tl.search(before, output=tmp_path / "run", **settings)
    with pytest.raises(RunFolderError, match=CHANGED):
        supernet_tl.search(after, output=tmp_path / "run", **settings)
    supernet_tl.search(before, output=tmp_path / "run", **settings)
    supernet_tl.search(after, output=tmp_path / "other", **settings)
    with pytest.raises(ReportError, match=r"only runs on the same images can be compared"):
        build_report(tmp_path / "run", {"other": tmp_path / "other"})


def test_a_source_with_another_test_split_of_its_own_is_pretrained_anew_and_has_seen_the_same_images(
    stripes: Images, tiny: dict[str, Any], embedding: dict[str, Any], quiet: Control, tmp_path: Path
) -> None:
    settings = {**tiny, **embedding, "epochs": 1, "control": quiet}
    for first in (0, 1, 1):
        supernet_tl.pretrain(_tested_on(stripes("near"), first), tmp_path / "zoo", **settings)
    assert len(zoo_store.Zoo(tmp_path / "zoo")) == 2
    for target, has_seen in ((_tested_on(stripes("near"), 2), True), (stripes("near"), True), (stripes("t", 7), False)):
        assert supernet_tl.select(target, tmp_path / "zoo", control=quiet).has_seen_target is has_seen


def test_a_mixture_of_the_same_images_in_other_splits_is_refused(stripes: Images, quiet: Control) -> None:
    twins = [stripes("a"), _tested_on(stripes("b"), 0)]
    with pytest.raises(supernet_tl.errors.RecipeError, match="have the same images twice"):
        supernet_tl.pretrain(twins, mixture=True, control=quiet)


def test_a_run_is_not_continued_without_an_image_that_was_damaged_meanwhile(
    stripes: Images, tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_class_folders(stripes("t"), tmp_path / "images")
    settings = {**tiny, **ONCE, "control": Control(device="cpu", quiet=True, skip_corrupt=True)}
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "train_final", _stop)
        with pytest.raises(ConnectionError, match=r"went away"):
            supernet_tl.search(root, output=tmp_path / "run", **settings)
    (root / "stripe0" / "000.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(RunFolderError, match=CHANGED):
        supernet_tl.search(root, output=tmp_path / "run", **settings)


@pytest.mark.parametrize("left_out", ["unreadable", "dropped"])
def test_a_test_folder_of_which_nothing_is_left_is_refused_with_the_cause(
    left_out: str, stripes: Images, tiny: dict[str, Any], tmp_path: Path
) -> None:
    images = stripes("t", per_class=6)
    write_class_folders(images, tmp_path / "images" / "train")
    name = "stripe0" if left_out == "unreadable" else "rare"
    tested = tmp_path / "images" / "test" / name / "only.png"
    for path in (tested, tmp_path / "images" / "train" / name / "few.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
        images.image(0).rotate(90).save(path)
    if left_out == "unreadable":
        tested.write_bytes(b"\x89PNG\r\n\x1a\n")
    control = Control(device="cpu", quiet=True, skip_corrupt=True, drop_small_classes=True)
    cause = r"1 images that cannot be read" if left_out == "unreadable" else r"the classes 'rare' \(2\)"
    with pytest.raises(
        SplitError, match=rf"test split of 'images' is empty after leaving out {cause}; expected at least"
    ):
        supernet_tl.search(tmp_path / "images", control=control, **tiny)


def test_an_output_that_holds_a_finished_run_is_refused_before_anything_is_opened(
    stripes: Images, tiny: dict[str, Any], quiet: Control, tmp_path: Path
) -> None:
    run, missing = tmp_path / "run", tmp_path / "missing"
    supernet_tl.search(stripes("t"), output=run, control=quiet, **{**tiny, **ONCE})
    with pytest.raises(RunFolderError, match=r"holds a finished search; nothing was changed\. Choose another --output"):
        supernet_tl.search(missing, output=run, control=quiet)
    with pytest.raises(RunFolderError, match=r"holds a finished search; nothing was changed\. Choose another --output"):
        supernet_tl.transfer(missing, missing, output=run, control=quiet)
    with pytest.raises(FileNotFoundError, match=r"missing does not exist"):
        supernet_tl.search(missing, output=run, control=Control(device="cpu", quiet=True, overwrite=True))


def test_classes_with_fewer_images_than_shots_are_told_whatever_is_done_with_them(
    zoo_path: Path, stripes: Images, tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    control = Control(device="cpu")
    told = "t: 3 classes have fewer than 100 different images to search with: 'stripe0' ("
    supernet_tl.transfer(stripes("t"), zoo_path, control=control, shots=100, batch_size=8, **ONCE)
    assert told in capsys.readouterr().err
    supernet_tl.select(stripes("t"), zoo_path, control=control, shots=100)
    assert told in capsys.readouterr().err
    embedding = {"embedder": "tf_efficientnet_lite0", "embed_size": 32}
    both = [stripes("t"), stripes("other", 1)]
    supernet_tl.pretrain(both, mixture=True, control=control, shots=100, **{**tiny, **embedding, "epochs": 1})
    assert told in (shown := capsys.readouterr().err)
    assert "other: 3 classes have fewer than 100" in shown
