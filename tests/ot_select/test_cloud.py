from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array  # type: ignore[import-untyped, unused-ignore]

from ot_select import CloudError, LabelledCloud

ROWS = np.arange(8.0).reshape(4, 2)


def test_features_are_float64_whatever_they_came_as() -> None:
    for features in (ROWS.astype(np.float32), ROWS.astype(int), torch.from_numpy(ROWS).bfloat16(), ROWS.tolist()):
        cloud = LabelledCloud(features, [0, 0, 1, 1])
        assert cloud.features.dtype == np.float64
        assert np.array_equal(cloud.features, ROWS)  # oracle: these values are exact in every dtype above


def test_classes_are_sorted_where_labels_can_be_sorted() -> None:
    assert LabelledCloud(ROWS, [7, 3, 7, -1]).classes == (-1, 3, 7)
    assert LabelledCloud(ROWS, ["b", "a", "c", "a"]).classes == ("a", "b", "c")
    assert LabelledCloud(ROWS, [(1, "x"), (0, "y"), (1, "a"), (0, "y")]).classes == ((0, "y"), (1, "a"), (1, "x"))


def test_classes_stand_in_order_of_first_appearance_where_labels_cannot_be_sorted() -> None:
    assert LabelledCloud(ROWS, ["b", 3, None, 3]).classes == ("b", 3, None)
    # frozensets compare by inclusion, which sorts nothing
    sets = [frozenset({2}), frozenset({1}), frozenset({2}), frozenset({3})]
    assert LabelledCloud(ROWS, sets).classes == (sets[0], sets[1], sets[3])


@pytest.mark.parametrize(
    "labels",
    [
        np.array([5, 2, 5, 9], dtype=np.int16),
        torch.tensor([5, 2, 5, 9]),
        [np.int64(5), torch.tensor(2), 5, np.uint8(9)],
        np.array([5, 2, 5, 9], dtype=object),
    ],
)
def test_array_tensor_and_scalar_labels_count_as_the_values_they_hold(labels: object) -> None:
    cloud = LabelledCloud(ROWS, labels)  # type: ignore[arg-type]
    assert cloud.classes == (2, 5, 9)
    assert cloud.class_indices.tolist() == [1, 0, 1, 2]
    assert cloud.class_counts.tolist() == [1, 2, 1]


def test_class_names_may_be_a_list_in_class_order_or_a_mapping_with_further_labels() -> None:
    assert LabelledCloud(ROWS, [1, 0, 1, 0], ["zero", "one"]).class_names == ("zero", "one")
    assert LabelledCloud(ROWS, [1, 3, 1, 3], dict(enumerate("abcd"))).class_names == ("b", "d")
    assert LabelledCloud(ROWS, [1, 3, 1, 3]).class_names == ("1", "3")


