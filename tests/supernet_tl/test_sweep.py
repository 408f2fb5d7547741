"""Accuracy against size: several networks from one search."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

import darts
import supernet_tl
from supernet_tl import adapt, sweeping
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.errors import RecipeError
from supernet_tl.sweeping import Sweep

SCHEDULE: dict[str, Any] = {"epochs": 1, "finetune_epochs": 1, "batch_size": 8}


def test_a_sweep_trains_networks_of_one_search_within_limits_and_draws_them(
    zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    sweep = Sweep(3, "macs")
    result = supernet_tl.transfer(
        stripes("t", seed=1), zoo_path, "near", output=run, sweep=sweep, control=quiet, **SCHEDULE
    )
    found = json.loads((run / "summary.json").read_text())["sweep"]
    assert found["unit"] == "macs"
    networks = found["networks"]
    assert len(networks) >= 3
    sizes = [network["macs"] for network in networks]
    assert sizes == sorted(sizes)
    own = next(network for network in networks if network["limit"] is None)
    assert own["macs"] == result.metrics["network_macs"] == max(sizes)
    net = darts.Supernet(darts.S1, 3, 2, 3)
    net.load_state_dict(load_file(run / "supernet.safetensors"))
    table = darts.cost_table("macs", darts.S1, 3, 2, 3, (3, 8, 8))
    assert sizes[0] == networks[0]["limit"] == darts.cost_range(table)[0]
    for network in networks:
        genotype = darts.Genotype.from_dict(network["genotype"])
        assert table.of(genotype) == network["macs"]
        assert (run / network["folder"] / "network.json").exists()
        if network["limit"] is not None:
            assert network["macs"] <= network["limit"]
            assert genotype == darts.strongest_within([darts.Limit(table, network["limit"])], net.strengths())
    unbeaten = [network["validation_accuracy"] for network in networks if network["unbeaten"]]
    assert unbeaten == sorted(set(unbeaten))
    assert max(unbeaten) == max(network["validation_accuracy"] for network in networks)
    page = (run / "report.html").read_text()
    assert "Accuracy against size" in page
    assert "million multiply-adds" in page


def test_a_sweep_that_was_stopped_goes_on_where_it_was(
    zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Path] = []
    train = adapt.train_final

    def one_then_none(run: Any, *given: Any) -> Any:
        if len(trained) == 1:
            raise ConnectionError("the machine went away")
        trained.append(run.path)
        return train(run, *given)

    def counted(run: Any, *given: Any) -> Any:
        trained.append(run.path)
        return train(run, *given)

    def transfer() -> supernet_tl.pipeline.TransferResult:
        target = stripes("t", seed=1)
        return supernet_tl.transfer(
            target, zoo_path, "near", output=tmp_path / "run", sweep=3, control=quiet, **SCHEDULE
        )

    monkeypatch.setattr(sweeping, "train_final", one_then_none)
    with pytest.raises(ConnectionError):
        transfer()
    monkeypatch.setattr(sweeping, "train_final", counted)
    networks = transfer().summary["sweep"]["networks"]
    assert len(trained) == len(set(trained)) == len(networks) - 1


@pytest.mark.parametrize(
    ("sweep", "settings", "said"),
    [
        (Sweep(0), {}, "the sweep is of 0 networks; expected 1 or more"),
        (Sweep(2, "bytes"), {}, "the unit of the sweep is 'bytes'; expected 'params' or 'macs'"),  # type: ignore[arg-type]
        (Sweep(2), {"discretization": "perturbation"}, "discretization is 'perturbation', which keeps no limits"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_before_anything_is_done(
    sweep: Sweep, settings: dict[str, Any], said: str, zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control
) -> None:
    with pytest.raises(RecipeError, match=said):
        supernet_tl.transfer(stripes("t"), zoo_path, sweep=sweep, control=quiet, **settings)
