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
from supernet_tl import adapt
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.errors import DivergedError, RecipeError
from supernet_tl.recipe import Recipe
from supernet_tl.training.projecting import project_supernet

SCHEDULE: dict[str, Any] = {"epochs": 1, "finetune_epochs": 0, "batch_size": 8, "discretization": "perturbation"}


def test_a_transfer_may_choose_its_architecture_by_perturbation(
    zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    target = stripes("target", seed=1)
    result = supernet_tl.transfer(target, zoo_path, "near", output=output, control=quiet, **SCHEDULE)
    stored = json.loads((output / "projection.json").read_text())
    assert darts.Genotype.from_dict(stored["genotype"]) == result.genotype
    assert len(stored["decisions"]) == 2 * darts.num_decisions(darts.S1)
    assert result.summary["discretization"]["rule"] == "perturbation"
    assert result.summary["seconds"]["projection"] == stored["seconds"] > 0
    # the network inherits the weights that tuning left, the summary's supernet is the one before
    tuned, searched = load_file(output / "projected.safetensors"), load_file(output / "supernet.safetensors")
    name = "stem.0.weight"
    assert torch.equal(result.network.state_dict()[name], tuned[name])
    assert not torch.equal(tuned[name], searched[name])
    assert torch.equal(tuned["normal_alpha"], searched["normal_alpha"])
    assert result.summary["supernet"]["validation_accuracy"] is not None


def test_without_tuning_the_weights_stay_as_searched(
    stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    sizes = {"channels": 2, "num_cells": 3, "image_size": 8}
    settings: dict[str, Any] = {**SCHEDULE, **sizes, "projection_epochs": 0}
    supernet_tl.search(stripes("t", seed=1), output=tmp_path / "run", control=quiet, **settings)
    tuned, searched = (load_file(tmp_path / "run" / f"{name}.safetensors") for name in ("projected", "supernet"))
    assert all(torch.equal(tensor, searched[name]) for name, tensor in tuned.items())


def test_a_choice_that_was_made_is_not_made_again_and_a_damaged_one_is(
    stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {**SCHEDULE, "channels": 2, "num_cells": 3, "image_size": 8, "projection_epochs": 0}
    output, chosen = tmp_path / "run", 0

    def count(*args: Any, **options: Any) -> Any:
        nonlocal chosen
        chosen += 1
        return project(*args, **options)

    def stop(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    project = project_supernet
    monkeypatch.setattr(adapt, "project_supernet", count)
    with monkeypatch.context() as patch:
        patch.setattr(adapt, "save_classifier", stop)
        with pytest.raises(KeyboardInterrupt):
            supernet_tl.search(stripes("t", seed=1), output=output, control=quiet, **settings)
        with pytest.raises(KeyboardInterrupt):
            supernet_tl.search(stripes("t", seed=1), output=output, control=quiet, **settings)
    assert chosen == 1
    (output / "projected.safetensors").write_bytes(b"no tensors")
    result = supernet_tl.search(stripes("t", seed=1), output=output, control=quiet, **settings)
    assert chosen == 2
    assert json.loads((output / "genotype.json").read_text()) == result.genotype.to_dict()


def test_tuning_that_diverges_is_told(
    stripes: Callable[..., ImageSet], quiet: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {**SCHEDULE, "channels": 2, "num_cells": 3, "image_size": 8}
    monkeypatch.setattr("supernet_tl.training.projecting.TUNING_RATE", 1e30)
    with pytest.raises(DivergedError, match=r"loss on the architecture half is (nan|inf) while its"):
        supernet_tl.search(stripes("t", seed=1), control=quiet, **settings)


def test_limits_are_kept_by_magnitude_alone() -> None:
    with pytest.raises(RecipeError, match="limits are kept by discretization 'magnitude' alone"):
        Recipe(discretization="perturbation", max_params=1000)
    with pytest.raises(RecipeError, match=r"discretization is 'pertubation'.*did you mean 'perturbation'"):
        Recipe(discretization="pertubation")  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="projection_epochs is -1; expected 0 or more"):
        Recipe(projection_epochs=-1)
