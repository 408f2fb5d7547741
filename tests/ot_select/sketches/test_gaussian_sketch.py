from collections.abc import Callable

import numpy as np
import pytest
import torch

from ot_select import LabelledCloud, OptionError, Sketch, SketchError, otdd, rank, sketch, sketch_gaussians
from ot_select.sketches.gaussian_rows import GaussianRows

Maker = Callable[..., LabelledCloud]


def covariances(kept: Sketch, num_rows: int = 60_000) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Of the rows that a sketch draws, class by class."""
    cloud = kept.cloud(num_rows)
    return [np.cov(cloud.features[cloud.class_indices == index].T) for index in range(cloud.num_classes)]


@pytest.fixture
def anisotropic() -> LabelledCloud:
    """Two large classes that spread in few directions, not along the axes."""
    generator = np.random.default_rng(0)
    tables = [
        generator.standard_normal((40_000, 5)) * [9, 4, 1, 0.5, 0.1] @ generator.standard_normal((5, 5)) for _ in "ab"
    ]
    return LabelledCloud(np.concatenate(tables) + 3, ["a"] * 40_000 + ["b"] * 40_000)


@pytest.mark.parametrize("rank_", [0, 2, 5])
def test_drawn_rows_have_the_means_the_spreads_and_the_leading_directions(
    anisotropic: LabelledCloud, rank_: int
) -> None:
    kept = sketch_gaussians(anisotropic, embedder="e", rank=rank_, max_samples=60_000)
    drawn = kept.cloud()
    for index, found in enumerate(covariances(kept)):
        truth = np.cov(anisotropic.features[anisotropic.class_indices == index].T)
        # oracle: the eigendecomposition, with the diagonal that it leaves out put back
        values, vectors = np.linalg.eigh(truth)
        leading = (vectors[:, ::-1][:, :rank_] * values[::-1][:rank_]) @ vectors[:, ::-1][:, :rank_].T
        expected = leading + np.diag(np.diag(truth - leading))
        assert np.abs(found - expected).max() < 0.03 * np.abs(truth).max()  # sampling error of 30,000 rows
        rows = drawn.features[drawn.class_indices == index]
        assert np.abs(rows.mean(axis=0) - kept.class_means[index]).max() < 0.02 * np.sqrt(np.diag(truth).max())


def test_no_row_of_the_dataset_is_stored_or_drawn(make_cloud: Maker) -> None:
    cloud = make_cloud(1, counts=(30, 20), dimension=6)
    kept = sketch_gaussians(cloud, embedder="e", rank=8)
    tables = [kept.class_means, np.moveaxis(kept.to_tensors()["class_factors"].numpy(), 1, 2).reshape(-1, 6)]
    for table in (*tables, kept.cloud().features):
        apart = np.linalg.norm(cloud.features[:, None] - table[None], axis=2)
        assert apart.min() > 1e-3


def test_at_least_half_of_the_directions_of_a_class_are_left_out(make_cloud: Maker) -> None:
    factors = sketch_gaussians(make_cloud(2, counts=(10, 40), dimension=30), embedder="e", rank=16).to_tensors()
    used = (factors["class_factors"] != 0).any(dim=1).sum(dim=1)
    assert used.tolist() == [4, 16]


def test_draws_depend_neither_on_the_order_of_rows_nor_on_names(make_cloud: Maker) -> None:
    cloud = make_cloud(3, counts=(30, 20, 10))
    order = np.random.default_rng(0).permutation(60)
    renamed = LabelledCloud(cloud.features[order], [("c", "a", "b")[i] for i in cloud.class_indices[order]])
    first, second = (sketch_gaussians(each, embedder="e", max_samples=25).cloud() for each in (cloud, renamed))
    assert otdd(first, second).squared == pytest.approx(0, abs=1e-9)
    assert sorted(first.features.tolist()) == sorted(second.features.tolist())


def test_gaussians_of_the_same_source_rank_before_rows_of_others(make_cloud: Maker) -> None:
    target = sketch(make_cloud(4, counts=(40, 40), dimension=20, spread=6), embedder="e")
    again = make_cloud(4, counts=(40, 40), dimension=20, spread=6)
    sources = {
        "same": sketch_gaussians(again, embedder="e"),
        "other": sketch(make_cloud(5, counts=(40, 40), dimension=20, spread=6), embedder="e"),
    }
    assert rank(target, sources, num_draws=1).names == ("same", "other")


def test_classes_of_few_rows_are_refused_unless_that_is_accepted(make_cloud: Maker) -> None:
    cloud = make_cloud(6, counts=(30, 9, 1))
    with pytest.raises(
        SketchError, match=r"2 classes have fewer than 10 distinct rows: '1' \(9\), '2' \(1\); .*min_class_rows=1"
    ):
        sketch_gaussians(cloud, embedder="e")
    kept = sketch_gaussians(cloud, embedder="e", min_class_rows=1)
    # a class of one row is that row, drawn as often as the class has rows
    assert kept.cloud().class_counts.tolist() == [30, 9, 1]
    drawn = kept.cloud()
    assert np.allclose(drawn.features[drawn.class_indices == 2], cloud.features[-1], rtol=1e-7)


def test_copies_of_a_row_count_as_one() -> None:
    rows = np.random.default_rng(0).standard_normal((10, 30))
    copies = LabelledCloud(np.concatenate([np.repeat(rows[:9], 10, axis=0), rows]), ["a"] * 90 + ["b"] * 10)
    with pytest.raises(SketchError, match=r"1 classes have fewer than 10 distinct rows: 'a' \(9\)"):
        sketch_gaussians(copies, embedder="e")
    # of nine distinct rows, which have eight directions, four are kept
    factors = sketch_gaussians(copies, embedder="e", rank=8, min_class_rows=9).to_tensors()["class_factors"]
    assert (factors != 0).any(dim=1).sum(dim=1).tolist() == [4, 4]


def test_what_is_said_to_show_of_single_rows_does_show() -> None:
    generator = np.random.default_rng(0)
    sparse = np.maximum(generator.standard_normal((30, 200)) - 1.5, 0)
    kept = sketch_gaussians(LabelledCloud(sparse, ["a"] * 30), embedder="e")
    # Oracle: a feature that is not 0 in one row of n has the mean a / n and the variance a^2 / n.
    found, spread = 30 * kept.class_means[0], kept.class_variances[0]
    single = np.isclose(30 * spread, found**2, rtol=1e-6, atol=0) & (found > 0)
    assert single.sum() > 30
    assert (single == ((sparse > 0).sum(axis=0) == 1)).all()
    assert np.allclose(found[single], sparse.max(axis=0)[single], rtol=1e-7)

    far = generator.standard_normal((30, 200))
    far[0] *= 20
    kept = sketch_gaussians(LabelledCloud(far, ["a"] * 30), embedder="e")
    # Oracle: a row u away from the mean of the n - 1 others adds u u^T / n to the covariance and u / n to the mean.
    assert isinstance(kept.rows, GaussianRows)
    offset = kept.rows.factors.unpacked()[0, :, 0] * 29 / np.sqrt(30)
    guesses = [kept.class_means[0] + sign * offset for sign in (1, -1)]
    assert min(np.linalg.norm(guess - far[0]) for guess in guesses) < 2e-3 * np.linalg.norm(far[0])


@pytest.mark.parametrize("rank_", [np.int64(3), 10**7])
def test_any_whole_number_is_a_rank_and_costs_no_more_than_can_be_kept(rank_: int, make_cloud: Maker) -> None:
    factors = sketch_gaussians(make_cloud(1, counts=(20, 30), dimension=6), embedder="e", rank=rank_).rows.arrays()
    assert factors["class_factors"].shape == (2, 6, min(rank_, 6))


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"rank": -1}, "rank is -1, but a whole number of at least 0"),
        ({"rank": True}, "rank is True"),
        ({"rank": 1.5}, r"rank is 1\.5"),
        ({"max_samples": 0}, "max_samples is 0"),
        ({"min_class_rows": 0}, "min_class_rows is 0"),
    ],
)
def test_options_out_of_range_get_a_sentence(make_cloud: Maker, option: dict[str, object], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        sketch_gaussians(make_cloud(1), embedder="e", **option)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tensor", "sentence"),
    [
        (torch.zeros(3, 4), "class_factors of the sketch is float32 with 2"),
        (torch.zeros(3, 5, 2), r"class_factors has shape \(3, 5, 2\), but \(3, 4, rank\) is needed"),
        (torch.full((3, 4, 2), torch.nan), "class_factors of the sketch holds NaN"),
    ],
)
def test_damaged_factors_get_a_sentence(make_cloud: Maker, tensor: torch.Tensor, sentence: str) -> None:
    tensors = sketch_gaussians(make_cloud(1), embedder="e", min_class_rows=1).to_tensors()
    with pytest.raises(SketchError, match=sentence):
        Sketch.from_tensors({**tensors, "class_factors": tensor})
