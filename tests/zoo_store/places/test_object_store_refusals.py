"""What an object store refuses is told in a sentence with the remedy, soon, and nothing is asked offline."""

import logging
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from tests.zoo_store.places.bad_network import BadNetwork
from zoo_store import EntryNotFoundError, Zoo, ZooEntry, ZooNotFoundError, ZooPathError, ZooReadError, ZooWriteError
from zoo_store.format.identity import is_full_id
from zoo_store.places.remote.object_store import ObjectStore
from zoo_store.places.remote.offline import OfflinePlace
from zoo_store.places.remote.remote_files import RemoteFiles

EntryMaker = Callable[..., ZooEntry]
IMPATIENT = {"config_kwargs": {"connect_timeout": 1, "read_timeout": 1}}


def test_a_scheme_that_fsspec_does_not_know_is_refused() -> None:
    with pytest.raises(ZooPathError, match=r"has the scheme 'nowhere', which fsspec does not know; expected a local"):
        Zoo("nowhere://zoo")


@pytest.mark.parametrize(
    ("address", "package", "remedy"),
    [
        ("s3://bucket/zoo", "s3fs", r"pip install 'supernet-tl\[s3\]'"),
        ("sftp://host/zoo", "paramiko", "fsspec says: .*paramiko"),
    ],
)
def test_a_package_that_is_missing_is_told_with_the_command_that_installs_it(
    address: str, package: str, remedy: str, tmp_path: Path
) -> None:
    # Oracle: a fresh interpreter in which the package cannot be imported.
    program = (
        f"import sys; sys.modules[{package!r}] = None\nfrom zoo_store import Zoo, ZooPathError\n"
        f"try:\n    Zoo({address!r})\nexcept ZooPathError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert f"the zoo {address!r} needs a package that is not installed; install it" in done.stdout
    assert re.search(remedy, done.stdout)


def test_a_bucket_that_is_not_there_is_an_empty_zoo_and_refuses_writes(
    s3_environment: str, make_entry: EntryMaker
) -> None:
    zoo = Zoo("s3://no-such-bucket/zoo")

    assert not zoo.exists()
    assert list(zoo) == []
    with pytest.raises(ZooNotFoundError, match="there is no zoo at 's3://no-such-bucket/zoo'"):
        zoo.verify()
    with pytest.raises(
        ZooWriteError, match=r"could not add \w+ in the zoo 's3://no-such-bucket/zoo': .*Make the bucket first"
    ):
        zoo.add(make_entry())


def test_missing_credentials_are_told_with_where_to_put_them(
    s3_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ZooReadError, match=r"Unable to locate credentials\. Give credentials .*AWS_ACCESS_KEY_ID"):
        len(Zoo(s3_url))


def test_an_endpoint_that_nobody_serves_is_told_soon(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    zoo = Zoo(s3_url)
    begun = time.monotonic()

    with pytest.raises(ZooReadError, match=r"Could not connect .*Check the network .*AWS_ENDPOINT_URL"):
        list(zoo)
    with pytest.raises(ZooWriteError, match=r"could not add \w+ in the zoo .*Could not connect"):
        zoo._place.publish("0" * 64, {"manifest.json": b"{}"})
    assert time.monotonic() - begun < 20


def test_a_server_that_never_answers_is_given_up(s3_url: str, s3_endpoint: str) -> None:
    with BadNetwork(int(s3_endpoint.rpartition(":")[2])) as network:
        network.num_bytes_left, network.hangs = 0, True
        begun = time.monotonic()
        with pytest.raises(ZooReadError, match=r"could not list the files .*Check the network"):
            list(Zoo(s3_url, storage_options={"endpoint_url": network.url, **IMPATIENT}))

    assert time.monotonic() - begun < 20  # three tries of a second each, and pauses


def test_a_connection_that_broke_once_is_tried_again(
    s3_url: str, s3_endpoint: str, make_entry: EntryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry_id = Zoo(s3_url).add(make_entry())
    with BadNetwork(int(s3_endpoint.rpartition(":")[2])) as network:
        network.num_bytes_left = 100

        def heal(seconds: float) -> None:
            network.num_bytes_left = None

        monkeypatch.setattr("zoo_store.places.remote.remote_files.time.sleep", heal)
        assert list(Zoo(s3_url, storage_options={"endpoint_url": network.url})) == [entry_id]


def test_a_store_can_be_used_before_and_after_a_fork(s3_url: str, make_entry: EntryMaker) -> None:
    entry_id = Zoo(s3_url).add(make_entry())
    program = (
        "import os, sys; from zoo_store import Zoo\n"
        "zoo = Zoo(sys.argv[1]); list(zoo); child = os.fork()\n"
        "print(*zoo, flush=True)\n"
        "os._exit(0) if not child else sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, s3_url], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [entry_id, entry_id], "")


@pytest.fixture
def kept_url(s3_url: str, make_entry: EntryMaker, monkeypatch: pytest.MonkeyPatch) -> str:
    """A zoo of which one whole entry, the card of another, and an alias were read before the network went."""
    zoo = Zoo(s3_url)
    whole, card_only = zoo.add(make_entry()), zoo.add(make_entry(seed=1))
    zoo.add(make_entry(seed=2))  # never read
    zoo.set_alias("best", whole)
    zoo.get("best")
    zoo.card(card_only)
    monkeypatch.setenv("SUPERNET_TL_OFFLINE", "1")
    monkeypatch.delattr(RemoteFiles, "_open")  # nobody can be asked
    return s3_url


def test_offline_what_was_kept_can_be_read_and_that_is_told_once(
    kept_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    zoo = Zoo(kept_url)

    assert {zoo.card(entry_id)["seed"] for entry_id in zoo} == {0, 1}
    assert zoo.get("best").card["seed"] == 0
    assert zoo.aliases() == {"best": zoo.resolve("best")}
    place = zoo._place
    assert isinstance(place, OfflinePlace)
    assert place.marks(is_full_id) == {entry_id: place.mark(entry_id) for entry_id in zoo}
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 1
    assert told[0].startswith(f"offline (SUPERNET_TL_OFFLINE is set): the zoo '{kept_url}' is not asked")


def test_offline_what_was_not_kept_is_refused_and_so_is_every_write(kept_url: str, make_entry: EntryMaker) -> None:
    zoo = Zoo(kept_url)
    (card_only,) = (entry_id for entry_id in zoo if zoo.card(entry_id)["seed"] == 1)

    with pytest.raises(ZooReadError, match=r"README\.md .*SUPERNET_TL_OFFLINE is set, and no copy was kept"):
        zoo.get(card_only)
    with pytest.raises(EntryNotFoundError, match="holds no entry"):
        zoo.get("0" * 64)
    assert {problem.reason.split(":")[0] for problem in zoo.verify()} == {"cannot be read"}
    for write in (
        lambda: zoo.add(make_entry(seed=3)),
        lambda: zoo.remove(card_only),
        lambda: zoo.set_alias("other", card_only),
        lambda: zoo.clear_leftovers(),
        lambda: zoo._place.set_aside(card_only),
    ):
        with pytest.raises(ZooWriteError, match=r"could not .* SUPERNET_TL_OFFLINE is set\. Unset it, or write"):
            write()


def test_offline_a_zoo_of_which_nothing_was_kept_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERNET_TL_OFFLINE", "1")
    zoo = Zoo("s3://bucket/never-read")

    assert list(zoo) == []
    with pytest.raises(ZooReadError, match="could not read anything in the zoo 's3://bucket/never-read'"):
        zoo.verify()


def test_an_entry_that_was_found_missing_is_not_shown_offline(
    s3_url: str, make_entry: EntryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = Zoo(s3_url)
    entry_id = zoo.add(make_entry())
    zoo.get(entry_id)
    zoo.remove(entry_id)
    monkeypatch.setenv("SUPERNET_TL_OFFLINE", "1")

    assert list(Zoo(s3_url)) == []


def test_what_a_later_listing_has_not_is_not_shown_offline(
    s3_url: str, make_entry: EntryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = Zoo(s3_url)
    gone, there = zoo.add(make_entry()), zoo.add(make_entry(seed=1))
    for entry_id in (gone, there):
        zoo.get(entry_id)
    zoo.set_alias("gone", gone)
    zoo.set_alias("manifest", there)
    assert zoo.aliases() == {"gone": gone, "manifest": there}
    remote = RemoteFiles(s3_url)  # somebody else's
    for path in [path for path in remote.listing() if path.startswith(gone) or path.endswith("gone.json")]:
        remote.delete(path)
    assert list(zoo) == [there]
    assert zoo.aliases() == {"manifest": there}
    monkeypatch.setenv("SUPERNET_TL_OFFLINE", "1")

    assert list(Zoo(s3_url)) == [there]
    assert Zoo(s3_url).aliases() == {"manifest": there}


def test_what_another_endpoint_has_is_not_shown_offline(
    s3_url: str, s3_endpoint: str, make_entry: EntryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = Zoo(s3_url)
    entry_id = zoo.add(make_entry())
    zoo.get(entry_id)
    monkeypatch.setenv("SUPERNET_TL_OFFLINE", "1")

    assert list(Zoo(s3_url)) == [entry_id]
    assert list(Zoo(s3_url, storage_options={"endpoint_url": "http://elsewhere"})) == []
    assert list(Zoo(s3_url, storage_options={"client_kwargs": {"endpoint_url": "http://elsewhere"}})) == []
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://elsewhere")
    assert list(Zoo(s3_url)) == []


def test_a_zoo_in_memory_needs_no_network(
    memory_url: str, make_entry: EntryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERNET_TL_OFFLINE", "1")
    entry_id = Zoo(memory_url).add(make_entry())

    assert list(Zoo(memory_url)) == [entry_id]


def test_a_listing_with_names_of_elsewhere_is_refused(memory_url: str) -> None:
    # A file at the very address of the zoo is listed under the zoo's own name, which begins with no folder of it.
    fsspec.filesystem("memory").pipe_file(memory_url, b"no zoo")
    with pytest.raises(ZooReadError, match=r"could not list the files .* where all names should begin with"):
        list(Zoo(memory_url))


@pytest.mark.parametrize(
    ("value", "place"), [("1", OfflinePlace), ("true", OfflinePlace), ("0", ObjectStore), ("", ObjectStore)]
)
def test_the_switch_for_offline_is_on_or_off(value: str, place: type[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERNET_TL_OFFLINE", value)
    assert isinstance(Zoo("s3://bucket/zoo")._place, place)


def test_importing_the_package_or_opening_a_folder_loads_no_client(tmp_path: Path) -> None:
    # Oracle: a fresh interpreter's own list of what it has loaded.
    program = "import sys, zoo_store; zoo_store.Zoo(sys.argv[1]); print(*sys.modules)"
    command = [sys.executable, "-c", program, str(tmp_path)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout.split()

    assert "zoo_store.places.remote.object_store" in loaded
    assert not set(loaded) & {"s3fs", "botocore", "aiobotocore", "fsspec.implementations.memory"}
