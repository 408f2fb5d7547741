from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import darts
import supernet_tl
from supernet_tl.adapt import _search_module
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.errors import RecipeError
from supernet_tl.prepared_data import prepare
from supernet_tl.recipe import Recipe
from supernet_tl.training.guards import EigenvalueRise, SkipConnectionLimit, collapse_of, local_averages
from supernet_tl.training.history import read_csv
from supernet_tl.training.stopping import AccuracyPlateau
from tests.supernet_tl.training.searches import run_search

COLLAPSING: dict[str, Any] = {  # plain DARTS whose alphas move fast
    **{"space": "s2", "channels": 2, "num_cells": 3, "image_size": 8, "batch_size": 8},
    **{"epochs": 5, "finetune_epochs": 0, "perturbation": "none", "arch_lr": 0.05, "seed": 1},
}


def skips_of(genotype: darts.Genotype) -> int:
    """Of the cell that holds more of them."""
    return max(sum(name == "skip_connect" for name, _ in cell) for cell in (genotype.normal, genotype.reduction))


def test_plain_darts_collapses_into_skip_connections_and_the_guard_stops_it(
    stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    images = stripes("t", seed=1, per_class=48)
    plain = supernet_tl.search(images, output=tmp_path / "plain", control=quiet, **COLLAPSING)
    of_epochs = load_file(tmp_path / "plain" / "mixing_weights.safetensors")
    genotypes = [
        darts.discretize(darts.S2, normal.log(), reduction.log())
        for normal, reduction in zip(of_epochs["normal"], of_epochs["reduction"], strict=True)
    ]
    limit = skips_of(genotypes[0])
    first = next(epoch for epoch, genotype in enumerate(genotypes) if skips_of(genotype) > limit)
    assert skips_of(plain.genotype) > limit
    assert first < COLLAPSING["epochs"]

    output = tmp_path / "guarded"
    guarded = supernet_tl.search(images, output=output, control=quiet, max_skips=limit, **COLLAPSING)
    assert guarded.genotype == genotypes[first - 1]
    rows = read_csv(output / "metrics.csv")
    assert len(rows) == first
    assert f"skip connections, more than {limit}" in str(rows[-1].stopped)
    assert guarded.summary["stopped_early"] == {
        "epoch": first,
        "of": COLLAPSING["epochs"],
        "reason": rows[-1].stopped,
        "alphas_of": first - 1,
    }
    # the supernet is the one that is judged: the earlier alphas with the last weights
    supernet = darts.Supernet(darts.S2, 3, channels=2, num_cells=3)
    supernet.load_state_dict(load_file(output / "supernet.safetensors"))
    torch.testing.assert_close(supernet.mixing_weights().normal.detach(), of_epochs["normal"][first - 1])
    assert json.loads((output / "guard.json").read_text())["epoch"] == first - 1
    assert "stopped early" in (output / "report.html").read_text()


def test_a_guarded_search_that_is_repeated_goes_on_from_what_it_left(
    stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    images, settings = stripes("t", seed=1, per_class=48), {**COLLAPSING, "max_skips": 5, "epochs": 3}
    whole = supernet_tl.search(images, control=quiet, **settings)
    with monkeypatch.context() as patch:
        patch.setattr("supernet_tl.adapt.save_classifier", stop)
        with pytest.raises(KeyboardInterrupt):
            supernet_tl.search(images, output=tmp_path / "run", control=quiet, **settings)
    again = supernet_tl.search(images, output=tmp_path / "run", control=quiet, **settings)
    for part in ("stopped_early", "genotype", "supernet"):
        assert again.summary[part] == whole.summary[part]


def test_the_eigenvalue_is_measured_every_second_epoch_and_written_down(
    stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    settings = {**COLLAPSING, "epochs": 3, "eigenvalue_ratio": 1.3}
    supernet_tl.search(stripes("t", seed=1), output=tmp_path / "run", control=quiet, **settings)
    first, second, third = (row.hessian_eigenvalue for row in read_csv(tmp_path / "run" / "metrics.csv"))
    assert first is None
    assert third is None
    assert second is not None
    assert second > 0


def guard_after(eigenvalues: list[float], **options: Any) -> EigenvalueRise:
    guard = EigenvalueRise(**options)
    guard.load_state_dict({"eigenvalues": eigenvalues, "epochs": guard.every * len(eigenvalues)})
    return guard


def test_averages_are_of_a_window_around_each_measurement() -> None:
    assert local_averages([1, 2, 3, 4, 8, 6], 5) == [3.6, 4.6]
    assert local_averages([1, 2], 3) == []


def test_a_rise_by_more_than_the_ratio_ends_the_search_at_the_earlier_measurement() -> None:
    """Nine measurements have five averages; the first is around the third measurement, which was after epoch 6."""
    flat = [1.0] * 4
    assert guard_after([*flat, *[1.0] * 5]).collapse() is None
    assert guard_after([*flat, 1.0, 1.0, 1.0, 1.0, 2.4]).collapse() is None  # mean 1.28
    found = guard_after([*flat, 1.0, 1.0, 1.0, 1.0, 2.6]).collapse()  # mean 1.32
    assert found is not None
    assert found.epoch == 6
    assert "has risen to 1.32 times what it was after epoch 6" in found.reason
    assert guard_after([*flat, 1.0, 1.0, 1.0, 1.0, 2.6], ratio=1.4).collapse() is None
    later = guard_after([9.0, *flat, 1.0, 1.0, 1.0, 1.0, 2.6]).collapse()
    assert later is not None
    assert later.epoch == 8


def test_no_search_ends_before_the_first_epoch_that_may_be_the_last() -> None:
    rising = [1.0, 2.0, 4.0, 8.0]
    options: dict[str, Any] = {"every": 1, "window": 1, "delay": 1}
    assert guard_after(rising, **options, first_epoch=5).collapse() is None
    found = guard_after(rising, **options, first_epoch=4).collapse()
    assert found is not None
    assert found.epoch == 3


def test_of_several_guards_the_earliest_architecture_is_taken() -> None:
    eigenvalue = guard_after([1.0, 9.0], every=1, window=1, delay=1, first_epoch=0)
    skips = SkipConnectionLimit(2)
    skips.load_state_dict({"counts": [4, 1, 2, 3]})
    assert collapse_of([AccuracyPlateau(3), eigenvalue, skips]) == eigenvalue.collapse()
    assert collapse_of([AccuracyPlateau(3)]) is None
    assert skips.collapse() is not None
    assert skips.state_dict() == {"counts": [4, 1, 2, 3]}
    assert eigenvalue.state_dict() == {"eigenvalues": [1.0, 9.0], "epochs": 2}


def test_a_search_that_begins_with_too_many_skip_connections_is_let_be_until_there_were_few_enough() -> None:
    guard = SkipConnectionLimit(3)
    for counts, epoch in (([5], None), ([5, 6, 4], None), ([5, 3, 2, 4], 2), ([5, 3, 6], 1), ([5, 3, 6, 2], None)):
        guard.load_state_dict({"counts": counts})
        found = guard.collapse()
        assert (None if found is None else found.epoch) == epoch, counts


def test_a_rising_eigenvalue_ends_a_search_that_is_running(
    stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    """Any ratio is exceeded by a rise of nothing: the first comparison ends the search."""
    guard = EigenvalueRise(1e-9, every=1, window=1, delay=1, first_epoch=0)
    recipe = Recipe.from_options({**COLLAPSING, "seed": 3})
    data = prepare(stripes("t", seed=1), recipe)
    module = _search_module(data, recipe)
    history = run_search(module, data, recipe, tmp_path, rules=[guard])
    assert len(history.rows) == 2
    assert [row.hessian_eigenvalue for row in history.rows] == guard.eigenvalues
    assert collapse_of([guard]) == guard.collapse()
    assert guard.collapse() is not None
    assert "has risen to" in str(history.rows[-1].stopped)


def test_guards_that_cannot_be_are_refused() -> None:
    with pytest.raises(RecipeError, match="max_skips is -1; expected 0 or more"):
        SkipConnectionLimit(-1)
    with pytest.raises(RecipeError, match=r"every is 0; expected 1 or more; ratio is 0; .* expected an odd"):
        EigenvalueRise(0, every=0, window=4)
    with pytest.raises(RecipeError, match="max_skips is -1; expected 0 or more"):
        Recipe(max_skips=-1)
    with pytest.raises(RecipeError, match="eigenvalue_ratio is 0; expected a finite number above 0"):
        Recipe(eigenvalue_ratio=0)
