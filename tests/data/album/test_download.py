"""From a name to a folder that is whole, through everything that may go wrong in between."""

from __future__ import annotations

import errno
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from supernet_tl.data import DownloadError, Fetching, LayoutError, OfflineError, SourceNotFoundError
from supernet_tl.data.album import download
from supernet_tl.data.album.download import get
from supernet_tl.data.album.kept import damaged_cards, find_kept, kept, verify
from supernet_tl.data.album.link import Link, Notify
from supernet_tl.data.album.lookup import find
from supernet_tl.data.album.openml_client import Description
from tests.data.album.conftest import BRD_MICRO, Heard
from tests.data.album.fake_openml import FakeDataset, FakeOpenML, Fault, album_files, jpeg, zipped

BRD = find("BRD/Micro")


@pytest.fixture(autouse=True)
def described(openml: FakeOpenML, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the package would say about the fake's datasets, without the seconds that its import takes.

    The package's own answer is tested in test_openml_client.py and test_source.py.
    """

    def describe(openml_id: int, link: Link, notify: Notify) -> Description:
        dataset = openml.datasets[openml_id]
        return Description(openml_id, dataset.name, dataset.licence, "", openml.parquet_url(openml_id))

    monkeypatch.setattr(download, "describe", describe)


def nothing_is_kept(cache: Path) -> bool:
    return kept() == () and not (cache / "datasets/openml/44241").exists()


def test_a_set_is_downloaded_once_checked_and_kept_with_a_card(
    openml: FakeOpenML, fetching: Fetching, heard: Heard, cache: Path, archive: bytes
) -> None:
    found = get(BRD, fetching)
    assert found.path == cache / "datasets/openml/44241/BRD_Micro"
    assert len(list((found.path / "images").iterdir())) == 40
    card = found.card
    assert (card.openml_id, card.openml_name, card.num_rows, card.num_classes) == (44241, BRD.openml_name, 40, 20)
    assert (card.licence, card.openml_licence) == ("CC0 Public Domain", "Public")
    assert [(file.name, file.num_bytes) for file in card.files] == [("BRD_Micro.zip", len(archive))]
    assert get(BRD, fetching) == found
    assert [request.kind for request in openml.log] == ["listing", "file"]  # neither the table nor anything twice
    assert not list((cache / "datasets/openml/.incoming").iterdir())  # the archive is gone
    assert verify(BRD) == []
    assert kept() == (found,)


def test_licence_domain_and_size_are_told_before_anything_is_downloaded(
    openml: FakeOpenML, fetching: Fetching, heard: Heard
) -> None:
    requests_when_told: list[int] = []

    def notify(text: str) -> None:
        heard.sentences.append(text)
        requests_when_told.append(len(openml.asked("file")))

    get(BRD, replace(fetching, notify=notify))
    assert heard.sentences == [
        "downloading Meta-Album BRD/Micro, Birds (Large Animals), from OpenML 44241: 800 images, 1 file of 0.1 MB; "
        "licence: CC0 Public Domain (OpenML: Public)"
    ]
    assert requests_when_told == [0]


def test_offline_what_is_kept_serves_and_what_is_not_gets_a_sentence(
    openml: FakeOpenML, fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OfflineError, match=r"openml:BRD/Micro is not kept in .*, and this run is offline; expected"):
        get(BRD, replace(fetching, offline=True))
    get(BRD, fetching)
    openml.log.clear()
    monkeypatch.setenv("SUPERNET_TL_OFFLINE", "1")
    assert get(BRD, fetching).card.num_rows == 40
    with pytest.raises(OfflineError, match=r"openml:BRD/Mini is not kept"):
        get(44285, fetching)
    assert openml.log == []


def test_a_file_that_changes_while_it_is_downloaded_is_listed_again(
    openml: FakeOpenML, fetching: Fetching, heard: Heard
) -> None:
    files = openml.datasets[BRD_MICRO].files
    newer = zipped({**album_files(), "BRD_Micro/images/.note": b"newer"})

    def change() -> None:
        _wait(lambda: len(openml.asked("file")) == 1)
        files["BRD_Micro.zip"] = newer

    # The first answer is cut short, so that the rest is asked for when the file is another one.
    openml.faults["file"] = [Fault(cut_after=1000)]
    changing = threading.Thread(target=change)
    changing.start()
    found = get(BRD, replace(fetching, link=replace(fetching.link, first_wait=0.5)))
    changing.join()
    assert found.card.files[0].num_bytes == len(newer)
    assert "has changed since it was listed; it is downloaded from its beginning" in heard.text
    assert openml.asked("file")[-1].range is None


def test_a_file_that_never_stays_the_same_is_given_up(openml: FakeOpenML, fetching: Fetching, cache: Path) -> None:
    openml.always["file"] = Fault(412, b"<Error/>", "application/xml")
    with pytest.raises(DownloadError, match=r"changed 3 times while it was downloaded; expected"):
        get(BRD, fetching)
    assert nothing_is_kept(cache)


BROKEN: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "no labels": (lambda files: files.pop("BRD_Micro/labels.csv"), r"holds no labels\.csv"),
    "row without image": (lambda files: files.pop("BRD_Micro/images/000003.JPG"), r"names 1 of 40 images .*000003"),
    "image without row": (lambda files: files.update({"BRD_Micro/images/x.jpg": jpeg(1)}), r"1 files .* have no row"),
    "another size": (lambda files: files.update({"BRD_Micro/images/000003.JPG": jpeg(3, 64)}), r"are not 128x128"),
    "unreadable": (lambda files: files.update({"BRD_Micro/images/000003.JPG": b"x"}), r"1 of 40 images cannot be read"),
    "outside": (lambda files: files.update({"../x.jpg": b"x"}), r"would be written outside of its folder"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_what_is_not_a_whole_set_is_refused_and_not_kept(
    openml: FakeOpenML, fetching: Fetching, cache: Path, fault: str
) -> None:
    files = album_files()
    change, sentence = BROKEN[fault]
    change(files)
    openml.datasets[BRD_MICRO].files["BRD_Micro.zip"] = zipped(files)
    with pytest.raises((DownloadError, LayoutError), match=sentence):
        get(BRD, fetching)
    assert nothing_is_kept(cache)
    openml.datasets[BRD_MICRO].files["BRD_Micro.zip"] = zipped(album_files())
    assert get(BRD, fetching).card.num_rows == 40  # and the next attempt is not in the way of the first


def test_an_archive_that_cannot_be_unpacked_is_not_tried_again(
    openml: FakeOpenML, fetching: Fetching, archive: bytes
) -> None:
    dataset = openml.datasets[BRD_MICRO]
    dataset.etags["BRD_Micro.zip"] = "no-md5"  # so that only the archive's own check sums tell
    damaged = bytearray(archive)
    damaged[1000] ^= 1
    dataset.files["BRD_Micro.zip"] = bytes(damaged)
    with pytest.raises(DownloadError, match=r"BRD_Micro\.zip is no whole zip archive \(Bad CRC-32"):
        get(BRD, fetching)
    dataset.files["BRD_Micro.zip"] = archive
    assert get(BRD, fetching).card.num_rows == 40


def test_a_set_appears_at_once_or_not_at_all_and_its_archive_is_not_fetched_twice(
    openml: FakeOpenML, fetching: Fetching, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, target: Path) -> None:
        assert (source / "card.json").is_file()
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("supernet_tl.data.album.keeping.os.rename", refuse)  # the last step
        with pytest.raises(DownloadError, match=r"cannot be kept in .* \(Input/output error\)"):
            get(BRD, fetching)
    assert nothing_is_kept(cache)
    assert get(BRD, fetching).card.num_rows == 40
    assert len(openml.asked("file")) == 1


def test_a_dataset_of_another_name_is_refused(openml: FakeOpenML, fetching: Fetching) -> None:
    openml.datasets[BRD_MICRO].name = "iris"
    with pytest.raises(DownloadError, match=r"dataset 44241 is called 'iris'; expected 'Meta_Album_BRD_Micro'"):
        get(BRD, fetching)
    assert openml.log == []


@pytest.mark.parametrize("files", [{"dataset_44241.pq": b"PAR1"}, {}], ids=["table", "nothing"])
def test_a_dataset_without_images_is_refused(openml: FakeOpenML, fetching: Fetching, files: dict[str, bytes]) -> None:
    openml.datasets[BRD_MICRO].files = files
    found = "dataset_44241.pq" if files else "no files"
    with pytest.raises(LayoutError, match=rf"is a table of numbers, not images: it has {found}, and no archive"):
        get(BRD, fetching)


def test_the_table_is_not_needed_and_two_archives_are_one_too_many(openml: FakeOpenML, fetching: Fetching) -> None:
    dataset = openml.datasets[BRD_MICRO]
    dataset.files["other.zip"] = b"x"
    with pytest.raises(LayoutError, match=r"has 2 archives: BRD_Micro\.zip, other\.zip; expected one"):
        get(BRD, fetching)
    dataset.files = {"BRD_Micro.zip": dataset.files["BRD_Micro.zip"]}
    assert get(BRD, fetching).card.num_rows == 40


def test_a_dataset_outside_of_meta_album_is_kept_if_it_has_its_layout(openml: FakeOpenML, fetching: Fetching) -> None:
    openml.datasets[77] = FakeDataset("My birds!", {"a.zip": zipped(album_files(2, 4, folder="x"))}, licence="")
    found = get(77, fetching)
    assert (found.path.name, found.card.licence, found.version) == ("My_birds_", "not stated", None)


def test_damage_is_told_and_mended_by_a_new_download_and_never_silently(
    openml: FakeOpenML, fetching: Fetching, heard: Heard
) -> None:
    path = get(BRD, fetching).path
    image = path / "images/000003.JPG"
    whole = image.read_bytes()
    image.write_bytes(whole[:100])
    heard.sentences.clear()
    assert any("000003.JPG" in problem for problem in verify(BRD))
    assert any("other sizes than when they were downloaded" in problem for problem in verify(BRD))
    with pytest.raises(OfflineError, match=r"is damaged \(.*\) in .*, and this run is offline"):
        get(BRD, replace(fetching, offline=True))
    assert image.read_bytes() == whole[:100]  # telling changes nothing
    get(BRD, fetching)
    assert image.read_bytes() == whole
    assert verify(BRD) == []
    assert "openml:BRD/Micro is damaged (files are missing, " in heard.sentences[0]


def test_damage_that_keeps_every_size_is_found_by_those_who_look_at_every_byte(
    openml: FakeOpenML, fetching: Fetching
) -> None:
    image = get(BRD, fetching).path / "images/000003.JPG"
    whole = image.read_bytes()
    image.write_bytes(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
    assert any("other bytes than when they were downloaded" in problem for problem in verify(BRD))
    get(BRD, fetching)
    assert image.read_bytes() != whole
    get(BRD, fetching, thorough=True)
    assert image.read_bytes() == whole


def test_a_damaged_copy_stays_where_it_is_until_a_whole_one_has_come(
    openml: FakeOpenML, fetching: Fetching, cache: Path
) -> None:
    image = get(BRD, fetching).path / "images/000003.JPG"
    image.unlink()
    openml.always["file"] = Fault(500, b"no")
    with pytest.raises(DownloadError, match=r"the server answered 500"):
        get(BRD, fetching)
    assert len(list(image.parent.iterdir())) == 39


def test_a_damaged_card_is_told_and_mended(openml: FakeOpenML, fetching: Fetching) -> None:
    card = get(BRD, fetching).path.parent / "card.json"
    card.write_text('{"schema": 1')
    assert kept() == ()
    (told,) = damaged_cards()
    assert verify(BRD) == [told]
    assert "card.json cannot be understood" in told
    assert get(BRD, fetching).card.num_rows == 40
    assert damaged_cards() == ()


def test_nothing_can_be_verified_that_is_not_kept() -> None:
    with pytest.raises(SourceNotFoundError, match=r"openml:BRD/Micro is not kept in .*supernet-tl data get BRD/Micro"):
        verify(BRD)


def test_a_cache_that_cannot_be_written_to_serves_what_it_has_and_refuses_the_rest(
    openml: FakeOpenML, fetching: Fetching, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    get(BRD, fetching)
    shutil.rmtree(cache / "datasets/openml/.locks")
    (cache / "datasets/openml/.locks").write_text("")  # no lock can be had, as on a read-only disk
    assert get(BRD, fetching).card.num_rows == 40
    with pytest.raises(
        DownloadError, match=r"openml:BRD/Mini cannot be kept in .* \(.*\); expected a folder that can be"
    ):
        get(44285, fetching)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SUPERNET_TL_CACHE", str(tmp_path / "file"))
    with pytest.raises(DownloadError, match=r"cannot be kept in .* \(Not a directory\).*set SUPERNET_TL_CACHE"):
        get(BRD, fetching)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may have more than 20 kB, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
def test_a_disk_that_refuses_gets_a_sentence(openml: FakeOpenML, fetching: Fetching, cache: Path) -> None:
    with pytest.raises(DownloadError, match=r"cannot be kept in .* \(File too large\); .* Make room, or set"):
        get(BRD, fetching)
    assert nothing_is_kept(cache)


def test_too_little_room_is_found_before_the_download(
    openml: FakeOpenML, fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=200_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DownloadError, match=r"0\.2 MB are free, and about 0\.2 MB are needed"):
        get(BRD, fetching)
    assert openml.asked("file") == []


def _wait(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.01)


def _start(openml: FakeOpenML) -> subprocess.Popen[str]:
    """Another process that downloads the same set."""
    script = f"""
        from supernet_tl.data.album import download
        from supernet_tl.data.album.openml_client import Description
        from supernet_tl.data import Fetching
        from supernet_tl.data.album.lookup import find
        description = Description({BRD_MICRO}, "Meta_Album_BRD_Micro", "Public", "", {openml.parquet_url(BRD_MICRO)!r})
        download.describe = lambda *_: description
        print(download.get(find("BRD/Micro"), Fetching()).card.num_rows)
    """
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)


def test_after_a_kill_only_the_missing_bytes_are_asked_for(
    openml: FakeOpenML, fetching: Fetching, cache: Path, archive: bytes
) -> None:
    openml.faults["file"] = [Fault(stall_after=60_000)]
    arriving = cache / "datasets/openml/.incoming/44241/BRD_Micro.zip"
    with _start(openml) as process:
        _wait(lambda: arriving.exists() and arriving.stat().st_size == 60_000)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert nothing_is_kept(cache)
    openml.go_on.set()
    assert get(BRD, fetching).card.num_rows == 40
    assert [request.range for request in openml.asked("file")] == [None, "bytes=60000-"]


def test_two_processes_make_one_download(openml: FakeOpenML, fetching: Fetching, heard: Heard) -> None:
    openml.faults["file"] = [Fault(stall_after=60_000)]
    waits = "openml:BRD/Micro is being downloaded by another process; waiting for it"

    def notify(text: str) -> None:
        heard.sentences.append(text)
        if text == waits:
            openml.go_on.set()

    with _start(openml) as process:
        _wait(lambda: len(openml.asked("file")) == 1)
        found = get(BRD, replace(fetching, notify=notify))
        assert process.communicate(timeout=60)[0].split() == ["40"]
    assert found.card.num_rows == 40
    assert heard.sentences == [waits]
    assert len(openml.asked("file")) == 1
    assert find_kept(BRD_MICRO) == found
