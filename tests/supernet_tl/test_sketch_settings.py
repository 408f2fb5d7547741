from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import darts
import ot_select
import supernet_tl
import zoo_store
from supernet_tl import adapters
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.errors import RecipeError, SelectionError
from supernet_tl.pipeline import select
from supernet_tl.prepared_data import prepare
from supernet_tl.recipe import Recipe


@pytest.fixture
def make_entry(tiny: dict[str, Any], embedding: dict[str, Any]) -> Callable[..., zoo_store.ZooEntry]:
    """What a pretraining adds to the zoo, but for the search: the supernet is as it was drawn."""

    def make(images: ImageSet, **settings: Any) -> zoo_store.ZooEntry:
        recipe = Recipe.from_options({**tiny, **embedding, **settings})
        data = prepare(images, recipe)
        net = darts.Supernet(darts.SPACES[recipe.space], data.num_classes, recipe.channels, recipe.num_cells)
        sketch = adapters.sketch_of(data.image_sets, data.splits, recipe, "cpu")
        return adapters.entry_of(data, recipe, net, sketch, metrics={}, timings={})

    return make


def test_an_entry_of_gaussians_holds_no_row_and_no_image_of_its_source_and_can_be_selected(
    stripes: Callable[..., ImageSet], make_entry: Callable[..., zoo_store.ZooEntry], quiet: Control, tmp_path: Path
) -> None:
    source = stripes("near", seed=1, per_class=24)
    entry, usual = make_entry(source, sketch="gaussians", sketch_rank=4), make_entry(source)
    assert set(entry.sketch) == {"class_counts", "class_means", "class_variances", "class_factors", "meta"}
    assert adapters.THUMBNAILS in usual.sketch
    assert usual.sketch["features"].dtype == torch.float16
    # Oracle: the rows that are kept otherwise
    rows = ot_select.Sketch.from_tensors(usual.sketch).cloud().features
    drawn = ot_select.Sketch.from_tensors(entry.sketch).cloud().features
    apart = np.linalg.norm(rows[:, None] - drawn[None], axis=2)
    assert apart.min() > 0.1 * apart.mean()
    # a target can be held against both
    zoo = zoo_store.Zoo(tmp_path)
    assert zoo.add(entry) != zoo.add(usual)
    assert select(stripes("target", seed=1), zoo, control=quiet, sketch_rows=40).ranking.num_evaluated == 2


def test_a_source_with_classes_too_small_for_gaussians_is_refused_before_the_search(
    stripes: Callable[..., ImageSet], tiny: dict[str, Any], embedding: dict[str, Any], tmp_path: Path
) -> None:
    said: list[str] = []

    class Listening(Control):
        def say(self, text: str) -> None:
            said.append(text)

    settings = {**tiny, **embedding, "epochs": 1, "sketch": "gaussians", "sketch_rows": 20}
    with pytest.raises(RecipeError, match=r"3 classes have fewer than 10 .*: 'stripe0' \(6\), .*raise --sketch-rows"):
        supernet_tl.pretrain(stripes("near"), tmp_path, control=Listening(device="cpu", quiet=True), **settings)
    assert not list(tmp_path.rglob("*.ckpt"))
    assert not list(tmp_path.rglob("metrics.csv"))


def test_the_precision_of_embeddings_is_part_of_what_makes_them_comparable(
    stripes: Callable[..., ImageSet], make_entry: Callable[..., zoo_store.ZooEntry], quiet: Control, tmp_path: Path
) -> None:
    entry = make_entry(stripes("near", seed=1), embed_precision="bfloat16")
    assert entry.card["embedder"]["precision"] == "bfloat16"
    zoo_store.Zoo(tmp_path).add(entry)
    target = stripes("target", seed=3)
    # a target is embedded as the zoo was, unless another way is asked for
    assert select(target, tmp_path, control=quiet, sketch_rows=40).ranking.num_evaluated == 1
    with pytest.raises(SelectionError, match=r"embedded by '.* precision=bfloat16', the target's by"):
        select(target, tmp_path, control=quiet, sketch_rows=40, embed_precision="float32")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"sketch": "none"}, "sketch is 'none'; expected one of 'rows', 'gaussians'"),
        ({"sketch_rank": -1}, "sketch_rank is -1; expected 0 or more"),
        ({"embed_precision": "int8"}, "embed_precision is 'int8'; expected one of 'float32', 'bfloat16', 'float16'"),
    ],
)
def test_settings_that_cannot_be_get_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        Recipe.from_options(options)
