"""One page for several targets and several seeds."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from supernet_tl.report import TargetGroup, build_overview, build_report

if TYPE_CHECKING:
    from tests.report.conftest import Page, RunWriter

WARM_ACCURACIES = (0.401, 0.602, 0.797, 0.85, 0.858, 0.872)
SCRATCH_ACCURACIES = (0.101, 0.102, 0.203, 0.304, 0.405, 0.506)
PageReader = Callable[[Path], "Page"]

SEEDS = (0, 1, 2)


def shifted(accuracies: tuple[float, ...], shift: float) -> tuple[float, ...]:
    return tuple(accuracy + shift for accuracy in accuracies)


@pytest.fixture
def groups(tmp_path: Path, make_run: "RunWriter", make_scratch_run: "RunWriter") -> list[TargetGroup]:
    """Three seeds of a near target, one of a far one; the second name needs quoting in a link."""
    near = [
        make_run(
            tmp_path / f"near {seed}",
            recipe={"seed": seed},
            test_accuracy=0.88 + 0.02 * seed,
            accuracies=shifted(WARM_ACCURACIES, 0.001 * seed),
        )
        for seed in SEEDS
    ]
    scratch = [
        make_scratch_run(
            tmp_path / f"scratch {seed}",
            recipe={"seed": seed},
            test_accuracy=0.80,
            accuracies=shifted(SCRATCH_ACCURACIES, 0.001 * seed),
        )
        for seed in SEEDS
    ]
    far = make_run(tmp_path / "far", target={"name": "textures", "fingerprint": "77" * 32})
    return [
        TargetGroup("digits", {"nearest (mnist5k)": near, "from scratch": scratch}),
        TargetGroup("textures", {"nearest (mnist5k)": far}),
    ]


def test_the_overview_is_written_where_it_was_asked_for(
    groups: list[TargetGroup], tmp_path: Path, read_page: PageReader
) -> None:
    output = tmp_path / "new" / "overview.html"
    assert build_overview("Two targets", groups, output) == output
    page = read_page(output)
    assert page.text("h1") == ["Two targets"]
    assert page.text("h2") == ["digits", "textures"]


def test_seeds_are_given_as_mean_and_standard_deviation(
    groups: list[TargetGroup], tmp_path: Path, read_page: PageReader
) -> None:
    # oracle: 0.88, 0.90, 0.92 have mean 0.90 and sample standard deviation 0.02; relative to 0.80 that is 0.125, 0.025
    cells = read_page(build_overview("title", groups, tmp_path / "overview.html")).text("td")
    assert cells[:2] == ["90.0 % ± 2.0 %", "+12.5 % ± 2.5 %"]
    assert "baseline" in cells


def test_a_single_run_is_given_without_a_spread(
    groups: list[TargetGroup], tmp_path: Path, read_page: PageReader
) -> None:
    page = read_page(build_overview("title", groups[1:], tmp_path / "overview.html"))
    assert page.text("td")[:2] == ["91.4 %", "—"]
    assert "±" not in page.text("table", css="glance")[0]


def test_several_seeds_are_drawn_with_a_band(groups: list[TargetGroup], tmp_path: Path, read_page: PageReader) -> None:
    with_seeds = read_page(build_overview("title", groups[:1], tmp_path / "seeds.html"))
    without = read_page(build_overview("title", groups[1:], tmp_path / "one.html"))
    assert "fill: var(--run-warm); fill-opacity: 0.16" in with_seeds.source
    assert "fill-opacity: 0.16" not in without.source
    assert "3 seeds: mean and range" in with_seeds.body


def test_reports_are_linked_from_where_the_overview_lies(
    groups: list[TargetGroup], tmp_path: Path, read_page: PageReader
) -> None:
    for name in ("near 0", "near 2", "far"):
        build_report(tmp_path / name)
    output = build_overview("title", groups, tmp_path / "deep" / "er" / "overview.html")
    page = read_page(output)
    links = [link["href"] for link in page.attributes("a") if not link["href"].startswith("#")]
    assert links == ["../../near%200/report.html", "../../near%202/report.html", "../../far/report.html"]
    assert all((output.parent / unquote(link)).is_file() for link in links)
    assert "seed 1, no report written" in page.body


def test_scratchs_best_is_that_of_the_same_seed(
    groups: list[TargetGroup], tmp_path: Path, read_page: PageReader
) -> None:
    # oracle: scratch of seed s is best in its sixth epoch, 0.506 + 0.001 s, which the transfer first has in its second
    page = read_page(build_overview("title", groups[:1], tmp_path / "overview.html"))
    warm, scratch = page.text("td")[:7], page.text("td")[7:14]
    assert warm[5:] == ["2 ± 0", "1.0 s ± 0.0 s"]
    assert scratch[5:] == ["6 ± 0", "3.6 s ± 0.0 s"]


def test_an_accuracy_that_some_seeds_never_reach_is_said_so(
    tmp_path: Path, read_page: PageReader, make_run: "RunWriter"
) -> None:
    # oracle: only the first of the two runs ever has 0.85
    runs = [
        make_run(tmp_path / "good", recipe={"seed": 0}),
        make_run(tmp_path / "bad", recipe={"seed": 1}, accuracies=SCRATCH_ACCURACIES),
    ]
    page = read_page(build_overview("title", [TargetGroup("digits", {"warm": runs})], tmp_path / "overview.html"))
    assert page.text("td")[3:5] == ["4 (1 of 2)", "2.0 s (1 of 2)"]


def test_ranking_and_images_of_the_target_are_shown(
    groups: list[TargetGroup], tmp_path: Path, read_page: PageReader
) -> None:
    page = read_page(build_overview("title", groups, tmp_path / "overview.html"))
    assert len(page.attributes("table", css="ranking")) == 2
    assert len(page.attributes("div", css="sheet")) == 4


def test_the_overview_needs_nothing_but_itself_and_the_reports(
    groups: list[TargetGroup], tmp_path: Path, read_page: PageReader
) -> None:
    page = read_page(build_overview("<i>title</i>", groups, tmp_path / "overview.html"))
    assert not [tag for tag, _ in page.elements if tag in ("script", "link", "iframe", "i")]
    assert not [a for _, a in page.elements if a.get("src", a.get("href", "")).startswith(("http:", "https:", "//"))]
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
