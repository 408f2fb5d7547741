"""Every setting of a pretraining, search or transfer, as one value."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, partial
from typing import Any, Literal, get_args

from supernet_tl.errors import RecipeError
from supernet_tl.training.final_schedule import ClassWeights, FinalSchedule
from supernet_tl.training.objective import Objective, objective_expectation
from supernet_tl.training.warm_schedule import WARM_SCHEDULES, Moving, Parts, WarmSchedule, expectation

Perturbation = Literal["random", "adversarial", "none"]
Order = Literal["first", "unrolled"]
Final = Literal["inherit", "retrain"]
Discretization = Literal["magnitude", "perturbation"]
Flip = Literal["auto", "yes", "no"]
Stem = Literal["cifar", "imagenet"]
Augment = Literal["shift", "colour", "strong"]
Terms = Literal["rows", "self_distances"]
Precision = Literal["float32", "bfloat16", "float16"]
Sketching = Literal["rows", "gaussians"]
Balance = Literal["source", "class", "image"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is done to the data, in numbers. The defaults are the paper's where it states them.

    Attributes:
        space: name of the search space.
        channels: of the supernet's first cells.
        num_cells: of the supernet.
        image_size: pixels a side that networks see; a multiple of 4, and of 16 with the imagenet stem.
        in_channels: of the images that networks see: 3, or 1 to turn them grey.
        family: how the supernet mixes its ops: ``darts``, by the softmax of its alphas; ``pc-darts``, whose ops see one
            in 4 channels and whose edges have weights of their own (``pc-darts-2``, ``pc-darts-8``: one in 2, in 8);
            ``drnas``, whose mixing weights are drawn from Dirichlet distributions.
        stem: of all networks: ``cifar`` for small images; ``imagenet`` quarters the image before the first cell.
        epochs: of the bilevel search.
        finetune_epochs: of training the final network.
        batch_size: images of a search step's weight batch, and as many of its architecture batch.
        num_micro_batches: parts that a search step takes each batch in, to fit it into memory; apart from batch
            normalisation, which sees one part at a time, the numbers stay those of the whole batch.
        seed: of splits, initial weights, batches, augmentation and perturbation.
        weight_lr: SGD's first learning rate; cosine down to ``weight_lr_min``.
        weight_lr_min: see ``weight_lr``.
        weight_momentum: of SGD.
        weight_decay: of SGD, on weights only.
        arch_lr: Adam's constant learning rate for the alphas.
        arch_weight_decay: L2 penalty on the alphas inside Adam.
        first_alpha_epoch: so many first epochs of a search from scratch leave the alphas as they are drawn; for warm
            starts there is ``held_alpha_epochs``.
        order: of the alphas' gradient: ``first`` holds the weights fixed, ``unrolled`` looks ahead by the step they
            would take (DARTS second order, about three times the time of a step).
        perturbation: SmoothDARTS: in the weight step the mixing weights are moved at ``random``, or ``adversarial``,
            to raise the loss (about four times the time of a step), or ``none``.
        max_radius: the perturbation's radius grows from 0.03 towards this.
        attack_steps: gradient steps of the adversarial perturbation.
        random_start: begin the adversarial perturbation at a random point.
        max_gradient_norm: weight gradients are clipped to this norm.
        patience: epochs without a better validation accuracy after which the search ends; never when absent.
            Fine-tuning has ``finetune_patience``.
        stable_epochs: epochs after which the search ends if they left the genotype as it was and the mixing weights'
            mean entropy moved by less than ``entropy_tolerance``; never when absent.
        entropy_tolerance: in nats; see ``stable_epochs``.
        max_skips: a guard against collapse: the search ends when one of its cells would hold more skip connections,
            and the architecture is that of the epoch before; no guard when absent.
        eigenvalue_ratio: likewise: it ends when the largest eigenvalue of the architecture loss's Hessian in alpha,
            measured every second epoch and averaged over five measurements, has risen to more than this times the
            average of four measurements before (RobustDARTS: 1.3); the architecture is that of twelve epochs before.
        flip: mirror images at random; ``auto`` asks the data's card whether a mirrored image keeps its class.
        crop_padding: furthest random shift in pixels; an eighth of the image when absent.
        augment: of training images: ``shift`` and mirror them; ``colour`` also changes brightness, contrast, saturation
            and hue; ``strong`` also applies RandAugment and erases a part of some. What is added is drawn for each of
            eight groups of a batch.
        test_frac: share of the images for the test split, where the data has no test part of its own.
        validation_frac: share of the images for the validation split, likewise; of those that no part of the data's
            own takes.
        splits: ``splits.json`` of another run, or that run's folder: images that it knows stay in the split they were
            in, new ones are drawn by their content. Settings of a run hold ``sha256:`` and the file's digest.
        max_search_images: cap on the images of the weight and architecture splits together.
        shots: so many images of each class in the weight and architecture splits together, for search and final
            network alike; validation and test stay as they are. In place of ``max_search_images``.
        balance: ``source`` draws a mixture's batches evenly over its sources, ``class`` evenly over classes (in a
            mixture over sources first), ``image`` evenly over images.
        embedder: network whose embeddings are compared: a timm name, ``NAME@FILE`` or a weights file.
        embed_size: pixels a side that the embedder sees.
        embed_precision: of the embedder: ``float32``, or on a GPU ``bfloat16`` or ``float16``; features of different
            precision are never compared.
        sketch_rows: images embedded of each dataset.
        sketch: what is kept of a dataset for selection: ``rows``, embeddings of its images and a few small images
            of it; or ``gaussians``, statistics of its classes alone, for images whose traces may not leave.
        sketch_rank: directions kept of each class by ``gaussians``.
        num_thumbnails: small images of a source that its zoo entry keeps for reports, 7 KB each; none with
            ``gaussians``. A mixture keeps at least one of each source, unless it is 0.
        num_draws: seeded row samples that a distance is averaged over.
        preset: variant of the distance; ``paper`` is the debiased entropic one.
        distance: that sources are ranked by, in place of ``preset``: ``otdd`` (also when absent), ``otdd-paper``,
            ``otdd-diagonal``, ``otdd-means``, ``otdd-exact`` or ``bures``.
        terms: on which sources of different sizes are compared: at equal ``rows``, or each at its own and corrected
            with ``self_distances``.
        num_ranked: nearest sources that a ranking lists, and all that may be probed; in a large zoo the exact OTDD
            measures no more distances than that takes.
        probe_candidates: nearest sources that ``--select probe`` tries, beside scratch.
        probe_epochs: of the short search from each of them.
        past_accuracies: JSON file for ``--select fixed-best``: by an entry's name or id, the mean accuracy or
            improvement of other targets after starting from it.
        warm_schedule: how a warm start treats what it inherits, by a preset's name: ``paper``, as a search from
            scratch, or ``gentle``. The settings that follow change it; a search from scratch heeds none of them. No
            phase is longer than a third of the epochs.
        warm_lr_factor: times ``weight_lr`` in a warm start; the preset's when absent, like all that follow.
        warm_weight_decay_factor: times ``weight_decay`` in a warm start.
        warmup_epochs: over so many epochs of a warm start the weights' learning rate rises from 0 step by step.
        head_epochs: first epochs of a warm start in which the new classifier's weights alone move.
        held_alpha_epochs: first epochs of a warm start in which the alphas stay as inherited.
        arch_lr_factor: times ``arch_lr`` in a warm start.
        source_pull: this times the distance from the source's weights is added to the gradients of inherited weights.
        reestimate_batch_norm: estimate running statistics on the target before the first epoch of a warm start.
        warm_parts: what a warm start inherits: ``all``, ``weights`` or ``architecture``.
        warm_moving: what a transfer trains at all, in the search and in the final network: ``all``; ``batch_norm``, the
            classifier and the scales and shifts of batch normalisations; or the ``head``. Unless it is ``all`` the
            architecture is the source's.
        warm_cells: weights of the stem and so many first cells are inherited; all when preset and setting are absent.
        discretization: how the architecture is chosen: ``magnitude``, by the alphas; or ``perturbation`` (DARTS-PT), by
            what the supernet loses without each op, on the architecture half.
        projection_epochs: of tuning the supernet's weights after each round of ``perturbation`` but the last; a cell of
            14 edges takes 17 rounds.
        max_params: most trainable numbers that the final network may have; its architecture is then the best one within
            the limit, and the search is drawn towards such.
        max_macs: most multiply-adds of the final network for one image, likewise.
        params_weight: of the penalty on expected parameters in the architecture loss: times the share by which they
            exceed ``max_params`` (1 when absent), or without that limit times their share of the largest network's (0
            when absent).
        macs_weight: the same for multiply-adds.
        final: ``inherit`` the supernet's weights or ``retrain`` the genotype from random ones.
        finetune_lr: SGD's first learning rate for the final network; cosine down to 0.
        finetune_batch_size: ``batch_size`` when absent.
        finetune_warmup_epochs: over so many first epochs that rate rises; no more than a third of all count.
        reestimate_final: estimate running statistics of a network that inherits its weights before it is trained: those
            of the supernet are of mixed ops.
        label_smoothing: share of each label that is spread over all classes, in training the final network.
        mixup: mix pairs of its training images and labels, by a share drawn from Beta(mixup, mixup); 0 for none.
        cutmix: paste parts of its training images into others, likewise; with both, each batch draws one.
        ema_decay: keep the moving average of its weights over steps, such as 0.999; the last weights when absent.
        class_weights: of its loss: ``none``, or ``balanced``, so that every class counts the same.
        finetune_patience: epochs without a better validation accuracy after which its training ends, with the weights
            of the best epoch; all epochs, and the last weights, when absent.
        drop_path_prob: reached at the end of training the final network.
        auxiliary_weight: of the auxiliary head's loss; only ``retrain`` has such a head, and 0 leaves it out.
        retrain_channels: of the retrained network.
        retrain_num_cells: of the retrained network.
    """

    space: str = "s1"
    family: str = "darts"
    channels: int = 16
    num_cells: int = 8
    image_size: int = 32
    in_channels: int = 3
    stem: Stem = "cifar"
    epochs: int = 50
    finetune_epochs: int = 50
    batch_size: int = 64
    num_micro_batches: int = 1
    seed: int = 0
    weight_lr: float = 0.025
    weight_lr_min: float = 0.001
    weight_momentum: float = 0.9
    weight_decay: float = 3e-4
    arch_lr: float = 3e-4
    arch_weight_decay: float = 1e-3
    first_alpha_epoch: int = 0
    order: Order = "first"
    perturbation: Perturbation = "random"
    max_radius: float = 0.3
    attack_steps: int = 7
    random_start: bool = True
    max_gradient_norm: float = 5.0
    patience: int | None = None
    stable_epochs: int | None = None
    entropy_tolerance: float = 0.01
    max_skips: int | None = None
    eigenvalue_ratio: float | None = None
    flip: Flip = "auto"
    crop_padding: int | None = None
    augment: Augment = "shift"
    test_frac: float = 0.2
    validation_frac: float = 0.2
    splits: str | None = None
    max_search_images: int | None = None
    shots: int | None = None
    balance: Balance = "source"
    embedder: str = "resnet18.tv_in1k"
    embed_size: int = 64
    embed_precision: Precision = "float32"
    sketch_rows: int = 1000
    sketch: Sketching = "rows"
    sketch_rank: int = 8
    num_thumbnails: int = 24
    num_draws: int = 3
    preset: Literal["paper"] | None = None
    distance: str | None = None
    terms: Terms = "rows"
    num_ranked: int = 20
    probe_candidates: int = 3
    probe_epochs: int = 3
    past_accuracies: str | None = None
    warm_schedule: str = "paper"
    warm_lr_factor: float | None = None
    warm_weight_decay_factor: float | None = None
    warmup_epochs: int | None = None
    head_epochs: int | None = None
    held_alpha_epochs: int | None = None
    arch_lr_factor: float | None = None
    source_pull: float | None = None
    reestimate_batch_norm: bool | None = None
    warm_parts: Parts | None = None
    warm_moving: Moving | None = None
    warm_cells: int | None = None
    discretization: Discretization = "magnitude"
    projection_epochs: int = 1
    max_params: int | None = None
    max_macs: int | None = None
    params_weight: float | None = None
    macs_weight: float | None = None
    final: Final = "inherit"
    finetune_lr: float = 0.025
    finetune_batch_size: int | None = None
    finetune_warmup_epochs: int = 0
    reestimate_final: bool = True
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    ema_decay: float | None = None
    class_weights: ClassWeights = "none"
    finetune_patience: int | None = None
    drop_path_prob: float = 0.0
    auxiliary_weight: float = 0.4
    retrain_channels: int = 36
    retrain_num_cells: int = 30

    def __post_init__(self) -> None:
        faults = [fault for rule in _RULES for fault in rule(self)]
        if faults:
            raise RecipeError("; ".join(faults) + ".")

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Recipe:
        """The recipe of the given settings, defaults elsewhere; ``None`` stands for the default.

        Raises:
            RecipeError: naming every unknown setting, with near names, and every value that cannot be.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(options) - known)
        if unknown:
            hints = [_with_hint(name, difflib.get_close_matches(name, known, n=1)) for name in unknown]
            raise RecipeError(f"unknown settings {', '.join(hints)}; known are {', '.join(sorted(known))}.")
        return cls(**{name: value for name, value in options.items() if value is not None})

    @property
    def size_of_all_images(self) -> int | None:
        """``image_size``, where all images of a set are wanted in it; None where some are left out."""
        return self.image_size if self.max_search_images is None else None

    @property
    def warm(self) -> WarmSchedule:
        """The schedule of a warm start: the preset with the settings that were given in its place."""
        given = {field: getattr(self, name) for name, field in WARM_SETTINGS.items()}
        changes = {field: value for field, value in given.items() if value is not None}
        return dataclasses.replace(WARM_SCHEDULES[self.warm_schedule], **changes)

    @property
    def objective(self) -> Objective:
        """What the search wants of the final network's size."""
        retrained = self.final == "retrain"
        return Objective(
            **{name: getattr(self, name) for name in OBJECTIVE_SETTINGS},
            channels=self.retrain_channels if retrained else None,
            num_cells=self.retrain_num_cells if retrained else None,
            image_size=self.image_size,
        )

    @property
    def final_schedule(self) -> FinalSchedule:
        """How the final network is trained."""
        return FinalSchedule(
            warmup_epochs=min(self.finetune_warmup_epochs, self.finetune_epochs // 3),
            label_smoothing=self.label_smoothing,
            mixup=self.mixup,
            cutmix=self.cutmix,
            ema_decay=self.ema_decay,
            patience=self.finetune_patience,
        )

    def replace(self, **changes: Any) -> Recipe:
        """The same recipe with some settings changed."""
        return dataclasses.replace(self, **changes)

    def with_final(self) -> Recipe:
        """This recipe, where a final network can be made by it; a pretraining makes none.

        Raises:
            RecipeError: the supernet's weights fit no final network, and it would inherit them.
        """
        from darts import FAMILIES

        family = FAMILIES[self.family]
        if family.divisor > 1 and self.final == "inherit":
            raise RecipeError(
                f"final is 'inherit', and the ops of family {family.name!r} see one in {family.divisor} channels: "
                "their weights fit no final network; expected final 'retrain'. Give --final retrain."
            )
        return self

    def pretraining_settings(self) -> dict[str, Any]:
        """The settings that a pretrained supernet depends on, without those of the final network and of selection."""
        return {name: value for name, value in self.to_dict().items() if name not in TRANSFER_ONLY}

    def same_pretraining(self, stored: Any) -> bool:
        """Whether the pretraining settings of a zoo entry are this recipe's.

        A setting that did not exist when the entry was made counts as the default, which is what was done then.

        Args:
            stored: what :meth:`pretraining_settings` gave; anything else is not this recipe's.
        """
        defaults = Recipe().pretraining_settings()
        return isinstance(stored, Mapping) and {**defaults, **stored} == self.pretraining_settings()

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return dataclasses.asdict(self)


PRETRAIN_DEFAULTS = {"test_frac": 0.1, "validation_frac": 0.1}
"""A source is there to be learnt from: less is held out than of a target."""

ADOPTED = ("space", "channels", "num_cells", "image_size", "in_channels", "stem", "family")
"""Settings that supernets must agree on: a transfer takes them from the chosen entry unless they are given."""

SELECTION_SETTINGS = frozenset(
    {
        "embedder",
        "embed_size",
        "embed_precision",
        "sketch_rows",
        "sketch",
        "sketch_rank",
        "num_draws",
        "preset",
        "distance",
        "terms",
        "num_ranked",
        "probe_candidates",
        "probe_epochs",
        "past_accuracies",
    }
)
"""Settings that choose a source and change nothing after that."""

WARM_SETTINGS: Mapping[str, str] = {
    "warm_lr_factor": "lr_factor",
    "warm_weight_decay_factor": "weight_decay_factor",
    **{name: name for name in ("warmup_epochs", "head_epochs", "held_alpha_epochs", "arch_lr_factor")},
    **{name: name for name in ("source_pull", "reestimate_batch_norm")},
    "warm_parts": "parts",
    "warm_moving": "moving",
    "warm_cells": "cells",
}
"""Settings that change the preset of a warm start's schedule, and the field that each changes."""

STOPPING_SETTINGS = ("patience", "stable_epochs", "max_skips", "eigenvalue_ratio")
"""Settings that may end a search before its last epoch; all off when absent."""

FINAL_SETTINGS = ("discretization", "projection_epochs")
"""Settings of how a searched supernet becomes discrete."""

FINE_TUNING_SETTINGS = (
    *("finetune_epochs", "final", "finetune_lr", "finetune_batch_size", "finetune_warmup_epochs", "reestimate_final"),
    *("label_smoothing", "mixup", "cutmix", "ema_decay", "class_weights", "finetune_patience"),
    *("drop_path_prob", "auxiliary_weight"),
)
"""Settings of how the final network is trained; its own size when it is retrained is not among them."""

OBJECTIVE_SETTINGS = ("max_params", "max_macs", "params_weight", "macs_weight")
"""Settings of the final network's size: fields of :class:`supernet_tl.training.objective.Objective`."""

# What a sketch is of counts for an entry; the embedder's name and weights stand in its card, and here it may be a path
# of this machine.
TRANSFER_ONLY = (
    SELECTION_SETTINGS - {"embed_size", "embed_precision", "sketch_rows", "sketch", "sketch_rank"}
) | frozenset(
    {
        "retrain_channels",
        "retrain_num_cells",
        "warm_schedule",
        *WARM_SETTINGS,
        *FINAL_SETTINGS,
        *FINE_TUNING_SETTINGS,
        *OBJECTIVE_SETTINGS,
    }
)
"""Settings that a pretrained supernet does not depend on."""

NOT_OF_PRETRAINING = TRANSFER_ONLY - {"embedder"}
"""Settings that a pretraining does nothing with; the embedder it makes the entry's sketch with."""


def refuse_final_settings(given: Iterable[str]) -> None:
    """Refuse settings of the final network's architecture, of which people may think that a pretraining heeds them.

    Raises:
        RecipeError: with their names.
    """
    given = set(given)
    if wanted := [name for name in (*FINAL_SETTINGS, *OBJECTIVE_SETTINGS) if name in given]:
        raise RecipeError(
            f"{', '.join(wanted)} is about the final network, and a pretraining makes none; expected no such setting. "
            "Give it to transfer or search."
        )


def digest(values: Any) -> str:
    """SHA-256 in hexadecimal of plain JSON values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _with_hint(name: str, near: list[str]) -> str:
    return f"{name!r} (did you mean {near[0]!r}?)" if near else repr(name)


def _types(recipe: Recipe) -> list[str]:
    return [
        f"{name} is {value!r}; expected {kind}"
        for name, kind, is_good in _kinds()
        if not is_good(value := getattr(recipe, name))
    ]


@cache
def _kinds() -> tuple[tuple[str, str, Callable[[Any], bool]], ...]:
    """Of each setting with a plain type: its name, the type's, and whether a value is of it."""
    found = []
    for field in fields(Recipe):
        kind = str(field.type)
        plain = next((name for name in _PLAIN if kind.startswith(name)), None)
        if plain is not None:
            found.append((field.name, kind, partial(_is_of, _PLAIN[plain], "None" in kind, plain == "bool")))
    return tuple(found)


_PLAIN: Mapping[str, tuple[type, ...]] = {"bool": (bool,), "int": (int,), "float": (int, float), "str": (str,)}


def _is_of(types: tuple[type, ...], optional: bool, boolean: bool, value: Any) -> bool:
    """Whether a value is of one of the types; Python's booleans are whole numbers, and here they are not."""
    if value is None:
        return optional
    return isinstance(value, types) and (boolean or not isinstance(value, bool))


def _choices(recipe: Recipe) -> list[str]:
    from darts import FAMILIES, SPACES
    from supernet_tl.spaces import space_names

    choices = {
        "space": tuple(SPACES) if recipe.space in SPACES else space_names(),
        "family": tuple(FAMILIES),
        "order": get_args(Order),
        "perturbation": get_args(Perturbation),
        "final": get_args(Final),
        "discretization": get_args(Discretization),
        "flip": get_args(Flip),
        "stem": get_args(Stem),
        "augment": get_args(Augment),
        "embed_precision": get_args(Precision),
        "sketch": get_args(Sketching),
        "in_channels": (1, 3),
        "balance": get_args(Balance),
        "preset": (None, "paper"),
        "terms": get_args(Terms),
        "warm_schedule": tuple(WARM_SCHEDULES),
        "warm_parts": (None, *get_args(Parts)),
        "warm_moving": (None, *get_args(Moving)),
        "class_weights": get_args(ClassWeights),
    }
    return [
        f"{name} is {getattr(recipe, name)!r}; expected one of {', '.join(map(repr, allowed))}"
        + meant(getattr(recipe, name), allowed)
        for name, allowed in choices.items()
        if getattr(recipe, name) not in allowed
    ]


def meant(value: Any, allowed: Sequence[Any]) -> str:
    """The choice that is written nearly as the value, as a question."""
    near = difflib.get_close_matches(str(value), list(map(str, allowed)), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _ranges(recipe: Recipe) -> list[str]:
    if _types(recipe):
        return []
    faults = [
        f"{name} is {getattr(recipe, name)}; expected {low} or more"
        for low, names in _AT_LEAST.items()
        for name in names
        if getattr(recipe, name) < low
    ]
    if recipe.seed >= 2**62:
        faults.append(f"seed is {recipe.seed}; expected a number below 2 ** 62")
    if recipe.test_frac + recipe.validation_frac >= 1 or not recipe.test_frac or not recipe.validation_frac:
        faults.append(
            f"test_frac {recipe.test_frac} and validation_frac {recipe.validation_frac} leave a split empty; expected "
            "both above 0 and less than 1 together"
        )
    faults += [
        f"{name} is {getattr(recipe, name)}; expected a number from 0 to 1"
        for name in _FRACTIONS
        if not 0 <= getattr(recipe, name) <= 1
    ]
    faults += [
        f"{name} is {getattr(recipe, name)}; expected more than 0"
        for name in ("weight_lr", "finetune_lr", "max_gradient_norm", "entropy_tolerance")
        if getattr(recipe, name) <= 0
    ]
    faults += [
        f"{name} is {getattr(recipe, name)}; expected {low} or more"
        for name, low in _AT_LEAST_IF_GIVEN.items()
        if getattr(recipe, name) is not None and getattr(recipe, name) < low
    ]
    if recipe.eigenvalue_ratio is not None and not 0 < recipe.eigenvalue_ratio < float("inf"):
        faults.append(f"eigenvalue_ratio is {recipe.eigenvalue_ratio}; expected a finite number above 0")
    if recipe.ema_decay is not None and not 0 < recipe.ema_decay < 1:
        faults.append(f"ema_decay is {recipe.ema_decay}; expected a number between 0 and 1, such as 0.999")
    if recipe.num_micro_batches > recipe.batch_size:
        faults.append(
            f"num_micro_batches is {recipe.num_micro_batches}; expected no more than the batch_size of "
            f"{recipe.batch_size}, for a part holds at least one image"
        )
    if recipe.perturbation != "none" and recipe.max_radius < 0.03:
        faults.append(
            f"max_radius is {recipe.max_radius}; expected 0.03 (the first epoch's) or more, or perturbation 'none'"
        )
    if recipe.final == "retrain" and recipe.finetune_epochs == 0:
        faults.append(
            "final is 'retrain' with finetune_epochs 0, which leaves random weights; expected 1 or more epochs"
        )
    if (
        recipe.final == "retrain"
        and recipe.auxiliary_weight > 0
        and (recipe.finetune_batch_size or recipe.batch_size) < 2
    ):
        faults.append(
            "the auxiliary head normalises over the batch; expected a batch of 2 or more, or auxiliary_weight 0"
        )
    if recipe.shots is not None and recipe.max_search_images is not None:
        faults.append(
            f"shots {recipe.shots} and max_search_images {recipe.max_search_images} both say which images to search "
            "with; expected one of them"
        )
    if recipe.distance is not None and recipe.preset is not None:
        faults.append(
            f"distance {recipe.distance!r} and preset {recipe.preset!r} both say what is measured; expected one of them"
        )
    if recipe.first_alpha_epoch >= recipe.epochs:
        faults.append(
            f"first_alpha_epoch is {recipe.first_alpha_epoch}, and the search has {recipe.epochs} epochs; expected "
            "fewer, or the alphas never move: lower --first-alpha-epoch or raise --epochs"
        )
    for name in ("channels", "retrain_channels"):
        if getattr(recipe, name) < 2 or getattr(recipe, name) % 2:
            faults.append(f"{name} is {getattr(recipe, name)}; expected a positive even number")
    return faults


def _image_sizes(recipe: Recipe) -> list[str]:
    from darts import size_multiple

    if _types(recipe) or recipe.stem not in get_args(Stem):
        return []
    size, multiple = recipe.image_size, size_multiple(recipe.stem)
    if size % multiple == 0 and size >= 2 * multiple:
        return []
    below = size // multiple * multiple
    nearest = sorted({max(below, 2 * multiple), max(below + multiple, 2 * multiple)})
    return [
        f"image_size is {size}; expected a multiple of {multiple}, at least {2 * multiple}, because the {recipe.stem} "
        f"stem and two reductions divide it by {multiple}, such as {' or '.join(map(str, nearest))}"
    ]


_WITH_DRAWN_MIXING = {
    "order": ("first", "of given mixing weights"),
    "perturbation": ("none", "of the mixing weights too"),
}
"""What a family that draws its mixing weights demands, and why others will not do."""


def demanded_by_family(family: str) -> set[str]:
    """The settings of which a family demands a value, so that its entries go with a recipe or do not.

    Args:
        family: of the supernet.
    """
    from darts import FAMILIES

    found = FAMILIES[family]
    return {*(("final",) if found.divisor > 1 else ()), *(_WITH_DRAWN_MIXING if found.dirichlet else ())}


def _family(recipe: Recipe) -> list[str]:
    """What the family of the supernet does not allow."""
    from darts import FAMILIES

    if _types(recipe) or recipe.family not in FAMILIES:
        return []
    family = FAMILIES[recipe.family]
    faults = []
    if family.dirichlet:
        faults += [
            f"family is {family.name!r}, which draws its mixing weights, and {name} {getattr(recipe, name)!r} is "
            f"{why}; expected {name} {right!r}"
            for name, (right, why) in _WITH_DRAWN_MIXING.items()
            if getattr(recipe, name) != right
        ]
    if family.divisor > 1 and recipe.channels % family.channel_multiple:
        faults.append(
            f"channels is {recipe.channels}, and ops of family {family.name!r} see one in {family.divisor} of them; "
            f"expected a multiple of {family.channel_multiple}"
        )
    return faults


def _warm_start(recipe: Recipe) -> list[str]:
    if _types(recipe) or recipe.warm_schedule not in WARM_SCHEDULES:
        return []
    given = {name: getattr(recipe, name) for name in WARM_SETTINGS if getattr(recipe, name) is not None}
    chosen = ("warm_parts", "warm_moving")  # _choices speaks of them
    wrong = {name: expectation(WARM_SETTINGS[name], value) for name, value in given.items() if name not in chosen}
    faults = [f"{name} is {given[name]!r}; expected {what}" for name, what in wrong.items() if what is not None]
    if not faults and all(expectation(WARM_SETTINGS[name], given[name]) is None for name in chosen if name in given):
        try:
            _ = recipe.warm
        except RecipeError as error:  # what contradicts itself
            faults.append(str(error).removesuffix("."))
        else:
            faults += _frozen(recipe)
    return faults


def _frozen(recipe: Recipe) -> list[str]:
    """What contradicts a warm start in which not all moves."""
    if recipe.warm.moving == "all":
        return []
    from darts import FAMILIES

    if recipe.family in FAMILIES and FAMILIES[recipe.family].divisor > 1:
        return [
            f"warm_moving is {recipe.warm.moving!r}, which keeps the source's weights in the final network, and those "
            f"of family {recipe.family!r} fit none; expected warm_moving 'all'"
        ]
    others = {"final": ("retrain", "inherit"), "discretization": ("perturbation", "magnitude")}
    return [
        f"warm_moving is {recipe.warm.moving!r}, which keeps weights and architecture of the source, and {name} is "
        f"{wrong!r}; expected {name} {right!r}"
        for name, (wrong, right) in others.items()
        if getattr(recipe, name) == wrong
    ]


def _objective(recipe: Recipe) -> list[str]:
    if _types(recipe):
        return []
    wrong = {name: objective_expectation(name, getattr(recipe, name)) for name in OBJECTIVE_SETTINGS}
    faults = [
        f"{name} is {getattr(recipe, name)!r}; expected {what}" for name, what in wrong.items() if what is not None
    ]
    if recipe.discretization == "perturbation" and (recipe.max_params is not None or recipe.max_macs is not None):
        faults.append(
            "limits are kept by discretization 'magnitude' alone, and it is 'perturbation'; expected no max_params and "
            "max_macs, or 'magnitude'"
        )
    return faults


_AT_LEAST = {
    0: (
        *("finetune_epochs", "seed", "weight_decay", "arch_weight_decay", "arch_lr", "weight_lr_min"),
        *("auxiliary_weight", "sketch_rank", "num_thumbnails", "projection_epochs", "first_alpha_epoch"),
        *("finetune_warmup_epochs", "mixup", "cutmix"),
    ),
    1: (
        *("epochs", "batch_size", "num_micro_batches", "attack_steps", "embed_size", "num_draws"),
        *("num_ranked", "probe_candidates", "probe_epochs"),
    ),
    2: ("sketch_rows",),
    3: ("num_cells", "retrain_num_cells"),
}
_AT_LEAST_IF_GIVEN = {
    "finetune_batch_size": 1,
    "patience": 1,
    "stable_epochs": 1,
    "crop_padding": 0,
    "max_search_images": 2,
    "shots": 2,
    "max_skips": 0,
    "finetune_patience": 1,
}
_FRACTIONS = ("weight_momentum", "max_radius", "drop_path_prob", "test_frac", "validation_frac", "label_smoothing")
_RULES = (_types, _choices, _ranges, _image_sizes, _family, _warm_start, _objective)
