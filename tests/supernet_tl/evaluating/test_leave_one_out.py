"""One small evaluation, really run, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from ot_select.statistics import relative_improvement
from supernet_tl.command_line.cli import main
from supernet_tl.control import Control
from supernet_tl.errors import EvaluationError, StarterZooError
from supernet_tl.evaluating.evaluate import EvaluationResult, Workers, leave_one_out, show_finished
from supernet_tl.evaluating.recipe import EvaluationRecipe

RECIPE = Path(__file__).parents[3] / "recipes/leave_one_out/tiny.yaml"
WORKERS = Workers(num_workers=0)


@pytest.fixture(scope="module")
def quiet() -> Control:
    return Control(device="cpu", quiet=True)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> EvaluationRecipe:
    """The tests' recipe with one target and with folders of its own beside a pocket set."""
    root = tmp_path_factory.mktemp("sets")
    for number, name in enumerate(("stripes", "checks")):
        _write_images(root / name, number)
    values = yaml.safe_load(RECIPE.read_text())
    values["datasets"] = ["pocket:textures", str(root / "stripes"), str(root / "checks")]
    values["targets"] = ["pocket:textures"]
    values["arms"] = ["sources", "mixture", "weights_only"]
    return EvaluationRecipe.from_dict(values)


def _write_images(folder: Path, number: int) -> None:
    for label in range(3):
        for index in range(12):
            image = Image.new("RGB", (12, 12), (60 * label, 20 * index, 40 + 90 * number))
            image.putpixel((index, label), (255, 255, 255))
            path = folder / f"class{label}" / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)


@pytest.fixture(scope="module")
def evaluated(recipe: EvaluationRecipe, quiet: Control, tmp_path_factory: pytest.TempPathFactory) -> EvaluationResult:
    output = tmp_path_factory.mktemp("evaluation") / "loo"
    return leave_one_out(recipe, output, workers=WORKERS, control=quiet)


def _outcomes(result: EvaluationResult) -> dict[str, dict[str, Any]]:
    folder = Path(result.output) / "jobs"
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


def test_every_job_of_the_plan_leaves_one_small_file(evaluated: EvaluationResult) -> None:
    assert evaluated.is_complete
    kinds = sorted(outcome["kind"] for outcome in _outcomes(evaluated).values())
    # Two sources and their mixture; one selection; scratch, two sources, mixture and the chosen source's weights.
    assert kinds == ["pretrain"] * 3 + ["run"] * 5 + ["select"]
    assert len(evaluated.sitting.finished) == 9
    assert all(path.stat().st_size < 20_000 for path in (Path(evaluated.output) / "jobs").iterdir())
    assert not list((Path(evaluated.output) / "work").iterdir())


def test_the_tables_hold_what_follows_from_the_outcomes_by_hand(evaluated: EvaluationResult) -> None:
    runs = {
        (outcome["tags"]["arm"], outcome["tags"]["source"]): outcome["result"]
        for outcome in _outcomes(evaluated).values()
        if outcome["kind"] == "run"
    }
    scratch = runs["scratch", None]["network"]["test_accuracy"]
    (row,) = [row for row in evaluated.table if row["part"] == "network"]
    mixture = runs["mixture", None]["network"]["test_accuracy"]
    assert row["cells"]["mixture"]["mean"] == pytest.approx(relative_improvement(mixture, scratch))
    best = max(found["network"]["test_accuracy"] for (arm, _), found in runs.items() if arm == "source")
    assert row["cells"]["oracle"]["mean"] == pytest.approx(relative_improvement(best, scratch))


def test_inherited_weights_go_without_inherited_alphas_where_only_weights_are_asked_for(
    evaluated: EvaluationResult,
) -> None:
    (found,) = [one for one in _outcomes(evaluated).values() if one["tags"].get("arm") == "weights_only"]
    assert {"normal_alpha", "reduction_alpha"} <= set(found["result"]["warm_start"]["reinitialised"])
    (selected,) = [one for one in _outcomes(evaluated).values() if one["kind"] == "select"]
    assert found["result"]["start"]["job"] == selected["result"]["chosen_job"]


