"""What the openml package has downloaded already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from supernet_tl.data import Fetching, OfflineError
from supernet_tl.data.album.download import get
from supernet_tl.data.album.kept import verify
from supernet_tl.data.album.lookup import find
from tests.data.album.conftest import Heard
from tests.data.album.fake_openml import FakeOpenML, album_files

BRD = find("BRD/Micro")


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A set where the package of openml.org keeps it; conftest.py says where its cache is."""
    folder = tmp_path / "package/org/openml/www/datasets/44241"
    for name, data in album_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder / "BRD_Micro"


def test_what_the_package_has_downloaded_is_copied_without_a_request_even_offline(
    openml: FakeOpenML, fetching: Fetching, heard: Heard, theirs: Path
) -> None:
    found = get(BRD, replace(fetching, offline=True))
    assert found.card.num_rows == 40
    assert found.card.files == ()
    assert verify(BRD) == []
    assert heard.sentences == [
        f"BRD/Micro is copied from {theirs}, where the openml package has downloaded it; licence: CC0 Public Domain"
    ]
    assert theirs.is_dir()
    assert openml.log == []


def test_what_the_package_has_downloaded_in_part_is_not_used(
    openml: FakeOpenML, fetching: Fetching, heard: Heard, theirs: Path, cache: Path
) -> None:
    (theirs / "images/000003.JPG").unlink()
    with pytest.raises(OfflineError, match=r"openml:BRD/Micro is not kept"):
        get(BRD, replace(fetching, offline=True))
    assert "is no whole copy of BRD/Micro and is not used: " in heard.text
    assert not (cache / "datasets/openml/44241").exists()
