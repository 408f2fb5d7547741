"""The page of all distances between several datasets."""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from supernet_tl.report.heat_map import write_distances_page

if TYPE_CHECKING:
    from tests.report.conftest import Page

PageReader = Callable[[Path], "Page"]


def pair(a: str, b: str, squared: float, **changes: Any) -> dict[str, Any]:
    root = squared**0.5 if squared >= 0 else None
    values = {"a": a, "b": b, "squared": squared, "distance": root, "spread": 2.0, "converged": True}
    return {**values, "distance_spread": 1 / root if root else None, **changes}


def values_of(places: dict[str, float], **changes: Any) -> dict[str, Any]:
    """What ``distances.json`` holds of datasets that lie on a line."""
    pairs = [pair(a, b, (places[a] - places[b]) ** 2) for a, b in combinations(places, 2)]
    nearest = []
    for name in places:
        closest = min((item for item in pairs if name in (item["a"], item["b"])), key=lambda item: item["squared"])
        other = closest["b"] if closest["a"] == name else closest["a"]
        nearest.append({"name": name, "nearest": other, **{key: closest[key] for key in ("squared", "distance")}})
    dataset = {"kind": "images", "given": "here", "num_images": 1234, "num_rows": 300, "num_classes": 7}
    return {
        "distance": "otdd",
        "rows": 100,
        "num_draws": 3,
        "seed": 0,
        "embedder": "some network",
        "datasets": [{"name": name, **dataset} for name in places],
        "pairs": pairs,
        "nearest": nearest,
        **changes,
    }


PLACES = {"m": 50.0, "a": 0.0, "n": 53.0, "b": 2.0}


@pytest.fixture
def page(tmp_path: Path, read_page: PageReader) -> "Page":
    return read_page(write_distances_page(tmp_path / "page.html", values_of(PLACES)))


def test_the_title_names_the_pair_that_lies_nearest(page: "Page") -> None:
    assert page.text("h1") == ["Distances between 4 datasets: a and b lie nearest, 2.00 apart"]


def test_datasets_stand_in_the_order_of_the_dendrogram_in_rows_and_columns_alike(page: "Page") -> None:
    columns = [name for name in page.text("th", scope="col") if name in PLACES]
    rows = [name for name in page.text("th", scope="row") if name in PLACES][:4]
    # oracle: the order on the line, from whichever end
    assert rows == columns
    assert rows in (["a", "b", "m", "n"], ["n", "m", "b", "a"])
    assert len(page.attributes("polyline")) == 3


def test_every_cell_is_the_distance_of_its_pair_and_the_nearest_are_darkest(page: "Page") -> None:
    titles = {cell["title"]: cell.get("style") for cell in page.attributes("td") if "title" in cell}
    assert len(titles) == 16
    assert titles["a and b: 2.00 ± 0.50"] == "--s:1.0"
    assert titles["b and a: 2.00 ± 0.50"] == "--s:1.0"
    assert titles["a and n: 53.00 ± 0.02"] == "--s:0.0"
    assert titles["a: 0 from itself"] is None


def test_the_nearest_of_each_and_all_pairs_are_listed(page: "Page") -> None:
    assert ["b", "2.00"] in page.rows("a")
    assert ["n", "3.00"] in page.rows("m")
    assert ["b", "2.00", "0.50", "4.000"] in page.rows("a")
    assert "100 rows of each dataset in every comparison, mean of 3 seeded draws" in page.body


def test_what_did_not_converge_is_said_and_marked(tmp_path: Path, read_page: PageReader) -> None:
    values = values_of(PLACES)
    values["pairs"][0]["converged"] = False
    page = read_page(write_distances_page(tmp_path / "page.html", values))
    assert "1 of 6 pairs did not converge, so their numbers are not distances" in page.body
    assert ["a", "50.00 (not converged)", "0.02", "2,500"] in page.rows("m")


def test_a_negative_value_has_no_root_and_says_so(tmp_path: Path, read_page: PageReader) -> None:
    values = values_of(PLACES)
    values["pairs"][3:4] = [pair("a", "n", -0.25)]
    values["nearest"][1] |= {"nearest": "n", "squared": -0.25, "distance": None}
    page = read_page(write_distances_page(tmp_path / "page.html", values))
    assert ["n", "√(\u22120.2500)"] in page.rows("a")
    assert page.text("h1")[0].startswith("Distances between 4 datasets: a and n lie nearest, √(\u22120.2500) apart")


@pytest.mark.parametrize("count", [3, 33, 60])
def test_many_datasets_with_names_that_markup_could_trip_over(
    count: int, tmp_path: Path, read_page: PageReader
) -> None:
    places = {f"<b>set & {index}</b> " + "x" * 200: index**1.5 for index in range(count)}
    page = read_page(write_distances_page(tmp_path / "page.html", values_of(places)))
    assert not page.attributes("b")
    assert len([cell for cell in page.attributes("td") if "title" in cell]) == count**2
    assert not [tag for tag, _ in page.elements if tag in ("script", "link", "iframe", "object", "embed")]