def test_tables_and_page_are_written_and_need_no_network(evaluated: EvaluationResult) -> None:
    names = {path.name for path in Path(evaluated.output).iterdir()}
    assert {"evaluation.json", "summary.json", "report.html", "runs.csv", "table1.csv", "table1.tex"} <= names
    page = (Path(evaluated.output) / "report.html").read_text()
    assert "<script src" not in page
    assert all(name in page for name in _outcomes(evaluated) if name.startswith("run"))


def test_the_same_call_does_nothing_again_and_a_selector_more_adds_its_jobs_alone(
    evaluated: EvaluationResult, recipe: EvaluationRecipe, quiet: Control
) -> None:
    again = leave_one_out(recipe, evaluated.output, workers=WORKERS, control=quiet)
    assert again.sitting.finished == ()
    more = recipe.replace(select=("nearest", "random"))
    grown = leave_one_out(more, evaluated.output, workers=WORKERS, control=quiet)
    (name,) = grown.sitting.finished
    assert name.startswith("select-textures.by_random")


def test_an_output_of_another_recipe_is_refused_with_the_difference(
    evaluated: EvaluationResult, recipe: EvaluationRecipe, quiet: Control
) -> None:
    other = recipe.replace(target={**recipe.target, "epochs": 3})  # a value of many: the sentence has both
    with pytest.raises(EvaluationError, match=r"another recipe \(target: there .*'epochs': 2.*here .*'epochs': 3"):
        leave_one_out(other, evaluated.output, workers=WORKERS, control=quiet)
    with pytest.raises(EvaluationError, match="differ in target"):
        show_finished(other, evaluated.output, control=quiet)


def test_a_zoo_that_lacks_what_open_jobs_start_from_is_refused_and_mended_when_asked_for(
    evaluated: EvaluationResult, recipe: EvaluationRecipe, quiet: Control, tmp_path: Path
) -> None:
    output = tmp_path / "loo"
    shutil.copytree(evaluated.output, output)
    shutil.rmtree(output / "zoo")
    for path in (output / "jobs").glob("run-*mixture*"):
        path.unlink()
    with pytest.raises(EvaluationError, match=r"does not hold the entries of 1 finished .*--pretrain-missing"):
        leave_one_out(recipe, output, workers=WORKERS, control=quiet)
    before = _outcomes(evaluated)
    mended = leave_one_out(recipe, output, workers=WORKERS, control=quiet, pretrain_missing=True)
    assert sorted(name.partition("-")[0] for name in mended.sitting.finished) == ["pretrain", "run"]
    name = next(name for name in mended.sitting.finished if name.startswith("run"))
    # Pretraining and search follow from their seeds, so the same numbers come out on the same machine.
    assert _outcomes(mended)[name]["result"]["network"] == before[name]["result"]["network"]


def test_a_target_among_its_own_sources_is_refused_whatever_its_name(
    recipe: EvaluationRecipe, quiet: Control, tmp_path: Path
) -> None:
    copied = tmp_path / "other_name"
    shutil.copytree(recipe.datasets[1], copied)
    (copied / "class0").rename(copied / "zebra")  # other classes, the same images
    same = recipe.replace(datasets=(*recipe.datasets, str(copied)))
    with pytest.raises(
        EvaluationError, match=r"36 of the 36 different images of .* are also in .*other_name.*Leave one"
    ):
        leave_one_out(same, tmp_path / "loo", workers=WORKERS, control=quiet)


def test_a_folder_with_other_things_or_in_use_is_refused(
    recipe: EvaluationRecipe, quiet: Control, tmp_path: Path
) -> None:
    from filelock import FileLock

    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(EvaluationError, match=r"holds no evaluation \(found mine.txt\)"):
        leave_one_out(recipe, tmp_path, workers=WORKERS, control=quiet)
    assert (tmp_path / "mine.txt").read_text() == "precious"
    output = tmp_path / "loo"
    output.mkdir()
    with FileLock(output / ".lock"), pytest.raises(EvaluationError, match="in use by another evaluation"):
        leave_one_out(recipe, output, workers=WORKERS, control=quiet)


