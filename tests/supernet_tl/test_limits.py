from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import darts
import supernet_tl
from supernet_tl.command_line.recipe_checks import check_recipes
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.errors import RecipeError
from supernet_tl.preview import preview
from supernet_tl.recipe import Recipe
from supernet_tl.training.objective import Objective

SCHEDULE: dict[str, Any] = {"epochs": 1, "finetune_epochs": 1, "batch_size": 8}


def small_net(num_classes: int = 3, space: darts.SearchSpace = darts.S1) -> darts.Supernet:
    """As the supernets of the zoo."""
    return darts.Supernet(space, num_classes, channels=2, num_cells=3)


def cost_range(unit: darts.Unit) -> tuple[int, int]:
    return darts.cost_range(darts.cost_table(unit, darts.S1, 3, 2, 3, (3, 8, 8)))


def test_a_transfer_gives_a_network_within_its_limits(
    zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    target, output = stripes("target", seed=1), tmp_path / "run"
    limits: dict[str, Any] = {"max_params": cost_range("parameters")[0] + 40, "max_macs": cost_range("macs")[0] + 4000}
    result = supernet_tl.transfer(target, zoo_path, "near", output=output, control=quiet, **limits, **SCHEDULE)
    assert darts.count_parameters(result.network) <= limits["max_params"]
    assert darts.count_macs(result.network, (3, 8, 8)) <= limits["max_macs"]
    assert result.summary["network"]["num_parameters"] == darts.count_parameters(result.network)
    assert result.summary["discretization"] == {"rule": "magnitude", "limits": limits, "differs_from_magnitude": True}
    assert result.summary["recipe"]["max_params"] == limits["max_params"]
    page = (output / "report.html").read_text()
    assert f"final network, at most {limits['max_params']:,}" in page.replace("\u202f", ",").replace("\u00a0", ",")


def test_the_limits_are_those_of_the_retrained_network(stripes: Callable[..., ImageSet], quiet: Control) -> None:
    retrained = darts.cost_table("parameters", darts.S1, 3, 4, 4, (3, 8, 8))
    sizes: dict[str, Any] = {"channels": 2, "num_cells": 3, "image_size": 8, "retrain_channels": 4}
    result = supernet_tl.search(
        stripes("t", seed=1),
        final="retrain",
        retrain_num_cells=4,
        max_params=darts.cost_range(retrained)[0],
        control=quiet,
        **sizes,
        **SCHEDULE,
    )
    assert darts.count_parameters(result.network) == darts.cost_range(retrained)[0]


def test_a_limit_that_no_network_keeps_is_refused_before_the_search(
    zoo_path: Path, stripes: Callable[..., ImageSet], quiet: Control, tmp_path: Path
) -> None:
    least = cost_range("parameters")[0]
    with pytest.raises(RecipeError, match=rf"Raise the limit to {least:,} or more.* --max-params .* --overwrite"):
        supernet_tl.transfer(
            stripes("t", seed=1),
            zoo_path,
            "near",
            output=tmp_path / "run",
            max_params=least - 1,
            control=quiet,
            **SCHEDULE,
        )
    assert not (tmp_path / "run" / "logs").exists()


def test_a_pretraining_makes_no_final_network_and_takes_no_limit(
    stripes: Callable[..., ImageSet], quiet: Control
) -> None:
    for setting in ({"max_params": 1000}, {"discretization": "perturbation"}):
        given: dict[str, Any] = setting
        with pytest.raises(RecipeError, match=f"{next(iter(given))} is about the final network, and a pretraining"):
            supernet_tl.pretrain(stripes("s", seed=1), None, control=quiet, **given)
        with pytest.raises(RecipeError, match="and a pretraining makes none"):
            preview("pretrain", [stripes("s", seed=1)], control=quiet, **given)


def test_the_check_of_a_recipe_for_pretraining_refuses_a_limit_too(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("max_params: 1000\n")
    with pytest.raises(RecipeError, match="max_params is about the final network, and a pretraining makes none"):
        check_recipes([str(tmp_path / "mine.yaml")], "pretrain")


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("max_params", 0, "max_params is 0; expected a positive whole number"),
        ("max_macs", -1, "max_macs is -1; expected a positive whole number"),
        ("params_weight", -0.5, "params_weight is -0.5; expected a finite number, 0 or more"),
        ("macs_weight", float("nan"), "macs_weight is nan; expected a finite number, 0 or more"),
    ],
)
def test_a_size_that_cannot_be_wanted_is_refused(setting: str, value: float, expected: str) -> None:
    given: dict[str, Any] = {setting: value}
    for kind in (Recipe, Objective):
        with pytest.raises(RecipeError, match=expected):
            kind(**given)


def test_a_limit_penalises_what_exceeds_it_and_a_weight_alone_the_whole_size() -> None:
    net = small_net()
    mixing = net.mixing_weights().detach()
    table = darts.cost_table("parameters", darts.S1, 3, 2, 3, (3, 8, 8))
    expected, (least, most) = darts.expected_cost(table, mixing).item(), darts.cost_range(table)
    sized: dict[str, Any] = {"image_size": 8}

    def penalty(**wanted: Any) -> list[float]:
        return [one(mixing).item() for one in Objective(**wanted, **sized).of(net).penalties]

    assert penalty() == []
    assert penalty(max_params=least) == [pytest.approx(expected / least - 1)]
    assert penalty(max_params=least, params_weight=2.5) == [pytest.approx(2.5 * (expected / least - 1))]
    assert penalty(max_params=most) == [0]
    assert penalty(params_weight=2.0) == [pytest.approx(2.0 * expected / most)]
    assert len(penalty(params_weight=2.0, macs_weight=1.0)) == 2


def test_a_penalty_draws_a_search_to_small_networks(stripes: Callable[..., ImageSet], quiet: Control) -> None:
    settings: dict[str, Any] = {
        **{"space": "s2", "channels": 2, "num_cells": 3, "image_size": 8, "batch_size": 8},
        **{"epochs": 4, "finetune_epochs": 0, "arch_lr": 0.1},
    }
    plain, drawn = (
        supernet_tl.search(stripes("t", seed=1), control=quiet, **settings, params_weight=weight)
        for weight in (None, 1000.0)
    )
    table = darts.cost_table("parameters", darts.S2, 3, 2, 3, (3, 8, 8))
    assert drawn.genotype.count("skip_connect") == 16  # on every edge, which costs least there
    assert table.of(drawn.genotype) < table.of(plain.genotype)


def test_images_of_another_size_than_is_counted_for_are_refused() -> None:
    images = torch.zeros(2, 3, 16, 16)
    with pytest.raises(RecipeError, match=r"the images are 16x16, and .* counts multiply-adds for 8x8.*image_size 16"):
        Objective(max_macs=10**9, image_size=8).of(small_net()).check_images(images)
    Objective(max_params=10**9, image_size=8).of(small_net()).check_images(images)


def test_the_objective_tells_the_size_that_the_alphas_are_about_to_choose() -> None:
    net = small_net()
    with_both = Objective(params_weight=1.0, max_macs=10**9, image_size=8).of(net)
    assert list(with_both.expected(net)) == ["parameters", "macs"]
    assert Objective().of(net).expected(net) == {}
