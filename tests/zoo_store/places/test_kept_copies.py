"""Copies are used only if they are right; a download that was stopped is resumed or discarded, never used."""

import errno
import hashlib
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.zoo_store.places.bad_network import BadNetwork
from zoo_store import CorruptEntryError, Zoo, ZooEntry, ZooReadError
from zoo_store.places.files import UnfitFileError
from zoo_store.places.kept.copies import KeptCopies
from zoo_store.places.remote.remote_files import RemoteFiles

EntryMaker = Callable[..., ZooEntry]
DATA = bytes(range(256)) * 100
SHA256 = hashlib.sha256(DATA).hexdigest()
SIZE = len(DATA)
CHUNK = 10_000


class Source:
    """A file that lies afar: what it holds, and what was asked for."""

    def __init__(self, data: bytes = DATA) -> None:
        self.data = data
        self.asked: list[tuple[int, int]] = []
        self.breaks_at: int | None = None

    def __call__(self, start: int, end: int) -> bytes:
        self.asked.append((start, end))
        if self.breaks_at is not None and start >= self.breaks_at:
            raise ZooReadError(errno.ECONNRESET, "the connection broke")
        return self.data[start:end]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo_store.places.kept.copies.CHUNK_BYTES", CHUNK)


@pytest.fixture
def copies(tmp_path: Path) -> KeptCopies:
    return KeptCopies(tmp_path / "zoos", lock_timeout=30)


def copy_of(copies: KeptCopies, sha256: str = SHA256) -> Path:
    return copies.folder / "copies" / sha256[:2] / sha256


def partial_of(copies: KeptCopies, sha256: str = SHA256) -> Path:
    return copies.folder / "partial" / sha256


def test_a_file_is_fetched_once_and_then_comes_from_its_copy(copies: KeptCopies) -> None:
    source = Source()

    assert copies.read(SHA256, SIZE, source) == DATA
    assert copy_of(copies).read_bytes() == DATA
    assert not partial_of(copies).exists()
    source.asked.clear()
    assert copies.read(SHA256, SIZE, source) == DATA
    assert source.asked == []


def test_an_empty_file_can_be_kept(copies: KeptCopies) -> None:
    nothing = hashlib.sha256(b"").hexdigest()
    assert copies.read(nothing, 0, Source(b"")) == b""
    assert copies.find(nothing, 0) == b""


