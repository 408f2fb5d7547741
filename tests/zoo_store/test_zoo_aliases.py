"""Aliases point at entries: an alias may move, an entry never changes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo_store import AliasError, EntryNotFoundError, InvalidIdError, Zoo, ZooEntry, ZooReadError, ZooWriteError

EntryMaker = Callable[..., ZooEntry]


def test_an_alias_stands_wherever_an_id_does(zoo: Zoo, entry_id: str) -> None:
    assert zoo.set_alias("digits-s1-c8", entry_id[:10]) == entry_id

    assert zoo.aliases() == {"digits-s1-c8": entry_id}
    assert zoo.resolve("digits-s1-c8") == entry_id
    assert zoo.get("digits-s1-c8").card == zoo.card(entry_id) == zoo.card("digits-s1-c8")
    assert zoo.sketch("digits-s1-c8").keys() == zoo.sketch(entry_id).keys()
    assert list(zoo) == [entry_id]
    assert zoo.verify() == []


def test_an_alias_can_move_and_be_deleted_while_the_entries_stay(
    zoo: Zoo, entry_id: str, make_entry: EntryMaker
) -> None:
    other = zoo.add(make_entry(seed=1))
    zoo.set_alias("best", entry_id)
    zoo.set_alias("second", "best")  # points at the entry, not at the alias
    zoo.set_alias("best", other)

    assert zoo.aliases() == {"best": other, "second": entry_id}
    zoo.delete_alias("best")
    assert zoo.aliases() == {"second": entry_id}
    assert sorted(zoo) == sorted([entry_id, other])
    with pytest.raises(
        InvalidIdError, match=r"'best' is not the id of a zoo entry; .* or an alias: `supernet-tl zoo list"
    ):
        zoo.get("best")
    with pytest.raises(EntryNotFoundError, match=r"has no alias 'best': `supernet-tl zoo alias .*` lists them"):
        zoo.delete_alias("best")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "a\\b",
        "/etc",
        "a\0b",
        "a\nb",
        "a b",
        "a\n",
        ".hidden",
        "-x",
        "x.",
        "x-",
        "Plankton",
        "größe",
        "con",
        "nul.txt",
        "com1",
        "a" * 65,
        "abcdef",  # the beginning of an id
        "0" * 64,
        "*",
        "x:y",
        None,
        7,
    ],
)
def test_what_could_leave_the_folder_or_be_taken_for_an_id_is_no_alias(zoo: Zoo, entry_id: str, text: str) -> None:
    before = sorted(zoo.path.rglob("*"))
    for use in (lambda: zoo.set_alias(text, entry_id), lambda: zoo.delete_alias(text)):
        with pytest.raises(AliasError, match="cannot be an alias; expected 1 to 64 of a-z, 0-9"):
            use()
    assert sorted(zoo.path.rglob("*")) == before


@pytest.mark.parametrize("text", ["a", "7", "plk-s1-c16", "abcde", "v1.0", "a_b", "x" * 64, "abcdefg"])
def test_short_lower_case_names_are_aliases(zoo: Zoo, entry_id: str, text: str) -> None:
    zoo.set_alias(text, entry_id)

    assert zoo.resolve(text) == entry_id


def test_an_alias_of_no_entry_is_refused(zoo: Zoo, entry_id: str) -> None:
    with pytest.raises(EntryNotFoundError, match="holds no entry"):
        zoo.set_alias("lost", "0" * 64)
    assert zoo.aliases() == {}


def test_an_entry_with_aliases_is_removed_only_together_with_them(zoo: Zoo, entry_id: str) -> None:
    zoo.set_alias("one", entry_id)
    zoo.set_alias("two", entry_id)
    with pytest.raises(AliasError, match=r"has the aliases one, two; let them point elsewhere"):
        zoo.remove(entry_id)

    assert entry_id in zoo
    zoo.remove("one", with_aliases=True)
    assert len(zoo) == 0
    assert zoo.aliases() == {}


def test_an_alias_whose_entry_is_gone_says_so(zoo: Zoo, entry_id: str) -> None:
    zoo.set_alias("gone", entry_id)
    (zoo.path / entry_id).rename(zoo.path.parent / "elsewhere")  # by hand, past the zoo

    with pytest.raises(EntryNotFoundError, match=rf"the alias 'gone' of zoo .* points at {entry_id}, which"):
        zoo.get("gone")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "is not JSON"),
        (b"[]", "is not an object of exactly format_version, alias and entry"),
        (b"\xff", "is not JSON in UTF-8"),
        (b"{}" + b" " * 5000, "has 5002 bytes; expected at most 4096"),
        (json.dumps({"format_version": 2, "alias": "x", "entry": "0" * 64}).encode(), "has the format version 2"),
        (json.dumps({"format_version": True, "alias": "x", "entry": "0" * 64}).encode(), "has the format version True"),
        (json.dumps({"format_version": 1, "alias": "y", "entry": "0" * 64}).encode(), "is about the alias 'y'"),
        (json.dumps({"format_version": 1, "alias": "x", "entry": "../.."}).encode(), r"points at '\.\./\.\.'"),
        (b'{"format_version": 1, "alias": "x", "entry": "0", "entry": "1"}', "holds the key 'entry' more than once"),
    ],
)
def test_a_damaged_alias_is_refused_and_can_be_set_again(zoo: Zoo, entry_id: str, data: bytes, fault: str) -> None:
    zoo.set_alias("x", entry_id)
    (zoo.path / "aliases" / "x.json").write_bytes(data)
    with pytest.raises(AliasError, match=f"the file of the alias 'x' in zoo .* {fault}.* Point it at an entry again"):
        zoo.resolve("x")

    zoo.set_alias("x", entry_id)
    assert zoo.resolve("x") == entry_id


def test_a_link_in_the_place_of_an_alias_is_refused(zoo: Zoo, entry_id: str) -> None:
    zoo.set_alias("x", entry_id)
    (zoo.path / "aliases" / "x.json").rename(zoo.path.parent / "outside.json")
    (zoo.path / "aliases" / "x.json").symlink_to(zoo.path.parent / "outside.json")
    with pytest.raises(AliasError, match="is a symbolic link; expected a regular file"):
        zoo.resolve("x")


def test_files_that_are_no_aliases_are_ignored(zoo: Zoo, entry_id: str) -> None:
    zoo.set_alias("x", entry_id)
    for name in (".DS_Store", "notes.txt", "Upper.json", "abcdef.json"):
        (zoo.path / "aliases" / name).touch()

    assert zoo.aliases() == {"x": entry_id}


def test_a_damaged_alias_stops_nothing_that_does_not_need_it(
    zoo: Zoo, entry_id: str, tmp_path: Path, make_entry: EntryMaker, caplog: pytest.LogCaptureFixture
) -> None:
    other = zoo.add(make_entry(seed=1))
    zoo.set_alias("good", entry_id)
    zoo.set_alias("bad", other)
    (zoo.path / "aliases" / "bad.json").write_bytes(b"{")

    assert zoo.aliases() == {"good": entry_id}
    assert "the file of the alias 'bad' in zoo" in caplog.text
    assert zoo.copy_to(Zoo(tmp_path / "copy"), [entry_id]).aliases == {"good": entry_id}
    zoo.remove(entry_id, with_aliases=True)
    assert list(zoo) == [other]
    with pytest.raises(AliasError, match="the file of the alias 'bad'"):
        zoo.resolve("bad")


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("nowhere")], ids=["file", "link"])
def test_what_lies_where_the_aliases_should_be_is_one_problem_and_can_be_moved(
    zoo: Zoo, entry_id: str, make_entry: EntryMaker, make: Callable[[Path], None]
) -> None:
    other = zoo.add(make_entry(seed=1))
    make(zoo.path / "aliases")
    (zoo.path / entry_id / "card.json").write_bytes(b"{")

    assert zoo.aliases() == {}
    problems = zoo.verify()
    assert [(problem.entry_id, problem.file) for problem in problems] == [(entry_id, "card.json"), (None, "aliases")]
    assert str(problems[1]).endswith("; expected a folder")
    with pytest.raises(ZooReadError, match=r"what lies at aliases in zoo .*; expected a folder\. Move it away with"):
        zoo.delete_alias("x")
    with pytest.raises(ZooWriteError, match=r"could not write the aliases in the zoo .*aliases'? is "):
        zoo.set_alias("x", other)
    zoo.remove(other)
    moved = zoo.fix(problems)
    assert moved == {name: str(zoo.path / "quarantine" / name) for name in (entry_id, "aliases")}
    assert zoo.verify() == []


def test_a_damaged_alias_of_the_target_is_not_overwritten_by_a_copy(zoo: Zoo, entry_id: str, tmp_path: Path) -> None:
    zoo.set_alias("best", entry_id)
    target = Zoo(tmp_path / "target")
    zoo.copy_to(target)
    (target.path / "aliases" / "best.json").write_bytes(b"{")

    copies = zoo.copy_to(target)

    assert (copies.aliases, copies.kept_aliases) == ({}, {})
    assert (target.path / "aliases" / "best.json").read_bytes() == b"{"
