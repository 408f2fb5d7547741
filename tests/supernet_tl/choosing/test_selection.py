from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import supernet_tl
import zoo_store
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.errors import SelectionError


def test_the_other_half_of_a_sources_own_images_finds_that_source(
    zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control
) -> None:
    found = supernet_tl.select(stripes("target", seed=1), zoo_path, control=quiet)
    assert [found.cards[entry_id]["name"] for entry_id in found.ranking.names] == ["near", "far"]
    assert found.name == "near"
    values = found.to_dict()
    assert [row["chosen"] for row in values["ranking"]] == [True, False]
    assert values["ranking"][0]["distance"] < values["ranking"][1]["distance"]


def test_a_source_can_be_chosen_by_name_by_id_at_random_or_as_the_mixture(
    zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control
) -> None:
    zoo, target = zoo_store.Zoo(zoo_path), stripes("target", seed=1)
    by_name = {card["name"]: entry_id for entry_id, card in zoo.cards().items()}
    choices = {
        "far": "far",
        by_name["far"][:10]: "far",
        "mixture": "near+far",
        "near+far": "near+far",
    }
    for select, expected in choices.items():
        assert supernet_tl.select(target, zoo, select, control=quiet).name == expected
    drawn = {supernet_tl.select(target, zoo, "random", control=quiet, seed=seed).name for seed in range(12)}
    assert drawn == {"near", "far"}


@pytest.mark.parametrize(
    ("select", "options", "sentence"),
    [
        ("nearest", {"space": "s2"}, r"none of the zoo's 2 single entries .* its space is 's1', not 's2'"),
        ("nearest", {"channels": 4}, "its channels is 2, not 4"),
        ("mixture", {"num_cells": 5}, "none of the zoo's 1 mixture entries"),
        ("far", {"image_size": 16}, "the zoo entry 'far' cannot be used here: its image_size is 8, not 16"),
        ("nearest", {"in_channels": 1}, "its in_channels is 3, not 1"),
        ("near", {"stem": "imagenet"}, "the zoo entry 'near' cannot be used here: its stem is 'cifar', not 'imagenet'"),
        ("nearest", {"embed_size": 48}, r"image_size=32 .*, the target's by '.* image_size=48"),
        ("best", {}, "'best' names no entry of the zoo; expected one of nearest, probe, mixture, random"),
    ],
)
def test_entries_that_do_not_fit_are_refused_with_the_reason(
    select: str,
    options: dict[str, Any],
    sentence: str,
    zoo_path: Path,
    stripes: Callable[..., ImageSet],
    quiet: Control,
) -> None:
    with pytest.raises(SelectionError, match=sentence):
        supernet_tl.select(stripes("target"), zoo_path, select, control=quiet, **options)


def test_entries_that_do_not_fit_are_named_when_others_do(
    zoo_path: Path, stripes: Callable[..., ImageSet], tiny: dict[str, Any], embedding: dict[str, Any], quiet: Control
) -> None:
    import shutil

    wider = zoo_path.parent / "wider"
    shutil.copytree(zoo_path, wider, dirs_exist_ok=True)
    settings = {**tiny, **embedding, "channels": 4, "epochs": 1}
    supernet_tl.pretrain(stripes("wide", seed=3), wider, control=quiet, **settings)
    found = supernet_tl.select(stripes("target"), wider, control=quiet, channels=2)
    assert len(found.ranking) == 2
    assert list(found.excluded.values()) == ["its channels is 4, not 2"]


def test_an_empty_zoo_says_how_to_fill_it(tmp_path: Path, stripes: Callable[..., ImageSet], quiet: Control) -> None:
    with pytest.raises(zoo_store.ZooNotFoundError, match="no such folder"):
        supernet_tl.select(stripes("target"), tmp_path / "missing", control=quiet)


