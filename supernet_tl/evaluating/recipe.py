"""What an evaluation is made of, as one value; nothing heavy is imported for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from math import inf, isfinite
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Literal, get_args

from supernet_tl.errors import EvaluationError, RecipeError
from supernet_tl.recipe import ADOPTED, PRETRAIN_DEFAULTS, Recipe, meant
from supernet_tl.training.warm_schedule import Parts

Arm = Literal[
    "scratch_twice",
    "sources",
    "mixture",
    "weights_only",
    "architecture_only",
    "timm_parameters",
    "timm_time",
]
ARMS: tuple[Arm, ...] = ("scratch_twice", "sources", "mixture", "weights_only", "timm_parameters", "timm_time")
"""What is compared with scratch unless a recipe says otherwise."""

PARTS_OF_ARMS: Mapping[str, Parts] = MappingProxyType({"weights_only": "weights", "architecture_only": "architecture"})
"""What the arms inherit that inherit a part."""

SHARED_ONLY = frozenset(
    {
        *ADOPTED,
        *("embedder", "embed_size", "embed_precision", "sketch", "sketch_rank", "sketch_rows"),
    }
)
"""Settings that supernets, or sketches, must agree on to be compared: they stand in ``shared`` alone."""

BASELINE_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {"model": "tf_efficientnet_lite0", "lr": 0.05, "head_lr_factor": 1.0}
)
"""Of the timm arms; the weights of this model come with the package. ``image_size`` is the embedder's."""

DATA_SETTINGS = frozenset({"test_frac", "validation_frac", "max_search_images", "shots"})
"""Settings that decide which images are which: equal for all runs on a target, or nothing could be compared."""

_NO_SELECTORS = {
    "mixture": "which chooses no single source; give the arm mixture",
    "fixed-best": "which needs past accuracies; the arm sources has the fixed best source in its tables",
}
_GROWING = ("targets", "seeds", "select", "arms", "schedules", "baseline")
"""Fields whose change adds or leaves out jobs; those that stay keep their names and outcomes."""


