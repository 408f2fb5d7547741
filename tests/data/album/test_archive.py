"""Archives that are unpacked, and archives that are not."""

from __future__ import annotations

import random
import stat
import zipfile
from pathlib import Path

import pytest

from supernet_tl.data import DownloadError, LayoutError
from supernet_tl.data.album.archive import unpack
from tests.data.album.fake_openml import album_files, zipped


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "it.zip"
    path.write_bytes(data)
    return path


def refused(tmp_path: Path, archive: Path, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("folder", ["BRD_Micro/", ""], ids=["in one folder", "directly"])
def test_a_set_is_unpacked_from_its_folder_or_directly_without_what_desktops_leave(tmp_path: Path, folder: str) -> None:
    files = {f"{folder}images/1.JPG": b"one", f"{folder}labels.csv": b"rows", f"{folder}info.json": b"{}"}
    clutter = {"__MACOSX/BRD_Micro/._labels.csv": b"x", f"{folder}images/.DS_Store": b"x"}
    size = unpack(written(tmp_path, zipped(files | clutter, zipfile.ZIP_DEFLATED)), tmp_path / "out")
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"images/1.JPG", "labels.csv", "info.json"}
    assert size == sum(map(len, files.values()))
    assert (tmp_path / "out/images/1.JPG").read_bytes() == b"one"


@pytest.mark.parametrize(
    "name", ["../labels.csv", "/etc/labels.csv", "a/../../b.jpg", "C:/b.jpg", r"..\b.jpg"], ids=lambda name: repr(name)
)
def test_an_entry_that_would_be_written_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    archive = written(tmp_path, zipped({**album_files(2), name: b"x"}))
    refused(tmp_path, archive, DownloadError, r"holds 1 of \d+ entries .* would be written outside of its folder")


