"""What makes the starter zoo: its plan, and the whole way at a tiny size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import zoo_store
from supernet_tl.control import Control
from supernet_tl.data.sources.pocket.album import POCKET_NAMES
from supernet_tl.recipe import PRETRAIN_DEFAULTS, Recipe
from supernet_tl.starter.build import build
from supernet_tl.starter.plan import PLAN, SHARED, PlannedEntry

ROOT = Path(__file__).parents[3]


def test_the_plan_has_every_set_of_the_album_and_the_mixture_of_all() -> None:
    *singles, mixture = PLAN
    assert [planned.sources for planned in singles] == [(f"pocket:{name}",) for name in POCKET_NAMES]
    assert mixture.sources == tuple(f"pocket:{name}" for name in POCKET_NAMES)
    assert len({planned.alias for planned in PLAN}) == len(PLAN)


@pytest.mark.parametrize("planned", PLAN, ids=lambda planned: planned.alias)
def test_every_planned_entry_has_8_channels_and_a_sketch_of_at_most_300_rows(planned: PlannedEntry) -> None:
    recipe = Recipe.from_options({**PRETRAIN_DEFAULTS, **SHARED, **planned.settings})
    assert recipe.channels == 8
    assert recipe.sketch_rows <= 300


def test_no_face_is_shipped_as_a_picture() -> None:
    with_faces = [planned for planned in PLAN if "pocket:faces" in planned.sources]
    assert [planned.settings["num_thumbnails"] for planned in with_faces] == [0, 0]


def test_the_recipe_for_entries_beside_those_of_the_starter_zoo_has_their_settings() -> None:
    settings: dict[str, Any] = yaml.safe_load((ROOT / "recipes/pretrain/starter.yaml").read_text())
    assert {name: settings[name] for name in SHARED} == dict(SHARED)


@pytest.fixture(scope="module")
def small_plan() -> tuple[PlannedEntry, ...]:
    schedule = {"epochs": 1, "batch_size": 16, "max_search_images": 40}
    faces, textures = "pocket:faces", "pocket:textures"
    return (
        PlannedEntry("faces-tiny", (faces,), {**schedule, "num_thumbnails": 0}),
        PlannedEntry("textures-tiny", (textures,), schedule),
        PlannedEntry("mixture-tiny", (faces, textures), {**schedule, "sketch_rows": 20}),
    )


SMALL = {**SHARED, "channels": 2, "num_cells": 3, "image_size": 8, "embed_size": 32, "num_thumbnails": 2}


def test_a_build_makes_entries_aliases_and_the_page_and_repeated_makes_nothing_again(
    small_plan: tuple[PlannedEntry, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo = build(tmp_path, small_plan, SMALL, Control(device="cpu", quiet=True))
    assert zoo.verify() == []
    assert sorted(zoo.aliases()) == ["faces-tiny", "mixture-tiny", "textures-tiny"]
    assert sorted(zoo.aliases().values()) == sorted(zoo)
    kinds = {alias: zoo.card(alias)["kind"] for alias in zoo.aliases()}
    assert kinds == {"faces-tiny": "single", "mixture-tiny": "mixture", "textures-tiny": "single"}
    assert "thumbnails" not in zoo.sketch("faces-tiny")
    assert zoo.sketch("textures-tiny")["thumbnails"].shape == (2, 3, 48, 48)

    text = (tmp_path / "README.md").read_text()
    for alias, entry_id in zoo.aliases().items():
        card = zoo.card(alias)
        size = sum(file.stat().st_size for file in (zoo.path / entry_id).iterdir())
        (line,) = [line for line in text.splitlines() if line.startswith(f"| `{alias}` |")]
        for told in (f"{card['metrics']['test_accuracy']:.3f}", f"{size:,}", entry_id[:12], "| 1 |"):
            assert told in line
    for data in zoo.card("mixture-tiny")["data"]:
        assert f"| {data['origin']} | {data['licence']} |" in text

    before = list(zoo)
    capsys.readouterr()
    again = build(tmp_path, small_plan, SMALL, Control(device="cpu"))
    assert list(again) == before
    assert capsys.readouterr().err.count("already in the zoo") == 3


def test_a_build_in_another_folder_makes_the_same_entries(small_plan: tuple[PlannedEntry, ...], tmp_path: Path) -> None:
    control = Control(device="cpu", quiet=True)
    zoos = [build(tmp_path / name, small_plan[1:2], SMALL, control) for name in ("first", "second")]
    assert isinstance(zoos[0], zoo_store.Zoo)
    assert list(zoos[0]) == list(zoos[1])
