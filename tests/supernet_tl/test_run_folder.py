from __future__ import annotations

import json
from pathlib import Path

import pytest

from supernet_tl.errors import RunFolderError
from supernet_tl.recipe import Recipe
from supernet_tl.run_folder import run_folder

SETTINGS = {"recipe": {"epochs": 2, "seed": 0}, "target": "abc"}


def test_a_new_folder_begins_a_run_and_the_same_settings_continue_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "run"
    with run_folder(path, "transfer", SETTINGS) as run:
        assert not run.continued
        run.write_json("splits.json", [1])
    with run_folder(path, "transfer", SETTINGS) as run:
        assert run.continued
        assert run.read_json("splits.json") == [1]


def test_a_run_of_an_earlier_version_goes_on_with_what_was_done_then(tmp_path: Path) -> None:
    now = Recipe(epochs=2).to_dict()
    then = {name: value for name, value in now.items() if name not in ("ema_decay", "reestimate_final")}
    with run_folder(tmp_path / "run", "search", {"recipe": then}) as run:
        run.write_json("splits.json", [])
    with (
        pytest.raises(RunFolderError, match=r"\(recipe.reestimate_final: there False, here True\). Repeat the command"),
        run_folder(tmp_path / "run", "search", {"recipe": now}),
    ):
        pass
    with run_folder(tmp_path / "run", "search", {"recipe": {**now, "reestimate_final": False}}) as run:
        assert run.continued


def test_a_finished_run_is_never_overwritten_unless_asked_for(tmp_path: Path) -> None:
    with run_folder(tmp_path / "run", "search", SETTINGS) as run:
        (run.path / "checkpoints").mkdir()
        run.write_json("summary.json", {"ok": True})
        run.finish()
    assert not (tmp_path / "run" / "checkpoints").exists()
    with (
        pytest.raises(RunFolderError, match="holds a finished search; nothing was changed"),
        run_folder(tmp_path / "run", "search", SETTINGS),
    ):
        pass
    assert json.loads((tmp_path / "run" / "summary.json").read_text()) == {"ok": True}
    with run_folder(tmp_path / "run", "search", SETTINGS, overwrite=True) as run:
        assert not run.has("summary.json")


def test_a_run_that_left_nothing_makes_way_for_another(tmp_path: Path) -> None:
    with run_folder(tmp_path / "run", "transfer", SETTINGS):
        pass
    with run_folder(tmp_path / "run", "search", {"recipe": {}}) as run:
        assert not run.continued


def test_an_unfinished_run_of_other_settings_is_refused_and_the_difference_named(tmp_path: Path) -> None:
    with run_folder(tmp_path / "run", "transfer", SETTINGS) as run:
        run.write_json("splits.json", [])
    other = {"recipe": {"epochs": 3, "seed": 0}, "target": "abc"}
    with (
        pytest.raises(RunFolderError, match=r"other settings \(recipe.epochs: there 2, here 3\)"),
        run_folder(tmp_path / "run", "transfer", other),
    ):
        pass
    with (
        pytest.raises(RunFolderError, match="it is a transfer, this is a search"),
        run_folder(tmp_path / "run", "search", SETTINGS),
    ):
        pass


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_something_else_is_protected_even_from_overwriting(overwrite: bool, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_bytes(b"precious")
    with (
        pytest.raises(RunFolderError, match=r"holds no run of supernet-tl \(found holiday.jpg\)"),
        run_folder(tmp_path / "photos", "search", SETTINGS, overwrite=overwrite),
    ):
        pass
    assert (tmp_path / "photos" / "holiday.jpg").read_bytes() == b"precious"


def test_a_file_is_no_output_folder(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    with pytest.raises(RunFolderError, match="is a file"), run_folder(tmp_path / "run", "search", SETTINGS):
        pass


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    with (
        run_folder(tmp_path / "run", "search", SETTINGS),
        pytest.raises(RunFolderError, match="in use by another process"),
        run_folder(tmp_path / "run", "search", SETTINGS),
    ):
        pass


def test_a_damaged_run_card_is_explained(tmp_path: Path) -> None:
    with run_folder(tmp_path / "run", "search", SETTINGS) as run:
        run.write_json("splits.json", [])
    (tmp_path / "run" / "run.json").write_text("{")
    with (
        pytest.raises(RunFolderError, match="cannot be read"),
        run_folder(tmp_path / "run", "search", SETTINGS),
    ):
        pass


def test_overwriting_continues_an_unfinished_run_of_the_same_settings(tmp_path: Path) -> None:
    with run_folder(tmp_path / "run", "search", SETTINGS, overwrite=True) as run:
        run.write_json("splits.json", [1])
    with run_folder(tmp_path / "run", "search", SETTINGS, overwrite=True) as run:
        assert run.continued


def _finished_run(path: Path) -> dict[str, bytes]:
    with run_folder(path, "search", SETTINGS) as run:
        for name in ("a.json", "z.json"):
            run.write_json(name, 1)
        run.finish()
    return {item.name: item.read_bytes() for item in path.iterdir() if item.name != ".lock"}


def test_a_run_is_put_back_when_the_one_that_was_to_replace_it_leaves_nothing(tmp_path: Path) -> None:
    before = _finished_run(tmp_path / "run")
    with (
        pytest.raises(ValueError, match="a typing error"),
        run_folder(tmp_path / "run", "transfer", {"select": "nope"}, overwrite=True),
    ):
        raise ValueError("a typing error")
    assert {item.name: item.read_bytes() for item in (tmp_path / "run").iterdir() if item.name != ".lock"} == before


def test_a_run_is_deleted_once_its_replacement_has_left_something(tmp_path: Path) -> None:
    _finished_run(tmp_path / "run")
    with run_folder(tmp_path / "run", "transfer", {}, overwrite=True) as run:
        run.write_json("splits.json", [])
    assert {item.name for item in (tmp_path / "run").iterdir()} == {".lock", "run.json", "splits.json"}


@pytest.mark.parametrize("name", ["a.json", "z.json", "run.json"])
def test_a_run_survives_an_interruption_while_it_is_put_aside(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    before = _finished_run(tmp_path / "run")
    replace = os.replace

    def stop(source: Path, target: Path) -> None:
        if Path(source).name == name and Path(target).parent.name == ".replaced":
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop)
        with pytest.raises(KeyboardInterrupt), run_folder(tmp_path / "run", "search", {}, overwrite=True):
            pass
    with (
        pytest.raises(RunFolderError, match="holds a finished search; nothing was changed"),
        run_folder(tmp_path / "run", "search", SETTINGS),
    ):
        pass
    assert {item.name: item.read_bytes() for item in (tmp_path / "run").iterdir() if item.name != ".lock"} == before


def test_what_was_being_written_when_a_process_died_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".run.json.123.tmp").write_text("half")
    with run_folder(tmp_path / "run", "search", SETTINGS) as run:
        assert not run.continued


def test_a_damaged_product_is_named(tmp_path: Path) -> None:
    with run_folder(tmp_path / "run", "search", SETTINGS) as run:
        (run.path / "splits.json").write_text("[1, ")
        with pytest.raises(RunFolderError, match=r"splits.json is damaged .* choose another --output"):
            run.read_json("splits.json")
