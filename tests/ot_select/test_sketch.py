from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ot_select import EmbedderIdentity, LabelledCloud, OptionError, Sketch, SketchError, sketch

Maker = Callable[..., LabelledCloud]

IDENTITY = EmbedderIdentity(name="resnet18.tv_in1k", weights_sha256="0f" * 32, image_size=64, dimension=4)


def named(cloud: LabelledCloud) -> LabelledCloud:
    return LabelledCloud(cloud.features, cloud.class_indices, ["Äpfel", "birds", "雲"])


def test_a_sketch_survives_a_safetensors_file_with_everything_it_holds(make_cloud: Maker, tmp_path: Path) -> None:
    original = sketch(named(make_cloud(1)), embedder=IDENTITY, max_samples=15)
    save_file(original.to_tensors(), tmp_path / "sketch.safetensors")
    restored = Sketch.from_tensors(load_file(tmp_path / "sketch.safetensors"))
    for name in ("features", "class_indices", "class_counts", "class_means", "class_variances"):
        assert np.array_equal(getattr(restored, name), getattr(original, name))
    assert restored.class_names == ("Äpfel", "birds", "雲")
    assert restored.embedder == str(IDENTITY)
    assert EmbedderIdentity.from_string(restored.embedder) == IDENTITY
    assert restored.num_rows == 25
    assert restored.num_sampled == 15


def test_statistics_are_those_of_the_whole_dataset_and_not_of_the_sample(make_cloud: Maker) -> None:
    cloud = make_cloud(2, counts=(40, 9, 1))
    kept = sketch(cloud, embedder="e", max_samples=6)
    for index, count in enumerate((40, 9, 1)):
        rows = cloud.features[cloud.class_indices == index]
        assert kept.class_counts[index] == count
        assert np.allclose(kept.class_means[index], rows.mean(axis=0), rtol=1e-12)
        # oracle: NumPy's variance; a single row has none
        expected = rows.var(axis=0, ddof=1) if count > 1 else np.zeros(4)
        assert np.allclose(kept.class_variances[index], expected, rtol=1e-12)


def test_the_sample_consists_of_rows_of_the_dataset_with_their_own_labels(make_cloud: Maker) -> None:
    cloud = named(make_cloud(3))
    back = sketch(cloud, embedder="e", max_samples=10).cloud()
    rows = {tuple(row.astype(np.float32)): cloud.class_names[i] for row, i in zip(cloud.features, cloud.class_indices)}  # noqa: B905
    assert back.num_rows == 10
    for row, index in zip(back.features, back.class_indices, strict=True):
        assert rows[tuple(row.astype(np.float32))] == back.classes[index]


def test_a_small_dataset_is_kept_whole_and_a_seed_repeats_a_sample(make_cloud: Maker) -> None:
    cloud = make_cloud(4)
    assert sketch(cloud, embedder="e").num_sampled == 25
    first, again, other = (sketch(cloud, embedder="e", max_samples=12, seed=seed).features for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_unknown_tensors_are_ignored(make_cloud: Maker) -> None:
    tensors = sketch(make_cloud(5), embedder="e").to_tensors() | {"thumbnails": torch.zeros(3)}
    assert Sketch.from_tensors(tensors).num_rows == 25


@pytest.mark.parametrize(
    ("name", "tensor", "sentence"),
    [
        ("features", torch.zeros(25, 4, dtype=torch.float64), "features of the sketch is torch.float64 with 2"),
        ("features", torch.zeros(25, dtype=torch.float32), r"features of the sketch is torch.float32 with 1 dimension"),
        ("features", torch.full((25, 4), torch.inf), "features of the sketch holds NaN or infinity"),
        ("features", torch.zeros(0, 4), r"class_indices has shape \(25,\) in a sketch of 0 rows"),
        ("class_indices", torch.full((25,), 3), r"class_indices run from 3 to 3 .* but 0 to 2 is needed"),
        ("class_indices", torch.full((25,), -1), "class_indices run from -1 to -1"),
        ("class_counts", torch.zeros(3, dtype=torch.int64), "class_counts of the sketch are smaller"),
        ("class_means", torch.zeros(2, 4, dtype=torch.float64), r"class_means has shape \(2, 4\).*\(3, 4\) is needed"),
        ("class_variances", torch.full((3, 4), -1.0, dtype=torch.float64), "class_variances .* negative"),
        ("meta", torch.tensor([255, 254], dtype=torch.uint8), "meta of the sketch is no UTF-8 JSON"),
        ("meta", torch.tensor(list(b'{"format": 2}'), dtype=torch.uint8), "format 2, but this version reads format 1"),
        ("meta", torch.tensor(list(b"[1]"), dtype=torch.uint8), "format None"),
        (
            "meta",
            torch.tensor(list(b'{"format": 1}'), dtype=torch.uint8),
            "lacks a list of class names or the embedder",
        ),
    ],
)
def test_damaged_tensors_get_a_sentence(make_cloud: Maker, name: str, tensor: torch.Tensor, sentence: str) -> None:
    tensors = sketch(make_cloud(6), embedder="e").to_tensors() | {name: tensor}
    with pytest.raises(SketchError, match=sentence):
        Sketch.from_tensors(tensors)


def test_missing_tensors_are_named() -> None:
    with pytest.raises(SketchError, match=r"lacks features, class_indices, .*meta; found labels"):
        Sketch.from_tensors({"labels": torch.zeros(1)})


def test_what_cannot_be_sketched_gets_a_sentence(make_cloud: Maker) -> None:
    cloud = make_cloud(7)
    twins = LabelledCloud(cloud.features, cloud.class_indices, ["a", "b", "a"])
    with pytest.raises(SketchError, match=r"3 class names are not distinct"):
        sketch(twins, embedder="e")
    with pytest.raises(SketchError, match="beyond float32"):
        sketch(LabelledCloud(cloud.features * 1e300, cloud.class_indices), embedder="e")
    with pytest.raises(SketchError, match=r"4 features, but the embedder r gives 9"):
        sketch(cloud, embedder=EmbedderIdentity("r", "0" * 64, 64, 9))
    with pytest.raises(SketchError, match="embedder is an empty string"):
        sketch(cloud, embedder="")
    with pytest.raises(OptionError, match="max_samples is 0"):
        sketch(cloud, embedder="e", max_samples=0)
