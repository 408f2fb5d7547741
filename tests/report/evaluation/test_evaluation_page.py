"""The page of an evaluation has its numbers, honestly, and each with the jobs it comes from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from supernet_tl.report import ReportError
from supernet_tl.report.evaluation import write_evaluation_page
from supernet_tl.report.wording import percent, signed_percent

if TYPE_CHECKING:
    from tests.report.conftest import Page
    from tests.report.evaluation.conftest import Builder, Evaluation

    Reader = Callable[[Path], Page]


@pytest.fixture(scope="module")
def page(page_file: Path, read_page: Reader) -> Page:
    return read_page(page_file)


@pytest.fixture
def write(build: Builder, tmp_path: Path, read_page: Reader) -> Callable[..., Page]:
    """Builds an evaluation and reads its page."""
    return lambda *args, **settings: read_page(write_evaluation_page(tmp_path / "page.html", *build(*args, **settings)))


def job_names(page: Page) -> list[str]:
    names: list[str] = json.loads(page.text("script", id="jobs")[0])
    return names


def references(page: Page) -> Iterator[tuple[str, list[int]]]:
    """The tag of everything that says which jobs it comes from, with their numbers."""
    for tag, attributes in page.elements:
        if "data-jobs" in attributes:
            ends = [part.split("-") for part in attributes["data-jobs"].split()]
            yield tag, [number for end in ends for number in range(int(end[0]), int(end[-1]) + 1)]


def table_cells(page: Page, name: str) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """The cells of a table with their attributes, by the head of their row."""
    found: dict[str, list[tuple[str, dict[str, str]]]] = {}
    inside, head = False, ""
    for (tag, attributes), text in zip(page.elements, page.texts, strict=True):
        if tag == "table":
            inside = attributes.get("data-name") == name
        elif inside and tag == "th" and attributes.get("scope") == "row":
            head = text
            found[head] = []
        elif inside and tag == "td":
            found[head].append((text, attributes))
    return found


@pytest.mark.parametrize("part", ["network", "supernet"])
def test_table_1_has_the_mean_and_spread_of_every_target_and_method(
    page: Page, evaluation: Evaluation, part: str
) -> None:
    summary, _ = evaluation
    shown = table_cells(page, f"improvement-{part}")
    lines = [line for line in summary["table1"] if line["part"] == part]
    assert list(shown) == [line["target"] for line in lines]
    for line in lines:
        cells = [cell for method, cell in line["cells"].items() if method != "scratch"]
        expected = [f"{signed_percent(cell['mean'])} ± {100 * cell['spread']:.1f}" for cell in cells]
        assert [text for text, _ in shown[line["target"]]][: len(expected)] == expected


def test_a_number_of_table_1_refers_to_the_jobs_that_the_summary_names(page: Page, evaluation: Evaluation) -> None:
    summary, _ = evaluation
    names = job_names(page)
    line = next(line for line in summary["table1"] if line["part"] == "network")
    shown = table_cells(page, "improvement-network")[line["target"]]
    columns = [method["name"] for method in summary["methods"] if method["name"] in line["cells"]][1:]
    for method, (_, attributes) in zip(columns, shown, strict=True):
        ends = [part.split("-") for part in attributes["data-jobs"].split()]
        jobs = {names[number] for end in ends for number in range(int(end[0]), int(end[-1]) + 1)}
        assert jobs == set(line["cells"][method]["jobs"])


def test_every_reference_is_to_a_job_with_a_row_of_its_own(page: Page) -> None:
    names = job_names(page)
    rows = {attributes["id"] for attributes in page.attributes("tr") if "id" in attributes}
    assert rows == {f"job-{name}" for name in names}
    found = list(references(page))
    assert {tag for tag, _ in found} == {"div", "td", "tr", "g"}
    assert all(0 <= number < len(names) for _, numbers in found for number in numbers)
    assert all(numbers for _, numbers in found)


def test_every_number_of_the_tables_of_results_says_where_it_comes_from(page: Page) -> None:
    for name in ("improvement-network", "overall-network", "correlation-supernet", "training"):
        for cells in table_cells(page, name).values():
            assert all("data-jobs" in attributes for text, attributes in cells if any(map(str.isdigit, text)))


def test_every_run_has_its_row_and_its_number(page: Page, evaluation: Evaluation) -> None:
    summary, _ = evaluation
    shown = table_cells(page, "runs")
    assert len(shown) == len(summary["runs"])
    for number, run in enumerate(summary["runs"]):
        texts = [text for text, _ in shown[str(number)]]
        assert texts[:3] == [run["target"], str(run["seed"]), run["arm"]]
        assert texts[-1] == run["job"]
        assert percent(run["network"]["test_accuracy"]) in texts


def test_the_headline_gives_the_means_of_both_parts(page: Page, evaluation: Evaluation) -> None:
    summary, _ = evaluation
    overall = {(line["method"], line["part"]): signed_percent(line["mean_ri"]) for line in summary["overall"]}
    tiles = page.text("dd", css="value")
    methods = ("by nearest", "mixture", "oracle", "random source")
    assert tiles == [" ".join(overall[method, "network"].split()) for method in methods]
    for method in methods:
        assert " ".join(overall[method, "supernet"].split()) in page.body
    assert "84 of 84 jobs" not in page.body  # runs are not all jobs
    assert f"{len(job_names(page))} of {len(job_names(page))} jobs finished" in page.body
    assert "Not complete" not in page.body


def test_a_loss_is_called_a_loss(write: Callable[..., Page]) -> None:
    page = write(gain=-0.2)
    assert "loses" in page.text("h1")[0]
    assert " gains " not in page.text("h1")[0]
    negative = page.text("td", css="negative")
    assert negative
    assert all(text.startswith("\u2212") for text in negative)  # told without the colour


def test_no_positive_number_is_marked_as_a_loss(page: Page) -> None:
    plain = [
        text
        for (tag, attributes), text in zip(page.elements, page.texts, strict=True)
        if tag == "td" and "class" not in attributes
    ]
    assert not [text for text in plain if text.startswith("\u2212")]


def test_a_figure_marks_every_source_and_method_of_every_target(page: Page, evaluation: Evaluation) -> None:
    summary, _ = evaluation
    shapes = [attributes["href"] for attributes in page.attributes("use")]
    sources = {(run["target"], run["source"]) for run in summary["runs"] if run["arm"] == "source"}
    targets, sizes = len(summary["datasets"]), 2 * len(summary["source_sizes"])
    assert shapes.count("#mark-dot") == 2 * len(sources) + sizes + 1  # both parts, the size figures, the legend
    assert shapes.count("#mark-ring") == 2 * targets + 1
    marks = {
        attributes["id"] for attributes in page.attributes("circle") + page.attributes("path") if "id" in attributes
    }
    assert {shape.removeprefix("#") for shape in shapes} <= marks


def test_pictures_are_told_to_those_who_do_not_see_them(page: Page) -> None:
    pictures = page.attributes("svg", role="img")
    assert len(pictures) > 10
    assert all(len(picture["aria-label"]) > 20 for picture in pictures)


def test_the_page_asks_nothing_of_any_network(page: Page, page_file: Path) -> None:
    loading = [attributes[key] for _, attributes in page.elements for key in ("src", "href") if key in attributes]
    assert all(address.startswith("#") for address in loading)
    source = page_file.read_text(encoding="utf-8")
    assert not [word for word in ("http://", "https://", "@import", "url(", "fetch(") if word in source]
    assert page.attributes("meta")[2]["content"].startswith("default-src 'none'")


HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


def test_hostile_names_and_errors_are_text(build: Builder, tmp_path: Path, read_page: Reader) -> None:
    names = ("digits", HOSTILE, "</script><b>", "{{ 7 * 7 }}")
    job = {"job": f"run-{HOSTILE}", "kind": "run", "tags": {}, "why": "failed", "error": f"bad {HOSTILE}"}
    summary, outcomes = build(names, (0,), missing=[job])
    summary["methods"][1]["title"] = summary["methods"][1]["explained"] = HOSTILE
    page = read_page(write_evaluation_page(tmp_path / "page.html", summary, outcomes))
    assert not page.attributes("img")
    assert len(page.attributes("script")) == 2  # the jobs, and the page's own
    assert not [attributes for _, attributes in page.elements if any(key.startswith("on") for key in attributes)]
    assert "49" not in table_cells(page, "improvement-network")
    assert set(table_cells(page, "improvement-network")) == set(names)
    assert f"bad {HOSTILE}" in page.text("pre", css="error")
    assert set(job_names(page)) >= {run["job"] for run in summary["runs"]}


def test_an_incomplete_evaluation_says_what_is_missing(write: Callable[..., Page]) -> None:
    jobs = [
        {"job": "run-one", "kind": "run", "tags": {}, "why": "failed", "error": "the loss is not finite"},
        {"job": "run-two", "kind": "run", "tags": {}, "why": "waits for run-one", "error": None},
    ]
    page = write(missing=jobs, without=lambda target, seed, arm: target == "digits" and seed == 1)
    (banner,) = page.text("div", css="missing")
    assert "Not complete: 2 of " in banner
    assert "run-one: failed — the loss is not finite" in banner
    assert "run-two: waits for run-one" in banner
    assert all(text.endswith("(2 of 3)") for text, _ in table_cells(page, "improvement-network")["digits"])
    assert not any(text.endswith("(2 of 3)") for text, _ in table_cells(page, "improvement-network")["letters"])
    assert page.text("pre", css="error") == ["the loss is not finite"]


def test_an_evaluation_of_which_nothing_is_finished_has_a_page(write: Callable[..., Page]) -> None:
    page = write(without=lambda target, seed, arm: True)
    assert "nothing can be said of it" in page.body
    assert page.body.count("Nothing of this is finished yet.") >= 3


def test_a_single_seed_has_no_spread(write: Callable[..., Page]) -> None:
    page = write(seeds=(0,))
    assert not [text for cells in table_cells(page, "improvement-network").values() for text, _ in cells if "±" in text]
    assert "nothing is known of the spread" in page.body
    assert not page.attributes("line", css="whisker")
    assert not page.attributes("polygon")


def test_an_evaluation_of_nearest_alone_has_a_page(write: Callable[..., Page]) -> None:
    page = write(methods=("scratch", "by nearest"), with_sources=False)
    assert len(page.text("dd", css="value")) == 1
    assert "does not start from every single source" in page.body  # nothing to correlate
    shapes = [attributes["href"] for attributes in page.attributes("use")]
    assert "#mark-diamond" in shapes
    assert not {"#mark-dot", "#mark-ring", "#mark-square"} & set(shapes)
    assert len(page.attributes("svg", css="lines")) == 8  # four targets, search and final training


def test_cells_are_of_scratch_and_of_the_choice_with_the_same_seed(page: Page, evaluation: Evaluation) -> None:
    summary, _ = evaluation
    names = job_names(page)
    runs = {run["job"]: run for run in summary["runs"]}
    sides = [runs[names[int(side["data-jobs"])]] for side in page.attributes("div", css="side")]
    for scratch, warm in zip(sides[::2], sides[1::2], strict=True):
        assert (scratch["arm"], warm["arm"]) == ("scratch", "source")
        assert (scratch["target"], scratch["seed"]) == (warm["target"], warm["seed"])
        value = next(
            value
            for value in summary["values"]
            if (value["method"], value["target"], value["seed"]) == ("by nearest", warm["target"], warm["seed"])
        )
        assert warm["source"] == value["source"]


def test_a_summary_of_another_schema_is_refused(evaluation: Evaluation, tmp_path: Path) -> None:
    summary: dict[str, Any] = {**evaluation[0], "schema_version": 2}
    with pytest.raises(ReportError, match=r"has schema_version 2; this version reads 1"):
        write_evaluation_page(tmp_path / "page.html", summary, evaluation[1])
    assert not (tmp_path / "page.html").exists()


def test_three_hundred_runs_of_25_epochs_stay_below_three_megabytes(build: Builder, tmp_path: Path) -> None:
    summary, outcomes = build([f"dataset{index}" for index in range(9)], epochs=25)
    assert len(summary["runs"]) >= 300
    assert write_evaluation_page(tmp_path / "page.html", summary, outcomes).stat().st_size < 3_000_000


def test_a_choice_that_looked_at_other_targets_refers_to_their_runs_too(
    build: Builder, tmp_path: Path, read_page: Reader
) -> None:
    summary, outcomes = build(seeds=(0,))
    looked_at = {"kind": "run", "arm": ["scratch", "source"], "seed": 0, "target": ["letters", "faces"]}
    for value in summary["values"]:
        value["looked_at"] = looked_at if (value["method"], value["target"]) == ("oracle", "digits") else None
    page = read_page(write_evaluation_page(tmp_path / "page.html", summary, outcomes))
    column = [method["name"] for method in summary["methods"]].index("oracle") - 1
    numbers = table_cells(page, "improvement-network")["digits"][column][1]["data-jobs"]
    ends = [part.split("-") for part in numbers.split()]
    names = job_names(page)
    jobs = {names[number] for end in ends for number in range(int(end[0]), int(end[-1]) + 1)}
    expected = {
        run["job"]
        for run in summary["runs"]
        if run["target"] in ("letters", "faces") and run["arm"] in ("scratch", "source")
    }
    assert expected < jobs
