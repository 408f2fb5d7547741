"""What ``--help`` tells, and what is said of calls that cannot be."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest

from supernet_tl.command_line.cli import main
from supernet_tl.command_line.verb_parsers import build_parser
from supernet_tl.recipe import Recipe
from supernet_tl.shipped_recipes import with_recipes_found

SETTINGS = {f"--{field.name.replace('_', '-')}" for field in fields(Recipe)}
OF_ENTRIES = {"--num-thumbnails"}
OF_SELECTION = {"--embedder", "--num-draws", "--distance", "--probe-epochs", "--past-accuracies"}
OF_SKETCHES = {"--embed-size", "--sketch-rows", "--sketch", "--sketch-rank"}
OF_WARM_STARTS = {"--warm-schedule", "--warm-lr-factor", "--held-alpha-epochs", "--source-pull", "--warm-cells"}
OF_SEARCHES = {"--epochs", "--batch-size", "--weight-lr", "--order", "--perturbation", "--patience", "--max-skips"}
OF_FINAL_NETWORKS = {"--finetune-epochs", "--discretization", "--max-params", "--label-smoothing", "--retrain-channels"}
OF_WHAT_FITS = {"--space", "--family", "--order", "--perturbation", "--final"}
VERBS = (
    *("pretrain", "distance", "embed", "select", "transfer", "search", "predict", "export", "report"),
    "leave-one-out",
)


def _help(verb: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit, match="0"):
        build_parser().parse_args([verb, "--help"])
    return capsys.readouterr().out


def _told(shown: str) -> list[str]:
    """Settings that a help tells of, in order."""
    return [switch for switch in re.findall(r"^  (--[a-z-]+)", shown, flags=re.MULTILINE) if switch in SETTINGS]


def test_the_help_of_a_transfer_tells_once_of_every_setting_but_that_of_entries(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert sorted(_told(_help("transfer", capsys))) == sorted(SETTINGS - OF_ENTRIES)


@pytest.mark.parametrize(
    ("verb", "told", "not_told"),
    [
        (
            "pretrain",
            OF_ENTRIES | OF_SKETCHES | OF_SEARCHES | {"--embedder"},
            OF_WARM_STARTS | OF_FINAL_NETWORKS | (OF_SELECTION - {"--embedder"}),
        ),
        (
            "select",
            OF_SELECTION | OF_SKETCHES | OF_WHAT_FITS | {"--shots"},
            OF_WARM_STARTS | (OF_FINAL_NETWORKS | OF_SEARCHES | {"--augment"}) - OF_WHAT_FITS,
        ),
        ("search", OF_SEARCHES | OF_FINAL_NETWORKS, OF_SELECTION | OF_SKETCHES | OF_WARM_STARTS | OF_ENTRIES),
    ],
)
def test_a_verb_tells_of_the_settings_that_it_heeds(
    verb: str, told: set[str], not_told: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = set(_told(_help(verb, capsys)))
    assert told <= found
    assert not found & not_told


def test_settings_are_told_by_the_stage_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    shown = _help("transfer", capsys)
    stages = re.split(r"^(settings.*):$", shown, flags=re.MULTILINE)[1:]
    of_stage = {title: set(_told(text)) for title, text in zip(stages[::2], stages[1::2], strict=True)}
    assert {"--embedder", "--epochs", "--seed"} <= of_stage["settings"]
    assert {"--augment", "--shots"} <= of_stage["settings of images and splits"]
    assert of_stage["settings of a warm start"] >= OF_WARM_STARTS
    assert {"--discretization", "--max-params"} <= of_stage["settings of the final network's architecture"]
    assert {"--mixup", "--retrain-channels"} <= of_stage["settings of training the final network"]
    assert list(of_stage)[-1] == "settings of training the final network"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_a_call_that_its_parser_takes(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = _help(verb, capsys)
    assert shown.startswith(f"usage: supernet-tl {verb} ")
    program, *arguments = shlex.split(shown.split("Example: ")[1])
    assert program == "supernet-tl"
    assert build_parser().parse_args(with_recipes_found(arguments)).verb == verb == arguments[0]


@pytest.mark.parametrize(
    "verb", ["pretrain --source s --zoo z", "select --target t --zoo z", "search --target t --output o"]
)
def test_what_a_verb_does_not_heed_is_taken_from_a_recipe_that_several_share(verb: str, tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text("epochs: 3\nfinetune_epochs: 2\nwarm_schedule: gentle\nnum_draws: 5\n")
    config = build_parser().parse_args([*verb.split(), "--config", str(tmp_path / "shared.yaml")])
    settings = config[config.verb]
    assert (settings.finetune_epochs, settings.warm_schedule, settings.num_draws) == (2, "gentle", 5)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            "--sketch gausians",
            "--sketch is 'gausians' (did you mean 'gaussians'?); expected one of 'rows', 'gaussians'.",
        ),
        ("--terms own", "--terms is 'own'; expected one of 'rows', 'self_distances'."),
        ("--weight-lr fast", "--weight-lr is 'fast'; expected a number."),
        ("--epochs 3.5", "--epochs is '3.5'; expected a whole number."),
        ("--random-start perhaps", "--random-start is 'perhaps'; expected true or false."),
        (
            "--epcohs=1 --mixup 0",
            "supernet-tl select has no --epcohs (did you mean '--epochs'?); --help lists what it has.",
        ),
        (
            "-epochs 3 --qqq",
            "supernet-tl select has no -epochs (did you mean '--epochs'?), --qqq; --help lists what it has.",
        ),
        ("a b", "a b was not expected; --help shows how to call this."),
        (
            "--embedder",
            "--embedder has no value; expected one behind it (one that begins with - is given as --embedder=-…).",
        ),
        ("--quiet=false", "--quiet was given the value 'false'; expected --quiet alone, which needs none."),
    ],
)
def test_a_switch_that_cannot_be_gets_a_sentence(given: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["select", "--target", "t", "--zoo", "z", *given.split()])
    assert capsys.readouterr().err == f"error: {sentence}\n"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("", "a verb is missing; expected one of pretrain, distance, "),
        ("zoo", "an action is missing; expected one of list, show, "),
        ("trnsfer", "'trnsfer' is not a verb (did you mean 'transfer'?); expected one of pretrain, distance, "),
        ("a'b", '"a\'b" is not a verb; expected one of pretrain, distance, '),
        (
            "search --target t --output o --config transfer/papr",
            "--config is 'transfer/papr', which is not there (did you ",
        ),
        ("search --target t --output o --\x1b[2J", r"--\x1b[2J was not expected; --help shows how to call this."),
        ("zoo shw z", "'shw' is not an action (did you mean 'show'?); expected one of list, show, "),
        ("transfer --zoo z", "--target, --output are missing; --help shows how to call this."),
        ("embed", "SRC, --output are missing; --help shows how to call this."),
        ("zoo copy a", "TO is missing; --help shows how to call this."),
        ("zoo list z --channels x", "--channels is 'x'; expected a whole number."),
        ("leave-one-out --seeds 1", "--seeds is '1'; expected whole numbers in brackets, such as [0, 1]."),
        ("leave-one-out --shared x", "--shared is 'x'; expected settings, such as {epochs: 3}."),
    ],
)
def test_a_call_that_cannot_be_gets_a_sentence(given: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(given.split())
    assert capsys.readouterr().err.startswith(f"error: {sentence}")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("epochss: 3", "search has no setting 'epochss' (did you mean 'epochs'?); --help lists what it has."),
        ("optimizer: {lr: 3}", "search has no setting 'optimizer.lr'; --help lists what it has."),
        ("", "a file given with --config holds nothing; expected settings, each as `name: value`."),
        ("- epochs", "a file given with --config holds '- epochs'; expected settings, each as `name: value`."),
        ("a: [", "a file given with --config is no YAML: "),
        (b"epochs: \xff", "a file given with --config is no YAML: "),
        ("1: 3", "a file given with --config holds 1 as a setting's name; expected settings, each as `name: value`."),
        ("foo bar: 3", 'a file given with --config holds "foo bar" as a setting\'s name; expected settings, '),
        ("overwrite: 'no'", "--overwrite is 'no'; expected true or false."),
        ("epochs.more: 3", "--epochs has names below it; expected a whole number."),
        ("epochs: three", "--epochs is 'three'; expected a whole number."),
    ],
)
def test_a_file_of_settings_that_cannot_be_gets_a_sentence(
    content: str | bytes, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SystemExit, match="2"):
        main(["search", "--target", "t", "--output", "o", "--config", str(tmp_path / "mine.yaml")])
    assert capsys.readouterr().err.startswith(f"error: {sentence}")


def test_flags_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("overwrite: true\nquiet: false\n")
    config = build_parser().parse_args(["search", "--target=t", "--output=o", f"--config={tmp_path}/mine.yaml"]).search
    assert (config.overwrite, config.quiet, config.json) == (True, False, False)


def test_a_config_that_is_a_folder_gets_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main(["search", "--target", "t", "--output", "o", "--config", "settings"])
    sentence = "error: --config is 'settings', which is no file; expected a YAML file, or a recipe's name.\n"
    assert capsys.readouterr().err == sentence


def test_switches_are_not_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["distance", "a", "b", "--row", "3"])
    assert "supernet-tl distance has no --row (did you mean '--rows'?)" in capsys.readouterr().err
