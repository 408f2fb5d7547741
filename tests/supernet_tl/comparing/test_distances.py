from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ot_select
import supernet_tl
import zoo_store
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.data.errors import DataError
from supernet_tl.errors import ComparisonError, EmbeddingFileError, RunFolderError
from supernet_tl.files import read_json, write_json

LITE: dict[str, Any] = {"embedder": "tf_efficientnet_lite0", "embed_size": 32}
Maker = Callable[..., ImageSet]


class Counting:
    """Distances between means, counted; from a given comparison on it fails."""

    name = "counting"

    def __init__(self, fails_at: int | None = None) -> None:
        self.calls = 0
        self._fails_at = fails_at

    def __call__(self, cloud_a: ot_select.LabelledCloud, cloud_b: ot_select.LabelledCloud) -> ot_select.DistanceResult:
        if self.calls == self._fails_at:
            raise KeyboardInterrupt
        self.calls += 1
        return ot_select.otdd(cloud_a, cloud_b)


@pytest.fixture
def three(stripes: Maker) -> list[ImageSet]:
    return [
        stripes("near", seed=1, per_class=8),
        stripes("target", seed=1, per_class=10),
        stripes("far", seed=2, num_classes=4, per_class=9),
    ]


def test_two_datasets_are_compared_as_otdd_compares_their_embeddings(three: list[ImageSet], quiet: Control) -> None:
    near, target, _ = three
    found = supernet_tl.distance(near, target, rows=20, draws=2, seed=7, control=quiet, **LITE)
    # oracle: otdd of the same rows: those of the seeds, of everything that was embedded
    clouds = [supernet_tl.embed(images, control=quiet, **LITE).cloud() for images in (near, target)]
    expected = [
        ot_select.otdd(*(ot_select.draw_rows(cloud, 20, seed) for cloud in clouds)).squared
        for seed in ot_select.draw_seeds(7, 2)
    ]
    (pair,) = found.pairs
    assert pair.draws == pytest.approx(expected, rel=1e-5)
    assert pair.squared == pytest.approx(np.mean(expected), rel=1e-5)
    assert pair.spread == pytest.approx(np.std(expected, ddof=1), rel=1e-3)
    assert found.rows == 20
    assert (pair.a, pair.b, pair.converged) == ("near", "target", True)


def test_classes_of_two_datasets_are_told_with_their_nearest(three: list[ImageSet], quiet: Control) -> None:
    near, _, far = three
    found = supernet_tl.distance(near, far, control=quiet, **LITE)
    classes = found.classes
    assert classes is not None
    assert classes.labels_a == ("stripe0", "stripe1", "stripe2")
    assert classes.coupling is not None
    assert classes.label_distances is not None
    assert classes.coupling.shape == classes.label_distances.shape == (3, 4)
    # oracle: three classes of eight images; the drawn rows keep their shares
    assert classes.coupling.sum(axis=1) == pytest.approx([1 / 3] * 3)
    for row, told in enumerate(classes.to_dict()["nearest"]):
        assert told["class"] == classes.labels_a[row]
        assert told["by_label_distance"]["squared"] == classes.label_distances[row].min()
        assert told["by_mass"]["share"] == pytest.approx(3 * classes.coupling[row].max())
        column = classes.labels_b.index(told["by_mass"]["class"])
        assert classes.coupling[row, column] == classes.coupling[row].max()


def test_a_dataset_is_at_distance_nothing_from_itself(three: list[ImageSet], quiet: Control) -> None:
    found = supernet_tl.distance(three[0], three[0], control=quiet, **LITE)
    assert found.pairs[0].squared == pytest.approx(0, abs=1e-9)
    assert found.names == ("near", "near (2)")
    assert found.classes is not None
    assert found.classes.coupling == pytest.approx(np.eye(3) / 3)


def test_rows_are_as_many_as_the_smallest_dataset_has(
    three: list[ImageSet], capsys: pytest.CaptureFixture[str]
) -> None:
    found = supernet_tl.distance(*three, control=Control(device="cpu"), **LITE)
    assert found.rows == 24
    assert "compared at 24 rows each, for near has no more" in capsys.readouterr().err
    assert [len(pair.draws) for pair in found.pairs] == [3, 3, 3]
    assert len(supernet_tl.distance(three[0], three[0], control=Control("cpu", quiet=True), **LITE).pairs[0].draws) == 1


