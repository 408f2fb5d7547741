"""What a pretraining, transfer or search would do, and about how long it would take; nothing is trained or written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import torch

import darts
import zoo_store
from supernet_tl.control import Control, Source
from supernet_tl.entry_facts import EntryFacts
from supernet_tl.errors import SelectionError, TooLargeError
from supernet_tl.memory import search_bytes
from supernet_tl.pipeline import transfer_recipe
from supernet_tl.recipe import PRETRAIN_DEFAULTS, Recipe, refuse_final_settings
from supernet_tl.spaces import find_space
from supernet_tl.step_times import StepTimes
from supernet_tl.terminal.output import size_in_words
from supernet_tl.zoos import open_zoo, readable_cards

Verb = Literal["pretrain", "transfer", "search"]


@dataclass(frozen=True)
class Stage:
    """A stage of training.

    Attributes:
        name: of it.
        epochs: of it.
        steps: of all epochs.
        step_seconds: measured on this machine with images of noise.
    """

    name: str
    epochs: int
    steps: int
    step_seconds: float

    @property
    def seconds(self) -> float:
        """Of all steps."""
        return self.steps * self.step_seconds


@dataclass(frozen=True)
class Preview:
    """What would be done with one set of images, or one mixture.

    Attributes:
        name: of the images.
        num_classes: of them.
        splits: how many images each split has.
        stages: of training, in order.
        memory_bytes: about what a search step takes of a GPU.
        notes: what is not counted, in sentences without a full stop.
        recipe: the settings.
    """

    name: str
    num_classes: int
    splits: Mapping[str, int]
    stages: tuple[Stage, ...]
    memory_bytes: int
    notes: tuple[str, ...]
    recipe: Mapping[str, Any] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        stages = [{**asdict(stage), "seconds": stage.seconds} for stage in self.stages]
        return {**asdict(self), "stages": stages, "seconds": sum(stage.seconds for stage in self.stages)}


def preview(
    verb: Verb,
    sources: Sequence[Source],
    *,
    zoo: str | None = None,
    mixture: bool = False,
    with_scratch: bool = False,
    sweep: int = 0,
    control: Control | None = None,
    **options: Any,
) -> list[Preview]:
    """Open and split the images, measure a few steps of each stage, and multiply.

    Args:
        verb: that would be called.
        sources: its images; several are those of a pretraining.
        zoo: of a transfer, whose settings are those of the zoo's entries where they are not given.
        mixture: of all sources together.
        with_scratch: the same from scratch too.
        sweep: so many further final networks.
        control: device, bad images.
        **options: fields of :class:`supernet_tl.Recipe`.

    Raises:
        DataError: images cannot be used.
        RecipeError: a setting cannot be.
        SelectionError: no entry of the zoo can be used.
        TooLargeError: a step does not fit the device's memory.
    """
    control = control or Control()
    if verb == "pretrain":
        refuse_final_settings(name for name, value in options.items() if value is not None)
    recipe, notes = _recipe(verb, zoo, options)
    notes += _notes_of(recipe)
    memory = search_bytes(recipe)
    times = StepTimes(control.device)
    opened = [control.open(source, image_size=recipe.size_of_all_images) for source in sources]
    groups = [opened] if mixture else [[images] for images in opened]
    found = []
    for group in groups:
        sizes = [control.split(images, recipe).sizes() for images in group]
        splits = {name: sum(size[name] for size in sizes) for name in sizes[0]}
        found.append(
            Preview(
                name=" + ".join(images.name for images in group),
                num_classes=sum(len(images.class_names) for images in group),
                splits=splits,
                stages=_measured(verb, recipe, splits, times, with_scratch, sweep, memory),
                memory_bytes=memory,
                notes=tuple(notes),
                recipe=recipe.to_dict(),
            )
        )
    return found


def _recipe(verb: Verb, zoo: str | None, options: Mapping[str, Any]) -> tuple[Recipe, list[str]]:
    given = {name: value for name, value in options.items() if value is not None}
    if verb == "pretrain":
        return Recipe.from_options({**PRETRAIN_DEFAULTS, **given}), ["embedding for the sketch is not counted"]
    if verb == "search" or zoo is None:
        return Recipe.from_options(given).with_final(), ["the last look at the test images is not counted"]
    store = open_zoo(zoo)
    recipe, required = transfer_recipe(store, given)
    notes = ["embedding, distances and probes are not counted", "sizes are those of the zoo's first entry that fits"]
    return recipe.replace(**_sizes_of(store, required)).with_final(), notes


def _sizes_of(zoo: zoo_store.Zoo, required: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the first entry that a transfer may start from.

    Raises:
        SelectionError: there is none.
    """
    cards, _ = readable_cards(zoo)
    for card in cards.values():
        try:
            sizes = EntryFacts.of(card).to_dict()
        except ValueError:  # an entry that a transfer would leave out
            continue
        if all(sizes[name] == value for name, value in required.items()):
            return sizes
    raise SelectionError(
        f"none of the zoo's {len(cards)} entries fits {dict(required) or 'a transfer'}; `supernet-tl select` tells the "
        "reason for each."
    )


def _notes_of(recipe: Recipe) -> list[str]:
    rules = {
        "a search that a rule ends early takes less": recipe.patience or recipe.stable_epochs,
        "training that ends early takes less": recipe.finetune_patience,
        "the guard's eigenvalues are not counted": recipe.eigenvalue_ratio,
        "the passes that judge ops are not counted, the tuning between them is": recipe.discretization != "magnitude",
    }
    return [note for note, holds in rules.items() if holds]


def _measured(
    verb: Verb,
    recipe: Recipe,
    splits: Mapping[str, int],
    times: StepTimes,
    with_scratch: bool,
    sweep: int,
    memory: int,
) -> tuple[Stage, ...]:
    try:
        own = list(_stages(verb, recipe, splits, times))
    except torch.OutOfMemoryError as error:
        raise TooLargeError(
            f"a step does not fit the memory of {times.device}: a search step takes about {size_in_words(memory)} "
            "(estimated). Lower --batch-size, --image-size or --channels, or give --num-micro-batches."
        ) from error
    further = [replace(stage, name=f"{stage.name}, from scratch") for stage in own] if with_scratch else []
    networks = [replace(own[-1], name=f"network {index + 1} of the sweep") for index in range(sweep)]
    return (*own, *further, *networks)


def _stages(verb: Verb, recipe: Recipe, splits: Mapping[str, int], times: StepTimes) -> Iterator[Stage]:
    halves = (splits["weight"], splits["architecture"])
    steps = max(1, max(halves) // recipe.batch_size)
    step_seconds = times.search_step(recipe)
    yield Stage("search", recipe.epochs, recipe.epochs * steps, step_seconds)
    if verb == "pretrain":
        return
    if recipe.discretization != "magnitude":  # half of each step is for the alphas, which stay
        epochs = (darts.num_decisions(find_space(recipe.space)) - 1) * recipe.projection_epochs
        yield Stage("choosing ops", epochs, epochs * steps, step_seconds / 2)
    if recipe.finetune_epochs:
        batch = recipe.finetune_batch_size or recipe.batch_size
        steps = recipe.finetune_epochs * max(1, sum(halves) // batch)
        yield Stage("final network", recipe.finetune_epochs, steps, times.final_step(recipe, batch))
