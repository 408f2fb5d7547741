"""``openml:`` where an image set is expected."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from supernet_tl.control import Control
from supernet_tl.data import Fetching, OfflineError, SourceNotFoundError, open_image_set
from supernet_tl.data.album import download
from supernet_tl.data.album.download import get
from supernet_tl.data.album.link import Link, Notify
from supernet_tl.data.album.lookup import find
from supernet_tl.data.album.openml_client import Description
from supernet_tl.data.album.source import named, open_openml
from supernet_tl.terminal.console import CONSOLE
from tests.data.album.conftest import Heard
from tests.data.album.fake_openml import FakeDataset, FakeOpenML, album_files, zipped


def test_a_name_opens_the_set_from_the_first_request_to_its_card_and_again_without_any(
    openml: FakeOpenML, fetching: Fetching, heard: Heard
) -> None:
    images = open_image_set("openml:BRD/Micro", min_images=2, fetching=fetching)
    assert (images.name, len(images), len(images.class_names)) == ("BRD_Micro", 40, 20)
    card = images.card
    assert (card.name, card.origin) == ("BRD_Micro", "OpenML 44241 (Meta-Album BRD Micro)")
    assert (card.licence, card.domain, card.mirror_safe) == ("CC0 Public Domain", "Large Animals", True)
    assert (card.num_images, card.num_classes) == (40, 20)
    assert [request.kind for request in openml.log] == ["description", "listing", "file"]
    again = open_image_set("openml:44241", min_images=2, fetching=fetching)
    assert again.fingerprint() == images.fingerprint()
    assert len(openml.log) == 3


@pytest.fixture
def described(openml: FakeOpenML, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the package would say about the fake's datasets, without the seconds that its import takes."""

    def describe(openml_id: int, link: Link, notify: Notify) -> Description:
        dataset = openml.datasets[openml_id]
        return Description(openml_id, dataset.name, dataset.licence, "", openml.parquet_url(openml_id))

    monkeypatch.setattr(download, "describe", describe)


@pytest.mark.usefixtures("described")
def test_a_dataset_outside_of_meta_album_has_the_card_of_its_description(
    openml: FakeOpenML, fetching: Fetching
) -> None:
    openml.datasets[77] = FakeDataset("My_birds", {"a.zip": zipped(album_files(2, 4, folder="x"))}, licence="CC0")
    card = open_image_set("openml:77", fetching=fetching).card
    assert (card.name, card.origin, card.licence) == ("My_birds", "OpenML 77 (My_birds)", "CC0")
    assert card.mirror_safe is False


@pytest.mark.usefixtures("described")
def test_characters_are_not_mirror_safe_unless_the_user_says_so(openml: FakeOpenML, fetching: Fetching) -> None:
    files = {"MD_6_Micro.zip": zipped(album_files(folder="MD_6_Micro"))}
    openml.datasets[44280] = FakeDataset("Meta_Album_MD_6_Micro", files)
    assert open_image_set("openml:md_6/micro", min_images=2, fetching=fetching).card.mirror_safe is False
    given = open_image_set("openml:md_6/micro", min_images=2, mirror_safe=True, fetching=fetching)
    assert given.card.mirror_safe is True


@pytest.mark.usefixtures("described")
def test_without_anyone_to_tell_the_licence_is_logged(
    openml: FakeOpenML, link: Link, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="supernet_tl"):
        open_image_set("openml:BRD/Micro", min_images=2, fetching=Fetching(link=link))
    (record,) = caplog.records
    assert record.name == "supernet_tl"
    assert "licence: CC0 Public Domain" in record.getMessage()


@pytest.mark.usefixtures("described", "openml")
def test_on_the_terminal_the_licence_is_said_unless_all_is_quiet() -> None:
    with CONSOLE.capture() as said:
        Control(device="cpu").open("openml:BRD/Micro", to_split=False)
    assert said.get().startswith("downloading Meta-Album BRD/Micro, Birds (Large Animals), from OpenML 44241")
    with CONSOLE.capture() as said:
        Control(device="cpu", quiet=True).open("openml:BRD/Micro", to_split=False)
    assert said.get() == ""


def test_a_number_is_meta_albums_or_any_other_but_no_gap() -> None:
    assert named("44241") == named("BRD/Micro") == named("brd micro")
    assert named("61") == 61
    with pytest.raises(SourceNotFoundError, match=r"44311 is none of Meta-Album's numbers"):
        named("44311")
    with pytest.raises(SourceNotFoundError, match=r"Did you mean BRD/Mini\?"):
        open_image_set("openml:BDR/Mini")


def test_a_folder_that_is_missing_is_told_of_this_way_too() -> None:
    with pytest.raises(SourceNotFoundError, match=r"or openml:TAG/VERSION\. Check the path"):
        open_image_set("/nowhere/at/all")


@pytest.mark.usefixtures("described")
def test_a_kept_set_that_is_damaged_at_the_same_size_is_mended_when_it_is_opened(
    openml: FakeOpenML, fetching: Fetching, heard: Heard
) -> None:
    # Oracle: the bytes of the server's archive; so damaged, the image still decodes.
    image = get(find("BRD/Micro"), fetching).path / "images/000003.JPG"
    whole = image.read_bytes()
    image.write_bytes(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
    with pytest.raises(OfflineError, match=r"BRD/Micro is damaged \(files hold other bytes.*Fetch it once without"):
        open_openml("BRD/Micro", replace(fetching, offline=True))
    open_openml("BRD/Micro", fetching)
    assert image.read_bytes() == whole
    assert "openml:BRD/Micro is damaged (files hold other bytes" in heard.text
