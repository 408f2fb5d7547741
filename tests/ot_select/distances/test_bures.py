import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ot_select import OTDD, BuresWasserstein, DatasetDistance, DimensionMismatchError, LabelledCloud

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # POT's sources carry invalid escape sequences, of which Python warns once
    import ot

Maker = Callable[..., LabelledCloud]
BURES = BuresWasserstein()


def test_it_is_pots_root_squared_where_covariances_have_full_rank(make_cloud: Maker) -> None:
    a, b = make_cloud(1, counts=(30, 25)), make_cloud(2, counts=(40,), spread=5.0)
    # Oracle: POT, which returns the root.
    root = ot.gaussian.bures_wasserstein_distance(
        a.features.mean(0), b.features.mean(0), np.cov(a.features.T), np.cov(b.features.T)
    )
    result = BURES(a, b)
    assert result.squared == pytest.approx(float(root) ** 2, rel=1e-10)
    assert result.distance == pytest.approx(float(root), rel=1e-10)


@pytest.mark.parametrize("key", ["A2|B2", "A8|B8", "A64|B64", "A512|B512", "A8|A8_shift", "A8|A8_relabel"])
def test_it_agrees_with_the_independent_numbers(reference: Callable[[str], Any], key: str) -> None:
    pair = reference(key)
    expected = pair.whole_gaussian["bw_squared_unbiased_cov_numpy_nuclear"]
    assert BURES(pair.a, pair.b).squared == pytest.approx(expected, rel=1e-10, abs=1e-10)


def test_it_is_a_closed_form_that_says_so_and_looks_at_no_labels(make_cloud: Maker) -> None:
    a, b = make_cloud(1), make_cloud(2)
    result = BURES(a, b)
    assert result.converged
    assert result.marginal_error == result.dual_gap == 0.0
    assert result.label_distances is None
    assert result.coupling is None
    assert result.labels_a == a.classes
    assert result.num_rows == (25, 25)
    assert sorted(result.rows_a.tolist()) == list(range(25))
    shuffled_labels = LabelledCloud(a.features, ["only"] * 25)
    assert BURES(shuffled_labels, b).squared == result.squared


def test_a_shuffled_copy_is_at_distance_zero_to_the_last_bit(make_cloud: Maker) -> None:
    cloud = make_cloud(3, counts=(40, 9), dimension=30)
    order = np.random.default_rng(0).permutation(len(cloud))
    assert BURES(cloud, cloud.take(order)).squared == 0.0


def test_weights_enter_mean_and_covariance(make_cloud: Maker) -> None:
    weights = np.random.default_rng(4).dirichlet(np.ones(25))
    a = make_cloud(4)
    weighted = LabelledCloud(a.features, a.class_indices, weights=weights)
    b = make_cloud(5)
    # Oracle: POT on NumPy's weighted moments.
    root = ot.gaussian.bures_wasserstein_distance(
        weights @ a.features, b.features.mean(0), np.cov(a.features.T, aweights=weights), np.cov(b.features.T)
    )
    assert BURES(weighted, b).squared == pytest.approx(float(root) ** 2, rel=1e-10)


def test_it_bounds_the_features_only_transport_cost_from_below(make_cloud: Maker) -> None:
    # Theorem: Gelbrich 1990, for covariances with divisor n; rows in several copies bring the divisor n - 1 close to n.
    a, b = (make_cloud(seed, counts=(12, 8)).take(np.tile(np.arange(20), 30)) for seed in (6, 7))
    one_label = [LabelledCloud(cloud.features, [0] * len(cloud)) for cloud in (a, b)]
    transport = OTDD(inner="means")(*one_label)
    features_only = transport.squared - float(transport.label_distances[0, 0])
    assert BURES(a, b).squared <= features_only * (1 + 1 / 600)


def test_single_rows_are_points(make_cloud: Maker) -> None:
    a, b = make_cloud(8, counts=(1,)), make_cloud(9, counts=(1,))
    assert BURES(a, b).squared == pytest.approx(np.square(a.features - b.features).sum(), rel=1e-12)


def test_clouds_of_different_dimension_are_refused(make_cloud: Maker) -> None:
    with pytest.raises(DimensionMismatchError, match=r"4 features and cloud b has 5.*same embedder"):
        BURES(make_cloud(1), make_cloud(2, dimension=5))


def test_it_is_a_dataset_distance_with_a_name_for_each_precision() -> None:
    distance: DatasetDistance = BuresWasserstein(precision="float32")
    assert (BURES.name, distance.name) == ("bures", "bures-float32")
