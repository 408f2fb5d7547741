"""A card is plain JSON; keys with a meaning have their type; everything else is kept."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zoo_store import CardError, SchemaVersionError, Zoo, ZooEntry
from zoo_store.format.card import KNOWN_KEYS, checked_card


def test_an_empty_card_is_enough_and_gets_its_schema_version() -> None:
    assert checked_card({}) == {"schema_version": 1}


def test_unknown_keys_and_unrecorded_values_are_kept() -> None:
    card = {"schema_version": 1, "seed": None, "weather": {"wind": [1, 2.5, True]}, "name": None}
    assert checked_card(card) == card


def test_tuples_become_lists_and_numpy_doubles_become_floats() -> None:
    card = checked_card({"classes": ("a", "b"), "metrics": {"accuracy": np.float64(0.1)}})
    assert card["classes"] == ["a", "b"]
    assert type(card["metrics"]["accuracy"]) is float


@pytest.mark.parametrize("space", ["s1", {"name": "s1", "primitives": []}])
def test_a_space_is_given_by_name_or_whole(space: object) -> None:
    assert checked_card({"space": space})["space"] == space


@pytest.mark.parametrize(
    ("card", "sentence"),
    [
        ({"kind": "both"}, r"card\['kind'\] is 'both'; expected 'single' or 'mixture'"),
        ({"name": "  "}, r"card\['name'\] is '  '; expected a text for people"),
        ({"space": {"primitives": []}}, r"card\['space'\] is .*; expected the JSON object of a search space with"),
        ({"channels": 0}, r"card\['channels'\] is 0; expected a whole number above 0"),
        ({"channels": 16.0}, r"card\['channels'\] is 16\.0; expected a whole number above 0"),
        ({"num_cells": "8"}, r"card\['num_cells'\] is '8'; expected a whole number"),
        ({"num_classes": True}, r"card\['num_classes'\] is True; expected a whole number"),
        ({"classes": "abc"}, r"card\['classes'\] is 'abc'; expected a list of class names"),
        ({"classes": [1, 2]}, r"card\['classes'\] is \[1, 2\]; expected a list of class names, each a string"),
        ({"classes": ["a"], "num_classes": 2}, r"card\['num_classes'\] is 2, but card\['classes'\] names 1"),
        ({"image_size": [32]}, r"card\['image_size'\] is \[32\]; expected .* or \[height, width\]"),
        ({"recipe": 3}, r"card\['recipe'\] is 3; expected an object"),
        ({"seed": 0.5}, r"card\['seed'\] is 0\.5; expected a whole number"),
        ({"metrics": [0.5]}, r"card\['metrics'\] is \[0\.5\]; expected an object"),
        ({"data": ["digits"]}, r"card\['data'\] is \['digits'\]; expected a list of data cards"),
        ({"tags": "plankton"}, r"card\['tags'\] is 'plankton'; expected a list of texts for people to search by"),
        ({"tags": [" "]}, r"card\['tags'\] is \[' '\]; expected a list of texts"),
        ({"embedder": {"dimension": 512}}, r"card\['embedder'\] is .*; expected an object with its 'name'"),
        ({"created": "yesterday"}, r"card\['created'\] is 'yesterday'; expected an ISO 8601 time"),
        ({"created": "2026-01-31T12:00:00"}, r"expected an ISO 8601 time in UTC"),
        ({"created": "2026-01-31T12:00:00+02:00"}, r"expected an ISO 8601 time in UTC"),
        ({"in_channels": 7}, r"card\['in_channels'\] is 7; expected 1 or 3"),
        ({"stem": 5}, r"card\['stem'\] is 5; expected 'cifar' or 'imagenet'"),
        ({"versions": "2.6"}, r"card\['versions'\] is '2\.6'; expected an object"),
        ({"timings": 3}, r"card\['timings'\] is 3; expected an object"),
        ({"metrics": {"loss": float("nan")}}, r"card\['metrics'\]\['loss'\] is nan, which JSON cannot hold"),
        ({"x": [1, float("-inf")]}, r"card\['x'\]\[1\] is -inf, which JSON cannot hold"),
        ({"x": {1: 2}}, r"card\['x'\] has the key 1 of type int; keys must be strings"),
        ({"x": torch.ones(1)}, r"card\['x'\] is a torch\.Tensor; expected plain JSON"),
        ({"x": np.float32(1)}, r"card\['x'\] is a numpy\.float32; expected plain JSON .*\.item\(\)"),
        ({"x": Path("a")}, r"card\['x'\] is a pathlib\.PosixPath; expected plain JSON"),
        ({"x": {1, 2}}, r"card\['x'\] is a builtins\.set; expected plain JSON"),
        ({"x": b"a"}, r"card\['x'\] is a builtins\.bytes; expected plain JSON"),
        ({"x": 2**64}, r"card\['x'\] is an integer beyond 64 bits"),
        ({"x": "\ud800"}, r"card\['x'\] holds half a surrogate pair"),
        (["name"], "the card is a list; expected a dict"),
    ],
)
def test_a_wrong_card_is_refused_with_the_key_what_was_found_and_what_is_expected(card: Any, sentence: str) -> None:
    with pytest.raises(CardError, match=sentence):
        ZooEntry(state={"x": torch.ones(1)}, sketch={}, card=card)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(CardError, match=r"'channels'.*'seed'.*Correct the card"):
        checked_card({"channels": -1, "seed": "zero"})


def test_a_card_that_contains_itself_is_refused() -> None:
    card: dict[str, Any] = {}
    card["self"] = card
    with pytest.raises(CardError, match="nested deeper than 64 levels"):
        checked_card(card)


def test_a_card_spoilt_after_the_entry_was_built_is_refused_by_add(zoo: Zoo) -> None:
    entry = ZooEntry(state={"x": torch.ones(1)}, sketch={}, card={"metrics": {}})
    entry.card["metrics"]["loss"] = float("nan")
    with pytest.raises(CardError, match=r"card\['metrics'\]\['loss'\] is nan"):
        zoo.add(entry)
    assert len(zoo) == 0


def test_a_newer_schema_asks_for_an_upgrade() -> None:
    sentence = r"the card was written by a newer supernet-tl \(schema 2; this one reads up to 1\): upgrade"
    with pytest.raises(SchemaVersionError, match=sentence):
        checked_card({"schema_version": 2})


@pytest.mark.parametrize("version", [0, -1, "1", 1.0, True, None])
def test_an_unknown_schema_is_refused(version: object) -> None:
    with pytest.raises(SchemaVersionError, match=f"the card has the unknown schema version {version!r}"):
        checked_card({"schema_version": version})


def test_the_formats_page_lists_the_known_keys_of_a_card() -> None:
    page = (Path(__file__).parents[2] / "docs" / "zoo-format.md").read_text(encoding="utf-8")
    table = page[page.index("\n## Card\n") : page.index("\n## Aliases\n")]
    rows = re.findall(r"^\| (`.+?) \|", table, flags=re.MULTILINE)
    listed = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert listed == {"schema_version", *KNOWN_KEYS}
