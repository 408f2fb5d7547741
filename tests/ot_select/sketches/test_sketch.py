import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ot_select import EmbedderIdentity, LabelledCloud, OptionError, Sketch, SketchError, sketch, sketch_gaussians

Maker = Callable[..., LabelledCloud]

IDENTITY = EmbedderIdentity(name="resnet18.tv_in1k", weights_sha256="0f" * 32, image_size=64, dimension=4)
FIXTURES = Path(__file__).parents[2] / "fixtures"


def named(cloud: LabelledCloud) -> LabelledCloud:
    return LabelledCloud(cloud.features, cloud.class_indices, ["Äpfel", "birds", "雲"])


def with_meta(tensors: dict[str, torch.Tensor], **changes: object) -> dict[str, torch.Tensor]:
    meta = {**json.loads(bytes(tensors["meta"].tolist())), **changes}
    encoded = json.dumps({key: value for key, value in meta.items() if value is not None}).encode()
    return {**tensors, "meta": torch.tensor(list(encoded), dtype=torch.uint8)}


KINDS: dict[str, Callable[[LabelledCloud], Sketch]] = {
    "float16": lambda cloud: sketch(cloud, embedder=IDENTITY, max_samples=15),
    "float32": lambda cloud: sketch(cloud, embedder=IDENTITY, max_samples=15, dtype="float32"),
    "gaussians": lambda cloud: sketch_gaussians(cloud, embedder=IDENTITY, rank=2, max_samples=15, min_class_rows=5),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_sketch_survives_a_safetensors_file_with_everything_it_holds(
    kind: str, make_cloud: Maker, tmp_path: Path
) -> None:
    original = KINDS[kind](named(make_cloud(1)))
    save_file(original.to_tensors(), tmp_path / "sketch.safetensors")
    restored = Sketch.from_tensors(load_file(tmp_path / "sketch.safetensors"))
    for name in ("class_counts", "class_means", "class_variances"):
        assert np.array_equal(getattr(restored, name), getattr(original, name))
    assert np.array_equal(restored.cloud().features, original.cloud().features)
    assert restored.cloud().classes == original.cloud().classes
    assert restored.class_names == ("Äpfel", "birds", "雲")
    assert restored.embedder == str(IDENTITY)
    assert EmbedderIdentity.from_string(restored.embedder) == IDENTITY
    assert (restored.num_rows, restored.num_sampled, restored.dimension) == (25, 15, 4)
    assert restored.digest == original.digest


@pytest.mark.parametrize("kind", KINDS)
def test_statistics_are_those_of_the_whole_dataset_and_not_of_the_sample(kind: str, make_cloud: Maker) -> None:
    cloud = make_cloud(2, counts=(40, 9, 7))
    kept = KINDS[kind](cloud)
    for index, count in enumerate((40, 9, 7)):
        rows = cloud.features[cloud.class_indices == index]
        assert kept.class_counts[index] == count
        # oracle: NumPy, to the last of the 24 binary digits that are kept
        assert np.allclose(kept.class_means[index], rows.mean(axis=0), rtol=2**-24, atol=0)
        assert np.allclose(kept.class_variances[index], rows.var(axis=0, ddof=1), rtol=2**-24, atol=0)
    # oracle: the same over the rows themselves
    assert np.allclose(kept.mean, cloud.features.mean(axis=0), rtol=1e-6)
    assert np.allclose(kept.variance, cloud.features.var(axis=0, ddof=1), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-100, 1e19, 1e149])
def test_statistics_of_features_of_any_size_keep_their_digits(scale: float, make_cloud: Maker) -> None:
    cloud = make_cloud(2)
    kept, scaled = (sketch(LabelledCloud(cloud.features * by, cloud.class_indices), embedder="e") for by in (1, scale))
    assert np.allclose(scaled.class_means, kept.class_means * scale, rtol=2**-23, atol=0)
    assert np.allclose(scaled.class_variances, kept.class_variances * scale * scale, rtol=2**-23, atol=0)


