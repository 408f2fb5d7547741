"""What comes from the Hugging Face Hub is what the entry's id stands for, or is refused; offline, copies answer."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Response

from tests.zoo_store.places.hub_client import hub_server, move_to_another_machine, open_repository, open_zoo
from tests.zoo_store.places.hub_server import OWNER_TOKEN, READ_TOKEN, STRANGER_TOKEN, HubServer
from zoo_store import CorruptEntryError, Zoo, ZooEntry, ZooNotFoundError, ZooReadError, ZooWriteError
from zoo_store.places.files import UnfitFileError
from zoo_store.places.kept import copies

EntryMaker = Callable[..., ZooEntry]
# The Hub's client still hands files to its HTTP library in the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
ROOT = Path(__file__).parents[3]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with hub_server(monkeypatch) as server:
        yield server


@pytest.fixture
def entry_id(hub: HubServer, make_entry: EntryMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The one entry on the Hub, which another machine has pushed."""
    entry_id = open_zoo(hub).add(make_entry())
    move_to_another_machine(monkeypatch, tmp_path / "elsewhere")
    hub.requests.clear()
    return entry_id


def run_elsewhere(program: str, hub: HubServer, cache: Path, **environment: str) -> "subprocess.Popen[str]":
    """Another process, which opens the zoo as ``zoo``."""
    opening = (
        f"import zoo_store; zoo = zoo_store.Zoo('hf://me/zoo', storage_options={{'endpoint': '{hub.endpoint}'}})\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", opening + program],
        cwd=ROOT,
        env={
            **os.environ,
            "HF_HOME": str(cache / "hf"),
            "HF_TOKEN": OWNER_TOKEN,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
            "SUPERNET_TL_CACHE": str(cache),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# -- bytes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["supernet.safetensors", "card.json"])
def test_an_entry_that_was_altered_on_the_hub_is_refused_and_named(
    hub: HubServer, entry_id: str, file: str, make_entry: EntryMaker
) -> None:
    data = hub.repository().tree[f"{entry_id}/{file}"].data
    hub.rewrite({f"{entry_id}/{file}": data[:-2] + b"  "})
    zoo = open_zoo(hub)
    with pytest.raises(
        CorruptEntryError, match=rf"zoo entry {entry_id}: {file} has the SHA-256 .* the manifest records"
    ):
        zoo.get(entry_id)

    assert [problem.file for problem in zoo.verify()] == [file]


@pytest.mark.parametrize("path", ["cdn", "resolve/.*/card.json", "resolve/.*/manifest.json"])
def test_wrong_bytes_on_the_way_are_fetched_again(
    hub: HubServer, entry_id: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    hub.fail(f"GET .*{path}", hub.send_altered)

    assert open_zoo(hub).get(entry_id).card["name"] == "Digits, space s1"
    # Oracle: a large file is known by its SHA-256, a small one by what the Hub lists.
    assert [message for message in caplog.messages if message.startswith("what was fetched ")]


def test_bytes_that_stay_wrong_are_refused_and_not_kept(hub: HubServer, entry_id: str) -> None:
    hub.fail("GET .*/card.json", hub.send_altered, times=4)
    zoo = open_zoo(hub)
    with pytest.raises(CorruptEntryError, match=r"card\.json has the SHA-256 .*; the manifest records"):
        zoo.card(entry_id)

    assert zoo.card(entry_id)["name"] == "Digits, space s1"


def test_copies_that_were_altered_on_this_machine_are_fetched_again(
    hub: HubServer, entry_id: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    zoo = open_zoo(hub)
    zoo.get(entry_id)
    copies = [path for kind in ("copies", "pages") for path in kept_files(tmp_path, kind)]
    assert len(copies) == 5
    for copy in copies:
        copy.write_bytes(bytes([copy.read_bytes()[0] ^ 1]) + copy.read_bytes()[1:])
    hub.requests.clear()

    assert zoo.get(entry_id).card["name"] == "Digits, space s1"
    assert len([line for line in hub.requests if "resolve" in line]) == 5
    assert sum("was damaged (holds other bytes)" in message for message in caplog.messages) == 2


def test_a_link_in_the_place_of_a_copy_is_not_followed(hub: HubServer, entry_id: str, tmp_path: Path) -> None:
    zoo = open_zoo(hub)
    zoo.card(entry_id)
    (copy,) = (path for path in kept_files(tmp_path, "pages") if path.name == "card.json")
    copy.unlink()
    (tmp_path / "outside.json").write_bytes(b"elsewhere")
    copy.symlink_to(tmp_path / "outside.json")
    hub.requests.clear()

    assert zoo.card(entry_id)["name"] == "Digits, space s1"
    assert len([line for line in hub.requests if "resolve" in line]) == 1
    assert not copy.is_symlink()


def kept_files(folder: Path, kind: str) -> list[Path]:
    return [path for path in (folder / "elsewhere" / "zoos" / kind).rglob("*") if path.is_file()]


def test_what_was_fetched_is_not_fetched_again_also_after_other_commits(hub: HubServer, entry_id: str) -> None:
    zoo = open_zoo(hub)
    zoo.get(entry_id)
    hub.rewrite({"notes.txt": b"another commit"})
    hub.requests.clear()
    zoo.get(entry_id)
    open_zoo(hub).get(entry_id)

    assert [line for line in hub.requests if "resolve" in line or "cdn" in line] == []


def test_verify_reads_the_weights_on_the_hub_and_not_the_copies(hub: HubServer, entry_id: str) -> None:
    zoo = open_zoo(hub)
    zoo.get(entry_id)
    hub.fail("GET /cdn/", hub.send_altered, times=2)

    assert {problem.file for problem in zoo.verify()} == {"sketch.safetensors", "supernet.safetensors"}
    assert zoo.verify() == []
    assert zoo.get(entry_id).card["name"] == "Digits, space s1"


def test_a_file_that_is_too_large_is_not_fetched(hub: HubServer, entry_id: str) -> None:
    place = open_repository(hub)
    assert place.exists()
    with pytest.raises(UnfitFileError, match=r"has \d+ bytes; expected at most 10"):
        place.read(entry_id, "supernet.safetensors", max_bytes=10)

    assert [line for line in hub.requests if "resolve" in line or "cdn" in line] == []


def test_an_answer_that_breaks_off_is_asked_for_again(hub: HubServer, entry_id: str) -> None:
    hub.fail("GET /cdn/", hub.send_half)

    assert open_zoo(hub).get(entry_id).card["name"] == "Digits, space s1"
    # Oracle: the requests that arrived; two large files and one of them twice.
    assert len([line for line in hub.requests if line.startswith("GET /cdn/")]) == 3


def test_a_download_whose_process_was_killed_goes_on_where_it_was(
    hub: HubServer, entry_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "CHUNK_BYTES", 300)
    hub.fail("GET /cdn/", hub.hang, after=1)
    program = f"import zoo_store.places.kept.copies as copies; copies.CHUNK_BYTES = 300; zoo.sketch('{entry_id}')"
    process = run_elsewhere(program, hub, tmp_path / "elsewhere")
    assert hub.hanging.wait(60)
    process.kill()
    process.communicate()
    (partial,) = (path for path in kept_files(tmp_path, "partial") if path.suffix != ".lock")
    sketch = hub.repository().tree[f"{entry_id}/sketch.safetensors"]
    assert partial.read_bytes() == sketch.data[:300]
    hub.requests.clear()
    hub.ranges.clear()

    assert open_zoo(hub).get(entry_id).card["name"] == "Digits, space s1"
    # Oracle: the ranges that were asked for since; the killed process had the first one.
    asked = [span for line, span in zip(hub.requests, hub.ranges, strict=True) if sketch.sha256 in line]
    assert asked == ["bytes=300-599", f"bytes=600-{len(sketch.data) - 1}"]
    assert not partial.exists()


# -- offline ----------------------------------------------------------------------------------------------------------


def test_offline_the_copies_answer_and_say_so(
    hub: HubServer,
    entry_id: str,
    make_entry: EntryMaker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    online = open_zoo(hub)
    online.set_alias("best", entry_id)
    online.get("best")
    other = open_zoo(hub).add(make_entry(weights_seed=1))
    assert sorted(online) == sorted([entry_id, other])
    commit = hub.repository().main
    monkeypatch.setenv("SUPERNET_TL_OFFLINE", "1")
    hub.requests.clear()
    zoo = open_zoo(hub)

    assert zoo.get("best").card["name"] == "Digits, space s1"
    assert sorted(zoo) == sorted([entry_id, other])
    (said,) = [message for message in caplog.messages if message.startswith("offline")]
    assert "since SUPERNET_TL_OFFLINE is set: the zoo hf://me/zoo is answered from the copies on this machine" in said
    assert f"as of commit {commit[:12]}, seen on 20" in said
    with pytest.raises(ZooReadError, match=r"manifest\.json of the zoo .* no good copy of it is on this machine"):
        zoo.get(other)
    with pytest.raises(
        ZooWriteError, match=r"could not add .*: SUPERNET_TL_OFFLINE is set\..* Unset it, then try again"
    ):
        zoo.add(make_entry(seed=3))
    assert hub.requests == []


def test_what_this_machine_has_just_added_is_known_offline(
    hub: HubServer, make_entry: EntryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = open_zoo(hub).add(make_entry())
    monkeypatch.setenv("SUPERNET_TL_OFFLINE", "1")

    assert list(open_zoo(hub)) == [added]


def test_a_zoo_that_was_never_seen_cannot_be_had_offline(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERNET_TL_OFFLINE", "yes")
    zoo = open_zoo(hub)
    for ask in (lambda: list(zoo), zoo.verify, zoo.aliases):
        with pytest.raises(ZooReadError, match=r"is set, and this machine has not seen that zoo before\. Read it once"):
            ask()


def test_a_commit_that_was_seen_needs_no_hub(hub: HubServer, entry_id: str, caplog: pytest.LogCaptureFixture) -> None:
    address = f"hf://me/zoo@{hub.repository().main}"
    open_zoo(hub, address).get(entry_id)
    hub.requests.clear()

    assert open_zoo(hub, address).get(entry_id).card["name"] == "Digits, space s1"
    assert hub.requests == []
    assert caplog.messages == []


def test_a_hub_that_says_nothing_is_given_up_quickly_and_left_alone(
    hub: HubServer, entry_id: str, caplog: pytest.LogCaptureFixture, make_entry: EntryMaker
) -> None:
    open_zoo(hub).get(entry_id)
    hub.requests.clear()
    hub.fail("GET /api/", hub.hang, times=1000)
    zoo = open_zoo(hub, timeout=0.2)

    assert zoo.get(entry_id).card["name"] == "Digits, space s1"
    assert zoo.verify() == []
    assert len(hub.requests) == 1  # several questions, of which only the first one waited
    (said,) = [message for message in caplog.messages if message.startswith("offline")]
    assert "since the Hugging Face Hub cannot be reached (" in said
    with pytest.raises(ZooWriteError, match=r"could not add .* cannot be reached \(.*\. Check the network, then try"):
        zoo.add(make_entry(seed=1))


def test_a_hub_that_comes_back_is_asked_again_from_the_next_change_on(
    hub: HubServer, entry_id: str, make_entry: EntryMaker
) -> None:
    zoo = open_zoo(hub, timeout=0.2)
    assert list(zoo) == [entry_id]
    hub.fail("GET /api/", hub.hang)
    assert list(zoo) == [entry_id]
    open_zoo(hub).add(make_entry(seed=1))
    assert list(zoo) == [entry_id]  # still offline, to its mind
    other = zoo.add(make_entry(seed=2))

    assert len(zoo) == 3
    assert other in zoo


def test_a_hub_that_is_not_there_is_told_from_one_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with hub_server(monkeypatch) as hub:
        zoo = open_zoo(hub)
    with pytest.raises(
        ZooReadError, match=r"the Hugging Face Hub cannot be reached \(ConnectError.* not seen that zoo"
    ):
        list(zoo)


def test_the_hubs_own_switch_is_obeyed_and_opening_a_zoo_loads_no_client(
    hub: HubServer, entry_id: str, tmp_path: Path
) -> None:
    open_zoo(hub).get(entry_id)
    hub.requests.clear()
    # Oracle: a fresh interpreter's own list of what it has loaded.
    program = (
        "import sys; print(sorted({'huggingface_hub', 'fsspec'} & set(sys.modules)))\n"
        f"print(zoo.card('{entry_id}')['name'])"
    )
    process = run_elsewhere(program, hub, tmp_path / "elsewhere", HF_HUB_OFFLINE="1")
    output, errors = process.communicate()

    assert output.splitlines() == ["[]", "Digits, space s1"], errors
    assert "offline, since HF_HUB_OFFLINE is set" in errors
    assert hub.requests == []


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (
            401,
            r"the Hub answered 401 \(as the test asks\): whoever gives no valid token .* `hf auth login`, or set HF_",
        ),
        (
            403,
            r"the Hub answered 403 \(as the test asks\): the token has no right to do this\. With a token that has it",
        ),
        (429, r"the Hub answered 429 \(as the test asks\): too many requests\. Wait some minutes, then try again"),
        (
            500,
            r"the Hub answered 500 \(as the test asks\): it has a fault of its own\. Wait until it has recovered, then",
        ),
        (418, r"the Hub answered 418 \(as the test asks\)\. See to the cause, then try again\."),
    ],
)
def test_a_hub_that_refuses_or_fails_says_which_and_what_to_do(
    hub: HubServer, entry_id: str, status: int, sentence: str, make_entry: EntryMaker
) -> None:
    zoo = open_zoo(hub)
    zoo.get(entry_id)
    hub.fail("GET /api/", hub.status(status), times=2)
    with pytest.raises(ZooReadError, match=rf"could not read what it holds in the zoo 'hf://me/zoo': {sentence}"):
        list(zoo)
    with pytest.raises(ZooReadError, match=sentence):
        zoo.get(entry_id)

    assert list(zoo) == [entry_id]


def test_what_is_no_hub_is_called_so(hub: HubServer, entry_id: str) -> None:
    with pytest.raises(ZooReadError, match=r"the Hub answered 404.*\. Check the address; if the repository is private"):
        open_zoo(hub, endpoint=f"{hub.endpoint}/elsewhere").verify()
    hub.fail("GET /api/", lambda: Response("<html>Please log in to this network</html>"))
    with pytest.raises(ZooReadError, match=r"did not do so as the Hub does \(JSONDecodeError.*\(HF_ENDPOINT\)"):
        open_zoo(hub).verify()


@pytest.mark.parametrize("token", [False, "hf_wrong"])
def test_a_private_zoo_asks_for_a_token(
    hub: HubServer, entry_id: str, token: str | bool, make_entry: EntryMaker
) -> None:
    zoo = open_zoo(hub, token=token)
    with pytest.raises(ZooReadError, match=r"the Hub answered 401 .* log in with `hf auth login`, or set HF_TOKEN"):
        zoo.get(entry_id)
    with pytest.raises(ZooReadError, match=r"the Hub answered 401"):
        list(zoo)


def test_strangers_see_no_private_zoo_and_readers_cannot_write(
    hub: HubServer, entry_id: str, make_entry: EntryMaker
) -> None:
    assert list(open_zoo(hub, token=STRANGER_TOKEN)) == []
    with pytest.raises(ZooNotFoundError, match=r"there is no zoo at 'hf://me/zoo'"):
        open_zoo(hub, token=STRANGER_TOKEN).get(entry_id)
    reader = open_zoo(hub, token=READ_TOKEN)
    assert reader.get(entry_id).card["name"] == "Digits, space s1"
    for write in (lambda: reader.remove(entry_id), lambda: reader.set_alias("best", entry_id)):
        with pytest.raises(
            ZooWriteError, match=r"the Hub answered 403 .*: the token has no right to do this\. The ent"
        ):
            write()
    with pytest.raises(ZooWriteError, match=r"could not add .*'hf://you/zoo': the Hub answered 403"):
        open_zoo(hub, "hf://you/zoo").add(make_entry())


def test_a_gated_zoo_tells_where_to_ask(hub: HubServer, entry_id: str) -> None:
    hub.repository().gated = True
    with pytest.raises(
        ZooReadError, match=r"answered 403 .*: the repository is gated\. Ask for access on its page, then"
    ):
        open_zoo(hub, token=READ_TOKEN).get(entry_id)


def test_a_revision_that_is_not_there_is_named(hub: HubServer, entry_id: str) -> None:
    for revision in ("v2", "0" * 40):
        with pytest.raises(ZooReadError, match=rf"the repository has no branch, tag or commit '{revision}'\. Correct"):
            list(Zoo(f"hf://me/zoo@{revision}", storage_options={"endpoint": hub.endpoint, "token": OWNER_TOKEN}))


@pytest.mark.parametrize("step", ["preupload", "objects/batch", "PUT /lfs/", "verify", "commit/main"])
def test_a_push_that_fails_at_any_step_leaves_nothing_to_be_seen(
    hub: HubServer, entry_id: str, step: str, make_entry: EntryMaker
) -> None:
    zoo = open_zoo(hub)
    hub.fail(step, hub.status(403))
    with pytest.raises(
        ZooWriteError, match=r"could not add .* the Hub answered 403 .*The entries that it holds are unto"
    ):
        zoo.add(make_entry(weights_seed=1, seed=1))

    assert list(zoo) == [entry_id]
    assert zoo.verify() == []
    zoo.add(make_entry(weights_seed=1, seed=1))
    assert len(zoo) == 2
