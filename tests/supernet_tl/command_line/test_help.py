"""What ``--help`` tells, and what is said of calls that cannot be."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields

import pytest

from supernet_tl.command_line.cli import build_parser, main
from supernet_tl.recipe import Recipe

SETTINGS = {f"--{field.name.replace('_', '-')}" for field in fields(Recipe)}
OF_ENTRIES = {"--num-thumbnails"}
OF_SELECTION = {"--embedder", "--num-draws", "--distance", "--probe-epochs", "--past-accuracies"}
OF_SKETCHES = {"--embed-size", "--sketch-rows", "--sketch", "--sketch-rank"}
OF_WARM_STARTS = {"--warm-schedule", "--warm-lr-factor", "--held-alpha-epochs", "--source-pull", "--warm-cells"}
OF_SEARCHES = {"--epochs", "--batch-size", "--weight-lr", "--order", "--perturbation", "--patience", "--max-skips"}
OF_FINAL_NETWORKS = {"--finetune-epochs", "--discretization", "--max-params", "--label-smoothing", "--retrain-channels"}
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
        ("select", OF_SELECTION | OF_SKETCHES | {"--space"}, OF_WARM_STARTS | OF_FINAL_NETWORKS | OF_SEARCHES),
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
    example = " ".join(shown.split("Example: ")[1].split())
    program, *arguments = shlex.split(example)
    assert program == "supernet-tl"
    assert build_parser().parse_args(arguments).verb == verb == arguments[0]


def test_what_a_verb_does_not_heed_is_taken_from_a_recipe_that_several_share() -> None:
    given = ["--target", "t", "--output", "o", "--warm-schedule", "gentle", "--num-draws", "5"]
    config = build_parser().parse_args(["search", *given]).search
    assert (config.warm_schedule, config.num_draws) == ("gentle", 5)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            "--sketch gausians",
            "--sketch is 'gausians' (did you mean 'gaussians'?); expected one of 'rows', 'gaussians'.",
        ),
        ("--terms own", "--terms is 'own'; expected one of 'rows', 'self_distances'."),
        ("--weight-lr fast", "--weight-lr is 'fast'; expected a number."),
        ("--random-start perhaps", "--random-start is 'perhaps'; expected true or false."),
        (
            "--label-smothing=1 --no-such --mixup 0",
            "supernet-tl select has no --label-smothing (did you mean '--label-smoothing'?), --no-such; "
            "--help lists what it has.",
        ),
        ("a b", "a b was not expected; --help shows how to call this."),
    ],
)
def test_a_switch_that_cannot_be_gets_a_sentence(given: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["select", "--target", "t", "--zoo", "z", *given.split()])
    assert capsys.readouterr().err == f"error: {sentence}\n"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("transfer --zoo z", "--target, --output are missing; --help shows how to call this."),
        ("export", "RUN is missing; --help shows how to call this."),
        ("zoo show", "ZOO is missing; --help shows how to call this."),
        ("trnsfer", "'trnsfer' is not a verb (did you mean 'transfer'?); expected one of pretrain, distance, "),
        ("zoo shw z", "'shw' is not an action (did you mean 'show'?); expected one of list, show, "),
    ],
)
def test_a_call_that_lacks_something_gets_a_sentence(
    given: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(given.split())
    assert capsys.readouterr().err.startswith(f"error: {sentence}")


def test_switches_are_not_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["distance", "a", "b", "--row", "3"])
    assert "supernet-tl distance has no --row (did you mean '--rows'?)" in capsys.readouterr().err
