"""What a pretraining, transfer or search would do, and about how long it would take; nothing is trained or written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import zoo_store
from supernet_tl.control import Control, Source
from supernet_tl.entry_facts import EntryFacts
from supernet_tl.errors import SelectionError
from supernet_tl.memory import search_bytes
from supernet_tl.pipeline import transfer_recipe
from supernet_tl.recipe import PRETRAIN_DEFAULTS, Recipe
from supernet_tl.step_times import StepTimes
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
    control: Control | None = None,
    **options: Any,
) -> list[Preview]:
    """Open and split the images, measure a few steps of each stage, and multiply.

    Args:
        verb: that would be called.
        sources: its images; several are those of a pretraining.
        zoo: of a transfer, whose settings are those of the zoo's entries where they are not given.
        mixture: of all sources together.
        control: device, bad images.
        **options: fields of :class:`supernet_tl.Recipe`.

    Raises:
        DataError: images cannot be used.
        RecipeError: a setting cannot be.
        SelectionError: no entry of the zoo can be used.
    """
    control = control or Control()
    recipe, notes = _recipe(verb, zoo, options)
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
                stages=tuple(_stages(verb, recipe, splits, times)),
                memory_bytes=search_bytes(recipe),
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


def _stages(verb: Verb, recipe: Recipe, splits: Mapping[str, int], times: StepTimes) -> Iterator[Stage]:
    halves = (splits["weight"], splits["architecture"])
    steps = recipe.epochs * max(1, max(halves) // recipe.batch_size)
    yield Stage("search", recipe.epochs, steps, times.search_step(recipe))
    if verb == "pretrain" or not recipe.finetune_epochs:
        return
    batch = recipe.finetune_batch_size or recipe.batch_size
    steps = recipe.finetune_epochs * max(1, sum(halves) // batch)
    yield Stage("final network", recipe.finetune_epochs, steps, times.final_step(recipe, batch))
