"""Places of every kind, among them a bucket on a real S3 server."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from zoo_store import Zoo
from zoo_store.format.identity import is_full_id
from zoo_store.format.manifest import MANIFEST_FILE
from zoo_store.format.sealing import sealed
from zoo_store.places.local import LocalFolder
from zoo_store.places.place import Place
from zoo_store.places.remote.object_store import ObjectStore

BUCKET = "supernets"


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The URL of an S3 server with an empty bucket."""
    program = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("s3_server.py"))]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        endpoint = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        options = {"key": "any", "secret": "any", "endpoint_url": endpoint, "skip_instance_cache": True}
        fsspec.filesystem("s3", **options).mkdir(BUCKET)
        yield endpoint
        assert server.stdin is not None
        server.stdin.close()


@pytest.fixture
def s3_environment(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The environment that a user would set; the endpoint's URL."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    return s3_endpoint


@pytest.fixture
def s3_url(s3_environment: str) -> str:
    """The URL of a zoo in a bucket, which has nothing yet."""
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"


@pytest.fixture
def memory_url() -> Iterator[str]:
    """The URL of a zoo in memory, which has nothing yet."""
    url = f"memory://{uuid.uuid4().hex}"
    yield url
    memory = fsspec.filesystem("memory")
    for path in memory.find(url):
        memory.rm_file(path)


@pytest.fixture(params=["memory", "s3"])
def store_url(request: pytest.FixtureRequest) -> str:
    """The URL of a zoo on an object store."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=["folder", "memory", "s3", "file system"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place of every kind; the last is any file system with folders that fsspec knows, here that of this machine."""
    if request.param == "folder":
        return LocalFolder(tmp_path / "zoo", lock_timeout=60)
    if request.param == "file system":
        return ObjectStore(f"local://{tmp_path}/zoo", marker=MANIFEST_FILE, is_group=is_full_id, seal=sealed)
    url = str(request.getfixturevalue(f"{request.param}_url"))
    return ObjectStore(url, marker=MANIFEST_FILE, is_group=is_full_id, seal=sealed)


@pytest.fixture
def any_zoo(place: Place, tmp_path: Path) -> Zoo:
    """A zoo in a place of every kind."""
    zoo = Zoo(tmp_path / "elsewhere")
    zoo._place = zoo._aliases.place = place
    return zoo
