"""`verify` tells damage from what only cannot be read; `fix` and `quarantine` move and never delete."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.zoo_store.processes import as_nobody
from zoo_store import AliasError, EntryNotFoundError, Problem, Zoo, ZooEntry, ZooNotFoundError

EntryMaker = Callable[..., ZooEntry]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_fix_moves_damaged_entries_with_every_byte_and_afterwards_the_zoo_verifies(
    zoo: Zoo, entry_id: str, make_entry: EntryMaker
) -> None:
    good = zoo.add(make_entry(seed=1))
    folder = zoo.path / entry_id
    (folder / "card.json").write_bytes(b"{")
    (folder / ".hidden").write_bytes(b"kept too")
    (folder / "weights.pkl").write_bytes(b"cos\nsystem\n")
    before = tree(folder)

    moved = zoo.fix(zoo.verify())

    assert moved == {entry_id: str(zoo.path / "quarantine" / entry_id)}
    assert tree(Path(moved[entry_id])) == before
    assert list(zoo) == [good]
    assert zoo.verify() == []
    assert zoo.fix(zoo.verify()) == {}


def test_what_is_damaged_again_lies_beside_what_was_damaged_before(zoo: Zoo, make_entry: EntryMaker) -> None:
    places = set()
    for number in range(3):
        entry_id = zoo.add(make_entry())
        (zoo.path / entry_id / "card.json").write_bytes(b"%d" % number)
        places |= set(zoo.fix(zoo.verify()).values())

    assert [(Path(place) / "card.json").read_bytes() for place in sorted(places)] == [b"0", b"1", b"2"]
    assert sorted(os.listdir(zoo.path / "quarantine")) == [entry_id, f"{entry_id}.2", f"{entry_id}.3"]


def test_a_file_or_link_in_the_place_of_an_entry_is_moved_as_it_is(zoo: Zoo, entry_id: str, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (zoo.path / ("e" * 64)).symlink_to(tmp_path / "outside")
    (zoo.path / ("f" * 64)).write_text("not a folder")

    moved = zoo.fix(zoo.verify())

    assert os.readlink(moved["e" * 64]) == str(tmp_path / "outside")
    assert Path(moved["f" * 64]).read_text() == "not a folder"
    assert zoo.verify() == []
    assert list(zoo) == [entry_id]


def test_an_entry_that_is_good_by_now_stays(zoo: Zoo, entry_id: str) -> None:
    card = zoo.path / entry_id / "card.json"
    data = card.read_bytes()
    card.write_bytes(b"{")
    problems = zoo.verify()
    card.write_bytes(data)  # somebody has brought it back from a copy

    assert zoo.fix(problems) == {}
    assert zoo.verify() == []
    assert list(zoo) == [entry_id]


def test_an_entry_that_is_gone_by_now_is_no_matter(zoo: Zoo, entry_id: str) -> None:
    (zoo.path / entry_id / "card.json").write_bytes(b"{")
    problems = zoo.verify()
    zoo.remove(entry_id)
    assert zoo.fix(problems) == {}


def test_what_may_not_be_read_is_told_but_not_called_damaged_and_stays(zoo: Zoo, entry_id: str) -> None:
    (zoo.path / entry_id / "sketch.safetensors").chmod(0)
    with as_nobody(zoo.path):
        told = zoo.verify()
        moved = zoo.fix(told)

    assert [(problem.file, problem.damaged) for problem in told] == [("sketch.safetensors", False)]
    assert "cannot be read: could not read" in told[0].reason
    assert moved == {}
    (zoo.path / entry_id / "sketch.safetensors").chmod(0o644)
    assert zoo.verify() == []


def test_quarantine_takes_a_good_entry_too_and_its_aliases_are_kept_under_other_names(
    zoo: Zoo, entry_id: str, make_entry: EntryMaker
) -> None:
    other = zoo.add(make_entry(seed=1))
    for alias, target in (("one", entry_id), ("two", other), ("three", entry_id)):
        zoo.set_alias(alias, target)
    note = (zoo.path / "aliases" / "one.json").read_bytes()

    where = zoo.quarantine("one")

    assert where == str(zoo.path / "quarantine" / entry_id)
    assert zoo.aliases() == {"two": other}
    assert zoo.verify() == []
    assert (zoo.path / "aliases" / "one.json.quarantine-1").read_bytes() == note
    with pytest.raises(EntryNotFoundError, match="holds no entry"):
        zoo.quarantine(entry_id)


def test_verify_tells_aliases_that_point_at_nothing_and_fix_sets_them_aside(zoo: Zoo, entry_id: str) -> None:
    zoo.set_alias("plk-s1", entry_id)
    (zoo.path / entry_id).rename(zoo.path / "elsewhere")

    (problem,) = zoo.verify()

    assert problem == Problem(None, "aliases/plk-s1.json", f"points at {entry_id}, which the zoo does not hold")
    assert str(problem) == f"zoo file aliases/plk-s1.json points at {entry_id}, which the zoo does not hold"
    assert zoo.fix([problem]) == {"aliases/plk-s1.json": "aliases/plk-s1.json.quarantine-1"}
    assert zoo.verify() == []
    assert zoo.aliases() == {}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not JSON in UTF-8"),
        (b"[]", "is not an object of exactly format_version, alias and entry"),
        (
            b'{"format_version": 1, "alias": "x", "entry": "../../x"}',
            r"points at '\.\./\.\./x'; expected an id",
        ),
        (b'{"format_version": 1, "alias": "y", "entry": "%s"}' % (b"0" * 64), "is about the alias 'y', which is not"),
        (
            b'{"format_version": 0, "alias": "x", "entry": "%s"}' % (b"0" * 64),
            "has the format version 0; this",
        ),
        (
            b'{"format_version": true, "alias": "x", "entry": "0"}',
            "has the format version True; this",
        ),
        (b'{"format_version": 1, "alias": "x", "alias": "x"}', "holds the key 'alias' more than once"),
        (b" " * 4097, "has 4097 bytes; expected at most 4096"),
    ],
)
def test_verify_tells_damaged_files_of_aliases_and_fix_keeps_their_bytes(
    zoo: Zoo, entry_id: str, data: bytes, reason: str
) -> None:
    zoo.set_alias("x", entry_id)
    (zoo.path / "aliases" / "x.json").write_bytes(data)

    with pytest.raises(AliasError, match=f"the file of the alias 'x' .*{reason}.*supernet-tl zoo alias"):
        zoo.resolve("x")
    (problem,) = zoo.verify()
    assert problem.damaged
    assert zoo.verify([entry_id]) == []  # of an entry, not of the zoo

    (moved,) = zoo.fix([problem]).values()
    assert (zoo.path / moved).read_bytes() == data
    assert zoo.verify() == []


def test_an_alias_of_a_newer_release_is_told_but_not_called_damaged(zoo: Zoo, entry_id: str) -> None:
    zoo.set_alias("x", entry_id)
    newer = {"format_version": 2, "alias": "x", "entry": entry_id, "more": 1}
    (zoo.path / "aliases" / "x.json").write_text(json.dumps(newer))

    (problem,) = zoo.verify()
    assert "cannot be read: has the format version 2, and this supernet-tl reads 1: upgrade" in problem.reason
    assert not problem.damaged
    assert zoo.fix([problem]) == {}


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_an_alias_that_is_no_file_is_told_and_moved_as_it_is(zoo: Zoo, entry_id: str, kind: str) -> None:
    zoo.set_alias("x", entry_id)
    path = zoo.path / "aliases" / "x.json"
    path.rename(zoo.path / "x.json")
    path.symlink_to("../x.json") if kind == "link" else path.mkdir()

    (problem,) = zoo.verify()
    reason = "is a symbolic link; expected a regular file" if kind == "link" else "is not a regular file"
    assert problem == Problem(None, "aliases/x.json", reason)
    aside = zoo.path / "quarantine" / "x.json"
    assert zoo.fix([problem]) == {"aliases/x.json": str(aside)}
    assert (aside.is_symlink(), aside.is_dir()) == (kind == "link", kind == "folder")
    assert zoo.verify() == []


def test_verify_reads_the_entries_it_is_given_and_tells_how_far_it_is(zoo: Zoo, make_entry: EntryMaker) -> None:
    ids = sorted(zoo.add(make_entry(seed=seed)) for seed in range(3))
    for entry_id in ids:
        (zoo.path / entry_id / "card.json").unlink()
    zoo.set_alias("mine", ids[2])
    told: list[tuple[int, int]] = []

    problems = zoo.verify([ids[0], "mine", ids[2][:10]], progress=lambda done, total: told.append((done, total)))

    assert [problem.entry_id for problem in problems] == [ids[0], ids[2]]
    assert told == [(1, 2), (2, 2)]


def test_quarantine_and_fix_of_a_zoo_that_is_not_there_are_refused(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path / "nowhere")
    with pytest.raises(ZooNotFoundError, match="there is no zoo at"):
        zoo.quarantine("0" * 64)
    assert zoo.fix([]) == {}
