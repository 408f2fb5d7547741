"""What every dataset distance gives back."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ot_select import LabelledCloud, OptionError, class_coupling, otdd

Maker = Callable[..., LabelledCloud]


def test_the_class_coupling_is_the_coupling_summed_over_the_rows_of_each_class(make_cloud: Maker) -> None:
    a, b = make_cloud(0, counts=(9, 6, 4)), make_cloud(1, counts=(7, 5))
    result = otdd(a, b, keep_coupling=True)
    assert result.coupling is not None
    # oracle: one addition at a time, over the rows that the result names
    expected = np.zeros((3, 2))
    for i, row_a in enumerate(result.rows_a):
        for j, row_b in enumerate(result.rows_b):
            k = result.labels_a.index(a.classes[a.class_indices[row_a]])
            m = result.labels_b.index(b.classes[b.class_indices[row_b]])
            expected[k, m] += result.coupling[i, j]
    found = class_coupling(result, a, b)
    assert found == pytest.approx(expected, abs=1e-14)
    assert found.sum(axis=1) == pytest.approx(np.array([9, 6, 4]) / 19)


def test_a_class_keeps_its_mass_in_a_dataset_compared_with_itself(make_cloud: Maker) -> None:
    cloud = make_cloud(2, counts=(8, 3, 5))
    found = class_coupling(otdd(cloud, cloud, keep_coupling=True), cloud, cloud)
    # oracle: every row stays where it is, so classes do
    assert found == pytest.approx(np.diag([8, 3, 5]) / 16)


def test_rows_that_were_drawn_or_dropped_are_counted_under_their_own_class(make_cloud: Maker) -> None:
    a, b = make_cloud(3, counts=(30, 20, 1)), make_cloud(4, counts=(25, 25))
    result = otdd(a, b, max_samples=20, drop_singletons=True, keep_coupling=True)
    found = class_coupling(result, a, b)
    # oracle: the rows that the result names, counted by class
    counts = np.bincount(a.class_indices[result.rows_a])
    assert found.sum(axis=1) == pytest.approx(counts / counts.sum())
    assert len(result.labels_a) == len(found) == 2


def test_without_a_coupling_there_is_nothing_to_sum(make_cloud: Maker) -> None:
    a, b = make_cloud(5), make_cloud(6)
    with pytest.raises(OptionError, match=r"holds no coupling.*keep_coupling=True"):
        class_coupling(otdd(a, b), a, b)


def test_other_clouds_than_those_compared_are_refused(make_cloud: Maker) -> None:
    a, b = make_cloud(5), make_cloud(6)
    result = otdd(a, b, keep_coupling=True)
    with pytest.raises(OptionError, match=r"cloud a, LabelledCloud.* does not have\. Give the two clouds"):
        class_coupling(result, make_cloud(7, counts=(2, 2)), b)
    renamed = replace(result, labels_b=("x", "y", "z"))
    with pytest.raises(OptionError, match="cloud b, LabelledCloud"):
        class_coupling(renamed, a, b)