def test_a_job_that_cannot_be_done_is_on_record_and_the_table_says_what_is_missing(
    recipe: EvaluationRecipe, quiet: Control, tmp_path: Path
) -> None:
    diverging = recipe.replace(arms=(), target={**recipe.target, "weight_lr": 1e30, "finetune_epochs": 0})
    workers = Workers(num_workers=0, retries=0)
    found = leave_one_out(diverging, tmp_path / "loo", workers=workers, control=quiet)
    assert any(name.startswith("run-textures.scratch") for name in found.sitting.failed)
    missing = {one["job"]: one for one in found.summary["progress"]["missing"]}
    name = next(name for name in missing if name.startswith("run-textures.scratch"))
    assert missing[name]["why"] == "failed"
    assert missing[name]["error"].startswith("DivergedError: the architecture loss is nan")
    record = json.loads((tmp_path / "loo/jobs" / f"{name}.failed.json").read_text())
    assert "Traceback" in record["attempts"][0]["traceback"]


def test_the_dry_run_prints_the_plan_and_hours_from_measured_steps(
    recipe: EvaluationRecipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe.to_dict()))
    assert main(["leave-one-out", "--config", str(path), "--dry-run", "--device", "cpu", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["jobs"]) == 9
    run = found["kinds"]["run"]
    # 5 runs, each of 2 epochs: half of 40 images in batches of 8; then one epoch of 40 images.
    assert run["jobs"] == 5
    assert run["steps"] == 5 * (2 * 2 + 1 * 5)
    assert found["hours"] == pytest.approx(sum(kind["hours"] for kind in found["kinds"].values()))
    assert all(seconds > 0 for seconds in found["measured"].values())


def test_the_verb_wants_an_output_and_refuses_what_a_recipe_cannot_be(
    recipe: EvaluationRecipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe.to_dict()))
    assert main(["leave-one-out", "--config", str(path)]) == 1
    assert "--output is missing" in capsys.readouterr().err
    mixed = recipe.to_dict() | {"per_target": {recipe.datasets[0]: {"embedder": "resnet18", "space": "s2"}}}
    path.write_text(yaml.safe_dump(mixed))
    assert main(["leave-one-out", "--config", str(path), "--output", str(tmp_path / "loo")]) == 1
    assert "sets embedder, space; supernets and sketches of one evaluation must agree" in capsys.readouterr().err


def test_a_recipe_that_was_refused_binds_the_output_folder_to_nothing(
    recipe: EvaluationRecipe, quiet: Control, tmp_path: Path
) -> None:
    output = tmp_path / "loo"
    mistyped = recipe.replace(datasets=("pocket:texture", *recipe.datasets[1:]), targets=None)
    with pytest.raises(ValueError, match="pocket album has no set 'texture'"):
        leave_one_out(mistyped, output, workers=WORKERS, control=quiet)
    assert not (output / "evaluation.json").exists()


def test_the_starter_zoo_is_never_written_to(recipe: EvaluationRecipe, quiet: Control, tmp_path: Path) -> None:
    with pytest.raises(StarterZooError, match="copy it first"):
        leave_one_out(recipe, tmp_path / "loo", zoo="starter", workers=WORKERS, control=quiet)


def test_a_whole_recipe_goes_without_other_fields(recipe: EvaluationRecipe, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="one or the other"):
        leave_one_out(recipe, tmp_path / "loo", seeds=(5,))
    with pytest.raises(EvaluationError, match=r"'neerest' \(did you mean 'nearest'\?\)"):
        leave_one_out(recipe.datasets, tmp_path / "loo", select=["neerest"])


def test_a_damaged_outcome_is_told_of_before_anything_is_done(
    evaluated: EvaluationResult, recipe: EvaluationRecipe, quiet: Control, tmp_path: Path
) -> None:
    output = tmp_path / "loo"
    shutil.copytree(evaluated.output, output)
    path = next((output / "jobs").glob("run-textures.scratch*.json"))
    path.write_text(path.read_text()[:100])
    with pytest.raises(EvaluationError, match=r"run-textures.scratch.* is damaged .*delete the file"):
        leave_one_out(recipe, output, workers=WORKERS, control=quiet)