def test_a_cloud_is_frozen_to_the_bottom_and_does_not_share_the_arrays_it_was_made_from() -> None:
    features = ROWS.copy()
    cloud = LabelledCloud(features, [0, 0, 1, 1])
    features[0, 0] = 99.0
    assert cloud.features[0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        cloud.features[0, 0] = 1.0


@pytest.mark.parametrize(
    ("features", "labels", "sentence"),
    [
        (ROWS, [0, 1, 0], r"4 feature rows but 3 labels\. Give exactly one label for every row"),
        (np.empty((0, 2)), [], r"shape \(0, 2\), so there is nothing to compare"),
        (np.empty((2, 0)), [0, 1], r"shape \(2, 0\), so there is nothing to compare"),
        (np.zeros(3), [0, 1, 2], r"shape \(3,\), but a table of shape \(rows, features\) is needed"),
        (np.zeros((2, 3, 4)), [0, 1], r"shape \(2, 3, 4\), but a table"),
        ([["x"], ["y"]], [0, 1], "cannot be read as real numbers"),
        (
            np.array([[0.0], [np.nan], [np.inf]]),
            [0, 1, 1],
            "2 of 3 feature rows hold NaN or infinity, the first is row 1",
        ),
        (ROWS, np.eye(4), r"labels have shape \(4, 4\).*argmax"),
        (ROWS, 3, "labels are 3, but a sequence"),
        (ROWS, [0, float("nan"), 1, 1], "label of row 1 is nan, which cannot name a class"),
        (ROWS, [0, 1, [2], 3], r"label of row 2 is \[2\]"),
        (ROWS, [0, 1, 2, ([3],)], r"label of row 3 is \(\[3\],\)"),
        (ROWS, [0, torch.zeros(2), 1, 1], "label of row 1 is tensor"),
    ],
)
def test_what_is_no_labelled_cloud_gets_a_sentence(features: object, labels: object, sentence: str) -> None:
    with pytest.raises(CloudError, match=sentence):
        LabelledCloud(features, labels)  # type: ignore[arg-type]


class Unequal:
    """A label whose comparison with another raises."""

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        raise ValueError("no comparison")

    def __repr__(self) -> str:
        return "Unequal()"


class Unordered:
    """A label that cannot be sorted, and says so in its own way."""

    def __lt__(self, other: object) -> bool:
        raise ValueError("no order")


TABLE = np.ones((2, 2))


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        (TABLE * 1j, "features cannot be read as real numbers.*complex128"),
        (torch.ones(2, 2, dtype=torch.complex64), "features are complex, but real numbers are needed"),
        (np.ma.masked_array(TABLE, mask=np.eye(2, dtype=bool)), "features are an array with masked entries"),
        (torch.ones(2, 2).to_sparse(), r"features are sparse.*Give \.to_dense\(\)"),
        (csr_array(TABLE), r"features are sparse.*Give \.toarray\(\)"),
        (torch.empty(2, 2, device="meta"), "features are a meta tensor, which holds no numbers"),
        ([torch.ones(2, requires_grad=True), torch.ones(2)], "features cannot be read as real numbers.*requires grad"),
        ([[10**400, 1], [1, 1]], "features cannot be read as real numbers.*int too large"),
        (np.array([["2020-01-01"] * 2] * 2, dtype="datetime64[D]"), "cannot be read as real numbers.*datetime64"),
    ],
    ids=str,
)
def test_containers_that_would_be_read_as_something_else_get_a_sentence(features: Any, sentence: str) -> None:
    with pytest.raises(CloudError, match=sentence):
        LabelledCloud(features, [0, 1])


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ({3, 5}, "labels are a set, which has no row for each"),
        ({3: 0, 5: 1}, "labels are a dict, which has no row for each"),
        (np.array(["NaT", "2020"], dtype="datetime64[ns]"), r"label of row 0 is (np|numpy)\.datetime64\('NaT'"),
        (list(np.array(["2020", "NaT"], dtype="datetime64[D]")), "label of row 1 .* cannot name a class"),
        (np.ma.masked_array([1, 2], mask=[False, True]), "labels are an array with masked entries"),
        ([Decimal("sNaN"), 1], r"label of row 0 is Decimal\('sNaN'\), which cannot name a class"),
        ([Unequal(), Unequal()], "label of row 0 .* cannot name a class"),
    ],
    ids=str,
)
def test_labels_that_name_no_classes_get_a_sentence(labels: Any, sentence: str) -> None:
    with pytest.raises(CloudError, match=sentence):
        LabelledCloud(TABLE, labels)


def test_labels_whose_order_raises_stand_in_order_of_first_appearance() -> None:
    first, second = Unordered(), Unordered()
    assert LabelledCloud(TABLE, [second, first]).classes == (second, first)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (5, "class_names is 5, but one name a class in class order"),
        ("ab", "class_names is 'ab', but one name a class in class order"),
        ([1, 2], "class name 1 is no text. Give for instance '1'"),
        ({0: "x", 1: None}, "class name None is no text"),
    ],
)
def test_class_names_that_are_no_names_get_a_sentence(names: Any, sentence: str) -> None:
    with pytest.raises(CloudError, match=sentence):
        LabelledCloud(TABLE, [0, 1], class_names=names)


