"""A pretrained timm network fine-tuned on the target, at equal parameters and at equal time to a result of ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

import darts
from ot_select import parse_embedder, pretrained_network
from supernet_tl import adapters
from supernet_tl.baselines.budget import TimeBudget, spent_steps
from supernet_tl.baselines.classifier import PretrainedClassifier, Renormalise
from supernet_tl.baselines.finetune_module import FinetuneModule
from supernet_tl.baselines.prefix import Features, features_within
from supernet_tl.control import Control
from supernet_tl.data import Normalisation
from supernet_tl.errors import BaselineError
from supernet_tl.prepared_data import PreparedData, evaluation_loader
from supernet_tl.recipe import Recipe, digest
from supernet_tl.training.history import EpochRow
from supernet_tl.training.scores import named_scores
from supernet_tl.training.seeds import own_random_numbers
from supernet_tl.training.stages import run_stage, scores_on
from supernet_tl.training.train_module import TrainModule


@dataclass(frozen=True)
class FinetunedBaseline:
    """A fine-tuned pretrained network.

    Attributes:
        classifier: the network.
        seed: of the run.
        num_parameters: trainable numbers, classifier included.
        macs: multiply-adds for one image of the size that it was trained with.
        num_blocks: kept of the pretrained network; None for a whole network whose blocks are not told apart.
        num_blocks_of: that the pretrained network has; None likewise.
        whole: whether nothing was left out but the old classifier.
        rows: of every epoch, stage ``finetune``.
    """

    classifier: PretrainedClassifier
    seed: int
    num_parameters: int
    macs: int
    num_blocks: int | None
    num_blocks_of: int | None
    whole: bool
    rows: Sequence[EpochRow]

    @property
    def seconds(self) -> float:
        """Of training, validation included."""
        return self.rows[-1].seconds

    @property
    def epochs(self) -> int:
        """Epochs that were begun; a budget of seconds may have cut the last one short."""
        return len(self.rows)

    def scores(self, data: PreparedData, device: str, *, test: bool = True) -> dict[str, float | None]:
        """Scores after the last epoch, by name; unless ``test`` is off, this touches the test images."""
        module = TrainModule(self.classifier, seed=self.seed)
        parts = {"validation": data.validation, **({"test": data.test} if test else {})}
        return named_scores(
            **{name: scores_on(module, evaluation_loader(part), device) for name, part in parts.items()}
        )


def finetune_pretrained(
    folder: Path,
    data: PreparedData,
    recipe: Recipe,
    control: Control,
    *,
    model: str = "tf_efficientnet_lite0",
    max_parameters: int | None = None,
    seconds: float | None = None,
    epochs: int | None = None,
    lr: float = 0.05,
    head_lr_factor: float = 1.0,
    clock: Callable[[], float] = time.perf_counter,
) -> FinetunedBaseline:
    """Fine-tune all layers of a pretrained network under a new linear classifier.

    SGD with the recipe's momentum, weight decay, gradient clipping, augmentation and ``finetune_batch_size``; images
    are renormalised to what the network was pretrained with. Exactly one of ``seconds`` and ``epochs`` is the budget,
    and the learning rates fall along a cosine of its part that is spent, step by step, so that they end at 0 whatever
    the speed (Li et al. 2020, arXiv:1905.04753). Repeating a call goes on from its last whole epoch.

    The default rates come from a short trial, one seed, five epochs of 200 images at 64 pixels in batches of 32, judged
    on 100 validation images or fewer. With at most 60,000 parameters (0.05, times 1) reached 0.48 on ``pocket:digits``
    and 0.91 on ``pocket:photos``, (0.02, times 10) 0.42 and 0.94, (0.05, times 3) 0.39 and 0.77, (0.1, times 1) 0.12
    and 0.67; the whole network on digits 0.78, 0.65, not tried, and 0.83. So the defaults are sensible, not tuned.

    Args:
        folder: of this run; gets ``checkpoints/finetune.ckpt`` and ``logs/finetune/``.
        data: the target, in the size that the network is to see.
        recipe: see above; gives the seed too.
        control: device, workers and whether to be quiet.
        model: a timm name or ``NAME@FILE``; weights are found as :class:`ot_select.Embedder` finds them.
        max_parameters: keep only the longest beginning of the network (stem, blocks in order, mean over positions)
            that has no more trainable numbers than this, classifier included; the whole network where that fits, or
            without a limit.
        seconds: train until so many seconds are used, validation included as in ``EpochRow.seconds``; the validation
            after the last step comes on top.
        epochs: train so many epochs.
        lr: first learning rate of the pretrained layers.
        head_lr_factor: by which the new classifier's is higher.
        clock: gives the seconds of budget and rows: the wall's, unless another is given.

    Raises:
        BaselineError: not exactly one budget, a budget or rate out of range, a limit of parameters that cannot be kept,
            or a mixture of sources that are normalised differently.
        EmbedderError: timm knows no such network, or it takes images of another size only.
        WeightsNotFoundError: the weights are neither here nor to be had.
        CheckpointError: the folder holds a checkpoint of another run.
        DivergedError: training ended with numbers that are not finite.
    """
    _check(seconds, epochs, lr, head_lr_factor)
    budget = None if seconds is None else TimeBudget(seconds, clock)
    classifier, features = _build(data, recipe, model, max_parameters)
    near = data.near(adapters.torch_device(control.device), control.workers)
    module = FinetuneModule(
        classifier,
        optimizer=partial(torch.optim.SGD, lr=lr, momentum=recipe.weight_momentum, weight_decay=recipe.weight_decay),
        head_lr_factor=head_lr_factor,
        spent=spent_steps if budget is None else budget.spent,
        made_with=_made_with(data, recipe, model, max_parameters, seconds, epochs, lr, head_lr_factor),
        augmentation=data.augmentation(recipe),
        seed=recipe.seed,
    )
    history = run_stage(
        module,
        near.train_loader(recipe),
        evaluation_loader(near.validation),
        stage="finetune",
        num_epochs=epochs,
        folder=folder,
        device=control.device,
        gradient_clip=recipe.max_gradient_norm,
        stop_rules=[] if budget is None else [budget],
        title=f"fine-tuning {model}",
        quiet=control.quiet,
        clock=clock,
    )
    return FinetunedBaseline(
        classifier=classifier.eval(),
        seed=recipe.seed,
        num_parameters=darts.count_parameters(classifier),
        macs=darts.count_macs(classifier, _image_shape(data)),
        num_blocks=features.num_blocks,
        num_blocks_of=features.num_blocks_of,
        whole=features.whole,
        rows=history.rows,
    )


def _check(seconds: float | None, epochs: int | None, lr: float, head_lr_factor: float) -> None:
    if (seconds is None) == (epochs is None):
        raise BaselineError(
            f"seconds is {seconds!r} and epochs is {epochs!r}; expected exactly one of them as the budget of training."
        )
    if epochs is not None and epochs < 1:
        raise BaselineError(f"epochs is {epochs}; expected 1 or more, or give seconds instead.")
    for name, value in {"lr": lr, "head_lr_factor": head_lr_factor}.items():
        if not value > 0:
            raise BaselineError(f"{name} is {value!r}; expected more than 0.")


def _build(
    data: PreparedData, recipe: Recipe, model: str, max_parameters: int | None
) -> tuple[PretrainedClassifier, Features]:
    name, weights = parse_embedder(model)
    normalisation = _normalisation(data)
    with own_random_numbers():
        torch.manual_seed(recipe.seed)
        image_size = _image_shape(data)[-1]
        network, config = pretrained_network(name, weights, image_size)
        features = features_within(network, name, data.num_classes, image_size, max_parameters)
        renormalise = Renormalise(normalisation, config["mean"], config["std"])
        return PretrainedClassifier(renormalise, features, data.num_classes), features


def _image_shape(data: PreparedData) -> tuple[int, int, int]:
    _, channels, height, width = data.weight.pixels.shape
    return channels, height, width


def _normalisation(data: PreparedData) -> Normalisation:
    first, *others = data.normalisations
    if any(other != first for other in others):
        raise BaselineError(
            f"the data is a mixture of {len(data.normalisations)} sources, each normalised in its own way; expected "
            "one normalisation, which a pretrained network's own can take the place of. Give one image set."
        )
    return first


def _made_with(
    data: PreparedData,
    recipe: Recipe,
    model: str,
    max_parameters: int | None,
    seconds: float | None,
    epochs: int | None,
    lr: float,
    head_lr_factor: float,
) -> dict[str, Any]:
    """What a checkpoint must have been made with: plain values by name."""
    return {
        "images": [images.fingerprint() for images in data.image_sets],
        "recipe": digest(recipe.to_dict()),
        "model": model,
        "max_parameters": max_parameters,
        "seconds": seconds,
        "epochs": epochs,
        "lr": lr,
        "head_lr_factor": head_lr_factor,
    }
