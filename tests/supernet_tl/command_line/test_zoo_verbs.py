"""`supernet-tl zoo`: what people type to look after a zoo, and what they get."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from supernet_tl.command_line.cli import main
from zoo_store import Zoo, ZooEntry


def entry(name: str, seed: int = 0, **changes: Any) -> ZooEntry:
    card = {
        "kind": "single",
        "name": name,
        "space": {"name": "s1"},
        "channels": 8,
        "num_cells": 4,
        "num_classes": 2,
        "image_size": 16,
        "metrics": {"test_accuracy": 0.5},
        "data": [{"name": name, "licence": "CC BY 4.0", "num_images": 20}],
    }
    weights = torch.randn(100, generator=torch.Generator().manual_seed(seed))
    return ZooEntry(state={"weight": weights}, sketch={}, card=card | changes)


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zoo:
    """A zoo of three entries, two of them with one name."""
    monkeypatch.setenv("SUPERNET_TL_CACHE", str(tmp_path / "cache"))
    zoo = Zoo(tmp_path / "zoo")
    for one in (
        entry("digits", tags=["grey"]),
        entry("plankton", channels=16, space="s2", data=[{"name": "plankton", "licence": "MIT"}]),
        entry("plankton", seed=1, kind="mixture"),
    ):
        zoo.add(one)
    return zoo


@pytest.fixture
def ids(zoo: Zoo) -> dict[str, str]:
    """The ids by name and kind."""
    return {f"{card['name']} {card['kind']}": entry_id for entry_id, card in zoo.cards().items()}


def told(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    capsys.readouterr()
    assert main(["zoo", *arguments]) == status
    shown = capsys.readouterr()
    return shown.err if status else shown.out


def answered(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    return json.loads(told(capsys, *arguments, "--json"))


@pytest.mark.parametrize(
    ("filters", "fitting"),
    [
        ([], {"digits single", "plankton single", "plankton mixture"}),
        (["--space", "s2"], {"plankton single"}),
        (["--kind", "mixture"], {"plankton mixture"}),
        (["--name", "plankton", "--channels", "8"], {"plankton mixture"}),
        (["--licence", "mit"], {"plankton single"}),
        (["--tag", "grey"], {"digits single"}),
        (
            ["--num-cells", "4", "--image-size", "16", "--max-size", "1MB"],
            {"digits single", "plankton single", "plankton mixture"},
        ),
        (["--max-size", "10"], set()),
    ],
)
def test_list_shows_the_entries_that_fit_all_filters(
    zoo: Zoo, ids: dict[str, str], capsys: pytest.CaptureFixture[str], filters: list[str], fitting: set[str]
) -> None:
    zoo.set_alias("best", ids["plankton mixture"])
    found = answered(capsys, "list", str(zoo.path), *filters)

    assert set(found) == {ids[name] for name in fitting}
    for entry_id, listed in found.items():
        assert listed["card"] == zoo.card(entry_id)
        assert listed["problem"] is None
        # Oracle: the bytes of the files themselves.
        assert listed["num_bytes"] == sum(path.stat().st_size for path in (zoo.path / entry_id).iterdir())
        assert listed["aliases"] == (["best"] if entry_id == ids["plankton mixture"] else [])


def test_a_list_that_is_empty_says_what_there_is(zoo: Zoo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = told(capsys, "list", str(zoo.path), "--space", "s3", "--licence", "GPL")
    assert "no entry fits: 's3' as space fits 0 of 3 (there are s1, s2)" in shown
    assert "'GPL' as licences fits 0 of 3 (there are CC BY 4.0, MIT)" in shown
    (tmp_path / "empty").mkdir()
    assert "has no entries; `supernet-tl pretrain --zoo` adds them" in told(capsys, "list", str(tmp_path / "empty"))
    assert "there is no zoo at" in told(capsys, "list", str(tmp_path / "nowhere"), status=1)


def test_a_size_that_is_none_is_refused(zoo: Zoo, capsys: pytest.CaptureFixture[str]) -> None:
    for size in ("big", "5XB", "-1", ""):
        assert f"--max-size is {size!r}; expected a number of bytes" in told(
            capsys, "list", str(zoo.path), f"--max-size={size}", status=1
        )


def test_show_takes_an_alias_an_id_or_a_name(zoo: Zoo, ids: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    digits = ids["digits single"]
    zoo.set_alias("best", digits)
    for text in ("best", digits, digits[:6], "digits"):
        assert answered(capsys, "show", str(zoo.path), text) == {digits: zoo.card(digits)}
    page = told(capsys, "show", str(zoo.path), "best")
    assert digits in page
    assert "licence CC BY 4.0" in page
    assert "2 entries are named 'plankton'" in told(capsys, "show", str(zoo.path), "plankton", status=1)
    assert "'nothing' is not the id of a zoo entry" in told(capsys, "show", str(zoo.path), "nothing", status=1)
    assert set(answered(capsys, "show", str(zoo.path))) == set(zoo)


def test_an_alias_is_set_moved_listed_and_deleted(
    zoo: Zoo, ids: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "has no aliases" in told(capsys, "alias", str(zoo.path))
    assert answered(capsys, "alias", str(zoo.path), "best", "digits") == {"best": ids["digits single"]}
    mixture = ids["plankton mixture"]
    moved = told(capsys, "alias", str(zoo.path), "best", mixture[:8])
    assert moved == f"best points at {mixture}, no longer at {ids['digits single']}\n"
    assert answered(capsys, "alias", str(zoo.path), "best") == {"best": mixture}
    assert mixture[:12] in told(capsys, "alias", str(zoo.path))
    assert zoo.aliases() == {"best": mixture}
    assert answered(capsys, "alias", str(zoo.path), "best", "--delete") == {}
    assert "has no alias 'best'" in told(capsys, "alias", str(zoo.path), "best", "--delete", status=1)
    assert "cannot be an alias" in told(capsys, "alias", str(zoo.path), "../x", mixture, status=1)
    assert "expected ALIAS --delete" in told(capsys, "alias", "--delete", str(zoo.path), status=1)
    hiding = told(capsys, "alias", str(zoo.path), "plankton", "digits", status=1)
    assert "'plankton' is the name of another entry" in hiding
    assert "which it would hide; choose another alias" in hiding
    assert zoo.aliases() == {}


def test_an_entry_is_taken_out_into_a_folder_and_added_elsewhere(
    zoo: Zoo, ids: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, other = tmp_path / "digits", tmp_path / "other"
    assert str(folder) in told(capsys, "get", str(zoo.path), "digits", "--output", str(folder))
    assert "is something at" in told(capsys, "get", str(zoo.path), "digits", "--output", str(folder), status=1)
    added = answered(capsys, "add", str(other), str(folder), "--alias", "digits-s1")

    assert added == {str(folder): ids["digits single"]}
    assert Zoo(other).aliases() == {"digits-s1": ids["digits single"]}
    assert "there is no folder" in told(capsys, "add", str(other), str(tmp_path / "nothing"), status=1)
    two = ["add", str(other), str(folder), str(folder), "--alias", "x"]
    assert "--alias names one entry, but 2 folders were given" in told(capsys, *two, status=1)


@pytest.mark.parametrize("verb", ["copy", "push", "pull"])
def test_entries_are_copied_with_their_aliases(
    zoo: Zoo, ids: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    digits, target = ids["digits single"], str(tmp_path / "target")
    zoo.set_alias("best", digits)
    assert answered(capsys, verb, str(zoo.path), target, "best", "--quiet")["added"] == [digits]
    assert list(Zoo(target)) == [digits]
    shown = told(capsys, verb, str(zoo.path), target)
    assert "2 entries copied to" in shown
    assert "there already: 1" in shown
    assert Zoo(target).aliases() == {"best": digits}
    Zoo(target).set_alias("best", ids["plankton mixture"])
    assert f"the alias best points at {ids['plankton mixture'][:12]} there" in told(capsys, verb, str(zoo.path), target)


def test_entries_are_removed_by_name_and_aliases_protect_them(
    zoo: Zoo, ids: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    zoo.set_alias("best", ids["digits single"])
    assert "has the alias best; let them point elsewhere" in told(capsys, "rm", str(zoo.path), "digits", status=1)
    assert answered(capsys, "rm", str(zoo.path), "best", "--aliases") == {"removed": [ids["digits single"]]}
    assert "2 entries are named 'plankton'" in told(capsys, "rm", str(zoo.path), "plankton", status=1)
    assert len(zoo) == 2
    assert zoo.aliases() == {}


def test_gc_deletes_what_dead_writers_left_and_nothing_else(zoo: Zoo, capsys: pytest.CaptureFixture[str]) -> None:
    (zoo.path / ".incoming-dead").mkdir()
    (zoo.path / ".runs").mkdir()
    assert answered(capsys, "gc", str(zoo.path))["leftovers"] == [".incoming-dead"]
    assert "0 leftovers of interrupted writers deleted" in told(capsys, "gc", str(zoo.path))
    assert (zoo.path / ".runs").is_dir()
    assert len(zoo) == 3
    assert "nothing to clear was named" in told(capsys, "gc", status=1)
    assert "--older-than is -3; expected" in told(capsys, "gc", "--cache", "--older-than=-3", status=1)


def test_verify_says_what_is_wrong_and_fix_sets_it_aside(
    zoo: Zoo, ids: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "3 entries, all whole" in told(capsys, "verify", str(zoo.path))
    bad = ids["digits single"]
    zoo.set_alias("bad", bad)
    (zoo.path / bad / "card.json").write_text("{}")

    capsys.readouterr()
    assert main(["zoo", "verify", str(zoo.path)]) == 1
    shown = capsys.readouterr()
    assert f"zoo entry {bad}: card.json has 2 bytes" in shown.out
    assert "1 problem in zoo" in shown.err
    assert "--fix` moves what is damaged to quarantine" in shown.err
    assert answered(capsys, "verify", str(zoo.path), ids["plankton mixture"][:8])["problems"] == []

    fixed = answered(capsys, "verify", str(zoo.path), "--fix")
    assert [problem["entry_id"] for problem in fixed["problems"]] == [bad]
    assert (zoo.path / "quarantine" / bad / "card.json").read_text() == "{}"
    assert len(list((zoo.path / "quarantine" / bad).iterdir())) == 5
    assert "2 entries, all whole" in told(capsys, "verify", str(zoo.path))


def test_switches_may_stand_anywhere(zoo: Zoo, ids: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    bad = ids["digits single"]
    (zoo.path / bad / "card.json").write_text("{}")
    fixed = answered(capsys, "verify", str(zoo.path), "--fix", "--quiet", bad[:8])
    assert list(fixed["moved"]) == [bad]
    assert answered(capsys, "list", "--channels", "16", str(zoo.path)).keys() == {ids["plankton single"]}


def test_what_is_missing_is_told_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, missing in ((["copy", "starter"], "TO is missing"), (["rm", "zoo"], "ENTRY is missing")):
        with pytest.raises(SystemExit, match="2"):
            main(["zoo", *arguments])
        assert f"error: {missing}; --help shows how to call this" in capsys.readouterr().err


def test_a_zoo_that_is_not_there_is_told_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from supernet_tl.command_line.cli import main;"
        "status = main(['transfer', '--target', 'x', '--output', 'y', '--zoo', sys.argv[1]]);"
        "print(status, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "nowhere")]
    found = subprocess.run(command, capture_output=True, check=True, text=True)
    assert found.stdout == "1 False\n"
    assert "there is no zoo at" in found.stderr


def test_cards_cannot_command_the_terminal(zoo: Zoo, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "x\x1b[2J\x1b]0;title\x07\r\nname  forged\u202e"
    entry_id = zoo.add(entry(evil, seed=7, tags=[evil], data=[{"name": evil, "licence": evil}]))
    zoo.set_alias("evil", entry_id)
    for arguments in (
        ["list", str(zoo.path)],
        ["show", str(zoo.path), "evil"],
        ["list", str(zoo.path), "--tag", "none"],
    ):
        shown = told(capsys, *arguments)
        assert not {sign for sign in shown if not sign.isprintable()} - {"\n"}
        assert "\nname  forged" not in shown


def test_of_many_aliases_a_list_shows_the_first(
    zoo: Zoo, ids: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(10):
        zoo.set_alias(f"n{number}", ids["digits single"])
    assert "n0, n1, +8 more" in told(capsys, "list", str(zoo.path))


def test_an_interrupt_while_the_command_line_is_imported_gets_a_sentence() -> None:
    code = (
        "import builtins, signal, sys\n"
        "real = builtins.__import__\n"
        "def interrupted(name, *rest):\n"
        "    if name == 'jsonargparse': signal.raise_signal(signal.SIGINT)\n"
        "    return real(name, *rest)\n"
        "from supernet_tl.command_line.start import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "builtins.__import__ = interrupted\n"
        "sys.exit(main())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (130, "interrupted; nothing had begun.\n")


def test_a_copy_onto_damaged_entries_fails_and_says_how_to_go_on(
    zoo: Zoo, ids: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digits, target = ids["digits single"], tmp_path / "my target"
    told(capsys, "copy", str(zoo.path), str(target))
    (target / digits / "card.json").write_text("{}")

    shown = told(capsys, "pull", str(zoo.path), str(target), status=1)
    assert f"held {digits} already, damaged, which stays as it is" in shown
    assert f"`supernet-tl zoo verify '{target}' --fix`, then copy again" in shown
    told(capsys, "verify", str(target), "--fix")
    assert answered(capsys, "pull", str(zoo.path), str(target))["added"] == [digits]


def test_a_damaged_alias_hides_no_entry_and_is_fixed(
    zoo: Zoo, ids: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    zoo.set_alias("best", ids["digits single"])
    zoo.set_alias("bad", ids["digits single"])
    zoo.set_alias("folder", ids["digits single"])
    (zoo.path / "aliases" / "bad.json").write_text("{")
    (zoo.path / "aliases" / "folder.json").unlink()
    (zoo.path / "aliases" / "folder.json").mkdir()

    assert answered(capsys, "list", str(zoo.path)).keys() == set(zoo)
    assert "best" in told(capsys, "show", str(zoo.path), "digits")
    assert "2 problems in zoo" in told(capsys, "verify", str(zoo.path), status=1)
    assert "aliases/folder.json is now" in told(capsys, "verify", str(zoo.path), "--fix")
    assert "3 entries, all whole" in told(capsys, "verify", str(zoo.path))


def test_what_is_damaged_and_stays_is_a_failure_of_verify_fix_too(
    zoo: Zoo, ids: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    card = zoo.path / ids["digits single"] / "card.json"
    card.write_text("{")
    monkeypatch.setattr(Zoo, "fix", lambda *_: {})  # somebody damages it again as quickly as it can be moved
    assert "1 problem in zoo" in told(capsys, "verify", str(zoo.path), "--fix", status=1)