def test_a_class_of_one_row_has_no_spread() -> None:
    kept = sketch(LabelledCloud([[1.0, 2.0]], ["a"]), embedder="e")
    assert not kept.class_variances.any()
    assert not kept.variance.any()


def test_the_sample_consists_of_rows_of_the_dataset_with_their_own_labels(make_cloud: Maker) -> None:
    cloud = named(make_cloud(3))
    back = sketch(cloud, embedder="e", max_samples=10, dtype="float32").cloud()
    rows = {
        tuple(row.astype(np.float32)): cloud.class_names[i]
        for row, i in zip(cloud.features, cloud.class_indices, strict=True)
    }
    assert back.num_rows == 10
    for row, index in zip(back.features, back.class_indices, strict=True):
        assert rows[tuple(row.astype(np.float32))] == back.classes[index]


def test_a_small_dataset_is_kept_whole_and_a_seed_repeats_a_sample(make_cloud: Maker) -> None:
    cloud = make_cloud(4)
    assert sketch(cloud, embedder="e").num_sampled == 25
    first, again, other = (sketch(cloud, embedder="e", max_samples=12, seed=seed) for seed in (0, 0, 1))
    assert first.digest == again.digest != other.digest


@pytest.mark.parametrize("kind", ["float16", "gaussians"])
def test_fewer_rows_of_a_cloud_are_drawn_by_the_seed_with_every_class(kind: str, make_cloud: Maker) -> None:
    kept = KINDS[kind](make_cloud(4, counts=(60, 60, 30)))
    first, again, other = (kept.cloud(10, seed) for seed in (0, 0, 1))
    assert first.class_counts.tolist() == [4, 4, 2]
    assert np.array_equal(first.features, again.features)
    assert not np.array_equal(first.features, other.features)
    assert kept.cloud(10_000).num_rows == 15
    with pytest.raises(OptionError, match="num_rows is 0"):
        kept.cloud(0)
    with pytest.raises(OptionError, match="seed is -1"):
        kept.cloud(10, seed=-1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sketch_says_whether_a_cloud_of_all_its_rows_depends_on_the_seed(kind: str, make_cloud: Maker) -> None:
    kept = KINDS[kind](make_cloud(4))
    same = np.array_equal(kept.cloud(seed=0).features, kept.cloud(seed=1).features)
    assert kept.is_drawn is not same


def test_an_unknown_precision_gets_a_sentence(make_cloud: Maker) -> None:
    with pytest.raises(OptionError, match="dtype is 'int8', but one of 'float16', 'float32' is needed"):
        sketch(make_cloud(1), embedder="e", dtype="int8")  # type: ignore[arg-type]


# The format.


def test_a_sketch_of_format_1_is_still_read() -> None:
    kept = Sketch.from_tensors(load_file(FIXTURES / "sketch_format_1.safetensors"))
    # oracle: the file's own tensors
    stored = load_file(FIXTURES / "sketch_format_1.safetensors")
    assert torch.equal(torch.tensor(kept.cloud().features, dtype=torch.float32), stored["features"])
    assert kept.cloud().class_counts.tolist() == torch.bincount(stored["class_indices"]).tolist()
    assert (kept.class_names, kept.embedder) == (("Äpfel", "雲"), "an embedder of format 1")
    assert (kept.num_rows, kept.num_sampled) == (7, 5)
    assert Sketch.from_tensors(kept.to_tensors()).digest == kept.digest


@pytest.mark.parametrize("kind", ["rows", "gaussians"])
def test_a_sketch_of_format_2_is_still_read(kind: str) -> None:
    stored = load_file(FIXTURES / f"sketch_format_2_{kind}.safetensors")
    kept = Sketch.from_tensors(stored)
    # oracle: the file's own tensors
    assert stored["class_means"].dtype == stored["class_variances"].dtype == torch.float64
    for name in ("class_means", "class_variances"):
        assert np.array_equal(getattr(kept, name), stored[name].numpy())
    assert (kept.class_names, kept.embedder) == (("Äpfel", "雲"), "an embedder of format 2")
    assert (kept.num_rows, kept.num_sampled) == (9, 6)
    # oracle: what the version that wrote the file drew from it
    drawn = {"rows": 31.25, "gaussians": 30.94577279321317}[kind]
    assert kept.cloud(4).features.sum() == pytest.approx(drawn, rel=1e-12)
    assert Sketch.from_tensors(kept.to_tensors()).digest == kept.digest


def test_a_changed_sketch_of_format_2_is_noticed() -> None:
    stored = load_file(FIXTURES / "sketch_format_2_rows.safetensors")
    for name in ("class_means", "class_variances", "features"):
        changed = stored[name].clone()
        changed.view(torch.uint8).ravel()[0] ^= 1
        with pytest.raises(
            SketchError, match=r"has the digest [0-9a-f]{64}, but [0-9a-f]{64} was written: it has been"
        ):
            Sketch.from_tensors({**stored, name: changed})
    for value in (torch.nan, torch.inf):
        with pytest.raises(SketchError, match="class_means of the sketch holds NaN or infinity"):
            Sketch.from_tensors({**stored, "class_means": torch.full_like(stored["class_means"], value)})


def test_a_sketch_is_not_read_as_one_of_another_format(make_cloud: Maker) -> None:
    tensors = sketch(make_cloud(6), embedder="e").to_tensors()
    with pytest.raises(SketchError, match=r"class_means of the sketch is float32 .* but float64 with 2 is needed"):
        Sketch.from_tensors(with_meta(tensors, format=2))
    old = load_file(FIXTURES / "sketch_format_2_rows.safetensors")
    with pytest.raises(SketchError, match="means_exponent of the sketch is None"):
        Sketch.from_tensors(with_meta(old, format=3))
    with pytest.raises(SketchError, match="it has been changed"):
        Sketch.from_tensors(with_meta(old, format=3, means_exponent=0, variances_exponent=0))


def test_a_later_sketch_is_not_read_as_one_of_format_1(make_cloud: Maker) -> None:
    half, full = (sketch(make_cloud(6), embedder="e", dtype=dtype).to_tensors() for dtype in ("float16", "float32"))
    no_exponents = {"means_exponent": None, "variances_exponent": None}
    with pytest.raises(SketchError, match="has format 1, but also digest, exponent, kind, means_exponent, variances_"):
        Sketch.from_tensors(with_meta(full, format=1))
    with pytest.raises(SketchError, match="has format 1, but also exponent, as only later ones"):
        Sketch.from_tensors(with_meta(full, format=1, kind=None, digest=None, **no_exponents))
    with pytest.raises(SketchError, match=r"features of the sketch is float16 .* but float32 with 2 is needed"):
        Sketch.from_tensors(with_meta(half, format=1, kind=None, digest=None, exponent=None, **no_exponents))
    for version in (True, 1.0, 2.0, "2", [2]):
        with pytest.raises(SketchError, match="reads formats 1 to 3"):
            Sketch.from_tensors(with_meta(full, format=version))


def test_the_digest_is_the_documented_one(make_cloud: Maker) -> None:
    tensors = sketch(named(make_cloud(1)), embedder="e", max_samples=9).to_tensors()
    meta = json.loads(bytes(tensors.pop("meta").tolist()))
    stored = meta.pop("digest")

    # Oracle: docs/zoo-format.md, written again.
    def canonical(value: object) -> bytes:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    digest = hashlib.sha256(b"sketch 3\n")
    for name in sorted(tensors):
        header = canonical([name, str(tensors[name].dtype).removeprefix("torch."), list(tensors[name].shape)])
        digest.update(len(header).to_bytes(8, "little") + header + tensors[name].numpy().tobytes())
    digest.update(canonical(meta))
    assert stored == digest.hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_a_byte_changed_anywhere_is_noticed(kind: str, make_cloud: Maker) -> None:
    tensors = KINDS[kind](named(make_cloud(6))).to_tensors()
    for name in set(tensors) - {"meta"}:
        changed = tensors[name].clone()
        changed.view(torch.uint8).ravel()[0] ^= 1
        with pytest.raises(SketchError, match=r"it has been changed|smaller than what the sample holds"):
            Sketch.from_tensors({**tensors, name: changed})
    with pytest.raises(SketchError, match=r"has the digest [0-9a-f]{64}, but [0-9a-f]{64} was written: it has been"):
        Sketch.from_tensors(with_meta(tensors, embedder="another"))


def test_unknown_tensors_are_ignored(make_cloud: Maker) -> None:
    tensors = sketch(make_cloud(5), embedder="e").to_tensors() | {"thumbnails": torch.zeros(3)}
    assert Sketch.from_tensors(tensors).num_rows == 25


F16 = torch.float16


@pytest.mark.parametrize(
    ("name", "tensor", "sentence"),
    [
        ("features", torch.zeros(25, 4, dtype=torch.float64), "is float64 with 2 .* but float16 or float32 with 2"),
        ("features", torch.zeros(25, dtype=F16), r"features of the sketch is float16 with 1 dimension"),
        ("features", torch.full((25, 4), torch.inf, dtype=F16), "features of the sketch holds NaN or infinity"),
        ("features", torch.zeros(0, 4, dtype=F16), "The sketch has 0 rows"),
        ("features", torch.zeros(25, 3, dtype=F16), r"features has shape \(25, 3\), but \(25, 4\) is needed"),
        ("class_indices", torch.full((24,), 1), r"class_indices has shape \(24,\) in a sketch of 25 rows"),
        ("class_indices", torch.full((25,), 3), r"class_indices run from 3 to 3 .* but 0 to 2 is needed"),
        ("class_indices", torch.full((25,), -1), "class_indices run from -1 to -1"),
        ("class_counts", torch.ones(3, dtype=torch.int64), "class_counts of the sketch are smaller"),
        ("class_counts", torch.zeros(3, dtype=torch.int64), "class_counts of the sketch has 0, but 1 is needed"),
        ("class_means", torch.zeros(2, 4), r"class_means has shape \(2, 4\).*\(3, 4\) is needed"),
        ("class_means", torch.zeros(3, 0), "class_variances has shape|0 features"),
        ("class_variances", torch.full((3, 4), -1.0), "class_variances .* negative"),
        ("class_variances", torch.full((3, 4), torch.nan), "class_variances .* holds NaN"),
        ("meta", torch.tensor([255, 254], dtype=torch.uint8), "meta of the sketch is no UTF-8 JSON"),
        ("meta", torch.tensor(list(b'{"format": 4}'), dtype=torch.uint8), "format 4, but .* reads formats 1 to 3"),
        ("meta", torch.tensor(list(b"[1]"), dtype=torch.uint8), "format None"),
        ("meta", torch.tensor(list(b"[" * 200_000), dtype=torch.uint8), "is no UTF-8 JSON .maximum recursion"),
        ("meta", torch.tensor(list(b'{"format": 1}'), dtype=torch.uint8), "lacks a list of class names"),
    ],
)
def test_damaged_tensors_get_a_sentence(make_cloud: Maker, name: str, tensor: torch.Tensor, sentence: str) -> None:
    tensors = sketch(make_cloud(6), embedder="e").to_tensors() | {name: tensor}
    with pytest.raises(SketchError, match=sentence):
        Sketch.from_tensors(tensors)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"class_names": "abc"}, "lacks a list of class names"),
        ({"class_names": ["a", "b", 3]}, "lacks a list of class names"),
        ({"class_names": ["a", "b", "b"]}, "3 class names are not distinct"),
        ({"class_names": ["a", "b", "\ud800"]}, r"ud800', but a sketch is stored with Unicode texts"),
        ({"embedder": "\ud800"}, r"ud800', but a sketch is stored with Unicode texts"),
        ({"embedder": None}, "lacks the embedder"),
        ({"digest": None}, "lacks the digest"),
        ({"kind": "pictures"}, "keeps 'pictures', but one of 'rows', 'gaussians' is needed"),
        ({"kind": ["rows"]}, r"keeps \['rows'\], but one of"),
        ({"kind": "gaussians"}, "num_sampled of the sketch is None, but a whole number is needed"),
        ({"exponent": 0.5}, r"exponent of the sketch is 0\.5, but a whole number is needed"),
        ({"exponent": 2**40}, "exponent of the sketch is 1099511627776"),
        ({"means_exponent": "0"}, "means_exponent of the sketch is '0', but a whole number is needed"),
        ({"variances_exponent": None}, "variances_exponent of the sketch is None"),
        ({"means_exponent": 10_000}, "class_means of the sketch holds NaN or infinity"),
        ({"exponent": 10_000}, "features of the sketch holds NaN or infinity"),
    ],
)
def test_a_meta_that_cannot_be_gets_a_sentence(make_cloud: Maker, changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(SketchError, match=sentence):
        Sketch.from_tensors(with_meta(sketch(make_cloud(6), embedder="e").to_tensors(), **changes))


def test_missing_tensors_are_named(make_cloud: Maker) -> None:
    with pytest.raises(SketchError, match=r"lacks meta; found labels"):
        Sketch.from_tensors({"labels": torch.zeros(1)})
    meta = sketch(make_cloud(6), embedder="e").to_tensors()["meta"]
    with pytest.raises(SketchError, match=r"lacks features, class_indices, class_counts.*; found meta"):
        Sketch.from_tensors({"meta": meta})


def test_what_cannot_be_sketched_gets_a_sentence(make_cloud: Maker) -> None:
    cloud = make_cloud(7)
    twins = LabelledCloud(cloud.features, cloud.class_indices, ["a", "b", "a"])
    with pytest.raises(SketchError, match=r"3 class names are not distinct"):
        sketch(twins, embedder="e")
    with pytest.raises(SketchError, match=r"largest feature is 3\.\d+e\+200, whose square is beyond float64"):
        sketch(LabelledCloud(cloud.features * 1e200, cloud.class_indices), embedder="e")
    with pytest.raises(SketchError, match=r"4 features, but the embedder r gives 9"):
        sketch(cloud, embedder=EmbedderIdentity("r", "0" * 64, 64, 9))
    with pytest.raises(SketchError, match="embedder is an empty string"):
        sketch(cloud, embedder="")
    for embedder in (None, 5):
        with pytest.raises(SketchError, match=rf"The embedder is {embedder}, but who made the features is needed"):
            sketch(cloud, embedder=embedder)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="max_samples is 0"):
        sketch(cloud, embedder="e", max_samples=0)


@pytest.mark.parametrize("name", [5, None, "half \ud83d of a character"])
def test_names_that_cannot_be_stored_get_a_sentence(name: Any, make_cloud: Maker) -> None:
    kept = sketch(make_cloud(7), embedder="e")
    for changes in ({"class_names": ("a", "b", name)}, {"embedder": name}):
        with pytest.raises(SketchError, match=r"is (5|None|'half .*'), but a sketch is stored with Unicode texts"):
            replace(kept, **changes)


@pytest.mark.parametrize("make", [sketch, sketch_gaussians])
def test_weights_are_refused_and_never_dropped(make: Callable[..., Sketch], make_cloud: Maker) -> None:
    cloud = make_cloud(7, counts=(20, 20))
    weighted = LabelledCloud(cloud.features, cloud.class_indices, weights=np.repeat([0.04, 0.01], 20))
    with pytest.raises(SketchError, match=r"weigh from 0\.01 to 0\.04, but a sketch keeps no weights: .* Leave the"):
        make(weighted, embedder="e")
    equal = LabelledCloud(cloud.features, cloud.class_indices, weights=np.full(40, 0.025))
    assert make(equal, embedder="e").digest == make(cloud, embedder="e").digest