@dataclass(frozen=True, kw_only=True)
class EvaluationRecipe:
    """A leave-one-out evaluation: every dataset is the target once, and all others are its sources.

    Settings are those of :class:`supernet_tl.Recipe`. For a pretraining those of ``shared``, ``pretraining`` and
    ``per_source`` count, the later ones first; for the mixture ``mixture`` in the place of ``per_source``; for a run on
    a target those of ``shared``, ``target``, ``per_target``, and for a warm start also ``transfer``.

    Attributes:
        datasets: image sets, as every verb takes them.
        targets: those that are targets; all when absent.
        seeds: of splits and training on the targets.
        select: selectors that are compared; the first one chooses for the arms that start from one source.
        arms: what is run beside scratch and the chosen sources: ``scratch_twice`` (twice the epochs), ``sources``
            (every single one, which the oracle, random and fixed best source are read from), ``mixture``,
            ``weights_only`` (the chosen source's weights under a fresh architecture), ``architecture_only`` (the
            reverse), ``timm_parameters`` and ``timm_time`` (a pretrained timm model at the parameters, or in the time,
            of the transfer from the chosen source; with schedules also in the time of each).
        shared: settings of all, among them those that supernets and sketches must agree on.
        pretraining: settings of pretraining.
        mixture: settings of pretraining a mixture, over ``pretraining``.
        target: settings of every run on a target.
        transfer: settings of warm starts, over ``target``.
        per_source: settings of single datasets as sources, by dataset.
        per_target: settings of single datasets as targets, by dataset.
        schedules: further settings of warm starts by name, each over ``transfer``, tried from the source that the first
            selector chooses and from the mixture.
        baseline: of the timm arms: ``model``, ``image_size``, ``lr``, ``head_lr_factor``.
        pretraining_seed: of every pretraining; when absent a run starts from supernets of its own seed.
        measure: ``test``, or ``validation`` for a study that must not touch the test images.

    Raises:
        EvaluationError: with all faults at once.
    """

    datasets: tuple[str, ...]
    targets: tuple[str, ...] | None = None
    seeds: tuple[int, ...] = (0, 1, 2)
    select: tuple[str, ...] = ("nearest",)
    arms: tuple[str, ...] = ARMS
    shared: Mapping[str, Any] = field(default_factory=dict)
    pretraining: Mapping[str, Any] = field(default_factory=dict)
    mixture: Mapping[str, Any] = field(default_factory=dict)
    target: Mapping[str, Any] = field(default_factory=dict)
    transfer: Mapping[str, Any] = field(default_factory=dict)
    per_source: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    per_target: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    schedules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    baseline: Mapping[str, Any] = field(default_factory=dict)
    pretraining_seed: int | None = 0
    measure: Literal["test", "validation"] = "test"

    def __post_init__(self) -> None:
        for name in ("datasets", "targets", "seeds", "select", "arms"):
            value = getattr(self, name)
            if isinstance(value, Sequence) and not isinstance(value, str):
                object.__setattr__(self, name, tuple(value))
        faults = [*_list_faults(self)] or [*_settings_faults(self)]
        if faults:
            raise EvaluationError("the evaluation cannot be made: " + "; ".join(faults) + ".")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EvaluationRecipe:
        """The recipe of plain values, such as those of a YAML file.

        Raises:
            EvaluationError: a key is unknown, or a value cannot be.
        """
        known = [one.name for one in fields(cls)]
        for name in values:
            if name not in known:
                raise EvaluationError(
                    f"the evaluation has no field {name!r}{meant(name, known)}; known are {', '.join(known)}."
                )
        if not values.get("datasets"):
            raise EvaluationError("the evaluation names no datasets; give at least three under `datasets`.")
        return cls(**{name: value for name, value in values.items() if value is not None or name == "pretraining_seed"})

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON values."""
        return {
            one.name: list(value) if isinstance(value := getattr(self, one.name), tuple) else _plain(value)
            for one in fields(self)
        }

    def replace(self, **changes: Any) -> EvaluationRecipe:
        """The same recipe with some fields changed."""
        return dataclasses.replace(self, **changes)

    @property
    def all_targets(self) -> tuple[str, ...]:
        """The datasets that are targets."""
        return self.datasets if self.targets is None else self.targets

    def sources_of(self, target: str) -> tuple[str, ...]:
        """The datasets that are sources of a target: all others."""
        return tuple(dataset for dataset in self.datasets if dataset != target)

    def pretraining_recipe(self, sources: Sequence[str], seed: int) -> Recipe:
        """The settings that a source, or a mixture of several, is pretrained with."""
        over = self.mixture if len(sources) > 1 else self.per_source.get(sources[0], {})
        pretraining_seed = seed if self.pretraining_seed is None else self.pretraining_seed
        given = {**PRETRAIN_DEFAULTS, **self.shared, **self.pretraining, **over, "seed": pretraining_seed}
        return Recipe.from_options(given)

    def target_recipe(self, target: str, seed: int, *, warm: bool, schedule: str | None = None) -> Recipe:
        """The settings of a run on a target, from scratch or warm, by the main schedule or another."""
        given = {**self.shared, **self.target, **self.per_target.get(target, {})}
        if warm:
            given |= {**self.transfer, **(self.schedules[schedule] if schedule is not None else {})}
        return Recipe.from_options({**given, "seed": seed}).with_final()

    def differences(self, other: EvaluationRecipe) -> dict[str, tuple[Any, Any]]:
        """The fields in which two recipes make other numbers, each with both values; a longer list makes none."""
        return {
            one.name: (getattr(self, one.name), getattr(other, one.name))
            for one in fields(self)
            if one.name not in _GROWING and getattr(self, one.name) != getattr(other, one.name)
        }


def called(dataset: str) -> str:
    """How tables call a dataset: ``pocket:digits`` is digits, ``openml:BRD/Micro`` BRD/Micro, a folder its own name."""
    scheme, separator, rest = dataset.partition(":")
    if separator and scheme in ("pocket", "openml"):
        return rest
    return PurePath(dataset).name or dataset


def _plain(value: Any) -> Any:
    return {key: _plain(one) for key, one in value.items()} if isinstance(value, Mapping) else value


def _list_faults(recipe: EvaluationRecipe) -> Iterator[str]:
    for name in ("datasets", "targets", "seeds", "select", "arms"):
        value = getattr(recipe, name)
        kind = int if name == "seeds" else str
        if name == "targets" and value is None:
            continue
        if not isinstance(value, tuple) or not all(
            isinstance(one, kind) and not isinstance(one, bool) for one in value
        ):
            yield f"{name} is {value!r}; expected a list of {'whole numbers' if kind is int else 'texts'}"
        elif len(set(value)) < len(value):
            repeated = sorted({one for one in value if value.count(one) > 1})
            yield f"{name} has {', '.join(map(str, repeated))} more than once; give each once"
        elif not value and name in ("seeds", "select", "targets"):
            yield f"{name} is empty; give at least one, or leave it out"
    for name in ("shared", "pretraining", "mixture", "target", "transfer", "baseline"):
        if not isinstance(getattr(recipe, name), Mapping):
            yield f"{name} is {getattr(recipe, name)!r}; expected settings by name"
    for name in ("per_source", "per_target", "schedules"):
        value = getattr(recipe, name)
        if not isinstance(value, Mapping) or not all(isinstance(one, Mapping) for one in value.values()):
            yield f"{name} is {value!r}; expected settings by name under each name"
    if recipe.measure not in ("test", "validation"):
        yield f"measure is {recipe.measure!r}; expected 'test' or 'validation'"
    seed = recipe.pretraining_seed
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        yield f"pretraining_seed is {seed!r}; expected a whole number of 0 or more, or nothing for each run's own"


def _settings_faults(recipe: EvaluationRecipe) -> Iterator[str]:
    if len(recipe.datasets) < 3:
        yield f"there are {len(recipe.datasets)} datasets; expected three or more: a target and two sources for it"
    names = [called(one) for one in recipe.datasets]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"several datasets are called {name!r} in tables; rename all folders of that name but one"
    named = {"targets": recipe.targets or (), "per_source": recipe.per_source, "per_target": recipe.per_target}
    for name, values in named.items():
        for one in values:
            if one not in recipe.datasets:
                yield f"{name} names {one!r}, which is none of the datasets"
    for arm in recipe.arms:
        if arm not in get_args(Arm):
            yield f"arm {arm!r} is unknown{meant(arm, get_args(Arm))}; known are {', '.join(get_args(Arm))}"
    for selector, instead in _NO_SELECTORS.items():
        if selector in recipe.select:
            yield f"select has {selector!r}, {instead}"
    yield from _baseline_faults(recipe.baseline)
    places: dict[str, Mapping[str, Any]] = {
        name: getattr(recipe, name) for name in ("pretraining", "mixture", "target", "transfer")
    }
    for name in ("per_source", "per_target", "schedules"):
        places |= {f"{name} of {one!r}": values for one, values in getattr(recipe, name).items()}
    everywhere = {"shared": recipe.shared, **places}
    wrong = [
        f"{place} has the key {key!r}"
        for place, values in everywhere.items()
        for key in values
        if not isinstance(key, str)
    ]
    wrong += [
        f"{place} has {key} {value}"
        for place, values in everywhere.items()
        for key, value in values.items()
        if isinstance(value, float) and not isfinite(value)
    ]
    if wrong:
        yield f"{'; '.join(wrong)}; expected names of settings, and finite numbers"
        return
    for place, values in everywhere.items():
        if "seed" in values:
            yield f"{place} has a seed; give `seeds` and `pretraining_seed`"
        if "splits" in values or "past_accuracies" in values:
            yield f"{place} names a file of another run (splits or past_accuracies); an evaluation makes its own"
    for place, values in places.items():
        if place == "transfer" or place.startswith("schedules of"):
            if split := sorted(DATA_SETTINGS & set(values)):
                yield (
                    f"{place} sets {', '.join(split)}, so that warm starts would be measured on other images than "
                    "scratch; give that under `target` or `per_target`"
                )
        mixed = sorted(SHARED_ONLY & set(values))
        if mixed:
            yield (
                f"{place} sets {', '.join(mixed)}; supernets and sketches of one evaluation must agree on that, so "
                "give it once, under `shared`"
            )
    if "main" in recipe.schedules:
        yield "a schedule is called 'main', which is what `transfer` makes; give it another name"
    yield from _recipe_faults(recipe)


def _baseline_faults(baseline: Mapping[str, Any]) -> Iterator[str]:
    known = {*BASELINE_DEFAULTS, "image_size"}
    for name, value in baseline.items():
        if name not in known:
            yield f"baseline has {name!r}; known are {', '.join(sorted(known))}"
        elif name == "model":
            if not isinstance(value, str):
                yield f"baseline has the model {value!r}; expected a timm name, or NAME@FILE"
        elif name == "image_size":
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                yield f"baseline has the image_size {value!r}; expected a whole number of pixels"
        elif not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < inf:
            yield f"baseline has the {name} {value!r}; expected a number above 0"


def _recipe_faults(recipe: EvaluationRecipe) -> Iterator[str]:
    """What a setting's own check says, each once."""
    said = set[str]()
    seed = next((one for one in recipe.seeds if not 0 <= one < 2**62), recipe.seeds[0])
    for make in _recipes_made(recipe, seed):
        try:
            make()
        except RecipeError as error:
            if str(error) not in said:
                said.add(str(error))
                yield str(error).rstrip(".")


def _recipes_made(recipe: EvaluationRecipe, seed: int) -> Iterator[Callable[[], Recipe]]:
    """What makes each recipe of the evaluation's jobs, for one seed."""
    for dataset in recipe.datasets:
        yield partial(recipe.pretraining_recipe, [dataset], seed)
    yield partial(recipe.pretraining_recipe, recipe.datasets, seed)
    for target in recipe.all_targets:
        yield partial(recipe.target_recipe, target, seed, warm=False)
        for schedule in (None, *recipe.schedules):
            yield partial(recipe.target_recipe, target, seed, warm=True, schedule=schedule)
        for arm, parts in PARTS_OF_ARMS.items():
            if arm in recipe.arms:
                yield partial(_inheriting, recipe, target, seed, parts)


def _inheriting(recipe: EvaluationRecipe, target: str, seed: int, parts: Parts) -> Recipe:
    return recipe.target_recipe(target, seed, warm=True).replace(warm_parts=parts)