def test_rows_that_leave_classes_out_are_told(three: list[ImageSet], capsys: pytest.CaptureFixture[str]) -> None:
    found = supernet_tl.distance(*three[1:], rows=3, draws=1, control=Control(device="cpu"), **LITE)
    assert "note: far has 4 classes, so 3 rows leave some of them out" in capsys.readouterr().err
    assert found.classes is not None
    assert len(found.classes.labels_b) == 3


def test_the_table_is_symmetric_with_nothing_on_the_diagonal(three: list[ImageSet], quiet: Control) -> None:
    found = supernet_tl.distance(*three, rows=20, draws=1, control=quiet, **LITE)
    assert np.array_equal(found.squared, found.squared.T)
    assert np.array_equal(np.diag(found.squared), np.zeros(3))
    assert found.squared[0, 2] == found.pairs[1].squared
    assert found.classes is None
    # oracle: near and target show the same stripes in the same colours
    assert [row["nearest"] for row in found.to_dict()["nearest"][:2]] == ["target", "near"]
    assert found.nearest("near") == found.nearest("target") == found.pairs[0]


def test_the_numbers_of_several_datasets_are_written_as_json_csv_and_a_page(
    three: list[ImageSet], tmp_path: Path, quiet: Control
) -> None:
    found = supernet_tl.distance(*three, rows=20, draws=2, output=tmp_path / "out", control=quiet, **LITE)
    assert found.output == tmp_path / "out"
    assert read_json(tmp_path / "out" / "distances.json") == found.to_dict()
    with (tmp_path / "out" / "distances.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["a"], row["b"]) for row in rows] == [("near", "target"), ("near", "far"), ("target", "far")]
    assert [float(row["squared"]) for row in rows] == [pair.squared for pair in found.pairs]
    assert "lie nearest" in (tmp_path / "out" / "distances.html").read_text()


def test_two_datasets_are_written_as_json_and_a_page(three: list[ImageSet], tmp_path: Path, quiet: Control) -> None:
    found = supernet_tl.distance(*three[:2], output=tmp_path / "out", control=quiet, **LITE)
    assert read_json(tmp_path / "out" / "distance.json") == found.to_dict()
    assert "Which class goes to which" in (tmp_path / "out" / "distance.html").read_text()


def test_a_finished_folder_is_replaced_only_when_that_is_asked_for(
    three: list[ImageSet], tmp_path: Path, quiet: Control
) -> None:
    supernet_tl.distance(*three[:2], output=tmp_path, control=quiet, **LITE)
    with pytest.raises(RunFolderError, match="holds a finished distance; nothing was changed"):
        supernet_tl.distance(*three, output=tmp_path, control=quiet, **LITE)
    replacing = Control(device="cpu", quiet=True, overwrite=True)
    supernet_tl.distance(*three, output=tmp_path, rows=10, control=replacing, **LITE)
    assert not (tmp_path / "distance.json").exists()
    assert (tmp_path / "distances.json").exists()


def test_an_interrupted_table_goes_on_with_the_pairs_that_were_finished(
    three: list[ImageSet], tmp_path: Path, quiet: Control
) -> None:
    settings: dict[str, Any] = {"rows": 20, "draws": 2, "control": quiet, **LITE}
    with pytest.raises(KeyboardInterrupt):
        supernet_tl.distance(*three, distance=Counting(fails_at=3), output=tmp_path / "out", **settings)
    # two draws a pair: one pair was finished, the second was not
    second = Counting()
    found = supernet_tl.distance(*three, distance=second, output=tmp_path / "out", **settings)
    assert second.calls == 4
    whole = supernet_tl.distance(*three, distance=Counting(), **settings)
    assert [pair.draws for pair in found.pairs] == [pair.draws for pair in whole.pairs]


def test_finished_pairs_of_other_features_are_never_used(three: list[ImageSet], tmp_path: Path, quiet: Control) -> None:
    paths = [tmp_path / f"{images.name}.safetensors" for images in three]
    for images, path in zip(three, paths, strict=True):
        supernet_tl.embed(images, path, control=quiet, **LITE)
    settings: dict[str, Any] = {"rows": 20, "draws": 1, "output": tmp_path / "out", "control": quiet}
    with pytest.raises(KeyboardInterrupt):
        supernet_tl.distance(*paths, distance=Counting(fails_at=2), **settings)
    original = supernet_tl.load_embedding(paths[0])
    replace(original, features=original.features + 1).save(
        paths[0]
    )  # the same images by its own account: only the features tell
    again = Counting()
    supernet_tl.distance(*paths, distance=again, **settings)
    assert again.calls == 3


def test_an_embedding_file_stands_for_its_images(three: list[ImageSet], tmp_path: Path, quiet: Control) -> None:
    supernet_tl.embed(three[0], tmp_path / "near.safetensors", control=quiet, **LITE)
    of_files = supernet_tl.distance(tmp_path / "near.safetensors", three[2], rows=24, draws=1, control=quiet)
    of_images = supernet_tl.distance(three[0], three[2], rows=24, draws=1, control=quiet, **LITE)
    assert of_files.pairs[0].squared == pytest.approx(of_images.pairs[0].squared, rel=1e-4)
    assert [dataset.kind for dataset in of_files.datasets] == ["embedding", "images"]
    assert of_files.datasets[1].embedder == of_images.datasets[1].embedder  # the file's, though none was named


def test_parts_of_one_set_are_called_by_their_part(three: list[ImageSet], tmp_path: Path, quiet: Control) -> None:
    paths = [tmp_path / f"{part}.safetensors" for part in ("search", "test")]
    for part, path in zip(("search", "test"), paths, strict=True):
        supernet_tl.embed(three[1], path, part=part, control=quiet, **LITE)  # type: ignore[arg-type]
    assert supernet_tl.distance(*paths, control=quiet).names == ("target (search)", "target (test)")


def test_entries_of_a_zoo_are_compared_by_name_by_id_or_all(zoo_path: Path, stripes: Maker, quiet: Control) -> None:
    everything = supernet_tl.distance(zoo=zoo_path, control=quiet)
    assert sorted(everything.names) == ["far", "near", "near+far"]
    by_name = {card["name"]: entry_id for entry_id, card in zoo_store.Zoo(zoo_path).cards().items()}
    images = stripes("target", seed=1)
    found = supernet_tl.distance("near", by_name["far"][:8], images, zoo=zoo_path, control=quiet)
    assert found.names == ("near", "far", "target")
    assert [dataset.kind for dataset in found.datasets] == ["zoo entry", "zoo entry", "images"]
    # oracle: near was pretrained on other images of the very stripes that the target shows
    assert found.nearest("target").a == "near"


@pytest.mark.parametrize("file", ["card.json", "sketch.safetensors"])
def test_damaged_entries_are_left_out_of_a_whole_zoo_with_the_reason(
    file: str, zoo_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(zoo_path, tmp_path / "zoo")
    zoo = zoo_store.Zoo(tmp_path / "zoo")
    far = next(entry_id for entry_id, card in zoo.cards().items() if card["name"] == "far")
    (tmp_path / "zoo" / far / file).write_bytes(b"{")
    found = supernet_tl.distance(zoo=zoo, control=Control(device="cpu"))
    assert sorted(found.names) == ["near", "near+far"]
    said = capsys.readouterr().err
    assert f"left out: {far[:12]}, because" in said
    assert file in said


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("near",), r"1 dataset\(s\) were named; expected at least two"),
        (("near", "farr"), r"'farr' is neither an entry of the zoo nor a folder or file. The zoo has .*near \("),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_sentence(
    given: tuple[str, ...], sentence: str, zoo_path: Path, quiet: Control
) -> None:
    with pytest.raises(ComparisonError, match=sentence):
        supernet_tl.distance(*given, zoo=zoo_path, control=quiet)


def test_a_name_of_several_entries_asks_for_an_id(zoo_path: Path, tmp_path: Path, quiet: Control) -> None:
    shutil.copytree(zoo_path, tmp_path / "zoo")
    zoo = zoo_store.Zoo(tmp_path / "zoo")
    near = next(zoo.get(entry_id) for entry_id, card in zoo.cards().items() if card["name"] == "near")
    zoo.add(zoo_store.ZooEntry(near.state, near.sketch, {**near.card, "seed": 99}))
    with pytest.raises(ComparisonError, match=r"'near' names 2 entries of the zoo: .*Give the beginning of an id"):
        supernet_tl.distance("near", "far", zoo=zoo, control=quiet)
    assert len(set(supernet_tl.distance(zoo=zoo, draws=1, control=quiet).names)) == 4


def test_a_word_for_both_an_entry_and_a_folder_is_refused_with_how_to_name_either(
    zoo_path: Path, tmp_path: Path, quiet: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = {card["name"]: entry_id for entry_id, card in zoo_store.Zoo(zoo_path).cards().items()}
    (tmp_path / "near").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ComparisonError, match=rf"'near' names an entry .* Give {ids['near'][:12]} .*, or \./near for"):
        supernet_tl.distance("near", "far", zoo=zoo_path, control=quiet)
    assert supernet_tl.distance(ids["near"][:12], "far", zoo=zoo_path, control=quiet).names == ("near", "far")
    with pytest.raises(DataError, match="holds no image"):  # the empty folder, and no entry
        supernet_tl.distance("./near", "far", zoo=zoo_path, control=quiet)


def test_a_folder_without_entries_given_as_the_zoo_is_called_so(tmp_path: Path, quiet: Control) -> None:
    with pytest.raises(ComparisonError, match="holds no zoo entry that can be compared"):
        supernet_tl.distance(zoo=tmp_path, control=quiet)


def test_features_of_different_embedders_are_never_compared(
    three: list[ImageSet], tmp_path: Path, quiet: Control
) -> None:
    paths = [tmp_path / f"{size}.safetensors" for size in (32, 48)]
    for path, size in zip(paths, (32, 48), strict=True):
        supernet_tl.embed(three[0], path, control=quiet, embedder="tf_efficientnet_lite0", embed_size=size)
    with pytest.raises(ComparisonError, match="embedded by 2 different embedders, so their features cannot be"):
        supernet_tl.distance(*paths, control=quiet)
    with pytest.raises(ComparisonError, match=r"image_size=32 .*and 'far' by .*image_size=48"):
        supernet_tl.distance(paths[0], three[2], control=quiet, embed_size=48)


def test_a_missing_embedding_file_is_not_taken_for_a_folder(tmp_path: Path, quiet: Control) -> None:
    with pytest.raises(EmbeddingFileError, match=r"none\.safetensors cannot be read as an embedding"):
        supernet_tl.distance(tmp_path / "none.safetensors", "pocket:digits", control=quiet)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"rows": 0}, "rows is 0"), ({"draws": 0}, "num_draws is 0"), ({"distance": "otd"}, "There is no distance 'otd'")],
)
def test_options_out_of_range_are_refused_before_anything_is_read(
    options: dict[str, Any], sentence: str, quiet: Control
) -> None:
    with pytest.raises(ot_select.OptionError, match=sentence):
        supernet_tl.distance("no such folder", "nor this", control=quiet, **options)


