from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from supernet_tl.command_line.cli import main
from supernet_tl.errors import RecipeError
from supernet_tl.recipe import Recipe
from supernet_tl.shipped_recipes import (
    composed_settings,
    copy_recipe,
    find_recipe,
    recipes_dir,
    shipped_recipes,
    with_recipes_found,
)

ROOT = Path(__file__).parents[2]


def test_every_file_is_a_recipe_by_folder_and_name() -> None:
    files = {
        path.relative_to(ROOT / "recipes").with_suffix("").as_posix() for path in (ROOT / "recipes").rglob("*.yaml")
    }
    assert set(shipped_recipes()) == files


def test_the_head_of_a_recipe_is_told() -> None:
    recipe = find_recipe("transfer/head_only")
    assert recipe.about == (
        "Trains nothing but the classifier: the source's weights and architecture stay. Laid over another recipe."
    )
    assert recipe.sentence == "Trains nothing but the classifier"
    assert list(recipe.fields) == ["Needs", "Command", "Result"]
    assert recipe.fields["Command"].endswith("--zoo zoo/ --output run/")
    assert (recipe.verb, recipe.lies_over) == ("transfer", ("transfer/paper",))
    assert find_recipe("leave_one_out/pocket_drnas").lies_over == ("leave_one_out/pocket",)
    assert find_recipe("transfer/paper").lies_over == ()


@pytest.mark.parametrize("name", ["transfer/paper", "transfer/paper.yaml", "recipes/transfer/paper.yaml"])
def test_a_recipe_is_found_by_its_name_in_any_form(name: str) -> None:
    assert find_recipe(name).path == str(recipes_dir() / "transfer/paper.yaml")


def test_a_name_that_is_none_gets_a_near_one() -> None:
    with pytest.raises(RecipeError, match=r"no recipe 'transfer/papr' \(did you mean 'transfer/paper'\?\)"):
        find_recipe("transfer/papr")


def test_a_config_may_be_a_recipe_by_name_and_files_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(recipes_dir() / "transfer/paper.yaml")
    given = ["transfer", "--config", "transfer/paper", "--config=transfer/paper.yaml", "--target", "transfer/paper"]
    assert with_recipes_found(given) == [
        *("transfer", "--config", path, f"--config={path}", "--target", "transfer/paper")
    ]
    monkeypatch.chdir(tmp_path)
    assert with_recipes_found(["--config", "recipes/transfer/paper.yaml"]) == ["--config", path]
    assert with_recipes_found(["--config", "no/such", "--config"]) == ["--config", "no/such", "--config"]
    assert with_recipes_found(["--config", "{epochs: 3}"]) == ["--config", "{epochs: 3}"]
    (tmp_path / "transfer").mkdir()
    (tmp_path / "transfer/paper").write_text("epochs: 1\n")
    assert with_recipes_found(["--config", "transfer/paper"]) == ["--config", "transfer/paper"]


def test_a_recipe_is_copied_and_no_file_is_replaced_unasked(tmp_path: Path) -> None:
    file = copy_recipe("transfer/paper", tmp_path)
    assert file.read_text() == find_recipe("transfer/paper").text
    with pytest.raises(RecipeError, match="is there already; replace it with --overwrite"):
        copy_recipe("transfer/tiny", file)
    assert copy_recipe("transfer/tiny", file, overwrite=True).read_text() == find_recipe("transfer/tiny").text


