"""The page of two datasets."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from supernet_tl.report.class_pictures import class_order, write_pair_page

if TYPE_CHECKING:
    from tests.report.conftest import Page

PageReader = Callable[[Path], "Page"]
Images = Mapping[str, NDArray[np.uint8]]
Table = NDArray[np.float64]


def values_of(coupling: Table | None, between: Table | None, **changes: Any) -> dict[str, Any]:
    """What ``distance.json`` holds."""
    first = coupling if coupling is not None else between
    k_a, k_b = (2, 2) if first is None else first.shape
    labels_a, labels_b = [f"a{row}" for row in range(k_a)], [f"b{column}" for column in range(k_b)]
    nearest = []
    for row in range(k_a):
        told: dict[str, Any] = {"class": labels_a[row], "by_label_distance": None, "by_mass": None}
        if between is not None:
            best = int(between[row].argmin())
            told["by_label_distance"] = {"class": labels_b[best], "distance": float(between[row, best]) ** 0.5}
        if coupling is not None:
            best = int(coupling[row].argmax())
            share = float(coupling[row, best] / coupling[row].sum())
            told["by_mass"] = {"class": labels_b[best], "share": share}
        nearest.append(told)
    dataset = {"kind": "images", "given": "here", "num_images": 1234, "num_rows": 300, "num_classes": k_a}
    pair = {
        "a": "first",
        "b": "second",
        "squared": 6.25,
        "distance": 2.5,
        "distance_spread": 0.2,
        "spread": 1.0,
        "draws": [5.25, 7.25],
        "converged": True,
        "marginal_error": 0.0,
        "dual_gap": 1e-12,
    }
    return {
        "distance": "otdd",
        "rows": 100,
        "num_draws": 2,
        "seed": 0,
        "embedder": "some network",
        "datasets": [{"name": name, **dataset} for name in ("first", "second")],
        "pairs": [{**pair, **changes}],
        "classes": {
            "labels_a": labels_a,
            "labels_b": labels_b,
            "coupling": None if coupling is None else coupling.tolist(),
            "label_distances": None if between is None else between.tolist(),
            "nearest": nearest,
        },
    }


MASS = np.array([[0.0, 0.4, 0.1], [0.5, 0.0, 0.0]])
BETWEEN = np.array([[9.0, 1.0, 4.0], [2.25, 16.0, 25.0]])


@pytest.fixture
def page(tmp_path: Path, read_page: PageReader) -> "Page":
    images: Images = {"a0": np.zeros((3, 8, 8), np.uint8), "b1": np.full((3, 8, 8), 200, np.uint8)}
    return read_page(write_pair_page(tmp_path / "page.html", values_of(MASS, BETWEEN), [images, images]))


def test_the_title_is_the_distance_with_its_spread(page: "Page") -> None:
    assert page.text("h1") == ["first and second: 2.500 ± 0.20 apart"]
    assert "6.25000, draws 5.25000, 7.25000" in page.body


def test_every_mass_tells_its_shares_and_the_largest_is_darkest(page: "Page") -> None:
    titles = {cell["title"]: cell.get("style") for cell in page.attributes("td") if "→" in cell.get("title", "")}
    assert len(titles) == 6
    # oracle: 0.4 of all is 80 % of the 0.5 of a0 and all of b1
    assert titles["a0 → b1: 40.0\u202f% of all mass, 80.0\u202f% of a0, 100.0\u202f% of b1"] == "--s:0.8"
    assert titles["a1 → b0: 50.0\u202f% of all mass, 100.0\u202f% of a1, 100.0\u202f% of b0"] == "--s:1.0"
    assert titles["a1 → b2: none"] is None


def test_label_distances_are_roots_and_the_nearest_are_darkest(page: "Page") -> None:
    titles = {cell["title"]: cell.get("style") for cell in page.attributes("td") if " and " in cell.get("title", "")}
    assert len(titles) == 6
    assert titles["a0 and b1: 1.000"] == "--s:1.0"
    assert titles["a1 and b2: 5.000"] == "--s:0.0"


def test_the_nearest_class_of_each_is_listed_by_distance_and_by_mass(page: "Page") -> None:
    assert ["b1", "1.000", "b1", "80.0 %"] in page.rows("a0")
    assert ["b0", "1.500", "b0", "100.0 %"] in page.rows("a1")


def test_images_stand_in_the_style_sheet_once_each(page: "Page") -> None:
    assert page.source.count("data:image/png;base64,") == 2
    assert page.attributes("i", css="c-a-0")
    assert page.attributes("i", css="c-b-1")
    assert not page.attributes("i", css="c-a-1")
    assert "url(http" not in page.source


def test_what_did_not_converge_is_said(tmp_path: Path, read_page: PageReader) -> None:
    values = values_of(MASS, BETWEEN, converged=False, marginal_error=0.25)
    page = read_page(write_pair_page(tmp_path / "page.html", values, [{}, {}]))
    assert "Not converged (marginal error 0.25), so the number is not the distance." in page.body


def test_without_a_coupling_or_labels_the_page_shows_what_there_is(tmp_path: Path, read_page: PageReader) -> None:
    page = read_page(write_pair_page(tmp_path / "page.html", values_of(None, BETWEEN), [{}, {}]))
    assert "How far the classes lie apart" in page.text("h2")
    assert "Which class goes to which" not in page.text("h2")
    assert ["b1", "1.000"] in page.rows("a0")
    page = read_page(write_pair_page(tmp_path / "page.html", values_of(None, None), [{}, {}]))
    assert page.text("h2") == ["Behind the numbers"]


def test_a_negative_debiased_value_stands_under_its_root(tmp_path: Path, read_page: PageReader) -> None:
    values = values_of(MASS, BETWEEN, squared=-0.5, distance=None, distance_spread=None)
    page = read_page(write_pair_page(tmp_path / "page.html", values, [{}, {}]))
    assert page.text("h1") == ["first and second: √(\u22120.5000) apart"]


def test_names_that_markup_could_trip_over_stay_text(tmp_path: Path, read_page: PageReader) -> None:
    values = values_of(MASS, BETWEEN)
    values["classes"]["labels_a"][0] = values["classes"]["nearest"][0]["class"] = '<b>"a" & </style>'
    page = read_page(write_pair_page(tmp_path / "page.html", values, [{}, {}]))
    assert not page.attributes("b")
    assert '<b>"a" & </style>' in page.text("th", scope="row")


@pytest.mark.parametrize("seed", range(4))
def test_a_shuffled_assignment_is_put_back_onto_the_diagonal(seed: int) -> None:
    generator = np.random.default_rng(seed)
    places_a, places_b = generator.permutation(12), generator.permutation(12)
    between = np.square(np.subtract.outer(places_a, places_b)).astype(np.float64)
    mass = (between == 0) / 12.0
    rows, columns = class_order(mass, between)
    # oracle: the identity, whichever permutation hid it
    assert np.array_equal(mass[np.ix_(rows, columns)], np.eye(12) / 12)


def test_blocks_of_classes_that_exchange_mass_stand_together() -> None:
    block = np.kron(np.eye(3), np.full((2, 3), 1 / 18))
    generator = np.random.default_rng(1)
    mass = block[generator.permutation(6)][:, generator.permutation(9)]
    rows, columns = class_order(mass, None)
    assert np.array_equal(mass[np.ix_(rows, columns)] > 0, block > 0)


def test_an_order_names_every_row_and_column_once_even_where_there_is_one_class() -> None:
    assert class_order(np.array([[1.0]]), np.array([[4.0]])) == ([0], [0])
    assert class_order(np.array([[0.5, 0.5]]), None) == ([0], [0, 1])
    assert class_order(None, None) == ([], [])
    rows, columns = class_order(None, BETWEEN)
    assert (sorted(rows), sorted(columns)) == ([0, 1], [0, 1, 2])