def test_class_names_that_do_not_fit_get_a_sentence() -> None:
    with pytest.raises(CloudError, match="3 class names for 2 classes that occur"):
        LabelledCloud(ROWS, [0, 1, 0, 1], ["a", "b", "c"])
    with pytest.raises(CloudError, match=r"class_names lacks the labels \[1\]"):
        LabelledCloud(ROWS, [0, 1, 0, 1], {0: "zero"})


# Weights.


def test_rows_carry_equal_weights_unless_told_otherwise() -> None:
    cloud = LabelledCloud(ROWS, [0, 0, 1, 1])
    assert cloud.weights.tolist() == [0.25] * 4
    assert cloud.equally_weighted
    assert LabelledCloud(ROWS, [0, 0, 1, 1], weights=torch.full((4,), 0.25)).equally_weighted


def test_weights_a_little_off_are_divided_by_their_sum() -> None:
    given = np.array([0.1, 0.2, 0.3, 0.4]) * (1 + 5e-7)
    cloud = LabelledCloud(ROWS, [0, 0, 1, 1], weights=given)
    assert np.allclose(cloud.weights, [0.1, 0.2, 0.3, 0.4], rtol=1e-15, atol=0)
    assert not cloud.equally_weighted
    with pytest.raises(ValueError, match="read-only"):
        cloud.weights[0] = 1.0


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ([0.5, 0.5], r"weights have shape \(2,\), but there are 4 feature rows"),
        ([0.5, 0.5, 0.5, 0.5], r"weights sum to 2, but shares of the mass.*Give weights / weights\.sum\(\)"),
        ([0.5, 0.5, 0.0, 0.0], r"2 of 4 weights are not finite numbers above 0, the first is 0\.0 of row 2"),
        ([0.5, np.nan, 0.25, 0.25], "1 of 4 weights are not finite numbers above 0, the first is nan of row 1"),
        ([0.75, 0.75, -0.25, -0.25], r"2 of 4 weights are not finite numbers above 0, the first is -0\.25 of row 2"),
        (["a"] * 4, "weights cannot be read as real numbers"),
    ],
)
def test_what_are_no_weights_gets_a_sentence(weights: object, sentence: str) -> None:
    with pytest.raises(CloudError, match=sentence):
        LabelledCloud(ROWS, [0, 0, 1, 1], weights=weights)  # type: ignore[arg-type]


def test_taking_rows_keeps_their_labels_names_and_relative_weights() -> None:
    cloud = LabelledCloud(ROWS, ["c", "a", "b", "a"], weights=[0.1, 0.2, 0.3, 0.4])
    taken = cloud.take(np.array([3, 0]))
    assert taken.features.tolist() == [[6.0, 7.0], [0.0, 1.0]]
    assert [taken.classes[index] for index in taken.class_indices] == ["a", "c"]
    assert taken.class_names == ("a", "c")
    assert taken.weights == pytest.approx([0.8, 0.2])  # oracle: 0.4 and 0.1 over their sum
    with pytest.raises(CloudError, match="No rows were chosen"):
        cloud.take(np.array([], dtype=np.int64))


# Devices.


def test_a_cloud_remembers_where_its_features_came_from() -> None:
    assert LabelledCloud(ROWS, [0, 0, 1, 1]).device == torch.device("cpu")
    assert LabelledCloud(torch.from_numpy(ROWS), [0, 0, 1, 1]).device == torch.device("cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_cloud_of_a_tensor_on_a_gpu_remembers_the_gpu() -> None:
    cloud = LabelledCloud(torch.from_numpy(ROWS).cuda(), torch.tensor([0, 0, 1, 1]).cuda())
    assert cloud.device.type == "cuda"
    assert cloud.take(np.array([0])).device == cloud.device
    assert np.array_equal(cloud.features, ROWS)
