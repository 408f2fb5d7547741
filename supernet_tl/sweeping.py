"""Accuracy against size: several final networks from one search, each the best one within a limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import darts
from supernet_tl.adapt import METRICS_FILE, Searched, train_final
from supernet_tl.control import Control
from supernet_tl.errors import RecipeError
from supernet_tl.files import read_json
from supernet_tl.prepared_data import PreparedData
from supernet_tl.recipe import Recipe
from supernet_tl.run_folder import RunFolder, is_finished, run_folder
from supernet_tl.summary import network_numbers
from supernet_tl.training.history import write_csv

SweepUnit = Literal["params", "macs"]

FOLDER = "sweep"
"""Within a run: the further networks, each in a folder of its own."""

_NUMBERS_FILE = "numbers.json"
_UNLIMITED = 2**62
_SETTINGS: Mapping[SweepUnit, str] = {"params": "max_params", "macs": "max_macs"}
_TABLES: Mapping[SweepUnit, darts.Unit] = {"params": "parameters", "macs": "macs"}


@dataclass(frozen=True)
class Sweep:
    """What is asked for.

    Attributes:
        num_networks: smaller networks beside the run's own; several limits may give the same, which is made once.
        unit: that their sizes are limited in.
    """

    num_networks: int
    unit: SweepUnit = "params"

    def check(self, recipe: Recipe) -> None:
        """Refuse a sweep that cannot be, before anything is trained.

        Raises:
            RecipeError: with what is expected.
        """
        if self.num_networks < 1:
            raise RecipeError(f"the sweep is of {self.num_networks} networks; expected 1 or more. Give --sweep N.")
        if self.unit not in get_args(SweepUnit):
            raise RecipeError(
                f"the unit of the sweep is {self.unit!r}; expected {' or '.join(map(repr, get_args(SweepUnit)))}."
            )
        if recipe.discretization != "magnitude":
            raise RecipeError(
                f"discretization is {recipe.discretization!r}, which keeps no limits, and a sweep is a row of limits; "
                "expected 'magnitude'."
            )


def sweep_sizes(
    run: RunFolder,
    data: PreparedData,
    recipe: Recipe,
    control: Control,
    searched: Searched,
    own: Mapping[str, Any],
    sweep: Sweep,
) -> dict[str, Any]:
    """Train further networks of one searched supernet, whose limits lie evenly on a logarithmic scale.

    They reach from the cheapest architecture of the space to the run's own. Each is what the alphas prefer within its
    limit, and is trained as the run's own network is.

    Args:
        run: the run; its folder gets ``sweep/``.
        data: of the run.
        recipe: likewise.
        control: likewise.
        searched: the supernet.
        own: numbers of the run's own network, as ``summary.json`` has them, with its ``genotype``.
        sweep: what is asked for.

    Returns:
        ``unit`` and ``networks``, the smallest first, in plain JSON values: of each its ``limit`` (None for the run's
        own), numbers, ``genotype``, ``folder`` within the run's, and whether it is ``unbeaten``: no other is at most as
        large and better on validation.
    """
    supernet, size = searched.supernet, "num_parameters" if sweep.unit == "params" else "macs"
    table = recipe.replace(**{_SETTINGS[sweep.unit]: _UNLIMITED}).objective.of(supernet).tables[_TABLES[sweep.unit]]
    own_genotype = darts.Genotype.from_dict(own["genotype"])
    found = [{"limit": None, "folder": "network", **own}]
    known = [own_genotype.edge_sets]
    for limit in _limits(darts.cost_range(table)[0], table.of(own_genotype), sweep.num_networks):
        within = recipe.replace(**{_SETTINGS[sweep.unit]: limit})
        try:
            genotype = within.objective.of(supernet).discretize(supernet)
        except darts.LimitError as error:  # the run has a limit of the other unit too
            control.say(f"no network of {limit:,} {sweep.unit}: {error}")
            continue
        if genotype.edge_sets in known:
            continue
        known.append(genotype.edge_sets)
        control.say(f"a network within {limit:,} {sweep.unit}")
        folder = f"{FOLDER}/{sweep.unit}-{limit}"
        found.append(
            {"limit": limit, "folder": f"{folder}/network", **_network(run, folder, data, within, control, searched)}
        )
    found.sort(key=lambda network: (network[size], network["limit"] is None))
    for network in found:
        network["unbeaten"] = not any(_beats(other, network, size) for other in found)
    return {"unit": sweep.unit, "networks": found}


def _limits(least: int, most: int, num: int) -> list[int]:
    """Up to so many limits from the least cost to below the most, evenly on a logarithmic scale."""
    return sorted({round(least * (most / least) ** (number / num)) for number in range(num)} - {most})


def _network(
    run: RunFolder, folder: str, data: PreparedData, recipe: Recipe, control: Control, searched: Searched
) -> dict[str, Any]:
    """Numbers of one further network, which is trained unless it has been."""
    path = run.path / folder
    numbers: dict[str, Any]
    if is_finished(path):
        try:
            numbers = read_json(path / _NUMBERS_FILE)
            return numbers
        except (OSError, ValueError) as error:
            control.say(f"{path / _NUMBERS_FILE} is damaged ({error}); measuring the network again")
    with run_folder(path, "network", {"recipe": recipe.to_dict()}, replace_finished=True) as part:
        if not part.has(METRICS_FILE):
            write_csv(part.path / METRICS_FILE, searched.rows)
        trained = train_final(part, data, recipe, control, searched)
        numbers = {
            **network_numbers(trained, data, recipe, control.device),
            "genotype": trained.classifier.network.genotype.to_dict(),
            "seconds": trained.seconds,
        }
        part.write_json(_NUMBERS_FILE, numbers)
        part.finish()
    return numbers


def _beats(other: Mapping[str, Any], network: Mapping[str, Any], size: str) -> bool:
    """Whether one network is at most as large as another and better on validation, or smaller and as good."""
    theirs, ours = other["validation_accuracy"], network["validation_accuracy"]
    if theirs is None or ours is None:
        return False
    no_worse = other[size] <= network[size] and theirs >= ours
    return bool(no_worse and (other[size] < network[size] or theirs > ours))
