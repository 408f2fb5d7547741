"""``supernet-tl data`` on the command line, against the fake OpenML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from supernet_tl.command_line.cli import main
from tests.data.album.fake_openml import FakeOpenML


@pytest.fixture(autouse=True)
def _asks_the_fake(openml: FakeOpenML, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERNET_TL_OPENML_SERVER", openml.api)


def _by_name(images: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(images, key=lambda image: str(image["name"]))


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["data", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_table_is_listed_by_set_group_version_and_domain(capsys: pytest.CaptureFixture[str]) -> None:
    # Oracle: Meta-Album has 30 sets, three of them without Extended; the paper leaves out the three of characters.
    assert len(_json(capsys, "list")) == 87
    assert len(_json(capsys, "list", "paper27/Mini")) == 27
    assert {row["set"] for row in _json(capsys, "list", "--version", "Micro", "--domain", "OCR")} == {
        "MD_MIX/Micro",
        "MD_5_BIS/Micro",
        "MD_6/Micro",
    }
    (birds,) = _json(capsys, "list", "BRD/Mini")
    assert (birds["openml_id"], birds["num_classes"], birds["kept"]) == (44285, 315, None)


def test_a_set_is_downloaded_once_shown_as_kept_verified_and_deleted(
    openml: FakeOpenML, capsys: pytest.CaptureFixture[str]
) -> None:
    (got,) = _json(capsys, "get", "BRD/Micro")
    assert (got["set"], got["num_images"], got["num_classes"]) == ("BRD/Micro", 40, 20)  # oracle: the fake's archive
    asked = len(openml.asked("file"))
    (again,) = _json(capsys, "get", "openml:44241")
    assert again == got
    assert len(openml.asked("file")) == asked
    assert [row["set"] for row in _json(capsys, "list", "--kept")] == ["BRD/Micro"]
    assert _json(capsys, "verify") == {"verified": ["BRD/Micro"], "problems": {}}
    assert list(_json(capsys, "rm", "BRD/Micro")) == ["BRD/Micro"]
    assert not Path(got["folder"]).exists()
    assert main(["data", "rm", "BRD/Micro"]) == 1
    assert "nothing to delete" in capsys.readouterr().err


def test_the_licence_is_told_before_the_first_download(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "get", "BRD/Micro"]) == 0
    told = capsys.readouterr()
    assert "licence: CC0 Public Domain" in told.err
    assert "downloaded" in told.out


def test_a_damaged_set_is_told_of_by_verify_and_mended_by_get(capsys: pytest.CaptureFixture[str]) -> None:
    (got,) = _json(capsys, "get", "BRD/Micro")
    image = next((Path(got["folder"]) / "images").iterdir())
    content = bytearray(image.read_bytes())
    content[len(content) // 2] ^= 1  # of the same size
    image.write_bytes(content)
    assert main(["data", "verify", "BRD/Micro"]) == 1
    told = capsys.readouterr()
    assert "other bytes" in told.out
    assert "data get" in told.err
    card = Path(got["folder"]).parent / "card.json"
    card.write_text(card.read_text().replace(got["downloaded"], "2026-01-01T00:00:00+00:00"))  # not this second
    assert main(["data", "get", "BRD/Micro"]) == 0
    assert "was here" not in capsys.readouterr().out
    assert _json(capsys, "verify")["problems"] == {}


def test_offline_only_what_is_kept_can_be_had(
    openml: FakeOpenML, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERNET_TL_OFFLINE", "")  # to be restored: the switch sets it for the process
    assert main(["data", "get", "BRD/Micro", "--offline"]) == 1
    assert "is not kept" in capsys.readouterr().err
    assert not openml.asked("description")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("get", "BIRD/Mini"), "Did you mean BRD/Mini"),
        (("get", "BRD"), "expected one of BRD/Micro, BRD/Mini, BRD/Extended"),
        (("get", "MD_6/Extended"), "have no Extended"),
        (("get", "44311"), "none of Meta-Album's numbers"),
        (("get", "paper27"), "paper27/Micro, paper27/Mini, paper27/Extended"),
        (("verify", "BRD/Mini"), "is not kept"),
        (("gc", "--older-than", "-1"), "of at least 0"),
    ],
)
def test_what_cannot_be_meant_gets_a_sentence(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", *arguments]) == 1
    assert sentence in capsys.readouterr().err


def test_decoded_images_are_deleted_and_counted(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = cache / "pixels" / "v1" / "32" / "pack"
    pack.mkdir(parents=True)
    (pack / "pixels").write_bytes(b"0" * 1000)
    assert _json(capsys, "gc", "--older-than", "30") == {"num_bytes": 0}
    assert _json(capsys, "gc") == {"num_bytes": 1000}
    assert not pack.exists()


def test_the_health_of_a_folder_is_told_with_an_image_that_stands_in_two_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label, name in enumerate(("a", "b")):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(8):
            image = Image.effect_noise((40, 40), 20 + 10 * label + number).convert("RGB")
            image.save(tmp_path / "set" / name / f"{number}.png")
    for number in range(7):
        twin = (tmp_path / "set" / "a" / f"{number}.png").read_bytes()
        (tmp_path / "set" / "b" / f"twin{number}.png").write_bytes(twin)
    health = _json(capsys, "health", str(tmp_path / "set"), "--quiet")
    (conflict,) = [finding for finding in health["findings"] if finding["kind"] == "label_conflict"]
    # Oracle: by hand. JSON lists all pairs, so that a person can act on them.
    assert {tuple(image["name"] for image in pair) for pair in map(_by_name, conflict["examples"])} == {
        (f"a/{number}.png", f"b/twin{number}.png") for number in range(7)
    }
    assert main(["data", "health", str(tmp_path / "set"), "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "twin0.png" in "".join(shown.split())
    assert "12 of 14 shown" in " ".join(shown.split())
    assert "23 images" in shown
