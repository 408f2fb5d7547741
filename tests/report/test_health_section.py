"""The data health section of a run's page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from supernet_tl.data.health import ClassCount, DataHealth, Finding, Severity, Sighting, Spread
from supernet_tl.files import write_json
from supernet_tl.report import ReportError, build_report

HOSTILE = "<script>alert('ant')</script>"


def made_health(num_classes: int = 2) -> DataHealth:
    classes = tuple(
        ClassCount(
            HOSTILE if label == 0 else f"class {label}",
            40 - label,
            {"search": 20 - label, "validation": 10, "test": 10, "unused": 0},
        )
        for label in range(num_classes)
    )
    leak = (Sighting(3, "ant/3.png", HOSTILE, "search"), Sighting(70, "<i>/70.png", "class 1", "test"))
    findings = (
        Finding("test_leak", Severity.WARNING, "1 of 20 test images is shown in search too.", 1, (leak,)),
        Finding("few_images", Severity.NOTE, f"1 class has fewer than 10 images: {HOSTILE}.", 1),
    )
    return DataHealth(
        "made", 79, classes, Spread(8, 12.5, 30), Spread(9, 9.0, 9), 4, {"PNG RGB": 75, "PNG L": 4}, findings
    )


@pytest.fixture
def examined_run(transfer_run: Path) -> Path:
    """A finished run that keeps what was found of its target, with pictures of the leak."""
    write_json(transfer_run / "health.json", made_health().to_dict())
    pictures = np.random.default_rng(0).integers(0, 256, (2, 3, 48, 48), dtype=np.uint8)
    save_file({"indices": np.array([3, 70]), "images": pictures}, transfer_run / "health.safetensors")
    return transfer_run


def test_the_section_tells_findings_and_counts(examined_run: Path, read_page: Callable[[Path], Any]) -> None:
    page = read_page(build_report(examined_run))
    assert "Data health" in page.text("h2")
    assert "79 images, 2 classes (39 to 40): 1 warning and 1 note." in page.text("p")
    assert page.text("span", css="warning") == ["warning"]
    assert page.rows("class 1")[0][-1] == "39"
    assert (
        "Width 8 to 30, median 12.5, height 9 pixels. Without colour: 4 of 79. Formats: PNG RGB (75), PNG L (4)."
        in (page.text("p"))
    )


def test_the_headline_does_not_call_test_images_unseen_that_were_seen(
    transfer_run: Path, read_page: Callable[[Path], Any]
) -> None:
    health = made_health()
    near = Finding("near_test_leak", Severity.WARNING, "3 of 20 test images are nearly the same.", 3)
    for found, ending in (
        ((), " on test images never seen"),
        ((replace(near, severity=Severity.NOTE),), " on test images never seen"),  # so few may be alike by nature
        (health.findings, " on test images, 1 of them in search or validation too"),
        ((near,), " on test images, 3 of them nearly as in search or validation"),
    ):
        write_json(transfer_run / "health.json", replace(health, findings=found).to_dict())
        (headline,) = read_page(build_report(transfer_run)).text("h1")
        assert headline.endswith(ending)


def test_a_finding_says_how_many_of_how_many_its_examples_show(
    transfer_run: Path, read_page: Callable[[Path], Any]
) -> None:
    health = made_health()
    leak = health.findings[0]
    for num_shown, told in ((None, False), (1, True), (5, False)):
        some = replace(leak, count=5, num_shown=num_shown)
        write_json(transfer_run / "health.json", replace(health, findings=(some,)).to_dict())
        assert ("1 of 5 shown" in read_page(build_report(transfer_run)).text("p")) == told


def test_bars_are_as_long_as_their_parts(examined_run: Path, read_page: Callable[[Path], Any]) -> None:
    page = read_page(build_report(examined_run))
    # Oracle: by hand. The largest class has 40 images: 20 searched, 10 validation, 10 test are 50, 25 and 25 percent.
    starts = [float(rect["x"]) for rect in page.attributes("rect", css="validation")]
    lengths = [float(rect["width"]) for rect in page.attributes("rect", css="test")]
    assert (starts, lengths) == ([50.0, 47.5], [25.0, 25.0])
    assert not page.attributes("rect", css="unused")  # no image is
    assert "search 19, validation 10, test 10" in [svg.get("aria-label") for svg in page.attributes("svg")]


def test_examples_are_pictured_side_by_side(examined_run: Path, read_page: Callable[[Path], Any]) -> None:
    page = read_page(build_report(examined_run))
    captions = page.text("figcaption")
    assert f"ant/3.png {HOSTILE}, search" in captions
    assert "<i>/70.png class 1, test" in captions
    with_pictures = page.source.count("data:image/png;base64,")
    (examined_run / "health.safetensors").unlink()
    assert read_page(build_report(examined_run)).source.count("data:image/png;base64,") == with_pictures - 2


def test_hostile_names_are_text(examined_run: Path, read_page: Callable[[Path], Any]) -> None:
    page = read_page(build_report(examined_run))
    assert not page.attributes("script")
    assert HOSTILE not in page.source
    assert page.rows(HOSTILE)[0][-1] == "40"


def test_of_many_classes_the_largest_and_the_smallest_are_drawn(
    transfer_run: Path, read_page: Callable[[Path], Any]
) -> None:
    write_json(transfer_run / "health.json", made_health(num_classes=30).to_dict())
    page = read_page(build_report(transfer_run))
    assert len(page.attributes("rect", css="search")) == 16
    assert "… 14 classes between" in page.text("th", scope="row")
    assert page.rows("class 29")[0][-1] == "11"


def test_a_set_that_was_not_split_has_one_bar_a_class(transfer_run: Path, read_page: Callable[[Path], Any]) -> None:
    health = made_health()
    whole = replace(health, classes=tuple(replace(counted, parts={}) for counted in health.classes), findings=())
    write_json(transfer_run / "health.json", whole.to_dict())
    page = read_page(build_report(transfer_run))
    assert [float(rect["width"]) for rect in page.attributes("rect", css="images")] == [100.0, 97.5]
    assert "79 images, 2 classes (39 to 40): nothing to report." in page.text("p")


def test_a_run_that_was_not_examined_has_no_section(transfer_run: Path, read_page: Callable[[Path], Any]) -> None:
    assert not (transfer_run / "health.json").exists()
    assert "Data health" not in read_page(build_report(transfer_run)).text("h2")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("health.json", b"{", r"health\.json is not valid JSON"),
        ("health.json", b'{"schema_version": 2}', r"health\.json: .* schema_version 2; this version reads 1.*delete"),
        ("health.safetensors", b"xx", r"health\.safetensors is damaged .*delete it to go without its picture"),
    ],
)
def test_a_damaged_record_is_named(examined_run: Path, name: str, content: bytes, sentence: str) -> None:
    (examined_run / name).write_bytes(content)
    with pytest.raises(ReportError, match=sentence):
        build_report(examined_run)


def test_pictures_without_their_indices_are_refused(examined_run: Path) -> None:
    save_file({"images": np.zeros((1, 3, 4, 4), dtype=np.uint8)}, examined_run / "health.safetensors")
    with pytest.raises(ReportError, match=r"holds images \(1, 3, 4, 4\); expected indices \(n,\) and uint8 images"):
        build_report(examined_run)