def test_the_command_line_lists_shows_and_copies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "list", "transfer", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {recipe["name"] for recipe in listed} == {name for name in shipped_recipes() if name.startswith("transfer/")}
    assert main(["recipe", "show", "transfer/paper"]) == 0
    assert capsys.readouterr().out == find_recipe("transfer/paper").text
    assert main(["recipe", "copy", "transfer/paper", "--output", str(tmp_path / "own.yaml")]) == 0
    assert (tmp_path / "own.yaml").is_file()
    assert main(["recipe", "list", "transfers"]) == 1
    assert "expected one of finetune" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "verb", "status", "said"),
    [
        ("epochs: 3\n", "transfer", 0, "valid, for `supernet-tl transfer`"),
        ("epochs: three\n", "transfer", 1, "epochs"),
        ("epoch: 3\n", "transfer", 1, "epoch"),
        ("epochs: 0\n", "transfer", 1, "epochs is 0; expected 1 or more"),
        ("family: pc-darts\nperturbation: none\n", "transfer", 1, "their weights fit no final network"),
        ("family: pc-darts\nperturbation: none\n", "pretrain", 0, "valid"),
        ("datasets: [a, b, c]\n", None, 0, "valid, for `supernet-tl leave-one-out`"),
        ("datasets: [a, b]\n", None, 1, "there are 2 datasets; expected three or more"),
        ("model: {channels: 4}\n", None, 0, "valid, for `supernet-tl fit`"),
        ("model: {chanels: 4}\n", None, 1, "chanels"),
        ("- epochs\n", None, 1, "holds list; expected settings"),
        ("a: [\n", None, 1, "is no YAML"),
        ("epochs: 3\n", "transfr", 1, "did you mean 'transfer'?"),
    ],
)
def test_own_recipes_are_validated(
    content: str, verb: str | None, status: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.yaml").write_text(content)
    given = ["recipe", "validate", str(tmp_path / "own.yaml"), *([] if verb is None else ["--verb", verb])]
    assert main(given) == status
    told = capsys.readouterr()
    assert said in (told.err if status else told.out)


@pytest.mark.parametrize(
    ("own", "others", "verb"),
    [
        ("finetune_epochs: 9\nselect: nearest\ntarget: my_images\n", ["hardware/gpu_80gb"], "transfer"),
        ("mixture: true\nepochs: 3\n", ["hardware/gpu_80gb"], "pretrain"),
        ("epochs: 3\n", ["hardware/gpu_80gb"], "pretrain"),  # tells nothing, and the other's own command is of it
        ("epochs: 3\n", ["finetune/fast"], "transfer"),
        (
            "seeds: [0]\ntargets: [pocket:digits]\n",
            ["leave_one_out/pocket", "leave_one_out/pocket_methods"],
            "leave-one-out",
        ),
    ],
)
def test_ones_own_recipe_tells_the_verb_where_shipped_ones_lie_over_others(
    own: str, others: list[str], verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.yaml").write_text(own)
    assert main(["recipe", "validate", *others, str(tmp_path / "own.yaml"), "--json"]) == 0, capsys.readouterr().err
    assert json.loads(capsys.readouterr().out)["verb"] == verb


def test_recipes_are_validated_as_they_lie_over_each_other(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["recipe", "validate", "leave_one_out/pocket", "leave_one_out/pocket_methods", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verb"] == "leave-one-out"
    assert main(["recipe", "validate", "transfer/paper", "hardware/gpu_80gb", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verb"] == "transfer", "the hardware's own command is of pretrain"
    assert main(["recipe", "validate", "leave_one_out/pocket_methods"]) == 1
    assert "names no datasets" in capsys.readouterr().err
    assert main(["recipe", "validate", "no_such_file.yaml"]) == 1
    assert "there is no recipe" in capsys.readouterr().err


def test_the_presets_of_training_the_final_network_are_what_their_heads_say() -> None:
    fast, paper, best = (
        Recipe.from_options(composed_settings(f"finetune/{name}")) for name in ("fast", "paper", "best")
    )
    assert [one.final for one in (fast, paper, best)] == ["inherit", "retrain", "inherit"]
    assert (paper.retrain_num_cells, paper.finetune_batch_size, paper.finetune_epochs) == (30, 32, 600)
    assert best.finetune_epochs == 8 * fast.finetune_epochs
    assert best.ema_decay is not None
    assert min(best.mixup, best.cutmix) > 0


def test_recipes_are_part_of_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"] == {"recipes": "supernet_tl/recipes"}