def _with_card(zoo_path: Path, folder: Path, **changes: Any) -> zoo_store.Zoo:
    """A copy of the zoo with one more entry: 'near' under a changed card, as other people may write it."""
    import shutil

    shutil.copytree(zoo_path, folder)
    zoo = zoo_store.Zoo(folder)
    near = next(entry_id for entry_id, card in zoo.cards().items() if card["name"] == "near")
    entry = zoo.get(near)
    card = {**entry.card, "name": "foreign", **changes}
    zoo.add(zoo_store.ZooEntry(entry.state, entry.sketch, {k: v for k, v in card.items() if v is not None}))
    return zoo


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"space": None}, "its card does not tell space"),
        ({"image_size": [8, 8]}, r"its image_size is \[8, 8\]; only square images"),
        ({"space": "mine"}, "its space 'mine' is none of s1"),
    ],
)
def test_entries_of_other_peoples_making_are_left_out_with_a_reason(
    changes: dict[str, Any],
    reason: str,
    zoo_path: Path,
    tmp_path: Path,
    stripes: Callable[..., ImageSet],
    quiet: Control,
) -> None:
    zoo = _with_card(zoo_path, tmp_path / "zoo", **changes)
    found = supernet_tl.select(stripes("target", seed=1), zoo, control=quiet)
    assert found.name == "near"
    (told,) = found.excluded.values()
    with pytest.raises(ValueError, match=reason):
        raise ValueError(told)
    with pytest.raises(SelectionError, match=reason):
        supernet_tl.select(stripes("target", seed=1), zoo, "foreign", control=quiet)


def test_a_space_that_only_bears_a_known_name_is_refused(
    zoo_path: Path, tmp_path: Path, stripes: Callable[..., ImageSet], quiet: Control
) -> None:
    import darts

    swapped = darts.S1.to_dict()
    swapped["reduction"][0] = swapped["reduction"][0][::-1]  # the same tensors, other ops
    zoo = _with_card(zoo_path, tmp_path / "zoo", space=swapped)
    found = supernet_tl.select(stripes("target", seed=1), zoo, control=quiet)
    assert list(found.excluded.values()) == ["its space is called 's1' but has other primitives"]


@pytest.mark.parametrize("embedder", ["tf_efficientnet_lite0", None])
def test_a_card_may_name_its_embedder_briefly_or_not_at_all(
    embedder: str | None, zoo_path: Path, tmp_path: Path, stripes: Callable[..., ImageSet], quiet: Control
) -> None:
    zoo = _with_card(zoo_path, tmp_path / "zoo", embedder=embedder)
    found = supernet_tl.select(stripes("target", seed=1), zoo, control=quiet)
    assert len(found.ranking) == 3


def test_a_damaged_entry_does_not_stand_in_the_way_of_the_others(
    zoo_path: Path, tmp_path: Path, stripes: Callable[..., ImageSet], quiet: Control
) -> None:
    import shutil

    shutil.copytree(zoo_path, tmp_path / "zoo")
    zoo = zoo_store.Zoo(tmp_path / "zoo")
    far = next(entry_id for entry_id, card in zoo.cards().items() if card["name"] == "far")
    (tmp_path / "zoo" / far / "card.json").write_text("{")
    found = supernet_tl.select(stripes("target", seed=1), zoo, control=quiet)
    assert found.name == "near"
    assert far in found.excluded
    assert "card.json" in found.excluded[far]


def test_an_entry_from_before_stems_and_grey_images_is_of_the_cifar_stem_and_colour(
    zoo_path: Path, tmp_path: Path, stripes: Callable[..., ImageSet], quiet: Control
) -> None:
    zoo = _with_card(zoo_path, tmp_path / "zoo", stem=None, in_channels=None)
    foreign = next(entry_id for entry_id, card in zoo.cards().items() if card["name"] == "foreign")
    assert not {"stem", "in_channels"} & set(zoo.card(foreign))
    for required in ({}, {"stem": "cifar", "in_channels": 3}):
        found = supernet_tl.select(stripes("target", seed=1), zoo, "foreign", control=quiet, **required)
        assert (found.settings["stem"], found.settings["in_channels"]) == ("cifar", 3)
    net = supernet_tl.load_supernet(zoo, foreign)
    assert (net.stem_name, net.in_channels) == ("cifar", 3)


@pytest.mark.parametrize(("changes", "reason"), [({"stem": "imagenet"}, "stem.0"), ({"in_channels": 1}, "stem.0")])
def test_a_card_that_does_not_agree_with_its_tensors_loads_no_supernet(
    changes: dict[str, Any], reason: str, zoo_path: Path, tmp_path: Path
) -> None:
    zoo = _with_card(zoo_path, tmp_path / "zoo", **changes)
    foreign = next(entry_id for entry_id, card in zoo.cards().items() if card["name"] == "foreign")
    with pytest.raises(SelectionError, match=f"'foreign' holds no supernet that can be built: [^$]*{reason}"):
        supernet_tl.load_supernet(zoo, foreign)
