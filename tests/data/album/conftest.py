"""A fake OpenML, a cache of the test's own, and little patience."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from supernet_tl.data.album.fetching import Fetching
from supernet_tl.data.album.link import Link
from tests.data.album.fake_openml import FakeDataset, FakeOpenML, album_files, serving, zipped

BRD_MICRO = 44241


@dataclass
class Heard:
    """What a download told."""

    sentences: list[str] = field(default_factory=list)
    bytes_done: list[int] = field(default_factory=list)
    totals: set[int] = field(default_factory=set)

    def progress(self, done: int, total: int) -> None:
        self.bytes_done.append(done)
        self.totals.add(total)

    @property
    def text(self) -> str:
        return "\n".join(self.sentences)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is kept from one test to the next, and nothing is written to the home folder."""
    monkeypatch.setenv("SUPERNET_TL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SUPERNET_TL_OFFLINE", raising=False)
    monkeypatch.setenv("OPENML_CACHE_DIR", str(tmp_path / "package"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def archive() -> bytes:
    return zipped(album_files())


@pytest.fixture
def openml(archive: bytes) -> Iterator[FakeOpenML]:
    """A server that has BRD/Micro: 20 classes of two images."""
    with serving() as server:
        files = {"dataset_44241.pq": b"PAR1 a table PAR1", "BRD_Micro.zip": archive}
        server.datasets[BRD_MICRO] = FakeDataset("Meta_Album_BRD_Micro", files)
        yield server


@pytest.fixture
def link(openml: FakeOpenML) -> Link:
    return Link(server=openml.api, timeout=5.0, attempts=2, first_wait=0.01)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def fetching(link: Link, heard: Heard) -> Fetching:
    return Fetching(notify=heard.sentences.append, progress=heard.progress, link=link)
