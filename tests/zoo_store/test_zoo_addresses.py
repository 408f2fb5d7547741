"""Every address stands for the place that it seems to stand for, or is refused; no secret of it is repeated."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from zoo_store import Zoo, ZooEntry, ZooPathError
from zoo_store.places.local import LocalFolder

SECRETS = ("hush", "AKIA")


@pytest.mark.parametrize(
    "address",
    [
        "s3://AKIA:hu/sh@lab/zoo",
        "s3://AKIA:hush@lab/zoo",
        "S3://AKIA%3Ahush%40lab/zoo",
        "ftp://user:p@hush@host/zoo",
        "https://hush@host/zoo",
        "sftp://u:hush@[::1]/zoo",
        "bogus://u:hu/sh@host/zoo",
        "simplecache::s3://AKIA:hush@bucket/zoo",
        "https://host/zoo?sig=hush",
        "hf://u:hf_hush@owner/name",
        "hf://hf_hush@owner/name",
        "hf://owner/name?token=hf_hush",
        "s3:/AKIA:hush@lab/zoo",
    ],
)
def test_a_secret_in_an_address_is_refused_and_never_repeated(address: str) -> None:
    # Oracle: RFC 3986 has the secrets of a URL before its @, or in its query.
    with pytest.raises(ZooPathError, match=r"storage_options, or for the|chains file systems|and one slash") as refusal:
        Zoo(address)
    assert not any(part in str(refusal.value) for part in (*SECRETS, "hu/sh", "user"))


@pytest.mark.parametrize("address", ["sftp://anna@host/zoo", "abfs://container@account/zoo", "s3://lab/me@home/zoo"])
def test_an_at_sign_that_no_secret_stands_before_is_taken(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERNET_TL_OFFLINE", "1")  # so that no package is needed
    assert Zoo(address).address == address


@pytest.mark.parametrize(
    "address", ["s3://lab//zoo", "s3:///lab/zoo", "s3://lab/zoo/../other", "memory://./zoo", "memory://a//b"]
)
def test_a_url_with_an_empty_part_or_one_that_leads_elsewhere_is_refused(address: str) -> None:
    with pytest.raises(ZooPathError, match=r"a part between its slashes is empty, '\.' or '\.\.'"):
        Zoo(address)


@pytest.mark.parametrize("address", ["s3://", "s3:///", "memory://", "memory://\udcff", "memory://a\nb"])
def test_a_url_that_names_nothing_or_is_no_text_is_refused(address: str) -> None:
    with pytest.raises(ZooPathError, match=r"is not the address of a zoo; expected SCHEME://BUCKET/PREFIX"):
        Zoo(address)


@pytest.mark.parametrize("address", ["simplecache::s3://bucket/zoo", "sftp://[::1]/zoo"])
def test_what_fsspec_takes_for_a_chain_of_file_systems_is_refused(address: str) -> None:
    with pytest.raises(ZooPathError, match=r"it has '::', which chains .* Write an IPv6 address in full"):
        Zoo(address)


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Oracle: the shell's meaning of ~ for HOME.
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Zoo("~/zoo").path == Zoo(Path("~/zoo")).path == tmp_path / "zoo"
    with pytest.raises(ZooPathError, match="cannot be the folder of a zoo: Could not determine home directory"):
        Zoo("~nobody-of-this-name/zoo")


@pytest.mark.parametrize(
    "url", ["file:///{}/a%20b", "FILE:///{}/a%20b", "file://localhost/{}/a%20b", "local:///{}/a b"]
)
def test_a_file_url_names_the_folder_that_rfc_8089_says(url: str, tmp_path: Path) -> None:
    assert Zoo(url.format(str(tmp_path)[1:])).path == tmp_path / "a b"


@pytest.mark.parametrize("url", ["file://", "file://zoo", "file://elsewhere/tmp/zoo", "file://u:hush@localhost/zoo"])
def test_a_file_url_that_names_no_path_of_this_machine_is_refused(url: str) -> None:
    with pytest.raises(ZooPathError, match=r"a file URL names an absolute path of this machine") as refusal:
        Zoo(url)
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize("address", ["s3:/lab/zoo", "file:/tmp/zoo", Path("s3://lab/zoo")])
def test_one_slash_behind_a_scheme_is_refused_with_what_was_meant(address: str | Path) -> None:
    with pytest.raises(ZooPathError, match=r"expected (s3|file)://, as a text \(pathlib\.Path takes a slash away\)"):
        Zoo(address)


@pytest.mark.parametrize(("address", "same"), [("Memory://zoo", "memory://zoo"), ("HF://me/zoo", "hf://me/zoo")])
def test_a_scheme_may_be_in_upper_case(address: str, same: str) -> None:
    # Oracle: RFC 3986, 3.1: schemes are case-insensitive.
    assert Zoo(address).address == same


def test_a_path_that_the_system_cannot_have_is_refused() -> None:
    with pytest.raises(ZooPathError, match="cannot be the folder of a zoo: File name too long"):
        Zoo("a" * 300)
    with pytest.raises(ZooPathError, match=r"'zoo\\ud800' cannot be the folder of a zoo: .*surrogates not allowed"):
        Zoo("zoo\ud800")


def test_opening_a_zoo_below_a_folder_that_may_not_be_entered_is_no_failure(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("the superuser may enter every folder")
    (tmp_path / "closed").mkdir(mode=0)
    assert isinstance(Zoo(tmp_path / "closed" / "zoo")._place, LocalFolder)


@pytest.mark.parametrize(
    ("address", "options", "sentence"),
    [
        ("memory://zoo", "hush", "storage_options is a str; expected a dictionary"),
        ("zoo", {"anon": True}, r"the storage options \['anon'\] mean nothing to a local folder"),
        (
            "s3://lab/zoo",
            {"config_kwargs": "hush"},
            "the storage option 'config_kwargs' is a str; expected a dictionary",
        ),
        ("hf://me/zoo", {"endpoint": 5}, "the storage option 'endpoint' is a int; expected a URL or None"),
        ("hf://me/zoo", {"timeout": "hush"}, "the storage option 'timeout' is a str; expected a number of seconds"),
        ("hf://me/zoo", {"token": ["hush"]}, "the storage option 'token' is a list; expected a text, True"),
    ],
)
def test_storage_options_that_cannot_be_are_refused(address: str, options: Mapping[str, Any], sentence: str) -> None:
    with pytest.raises(ZooPathError, match=sentence) as refusal:
        Zoo(address, storage_options=options)
    assert "hush" not in str(refusal.value)


def test_storage_options_that_are_none_are_as_if_not_given() -> None:
    assert Zoo("s3://lab/zoo", storage_options={"config_kwargs": None}).address == "s3://lab/zoo"


def test_a_folder_named_in_bytes_that_are_no_unicode_is_a_zoo_too(tmp_path: Path, make_entry: Any) -> None:
    entry: ZooEntry = make_entry()
    zoo = Zoo(tmp_path / os.fsdecode(b"\xff"))
    assert zoo.add(entry) in zoo
