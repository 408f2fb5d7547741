"""The list of a dataset's files, from a store and from what is none."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from supernet_tl.data import DownloadError
from supernet_tl.data.album.bucket import list_files
from supernet_tl.data.album.link import Link
from tests.data.album.conftest import BRD_MICRO, Heard
from tests.data.album.fake_openml import FakeDataset, FakeOpenML, Fault

NO_BUCKET = b"<Error><Code>NoSuchBucket</Code><Message>gone</Message></Error>"


def test_a_listing_names_sizes_and_states_of_the_files_of_one_dataset(
    openml: FakeOpenML, link: Link, archive: bytes
) -> None:
    openml.datasets[442410] = FakeDataset("other", {"other.zip": b"x"})  # its number begins alike
    parquet_url = openml.parquet_url(BRD_MICRO)
    found = list_files(parquet_url, link, print)
    assert [(file.name, file.num_bytes) for file in found] == [
        ("BRD_Micro.zip", len(archive)),
        ("dataset_44241.pq", 17),
    ]
    assert found[1].url == parquet_url
    assert found[0].etag == openml.datasets[BRD_MICRO].etag("BRD_Micro.zip")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (
            Fault(404, NO_BUCKET, "application/xml"),
            r"does not list datasets/0004/44241: NoSuchBucket \(gone\); expected",
        ),
        (Fault(200, b"<html>maintenance</html"), r"answered something that is no listing"),
        (Fault(500, b"<html>oops</html>"), r"answered something else than a listing"),
    ],
    ids=["no bucket", "not XML", "error page"],
)
def test_what_is_no_listing_gets_a_sentence(
    openml: FakeOpenML, link: Link, heard: Heard, fault: Fault, sentence: str
) -> None:
    openml.always["listing"] = fault
    with pytest.raises(DownloadError, match=sentence):
        list_files(openml.parquet_url(BRD_MICRO), link, heard.sentences.append)


def test_a_busy_store_is_asked_again(openml: FakeOpenML, link: Link, heard: Heard) -> None:
    slow_down = b"<Error><Code>SlowDown</Code><Message>later</Message></Error>"
    openml.faults["listing"] = [Fault(503, slow_down, "application/xml")]
    assert len(list_files(openml.parquet_url(BRD_MICRO), link, heard.sentences.append)) == 2
    assert "answered SlowDown (later); attempt 2 of 2" in heard.text


def test_a_store_that_hangs_or_is_not_there_is_given_up(openml: FakeOpenML, link: Link, heard: Heard) -> None:
    openml.always["listing"] = Fault(hang=True)
    with pytest.raises(DownloadError, match=r"could not be asked for its files \(it timed out\)"):
        list_files(openml.parquet_url(BRD_MICRO), replace(link, timeout=0.2), heard.sentences.append)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/datasets/0004/44241/dataset_44241.pq"
    with pytest.raises(DownloadError, match=r"could not be asked for its files \(it refused the connection\)"):
        list_files(nobody, link, heard.sentences.append)


def test_an_address_that_names_https_is_asked_by_https(openml: FakeOpenML, link: Link, heard: Heard) -> None:
    # Oracle: the fake speaks no TLS, so that a client which does cannot understand it.
    address = openml.parquet_url(BRD_MICRO).replace("http:", "https:")
    with pytest.raises(DownloadError, match=r"could not be asked .*\(no secure connection \(TLS\): "):
        list_files(address, link, heard.sentences.append)
    assert openml.log == []


@pytest.mark.parametrize("address", ["ftp://host/b/p/f.pq", "http://host/f.pq", "dataset.pq", "http:///b/p/f.pq"])
def test_an_address_without_bucket_and_folder_is_refused(address: str) -> None:
    with pytest.raises(DownloadError, match=r"expected http\(s\)://host/bucket/folder/file"):
        list_files(address, Link(), print)