def test_links_devices_and_entries_twice_are_refused(tmp_path: Path) -> None:
    archive = tmp_path / "it.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for name, kind in (("a/link.jpg", stat.S_IFLNK), ("a/pipe.jpg", stat.S_IFIFO)):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (kind | 0o644) << 16
            opened.writestr(entry, "/etc/passwd")
        opened.writestr("a/labels.csv", "1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            opened.writestr("a/labels.csv", "2")
    refused(tmp_path, archive, DownloadError, r"3 of 4 entries.*is a link, .*is not an ordinary file, .*is there twice")


def test_encrypted_entries_and_unknown_compression_are_refused(tmp_path: Path) -> None:
    whole = zipped({"a/labels.csv": b"rows"})
    directory = whole.index(b"PK\x01\x02")
    # Oracle: the ZIP specification; the flags are at byte 8 of an entry of the directory, the method at byte 10.
    encrypted, unknown = bytearray(whole), bytearray(whole)
    encrypted[directory + 8] |= 1
    unknown[directory + 10] = 97
    refused(tmp_path, written(tmp_path, bytes(encrypted)), DownloadError, r"'a/labels\.csv' is encrypted")
    refused(tmp_path, written(tmp_path, bytes(unknown)), DownloadError, r"by the unknown method 97")


def test_patched_and_strongly_encrypted_entries_are_refused(tmp_path: Path) -> None:
    # Oracle: the ZIP specification; bit 5 of the flags means compressed patched data, bit 6 strong encryption.
    whole = zipped({"a/labels.csv": b"rows"})
    for bit, sentence in ((5, r"holds patched data"), (6, r"is encrypted")):
        data = bytearray(whole)
        data[data.index(b"PK\x01\x02") + 8] |= 1 << bit
        refused(tmp_path, written(tmp_path, bytes(data)), DownloadError, rf"'a/labels\.csv' {sentence}")


@pytest.mark.parametrize("name", [".", "./."], ids=repr)
def test_an_entry_without_a_name_is_refused(tmp_path: Path, name: str) -> None:
    archive = written(tmp_path, zipped({**album_files(2), name: b"x"}))
    refused(tmp_path, archive, DownloadError, r"holds 1 of \d+ entries .* has no name")


def test_an_entry_that_would_lie_in_a_file_is_refused(tmp_path: Path) -> None:
    for names in (("a/labels.csv", "a/labels.csv/x/y"), ("a/labels.csv/x/y", "a/labels.csv")):  # in either order
        archive = written(tmp_path, zipped(dict.fromkeys(names, b"x")))
        refused(
            tmp_path, archive, DownloadError, r"1 of 2 entries.*'a/labels\.csv/x/y' lies in an entry that is a file"
        )


@pytest.mark.parametrize("name", ["a/" + "n" * 300, "a/" + "ä" * 130, "b/" * 600 + "x"], ids=["long", "bytes", "deep"])
def test_an_entry_whose_name_no_disk_can_keep_is_refused(tmp_path: Path, name: str) -> None:
    # Oracle: the usual file systems keep names of 255 bytes and the usual systems paths of 1,024 bytes.
    archive = written(tmp_path, zipped({"a/labels.csv": b"rows", name: b"x"}))
    refused(tmp_path, archive, DownloadError, r"1 of 2 entries.* has too long a name")


def test_a_bomb_is_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    bomb = zipped({"a/labels.csv": b"rows", "a/images/0.jpg": bytes(20_000_000)}, zipfile.ZIP_DEFLATED)
    refused(tmp_path, written(tmp_path, bomb), DownloadError, r"would unpack to 2 files of 20000004 bytes; expected at")


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    archive = written(tmp_path, zipped(album_files(2)))
    with pytest.raises(DownloadError, match=r"would unpack to 6 files .* expected at most 5 files"):
        unpack(archive, tmp_path / "out", max_files=5)


def test_an_archive_without_labels_or_with_several_sets_is_refused(tmp_path: Path) -> None:
    archive = written(tmp_path, zipped({"a/images/0.jpg": b"x", "a/deep/er/labels.csv": b"x"}))
    refused(tmp_path, archive, LayoutError, r"holds no labels\.csv \(found a/images/0\.jpg, a/deep/er/labels\.csv\)")
    archive = written(tmp_path, zipped({"a/labels.csv": b"x", "b/labels.csv": b"x"}))
    refused(tmp_path, archive, LayoutError, r"holds several sets: a, b; expected one")
    refused(tmp_path, written(tmp_path, zipped({})), LayoutError, r"holds no labels\.csv \(found nothing\)")


def test_what_is_no_whole_archive_is_refused(tmp_path: Path) -> None:
    whole = zipped(album_files(2))
    refused(tmp_path, written(tmp_path, whole[: len(whole) // 2]), DownloadError, r"it\.zip is no whole zip archive")
    refused(tmp_path, written(tmp_path, b"<html>"), DownloadError, r"it\.zip is no whole zip archive")


def test_an_entry_whose_bytes_are_damaged_is_refused(tmp_path: Path) -> None:
    damaged = bytearray(zipped({"a/labels.csv": b"rows and rows"}))
    damaged[damaged.index(b"rows and")] ^= 1
    # Oracle: the CRC-32 of the entry, which every zip archive carries.
    with pytest.raises(DownloadError, match=r"is no whole zip archive \(Bad CRC-32 for file 'a/labels\.csv'\)"):
        unpack(written(tmp_path, bytes(damaged)), tmp_path / "out")


def test_an_archive_of_a_later_format_and_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    # Oracle: the ZIP specification; an entry of the directory has the version needed at byte 6, flags at 8, name at 46.
    whole = zipped({"a/labels.csv": b"rows"})
    directory = whole.index(b"PK\x01\x02")
    later, no_text = bytearray(whole), bytearray(whole)
    later[directory + 6] = 100
    no_text[directory + 9] |= 0x08  # names are in UTF-8
    no_text[directory + 46] = 0xFF
    refused(tmp_path, written(tmp_path, bytes(later)), DownloadError, r"is no whole zip archive \(zip file version 10")
    refused(tmp_path, written(tmp_path, bytes(no_text)), DownloadError, r"is no whole zip archive \(.* codec can't")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_no_damage_of_an_archive_is_taken_for_anything_else(tmp_path: Path, method: int) -> None:
    # Oracle: whatever is damaged, what comes is the set or a sentence about the archive; an OSError blames the disk.
    whole = zipped({"a/labels.csv": b"rows and rows" * 9, "a/images/0.jpg": bytes(range(200))}, method)
    chance = random.Random(method)
    for number in range(300):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            unpack(written(tmp_path, bytes(damaged)), tmp_path / f"out{number}")
        except (DownloadError, LayoutError):
            continue
