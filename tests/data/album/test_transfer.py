"""Bytes from afar: resumed, checked, given up with a sentence. The oracle is what the server was asked for."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from supernet_tl.data import DownloadError
from supernet_tl.data.album.bucket import StoredFile, list_files
from supernet_tl.data.album.link import Link
from supernet_tl.data.album.transfer import ChangedError, fetch
from tests.data.album.conftest import BRD_MICRO, Heard
from tests.data.album.fake_openml import FakeOpenML, Fault


@pytest.fixture
def file(openml: FakeOpenML, link: Link) -> StoredFile:
    listed = list_files(openml.parquet_url(BRD_MICRO), link, print)
    return next(file for file in listed if file.name.endswith(".zip"))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "it.zip"


def test_a_file_arrives_as_it_is_and_its_progress_is_told(
    openml: FakeOpenML, link: Link, heard: Heard, archive: bytes, file: StoredFile, target: Path
) -> None:
    fetch(file, target, link, heard.progress, heard.sentences.append)
    assert target.read_bytes() == archive
    assert heard.bytes_done == sorted(heard.bytes_done)
    assert (heard.bytes_done[0], heard.bytes_done[-1], heard.totals) == (0, len(archive), {len(archive)})
    assert heard.sentences == []
    assert [(request.range, request.if_match) for request in openml.asked("file")] == [(None, f'"{file.etag}"')]


def test_a_connection_that_is_cut_is_resumed_where_it_was(
    openml: FakeOpenML, link: Link, heard: Heard, archive: bytes, file: StoredFile, target: Path
) -> None:
    openml.faults["file"] = [Fault(cut_after=50_000)]
    fetch(file, target, link, heard.progress, heard.sentences.append)
    assert target.read_bytes() == archive
    assert [request.range for request in openml.asked("file")] == [None, "bytes=50000-"]
    assert re.search(r"downloading BRD_Micro\.zip: the connection to .* broke .*; attempt 2 of 2 in", heard.text)


def test_a_connection_that_is_cut_every_time_ends_with_a_sentence_and_keeps_what_came(
    openml: FakeOpenML, link: Link, heard: Heard, archive: bytes, file: StoredFile, target: Path
) -> None:
    openml.always["file"] = Fault(cut_after=1000)
    with pytest.raises(
        DownloadError,
        match=r"BRD_Micro\.zip failed 2 time\(s\) in a row.*\(it closed the connection\).*Check the network and repeat",
    ):
        fetch(file, target, link, heard.progress, heard.sentences.append)
    assert target.read_bytes() == archive[:2000]
    openml.always.clear()
    fetch(file, target, link, heard.progress, heard.sentences.append)
    assert target.read_bytes() == archive
    assert openml.asked("file")[-1].range == "bytes=2000-"


def test_a_server_that_ignores_ranges_begins_anew(
    openml: FakeOpenML, link: Link, heard: Heard, archive: bytes, file: StoredFile, target: Path
) -> None:
    openml.faults["file"] = [Fault(cut_after=50_000), Fault(ignore_range=True)]
    fetch(file, target, link, heard.progress, heard.sentences.append)
    assert target.read_bytes() == archive


def test_a_file_that_has_changed_is_not_continued_with_another(
    openml: FakeOpenML, link: Link, heard: Heard, archive: bytes, file: StoredFile, target: Path
) -> None:
    openml.always["file"] = Fault(cut_after=50_000)
    with pytest.raises(DownloadError, match=r"failed 2 time"):
        fetch(file, target, link, heard.progress, heard.sentences.append)
    openml.always.clear()
    openml.datasets[BRD_MICRO].files["BRD_Micro.zip"] = archive[::-1]
    with pytest.raises(ChangedError, match=r"has changed since it was listed"):
        fetch(file, target, link, heard.progress, heard.sentences.append)
    (again,) = (f for f in list_files(openml.parquet_url(BRD_MICRO), link, print) if f.name.endswith(".zip"))
    fetch(again, target, link, heard.progress, heard.sentences.append)
    assert target.read_bytes() == archive[::-1]
    assert [request.range for request in openml.asked("file")] == [None, "bytes=50000-", "bytes=100000-", None]


def test_bytes_that_have_not_the_md5_that_the_server_names_are_fetched_once_more_and_then_refused(
    openml: FakeOpenML, link: Link, heard: Heard, archive: bytes, file: StoredFile, target: Path
) -> None:
    wrong = "0123456789abcdef" * 2
    openml.datasets[BRD_MICRO].etags["BRD_Micro.zip"] = wrong
    with pytest.raises(DownloadError, match=rf"came twice with other bytes .* the server says {wrong}; expected"):
        fetch(replace(file, etag=wrong), target, link, heard.progress, heard.sentences.append)
    assert len(openml.asked("file")) == 2
    assert not target.exists()


def test_an_etag_that_is_no_md5_is_not_taken_for_one(
    openml: FakeOpenML, link: Link, heard: Heard, archive: bytes, file: StoredFile, target: Path
) -> None:
    parts = "0123456789abcdef0123456789abcdef-3"  # as stores name what was uploaded in three parts
    openml.datasets[BRD_MICRO].etags["BRD_Micro.zip"] = parts
    fetch(replace(file, etag=parts), target, link, heard.progress, heard.sentences.append)
    assert target.read_bytes() == archive


def test_an_error_that_passes_is_tried_again_and_one_that_stays_is_not(
    openml: FakeOpenML, link: Link, heard: Heard, archive: bytes, file: StoredFile, target: Path
) -> None:
    openml.faults["file"] = [Fault(503, b"busy"), Fault(404, b"gone")]
    with pytest.raises(DownloadError, match=r"was answered with status 404 \(Not Found\); expected the file"):
        fetch(file, target, link, heard.progress, heard.sentences.append)
    assert len(openml.asked("file")) == 2
    assert "the server answered 503" in heard.text


@pytest.mark.parametrize("fault", [Fault(hang=True), Fault(trickle=0.05)], ids=["silence", "trickle"])
def test_a_server_that_hangs_is_given_up(
    openml: FakeOpenML, link: Link, heard: Heard, file: StoredFile, target: Path, fault: Fault
) -> None:
    openml.always["file"] = fault
    impatient = replace(link, timeout=0.3)
    begun = time.monotonic()
    with pytest.raises(DownloadError, match=r"failed 2 time\(s\) in a row, at last because .*(timed out|sent only)"):
        fetch(file, target, impatient, heard.progress, heard.sentences.append)
    assert time.monotonic() - begun < 5


def test_waits_grow_and_getting_further_counts_anew() -> None:
    from supernet_tl.data.album.link import PassingError, persistently

    outcomes = iter([False, False, True, False, False, False])
    told: list[str] = []

    def attempt() -> None:
        raise PassingError("no", got_further=next(outcomes))

    with pytest.raises(DownloadError, match=r"it failed 4 time"):
        persistently(Link(attempts=4, first_wait=0.001), "it", attempt, told.append)
    waits = [float(re.search(r"in ([\d.]+) s", line)[1]) for line in told]  # type: ignore[index]
    # Oracle: doubled after each failure, from the beginning after the third, which got further.
    assert waits == [0.001, 0.002, 0.001, 0.002, 0.004]
