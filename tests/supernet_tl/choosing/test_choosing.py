"""How a zoo's entries are chosen: baselines, tables of the past, selectors of other packages, terms of comparison."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ot_select
import supernet_tl
import zoo_store
from supernet_tl.cards import distinct_name
from supernet_tl.choosing.past_accuracies import read_past_accuracies
from supernet_tl.choosing.selection import Selection
from supernet_tl.control import Control
from supernet_tl.data import ImageSet, open_image_set
from supernet_tl.errors import RecipeError, SelectionError

Images = Callable[..., ImageSet]


@pytest.fixture(scope="module")
def zoo(zoo_path: Path, tmp_path_factory: pytest.TempPathFactory) -> zoo_store.Zoo:
    """The zoo of the tests, where by its card 'far' has learnt from more images than 'near'."""
    copy = zoo_store.Zoo(tmp_path_factory.mktemp("choosing") / "zoo")
    whole = zoo_store.Zoo(zoo_path)
    for entry_id, card in whole.cards().items():
        entry = whole.get(entry_id)
        if card["name"] == "far":
            data = [{**part, "splits": {**part["splits"], "weight": 5000}} for part in card["data"]]
            entry = zoo_store.ZooEntry(entry.state, entry.sketch, {**entry.card, "data": data})
        copy.add(entry)
    return copy


@pytest.mark.parametrize(
    ("select", "classes", "expected", "reason"),
    [
        ("largest", 3, "far", "it is the largest, with 50"),
        ("same-classes", 3, "near", "its number of classes, 3, is nearest the target's 3"),
        ("same-classes", 4, "far", "its number of classes, 4, is nearest the target's 4"),
    ],
)
def test_baselines_choose_by_the_card_and_distances_are_measured_for_comparison(
    zoo: zoo_store.Zoo, stripes: Images, quiet: Control, select: str, classes: int, expected: str, reason: str
) -> None:
    found = supernet_tl.select(stripes("t", seed=1, num_classes=classes), zoo, select, control=quiet)
    assert found.name == expected
    assert found.reason.startswith(reason)
    assert {found.name_of(entry_id) for entry_id in found.ranking.names} == {"near", "far"}
    assert found.comparison is not None
    assert found.to_dict()["reason"] == found.reason


def test_fixed_best_reads_a_table_of_names_or_ids(
    zoo: zoo_store.Zoo, stripes: Images, quiet: Control, tmp_path: Path
) -> None:
    ids = {card["name"]: entry_id for entry_id, card in zoo.cards().items()}
    table = tmp_path / "past.json"
    for values in ({"near": 0.5, "far": 0.8}, {ids["near"]: 0.5, ids["far"][:8]: 0.8}):
        table.write_text(json.dumps(values))
        found = supernet_tl.select(stripes("t", seed=1), zoo, "fixed-best", control=quiet, past_accuracies=str(table))
        assert found.name == "far"
        assert found.reason == "it was best on average over past targets, 0.8"


@pytest.mark.parametrize(
    ("content", "error", "sentence"),
    [
        (None, SelectionError, "Give --past-accuracies FILE"),
        ("{", SelectionError, "is no JSON .*expected an object from entry names or ids to numbers"),
        ('["near"]', SelectionError, "holds no table of numbers"),
        ('{"near": "good"}', SelectionError, "holds no table of numbers"),
        ('{"near": NaN}', SelectionError, "holds no table of numbers"),
        ('{"other": 0.5}', SelectionError, r"names 'other', none of the zoo's entries: .*near \([0-9a-f]{12}\)"),
        ('{"near+far": 0.5}', SelectionError, r"are of near\+far \([0-9a-f]{12}\), none of the sources that may"),
    ],
)
def test_a_table_of_the_past_that_cannot_be_used_gets_a_sentence(
    zoo: zoo_store.Zoo,
    stripes: Images,
    quiet: Control,
    tmp_path: Path,
    content: str | None,
    error: type[Exception],
    sentence: str,
) -> None:
    options = {}
    if content is not None:
        (tmp_path / "past.json").write_text(content)
        options["past_accuracies"] = str(tmp_path / "past.json")
    with pytest.raises(error, match=sentence):
        supernet_tl.select(stripes("t", seed=1), zoo, "fixed-best", control=quiet, **options)


def test_keys_of_the_past_that_name_no_entry_are_told(
    zoo: zoo_store.Zoo, stripes: Images, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "past.json"
    table.write_text('{"near": 0.5, "elsewhere": 0.9}')
    supernet_tl.select(
        stripes("t", seed=1), zoo, "fixed-best", control=Control(device="cpu"), past_accuracies=str(table)
    )
    assert "past.json also names 'elsewhere', which the zoo does not hold" in capsys.readouterr().err


def test_a_table_of_the_past_names_each_entry_once_and_one_at_a_time(tmp_path: Path) -> None:
    cards = {"a" * 64: {"name": "twin"}, "b" * 64: {"name": "twin"}, "c" * 64: {"name": "other"}}
    table = tmp_path / "past.json"
    for content, sentence in (
        ('{"twin": 0.5}', r"'twin' in .* names 2 entries of the zoo: twin \(a{12}\), twin \(b{12}\)"),
        ('{"other": 0.5, "cccccc": 0.6}', r"names the entry other \(c{12}\) twice"),
    ):
        table.write_text(content)
        with pytest.raises(SelectionError, match=sentence):
            read_past_accuracies(str(table), cards, pytest.fail)
    with pytest.raises(SelectionError, match=r"missing.json cannot be read as --past-accuracies \(No such file"):
        read_past_accuracies(str(tmp_path / "missing.json"), cards, pytest.fail)


def test_entries_of_one_name_are_told_apart_by_the_beginnings_of_their_ids() -> None:
    cards = {"a" * 64: {"name": "twin"}, "b" * 64: {"name": "twin"}, "c" * 64: {"name": "other"}}
    expected = [f"twin ({'a' * 12})", f"twin ({'b' * 12})", "other"]
    assert [distinct_name(cards, entry_id) for entry_id in cards] == expected


def test_a_selector_of_another_package_sees_every_kind_of_entry_and_may_choose_scratch(
    zoo: zoo_store.Zoo, stripes: Images, quiet: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_way.py").write_text(
        "from ot_select import Choice, rank_randomly\n"
        "def choose(question):\n"
        "    kinds = sorted((candidate.kind, name) for name, candidate in question.candidates.items())\n"
        "    ranking = rank_randomly(question.candidates)\n"
        "    return Choice(kinds[0][1] if len(kinds) == 3 else None, ranking, 'a mixture it is')\n"
        "def scratch(question):\n"
        "    return Choice(None, rank_randomly(question.candidates), 'nothing helps')\n"
    )
    info = tmp_path / "own_way-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-way\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[supernet_tl.selectors]\nown = own_way:choose\nnothing = own_way:scratch\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_way", raising=False)
    target = stripes("t", seed=1)
    found = supernet_tl.select(target, zoo, "own", control=quiet)
    assert (found.name, found.reason) == ("near+far", "a mixture it is")
    assert len(found.ranking) == 3
    none = supernet_tl.select(target, zoo, "nothing", control=quiet)
    assert (none.entry_id, none.decided, none.reason) == (None, True, "nothing helps")
    assert none.settings["channels"] == 2
    with pytest.raises(SelectionError, match=r"one of nearest, .*, fixed-best, nothing, own, an entry's alias, name"):
        supernet_tl.select(target, zoo, "missing", control=quiet)


def test_a_distance_is_named_once_and_the_ranking_names_it(zoo: zoo_store.Zoo, stripes: Images, quiet: Control) -> None:
    target = stripes("t", seed=1)
    by_name = supernet_tl.select(target, zoo, control=quiet, distance="otdd-paper")
    by_preset = supernet_tl.select(target, zoo, control=quiet, preset="paper")
    assert by_name.to_dict() == by_preset.to_dict()
    assert by_name.to_dict()["distance"] == "otdd-paper"
    assert supernet_tl.select(target, zoo, control=quiet).to_dict()["distance"] == "otdd"
    with pytest.raises(ot_select.OptionError, match="no distance 'miles'; the distances are otdd, otdd-paper"):
        supernet_tl.select(target, zoo, control=quiet, distance="miles")
    with pytest.raises(RecipeError, match="distance 'otdd' and preset 'paper' both say what is measured"):
        supernet_tl.select(target, zoo, control=quiet, distance="otdd", preset="paper")


def test_only_the_nearest_are_listed_and_one_beyond_the_list_can_be_chosen_by_a_baseline(
    zoo: zoo_store.Zoo, stripes: Images, quiet: Control
) -> None:
    options: dict[str, Any] = {"num_ranked": 1, "control": quiet}
    found = supernet_tl.select(stripes("t", seed=1), zoo, "largest", **options)
    assert [found.name_of(entry_id) for entry_id in found.ranking.names] == ["near"]
    assert (found.name, found.comparison, str(found).split(" (")[0]) == ("far", None, "starting from far")
    assert found.source_dict() is not None


def test_a_selection_survives_json_and_so_does_one_from_before_probes(
    zoo: zoo_store.Zoo, stripes: Images, quiet: Control
) -> None:
    found = supernet_tl.select(stripes("t", seed=1), zoo, "far", control=quiet)
    values = json.loads(json.dumps(found.to_dict()))
    again = Selection.from_dict(values, zoo)
    assert again.to_dict() == values
    new = ("settings", "reason", "probes", "terms", "distance", "decided", "name")
    for row in values["ranking"]:
        del row["floors"]
    old = Selection.from_dict({key: value for key, value in values.items() if key not in new}, zoo)
    assert (old.name, old.settings, old.ranking.names) == (found.name, found.settings, found.ranking.names)


def test_an_entry_that_cannot_be_compared_can_still_be_asked_for_by_name(
    zoo: zoo_store.Zoo, stripes: Images, quiet: Control, tmp_path: Path
) -> None:
    own = zoo_store.Zoo(tmp_path / "zoo")
    for entry_id in zoo:
        own.add(zoo.get(entry_id))
    entry = next(own.get(entry_id) for entry_id, card in own.cards().items() if card["name"] == "near")
    features = torch.from_numpy(np.random.default_rng(0).random((40, 1280), dtype=np.float32))
    embedder = ot_select.Sketch.from_tensors(entry.sketch).embedder
    for name, rows in (("large", 40), ("tiny", 4)):
        cloud = ot_select.LabelledCloud(features[:rows], np.arange(rows) % 2)
        tensors = ot_select.sketch(cloud, embedder=embedder).to_tensors()
        own.add(zoo_store.ZooEntry(entry.state, tensors, {**entry.card, "name": name}))
    target = stripes("t", seed=1, per_class=40)
    found = supernet_tl.select(target, own, control=quiet)
    assert found.name_of(found.entry_id) != "tiny"
    (reason,) = (reason for entry_id, reason in found.excluded.items() if found.cards[entry_id]["name"] == "tiny")
    assert "it has 4 rows" in reason
    asked = supernet_tl.select(target, own, "tiny", control=quiet)
    assert (asked.name, asked.ranking.rows_compared) == ("tiny", 4)


@pytest.mark.parametrize("terms", ["rows", "self_distances"])
def test_half_of_a_real_set_finds_the_other_half_however_few_rows_that_has(terms: Any) -> None:
    # Oracle: the construction; digits and mnist5k are both handwritten digits, the nearest there is to a false friend
    embedder = ot_select.Embedder("tf_efficientnet_lite0", image_size=32, device="cpu")

    def cloud(name: str, rows: np.ndarray[Any, np.dtype[np.int64]]) -> ot_select.LabelledCloud:
        images = open_image_set(f"pocket:{name}")
        return ot_select.LabelledCloud(embedder.embed(images.pixels(32, rows.tolist())), images.labels[rows])

    order = np.random.default_rng(0).permutation(1797)[:500]
    target, other_half = cloud("digits", order[:250]), cloud("digits", order[250:])
    false_friend = cloud("mnist5k", np.random.default_rng(1).permutation(5000)[:250])
    for size in (250, 100):
        sources = {"other half": ot_select.draw_rows(other_half, size, 0), "mnist5k": false_friend}
        kept = {name: ot_select.sketch(source, embedder=embedder.identity) for name, source in sources.items()}
        ranking = ot_select.rank(ot_select.sketch(target, embedder=embedder.identity), kept, num_draws=1, terms=terms)
        assert ranking.names == ("other half", "mnist5k")