@pytest.mark.parametrize("damage", [b"", DATA[:-1], DATA + b"!", b"x" * SIZE], ids=["empty", "short", "long", "other"])
def test_a_damaged_copy_is_deleted_and_fetched_again_and_that_is_told(
    copies: KeptCopies, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    copies.read(SHA256, SIZE, Source())
    copy_of(copies).write_bytes(damage)

    assert copies.read(SHA256, SIZE, Source()) == DATA
    assert copy_of(copies).read_bytes() == DATA
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "was damaged" in caplog.text


def test_a_link_in_the_place_of_a_copy_is_not_followed(copies: KeptCopies, tmp_path: Path) -> None:
    copies.read(SHA256, SIZE, Source())
    (tmp_path / "elsewhere").write_bytes(DATA)
    copy_of(copies).unlink()
    copy_of(copies).symlink_to(tmp_path / "elsewhere")

    source = Source()
    assert copies.read(SHA256, SIZE, source) == DATA
    assert source.asked
    assert not copy_of(copies).is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == DATA


def test_a_download_that_broke_off_is_resumed_where_it_was(copies: KeptCopies) -> None:
    source = Source()
    source.breaks_at = 2 * CHUNK
    with pytest.raises(ZooReadError, match="the connection broke"):
        copies.read(SHA256, SIZE, source)
    assert partial_of(copies).read_bytes() == DATA[: 2 * CHUNK]
    assert not copy_of(copies).exists()

    resumed = Source()
    assert copies.read(SHA256, SIZE, resumed) == DATA
    assert resumed.asked[0] == (2 * CHUNK, SIZE + 1)
    assert not partial_of(copies).exists()


@pytest.mark.parametrize("left", [b"not the beginning", DATA + b"too long", b"x" * SIZE])
def test_a_partial_download_that_is_no_beginning_of_the_file_is_discarded(copies: KeptCopies, left: bytes) -> None:
    partial_of(copies).parent.mkdir(parents=True)
    partial_of(copies).write_bytes(left)

    assert copies.read(SHA256, SIZE, Source()) == DATA
    assert copy_of(copies).read_bytes() == DATA


def test_wrong_bytes_are_fetched_once_more_and_then_returned_but_never_kept(copies: KeptCopies) -> None:
    source = Source(b"wrong")

    assert copies.read(SHA256, SIZE, source) == b"wrong"
    assert [start for start, _ in source.asked] == [0, 5, 0, 5]
    assert [file for file in copies.files() if file.num_bytes] == []


def test_more_bytes_than_there_may_be_are_refused_and_not_read_to_the_end(copies: KeptCopies) -> None:
    source = Source(DATA * 100)
    with pytest.raises(UnfitFileError, match=f"has {SIZE + 1} or more bytes; expected at most {SIZE}"):
        copies.read(SHA256, SIZE, source)

    assert source.asked[-1][1] == SIZE + 1
    assert copies.files() == []


def test_of_many_that_want_the_same_file_one_fetches_it(copies: KeptCopies) -> None:
    source = Source()

    def slowly(start: int, end: int) -> bytes:
        time.sleep(0.01)
        return source(start, end)

    results: list[bytes] = []
    threads = [threading.Thread(target=lambda: results.append(copies.read(SHA256, SIZE, slowly))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [DATA] * 4
    assert [start for start, _ in source.asked].count(0) == 1


def test_who_has_waited_too_long_for_another_fetches_without_keeping(copies: KeptCopies) -> None:
    copies.lock_timeout = 0.05
    lock = copies._lock(SHA256)
    assert lock is not None
    assert copies.read(SHA256, SIZE, Source()) == DATA
    lock.release()
    assert copies.files() == []


@pytest.mark.parametrize("what", ["a file in the way", "a full disk"])
def test_where_nothing_can_be_kept_reading_works_all_the_same_and_that_is_told(
    copies: KeptCopies, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if what == "a file in the way":
        copies.folder.write_text("no folder")
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (CHUNK + 5, limits[1]))  # the kernel refuses to write more
    try:
        assert copies.read(SHA256, SIZE, Source()) == DATA
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert "could not keep a copy at" in caplog.text
    assert "was damaged" not in caplog.text
    assert copies.files() == []


def keep(copies: KeptCopies, data: bytes, age_days: float) -> Path:
    sha256 = hashlib.sha256(data).hexdigest()
    copies.read(sha256, len(data), Source(data))
    long_ago = time.time() - age_days * 24 * 3600
    os.utime(copy_of(copies, sha256), (long_ago, long_ago))
    return copy_of(copies, sha256)


def test_copies_are_cleared_by_age_and_total_size_the_least_recently_used_first(copies: KeptCopies) -> None:
    old, older, new = (keep(copies, bytes([n]) * 1000, days) for n, days in ((1, 5.0), (2, 9.0), (3, 0.5)))

    assert [file.path for file in copies.files()] == [older, old, new]
    assert copies.clear(unused_days=20) == []
    assert [file.path for file in copies.clear(unused_days=1, max_bytes=1500)] == [older]
    assert [file.path for file in copies.clear(unused_days=1)] == [old]
    assert [(file.path, file.num_bytes, file.is_partial) for file in copies.clear()] == [(new, 1000, False)]
    assert copies.files() == []


def test_use_makes_a_copy_recently_used(copies: KeptCopies) -> None:
    first, second = keep(copies, b"first", 5), keep(copies, b"second", 4)
    copies.find(first.name, 100)

    assert [file.path for file in copies.files()] == [second, first]


def test_a_partial_download_is_cleared_unless_it_is_under_way(copies: KeptCopies) -> None:
    partial_of(copies).parent.mkdir(parents=True)
    partial_of(copies).write_bytes(DATA[:10])
    lock = copies._lock(SHA256)
    assert lock is not None
    assert copies.clear() == []
    lock.release()
    (cleared,) = copies.clear()
    assert (cleared.path, cleared.is_partial) == (partial_of(copies), True)
    assert not partial_of(copies).exists()


def large_entry() -> ZooEntry:
    weights = torch.randn(100_000, generator=torch.Generator().manual_seed(0))
    return ZooEntry(state={"weight": weights}, sketch={}, card={"name": "large"})


def test_an_entry_whose_download_broke_off_is_completed_by_a_later_one(s3_url: str, s3_endpoint: str) -> None:
    entry_id = Zoo(s3_url).add(large_entry())
    with BadNetwork(int(s3_endpoint.rpartition(":")[2])) as network:
        zoo = Zoo(s3_url, storage_options={"endpoint_url": network.url})
        network.num_bytes_left = 250_000
        with pytest.raises(ZooReadError, match=r"could not read \w+/supernet\.safetensors in the zoo 's3://.*network"):
            zoo.get(entry_id)
        (partial,) = (file for file in KeptCopies().files() if file.is_partial)
        assert partial.num_bytes > 100_000

        network.num_bytes, network.num_bytes_left = 0, None
        assert zoo.get(entry_id).card["name"] == "large"
        assert network.num_bytes < 400_000 - partial.num_bytes + 50_000  # headers, manifest and small files
    assert not any(file.is_partial for file in KeptCopies().files())


def test_a_process_that_is_killed_during_a_download_leaves_nothing_that_is_taken_for_a_file(
    s3_url: str, s3_endpoint: str
) -> None:
    entry_id = Zoo(s3_url).add(large_entry())
    program = (
        "import sys; from zoo_store import Zoo; import zoo_store.places.kept.copies as kept; "
        f"kept.CHUNK_BYTES = {CHUNK}; "
        "Zoo(sys.argv[1], storage_options={'endpoint_url': sys.argv[2]}).get(sys.argv[3])"
    )
    with BadNetwork(int(s3_endpoint.rpartition(":")[2])) as network:
        network.num_bytes_left, network.hangs = 250_000, True
        reader = subprocess.Popen([sys.executable, "-c", program, s3_url, network.url, entry_id])
        deadline = time.monotonic() + 60
        while not any(file.is_partial and file.num_bytes > 100_000 for file in KeptCopies().files()):
            assert reader.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        reader.send_signal(signal.SIGKILL)
        reader.wait()

    zoo = Zoo(s3_url)
    assert torch.equal(zoo.get(entry_id).state["weight"], large_entry().state["weight"])
    assert not any(file.is_partial for file in KeptCopies().files())


def test_an_entry_that_is_wrong_in_the_store_is_told_and_not_kept(store_url: str, make_entry: EntryMaker) -> None:
    zoo = Zoo(store_url)
    entry_id = zoo.add(make_entry())
    remote = RemoteFiles(store_url)
    size = remote.size(f"{entry_id}/card.json")
    assert size is not None
    remote.replace(f"{entry_id}/card.json", b"x" * size)

    with pytest.raises(CorruptEntryError, match=r"card\.json has the SHA-256"):
        zoo.card(entry_id)
    assert KeptCopies().files() == []


def test_a_good_copy_serves_where_the_store_has_become_bad(store_url: str, make_entry: EntryMaker) -> None:
    zoo = Zoo(store_url)
    entry_id = zoo.add(make_entry())
    zoo.get(entry_id)
    RemoteFiles(store_url).replace(f"{entry_id}/supernet.safetensors", b"bad")

    assert torch.equal(zoo.get(entry_id).state["stem.weight"], make_entry().state["stem.weight"])
    assert [problem.file for problem in zoo.verify()] == ["supernet.safetensors"]
