"""What OpenML is asked, through its own package, and what it may answer. Each question is a process of its own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from supernet_tl.data import DownloadError
from supernet_tl.data.album import openml_process
from supernet_tl.data.album.link import Link
from supernet_tl.data.album.openml_client import _environment, describe
from tests.data.album.conftest import BRD_MICRO, Heard
from tests.data.album.fake_openml import NO_SUCH_DATASET, PRIVATE, FakeOpenML, Fault, oml_error


def run(script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, env=environment
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "OPENML_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    return home


def test_a_description_is_had_in_one_request_and_leaves_nothing_in_the_home_folder(
    openml: FakeOpenML, link: Link, heard: Heard, home: Path
) -> None:
    openml.zipped = False  # the package complains on the root logger about answers that are not compressed
    found = describe(BRD_MICRO, link, heard.sentences.append)
    assert (found.openml_id, found.name, found.licence) == (BRD_MICRO, "Meta_Album_BRD_Micro", "Public")
    assert found.parquet_url == openml.parquet_url(BRD_MICRO)
    assert [request.kind for request in openml.log] == ["description"]
    assert list(home.iterdir()) == []
    assert heard.sentences == []


def test_every_answer_is_told_apart_even_where_the_home_folder_cannot_be_written_to(
    openml: FakeOpenML, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Oracle: the package cannot be imported with a home folder that is a file.
    monkeypatch.setenv("HOME", os.devnull)
    page = b"<html><body>maintenance</body></html>"
    answers = [
        (oml_error(NO_SUCH_DATASET), openml_process.REFUSED, "answered with error 111 (Unknown dataset"),
        (oml_error(PRIVATE), openml_process.REFUSED, "says that dataset 44241 is private"),
        (oml_error((412, 107, "Database busy")), openml_process.FAILED, "answered with error 107 (Database busy"),
        (Fault(500, b"Internal & error"), openml_process.FAILED, "did not answer with XML"),
        (Fault(200, b"Fine & well"), openml_process.FAILED, "did not answer with XML"),
        (Fault(200, page), openml_process.FAILED, "answered something else than a description (KeyError"),
        (Fault(503, page), openml_process.FAILED, "answered something else than a description (KeyError"),
        (Fault(hang=True), openml_process.HUNG, "sent no description for 0.5 s"),
    ]
    openml.faults["description"] = [fault for fault, _, _ in answers]
    script = f"""
        import sys
        sys.path.insert(0, {str(Path(openml_process.__file__).parent)!r})
        import openml_process
        for number in range({len(answers)}):
            print(openml_process.main({BRD_MICRO}, {openml.api!r}, {str(tmp_path)!r}, 0.5), flush=True)
    """
    done = run(script, _environment(str(tmp_path)))
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.isdigit()] == [str(code) for _, code, _ in answers[:-1]]
    assert done.returncode == openml_process.HUNG
    for line, (_, _, sentence) in zip((line for line in lines if not line.isdigit()), answers, strict=True):
        assert line.startswith(f"the server {openml.api}")
        assert sentence in line


def test_an_answer_that_may_pass_is_asked_for_again_and_one_that_stays_is_not(
    openml: FakeOpenML, link: Link, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERNET_TL_OPENML_SERVER", openml.api)
    openml.faults["description"] = [Fault(500, b"Internal & error"), oml_error(NO_SUCH_DATASET)]
    with pytest.raises(DownloadError, match=r"has no dataset 44241 for everybody: .*error 111 .*; expected an active"):
        describe(BRD_MICRO, replace(link, server=None, attempts=3), heard.sentences.append)
    assert len(openml.log) == 2
    assert re.search(r"asking OpenML about dataset 44241: the server .* attempt 2 of 3 in", heard.text)


def test_a_server_that_cannot_be_reached_is_told_in_words_once_an_attempt(
    link: Link, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    # Oracle: .invalid is no name of any host (RFC 2606), and nobody listens where a socket was just closed.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/api"
    for server, words in (
        ("http://openml.invalid/api", "its name cannot be resolved"),
        (nobody, "it refused the conn"),
    ):
        heard.sentences.clear()
        with pytest.raises(
            DownloadError, match=rf"could not be reached \({words}.*repeat the command: a download goes on"
        ):
            describe(BRD_MICRO, replace(link, server=server), heard.sentences.append)
        (told,) = heard.sentences  # of the first of two attempts
        assert words in told
        assert "urllib3" not in told
        assert len(told) < 200


def test_a_dataset_without_the_address_of_its_files_is_refused(openml: FakeOpenML, link: Link, heard: Heard) -> None:
    openml.datasets[BRD_MICRO].with_parquet_url = False
    with pytest.raises(DownloadError, match=r"dataset 44241 \(Meta_Album_BRD_Micro\) has no parquet_url"):
        describe(BRD_MICRO, link, heard.sentences.append)


def test_the_packages_own_download_works_against_the_fake(openml: FakeOpenML, tmp_path: Path, archive: bytes) -> None:
    # Oracle: the openml package itself, which was written for the real OpenML: what it can use, the fake does rightly.
    script = f"""
        import openml, pathlib
        openml.config.server = {openml.api!r}
        openml.config.set_root_cache_directory({str(tmp_path)!r})
        found = openml.datasets.get_dataset({BRD_MICRO}, download_data=True, download_all_files=True)
        folder = pathlib.Path(openml.config.get_cache_directory()) / "datasets" / "{BRD_MICRO}"
        print(found.data_file, found.parquet_file == str(folder / "dataset_44241.pq"))
        print(len(list((folder / "BRD_Micro" / "images").iterdir())), (folder / "BRD_Micro.zip").exists())
    """
    done = run(script, {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)})
    assert done.stdout.split() == ["None", "True", "40", "False"], done.stderr
    kinds = [request.kind for request in openml.log]
    assert kinds == ["description", "listing", "head", "file", "head", "file"]
