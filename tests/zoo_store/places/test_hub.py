"""A zoo on the Hugging Face Hub is a zoo like any other: shared, moved, pruned, and changed by one commit at a time."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.zoo_store.places.hub_client import hub_server, move_to_another_machine, open_repository, open_zoo
from tests.zoo_store.places.hub_server import HubServer
from zoo_store import Zoo, ZooBusyError, ZooEntry, ZooNotFoundError, ZooPathError, ZooWriteError
from zoo_store.format.hub_page import hub_page
from zoo_store.format.stored_entry import StoredEntry
from zoo_store.places.hub import repository as hub_place
from zoo_store.places.hub.address import HubAddress
from zoo_store.places.local import LocalFolder

EntryMaker = Callable[..., ZooEntry]
# The Hub's client still hands files to its HTTP library in the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
FILES = {"a.json": b"{}", "b.safetensors": b"weights", "c.json": b"last"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with hub_server(monkeypatch) as server:
        yield server


@pytest.mark.parametrize("lfs", [True, False])
@pytest.mark.parametrize("address", ["hf://me/zoo", "hf://datasets/me/zoo"])
def test_what_is_pushed_here_is_pulled_elsewhere_byte_for_byte(
    lfs: bool, address: str, zoo: Zoo, make_entry: EntryMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = sorted([zoo.add(make_entry()), zoo.add(make_entry(weights_seed=1, seed=1))])
    zoo.set_alias("digits", ids[0])
    with hub_server(monkeypatch, lfs=lfs) as hub:
        assert sorted(zoo.copy_to(open_zoo(hub, address)).added) == ids
        move_to_another_machine(monkeypatch, tmp_path / "elsewhere")
        remote, pulled = open_zoo(hub, address), Zoo(tmp_path / "pulled")
        assert list(remote) == ids
        assert remote.verify() == []
        assert remote.aliases() == {"digits": ids[0]}
        remote.copy_to(pulled)

        kind = "datasets" if "datasets" in address else "models"
        large = {path for path, blob in hub.repository(kind=kind).tree.items() if blob.lfs}
        assert len(large) == (4 if lfs else 0)

    # Oracle: the files of the zoo that everything came from.
    for entry_id in ids:
        original = StoredEntry(LocalFolder(zoo.path, 0), entry_id).files()
        assert StoredEntry(LocalFolder(pulled.path, 0), entry_id).files() == original
    assert torch.equal(pulled.get("digits").state["stem.weight"], zoo.get(ids[0]).state["stem.weight"])


def test_an_entry_appears_in_one_commit_of_a_repository_that_is_private_at_first(
    hub: HubServer, make_entry: EntryMaker, caplog: pytest.LogCaptureFixture
) -> None:
    zoo = open_zoo(hub)
    assert len(zoo) == 0
    with pytest.raises(ZooNotFoundError, match=r"there is no zoo at 'hf://me/zoo'"):
        zoo.verify()
    entry_id = zoo.add(make_entry())

    assert hub.repository().messages == ["initial commit", f"Add {entry_id}"]
    assert hub.repository().private
    assert "made the private repository hf://me/zoo. Its settings on the Hub can make it public." in caplog.messages
    assert zoo.add(make_entry()) == entry_id  # the same content again
    assert len(hub.repository().messages) == 2


def test_entries_that_are_pushed_together_are_one_commit(hub: HubServer, zoo: Zoo, make_entry: EntryMaker) -> None:
    ids = {zoo.add(make_entry(seed=seed)) for seed in range(3)}
    copies = zoo.copy_to(open_zoo(hub))

    assert set(copies.added) == set(open_zoo(hub)) == ids
    assert len(hub.repository().messages) == 2  # the first one makes the repository


def test_a_public_repository_is_made_when_asked_for(hub: HubServer, make_entry: EntryMaker) -> None:
    entry_id = open_zoo(hub, private=False).add(make_entry())

    assert not hub.repository().private
    assert list(open_zoo(hub, token=False)) == [entry_id]


def test_many_groups_take_one_commit(hub: HubServer) -> None:
    place = open_repository(hub)
    assert place.publish("b" * 64, FILES)
    groups = {name * 64: FILES for name in "abc"}

    assert place.publish_all(groups) == ["a" * 64, "c" * 64]
    assert place.publish_all(groups) == []
    assert hub.repository().messages[1:] == ["Add " + "b" * 64, "Add 2 entries"]
    assert place.groups(lambda name: len(name) == 64) == sorted(groups)
    assert {place.read("c" * 64, name, 100) for name in FILES} == set(FILES.values())


def test_an_entry_that_is_removed_vanishes_everywhere_but_from_the_commits_before(
    hub: HubServer, make_entry: EntryMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, yours = open_zoo(hub), open_zoo(hub)
    entry_id, other = mine.add(make_entry()), mine.add(make_entry(seed=1))
    mine.set_alias("best", entry_id)
    assert sorted(yours) == sorted([entry_id, other])
    before = hub.repository().main
    yours.remove("best", with_aliases=True)

    assert list(mine) == [other]
    assert mine.aliases() == {}
    assert not [path for path in hub.repository().tree if path.startswith((entry_id, "aliases"))]
    move_to_another_machine(monkeypatch, tmp_path / "elsewhere")
    past = open_zoo(hub, f"hf://me/zoo@{before}")
    assert past.get("best").card["name"] == "Digits, space s1"
    for write in (lambda: past.remove(other), lambda: past.add(make_entry(seed=2)), lambda: past.delete_alias("best")):
        with pytest.raises(ZooWriteError, match=r"is that of a commit, which never changes.* Leave out the @ and what"):
            write()


def test_what_is_set_aside_lies_in_quarantine_byte_for_byte(hub: HubServer) -> None:
    place, group = open_repository(hub), "a" * 64
    for expected in (group, f"{group}.2"):
        place.publish(group, FILES)
        assert place.set_aside(group) == f"hf://me/zoo/quarantine/{expected}"
        assert not place.holds(group)
        tree = hub.repository().tree
        assert {path.rpartition("/")[2]: blob.data for path, blob in tree.items() if expected + "/" in path} == FILES
    hub.rewrite({group: b"a file where a folder should be"})
    assert not place.is_whole(group)
    place.set_aside(group)
    assert hub.repository().tree[f"quarantine/{group}.3"].data == b"a file where a folder should be"
    assert place.set_aside(group) is None


def test_what_has_been_replaced_since_it_was_looked_at_is_not_set_aside(hub: HubServer) -> None:
    place, group = open_repository(hub), "a" * 64
    place.publish(group, {**FILES, "card.json": b"damaged"})
    mark = place.mark(group)
    place.discard(group)
    place.publish(group, FILES)
    before = hub.repository().tree

    assert place.set_aside(group, mark=mark) is None
    assert hub.repository().tree == before
    assert place.set_aside(group, mark=place.mark(group)) == f"hf://me/zoo/quarantine/{group}"


def test_notes_are_written_only_where_the_commit_has_what_is_expected(hub: HubServer) -> None:
    # Oracle: what the server's tree holds.
    place = open_repository(hub)
    place.publish("a" * 64, FILES)
    assert place.write_notes({"x.json": b"1"}, expected={"x.json": None})
    for expected in ({"x.json": None}, {"x.json": b"2"}, {"x.json": b"1", "y.json": b""}):
        assert not place.write_notes({"x.json": b"3", "z.json": b"3"}, expected=expected)
    assert {path for path in hub.repository().tree if path.startswith("aliases/")} == {"aliases/x.json"}
    assert place.read_note("x.json", 10) == b"1"
    assert place.write_notes({"x.json": None}, expected={"x.json": b"1", "y.json": None})
    assert place.notes() == []


def test_pushers_at_the_same_time_lose_nothing(hub: HubServer, make_entry: EntryMaker) -> None:
    expected: list[str] = []

    def push(seed: int) -> None:
        expected.extend(open_zoo(hub).add(make_entry(weights_seed=seed + number, seed=seed)) for number in (0, 1))

    threads = [threading.Thread(target=push, args=(10 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    zoo = open_zoo(hub)
    assert len(expected) == 8
    assert list(zoo) == sorted(expected)
    assert zoo.verify() == []
    page = hub.repository().tree["README.md"].data.decode()
    assert all(f"({entry_id}/README.md)" in page for entry_id in expected)


def test_a_change_that_another_commit_forestalled_is_made_on_top_of_it(hub: HubServer, make_entry: EntryMaker) -> None:
    zoo = open_zoo(hub)
    zoo.add(make_entry())
    hub.fail("POST .*/commit/", lambda: hub.rewrite({"notes.txt": b"somebody was quicker"}))
    hub.fail("POST .*/commit/", hub.status(409, "another commit is in progress"), times=1)
    zoo.add(make_entry(seed=1))

    assert len(zoo) == 2
    assert hub.repository().tree["notes.txt"].data == b"somebody was quicker"


def test_a_repository_that_never_rests_is_given_up_with_a_sentence(
    hub: HubServer, make_entry: EntryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = open_zoo(hub)
    zoo.add(make_entry())
    monkeypatch.setattr(hub_place, "_PAUSE_SECONDS", 0.0)
    hub.fail("POST .*/commit/", lambda: hub.rewrite({"notes.txt": str(len(hub.requests)).encode()}), times=10)
    with pytest.raises(ZooBusyError, match=r"'hf://me/zoo' was changed by others 10 times while this change was under"):
        zoo.add(make_entry(seed=1))

    assert len(zoo) == 1


def test_ignored_names_cannot_thin_out_an_entry(hub: HubServer, make_entry: EntryMaker) -> None:
    zoo = open_zoo(hub)
    zoo.add(make_entry())
    hub.rewrite({".gitignore": b"manifest.json\ncard.json\nsketch.safetensors\n"})
    zoo.add(make_entry(seed=1))

    assert zoo.verify() == []
    assert len(zoo) == 2


def test_the_page_lists_the_entries_and_keeps_what_people_wrote(hub: HubServer, make_entry: EntryMaker) -> None:
    zoo = open_zoo(hub)
    first = zoo.add(make_entry(name="Digits | <b>bold</b>"))
    page = hub.repository().tree["README.md"].data.decode()
    assert page.startswith("---\nlibrary_name: supernet-tl\n")
    assert rf"| [Digits \| \<b\>bold\</b\>]({first}/README.md) | s1 | 8 x 4 | digits (CC BY 4.0) |" in page

    hub.rewrite({"README.md": page.replace("# zoo", "# Plankton of the North Sea").encode()})
    second = zoo.add(make_entry(seed=1, data=[{"name": "a", "licence": "CC0"}, {"name": "b"}]))
    zoo.remove(first)
    page = hub.repository().tree["README.md"].data.decode()
    assert "# Plankton of the North Sea" in page
    assert first not in page
    assert rf"[Digits, space s1]({second}/README.md) | s1 | 8 x 4 | a (CC0), b (not recorded) |" in page


def test_the_page_of_a_large_zoo_shows_five_hundred_entries_and_says_how_many_more_there_are() -> None:
    read: list[str] = []

    def card(entry_id: str, file: str) -> bytes:
        read.append(entry_id)
        return b'{"name": "One of many"}'

    ids = [f"{number:064x}" for number in range(502)]
    page = hub_page("hf://me/zoo@trunk/old", None, [*ids, "aliases", "README.md"], card)
    assert page is not None
    assert page.count(b"[One of many](") == 500
    assert b"and 2 more, which `supernet-tl zoo list hf://me/zoo@trunk/old` lists." in page
    assert b"\n# zoo\n" in page
    again = hub_page("hf://me/zoo@trunk/old", page, ids[1:], card)
    assert again is not None
    assert again.count(b"[One of many](") == 500
    assert b"and 1 more" in again
    assert read == ids[:501]  # rows that stand on the page are not made again


@pytest.mark.parametrize("own", [b"# My own page\n", b"\xff\xfe", b"x" * (4 * 2**20 + 1)])
def test_a_page_of_ones_own_is_left_alone(own: bytes, hub: HubServer, make_entry: EntryMaker) -> None:
    place = open_zoo(hub)
    place.add(make_entry())
    hub.rewrite({"README.md": own})
    place.add(make_entry(seed=1))

    assert hub.repository().tree["README.md"].data == own


def test_an_entry_with_a_damaged_card_does_not_keep_others_out(hub: HubServer, make_entry: EntryMaker) -> None:
    zoo = open_zoo(hub)
    damaged = zoo.add(make_entry())
    hub.rewrite({f"{damaged}/card.json": b"[", "README.md": None})
    zoo.add(make_entry(seed=1))

    page = hub.repository().tree["README.md"].data.decode()
    assert f"[Supernet {damaged[:12]}]({damaged}/README.md) | not recorded |" in page
    assert [problem.file for problem in zoo.verify()] == ["card.json"]


def test_names_that_lead_elsewhere_are_no_entries_and_no_files(
    hub: HubServer, make_entry: EntryMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = open_zoo(hub)
    good, bad, linked = (zoo.add(make_entry(seed=seed)) for seed in range(3))
    zoo.set_alias("best", good)
    hostile = {
        name: b"hostile"
        for name in ("../x", "/etc/x", f"..\\{good}", "..", "aliases/../../x.json", "aliases/..\\x.json")
    }
    hub.rewrite(
        {
            **hostile,
            f"{bad}/x\\..\\..\\y": b"hostile",
            f"{bad}/sub/x": b"hostile",
            f"{linked}/card.json": b"../../../secret.json",  # what the Hub shows of a link: where it points
            "0" * 64: b"a link to a folder",
        }
    )
    move_to_another_machine(monkeypatch, tmp_path / "elsewhere")
    zoo = open_zoo(hub)

    assert list(zoo) == sorted([good, bad, linked, "0" * 64])
    assert zoo.aliases() == {"best": good}
    assert zoo.get(good).card["seed"] == 0
    found = {(problem.entry_id, problem.file) for problem in zoo.verify()}
    assert found == {(bad, "x\\..\\..\\y"), (bad, "sub"), (linked, "card.json"), ("0" * 64, ".")}
    # Oracle: what lies on the disk afterwards; only files of entries have been fetched.
    fetched = {path.name for path in (tmp_path / "elsewhere").rglob("*") if path.is_symlink()}
    assert fetched <= {
        "supernet.safetensors",
        "sketch.safetensors",
        "card.json",
        "README.md",
        "manifest.json",
        "best.json",
    }
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hf://me/zoo", HubAddress("me/zoo")),
        ("hf://me/zoo/", HubAddress("me/zoo")),
        ("hf://models/me/zoo", HubAddress("me/zoo")),
        ("hf://datasets/me/zoo.v1@v2", HubAddress("me/zoo.v1", "dataset", "v2")),
        ("hf://me/zoo@" + "0a" * 20, HubAddress("me/zoo", revision="0a" * 20)),
    ],
)
def test_an_address_names_a_repository_its_kind_and_a_revision(text: str, expected: HubAddress) -> None:
    assert HubAddress.parse(text) == expected
    assert HubAddress.parse(str(expected)) == expected
    assert Zoo(text).address == str(expected)


@pytest.mark.parametrize(
    "text",
    [
        "hf://",
        "hf://zoo",
        "hf://me/",
        "hf://me/zoo/sub",
        "hf://spaces/me/zoo",
        "hf://me/../zoo",
        "hf://../zoo",
        "hf://me/.zoo",
        "hf://me/zo..o",
        "hf://me/zo--o",
        "hf://me/zoo.git",
        "hf://me/zoo@",
        "hf://me/zoo@../main",
        "hf://me/zoo@a b",
        "hf://me/z\\oo",
    ],
)
def test_what_is_no_repository_is_refused(text: str) -> None:
    with pytest.raises(ZooPathError, match=r"is not a repository on the Hugging Face Hub; expected hf://OWNER/NAME"):
        Zoo(text)


def test_storage_options_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ZooPathError, match=r"\['anon'\] mean nothing to the Hugging Face Hub; expected some of"):
        Zoo("hf://me/zoo", storage_options={"anon": True})


def test_notes_that_are_as_they_should_be_need_no_commit(hub: HubServer, make_entry: EntryMaker) -> None:
    zoo = open_zoo(hub)
    zoo.set_alias("best", zoo.add(make_entry()))
    commits = len(hub.repository().messages)
    zoo.set_alias("best", "best")

    assert len(hub.repository().messages) == commits
    assert json.loads(hub.repository().tree["aliases/best.json"].data)["alias"] == "best"