def test_a_distance_without_classes_or_coupling_says_only_what_it_knows(
    three: list[ImageSet], tmp_path: Path, quiet: Control
) -> None:
    found = supernet_tl.distance(*three[:2], distance="bures", output=tmp_path / "out", control=quiet, **LITE)
    assert found.classes is not None
    assert (found.classes.coupling, found.classes.label_distances) == (None, None)
    assert found.classes.to_dict()["nearest"][0] == {"class": "stripe0", "by_label_distance": None, "by_mass": None}
    assert "nothing to show class by class" in (tmp_path / "out" / "distance.html").read_text()


def test_the_settings_of_a_folder_tell_what_was_compared(three: list[ImageSet], tmp_path: Path, quiet: Control) -> None:
    supernet_tl.distance(*three[:2], output=tmp_path / "out", rows=10, control=quiet, **LITE)
    card = read_json(tmp_path / "out" / "run.json")
    assert card["settings"]["datasets"] == {images.name: images.fingerprint() for images in three[:2]}
    write_json(tmp_path / "out" / "run.json", {**card, "finished": False})
    with pytest.raises(RunFolderError, match=r"unfinished distance with other settings .*rows: there 10, here 12"):
        supernet_tl.distance(*three[:2], output=tmp_path / "out", rows=12, control=quiet, **LITE)
