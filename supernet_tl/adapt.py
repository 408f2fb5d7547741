"""From prepared images to a trained network: search, discretize, inherit or retrain, evaluate.

Every stage leaves its product in the run's folder and is not repeated when the run is continued.
"""

from __future__ import annotations

import copy
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as save_tensors
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR

import darts
import zoo_store
from supernet_tl import adapters
from supernet_tl.adapters import check_sizes
from supernet_tl.control import Control
from supernet_tl.errors import DivergedError, NetworkFileError, RecipeError
from supernet_tl.files import read_json, write_whole
from supernet_tl.network_file import Classifier, load_classifier, save_classifier
from supernet_tl.prepared_data import PreparedData, evaluation_loader
from supernet_tl.recipe import Recipe
from supernet_tl.run_folder import RunFolder
from supernet_tl.terminal.console import counted
from supernet_tl.training.divergence import is_finite
from supernet_tl.training.guards import Collapse, EigenvalueRise, SkipConnectionLimit, collapse_of
from supernet_tl.training.history import EpochRow, read_csv, write_csv
from supernet_tl.training.inheritance import freeze_all_but
from supernet_tl.training.projecting import project_supernet
from supernet_tl.training.scores import named_scores
from supernet_tl.training.search_module import SearchModule
from supernet_tl.training.seeds import own_random_numbers
from supernet_tl.training.stages import run_stage, scores_on
from supernet_tl.training.stopping import AccuracyPlateau, ArchitectureStability, BestEpoch, StopRule
from supernet_tl.training.train_module import TrainModule
from supernet_tl.training.warm_schedule import WarmSchedule

METRICS_FILE = "metrics.csv"
SUPERNET_FILE = "supernet.safetensors"
MIXING_FILE = "mixing_weights.safetensors"
SAMPLES_FILE = "samples.safetensors"
GUARD_FILE = "guard.json"
PROJECTION_FILE = "projection.json"
PROJECTED_FILE = "projected.safetensors"


@dataclass(frozen=True)
class Searched:
    """A searched supernet.

    Attributes:
        module: holds the supernet.
        rows: of every epoch.
        warm_start: what was copied from the source; None from scratch.
        collapse: what a guard found; the alphas are then those of an earlier epoch, the weights those of the last.
    """

    module: SearchModule
    rows: Sequence[EpochRow]
    warm_start: darts.WarmStartReport | None
    collapse: Collapse | None = None

    @property
    def supernet(self) -> darts.Supernet:
        """The supernet."""
        return self.module.supernet

    def stopped_early(self, recipe: Recipe) -> dict[str, Any] | None:
        """The last ``epoch``, ``of`` how many, and the ``reason``; None for a search that ran them all.

        After a collapse also ``alphas_of``, the epoch whose alphas the supernet has, be the search ended early or not.
        """
        last = self.rows[-1]
        if last.stopped is None and self.collapse is None:
            return None
        if self.collapse is None:
            return {"epoch": last.epoch, "of": recipe.epochs, "reason": last.stopped}
        reason = last.stopped or self.collapse.reason  # which may have been found after the very last epoch
        return {"epoch": last.epoch, "of": recipe.epochs, "reason": reason, "alphas_of": self.collapse.epoch}

    def scores(self, data: PreparedData, device: str, *, test: bool = True) -> dict[str, float | None]:
        """Scores after the last epoch, by name; unless ``test`` is off, this touches the test images."""
        on_test = {"test": scores_on(self.module, evaluation_loader(data.test), device)} if test else {}
        validation = (
            self.rows[-1].validation_scores
            if self.collapse is None  # otherwise the alphas are not those that were judged then
            else scores_on(self.module, evaluation_loader(data.validation), device)
        )
        return named_scores(validation=validation, **on_test)


@dataclass(frozen=True)
class Trained:
    """A trained final network.

    Attributes:
        classifier: the network with class names and normalisation.
        rows: of every epoch; none when it was not trained further.
        seed: of ops that draw noise in evaluation.
        projection_seconds: that perturbation-based selection took; None where alphas chose.
    """

    classifier: Classifier
    rows: Sequence[EpochRow]
    seed: int
    projection_seconds: float | None = None

    @property
    def seconds(self) -> dict[str, float]:
        """Of the stages after the search, by name."""
        chosen = {} if self.projection_seconds is None else {"projection": self.projection_seconds}
        return {**chosen, "finetune": self.rows[-1].seconds if self.rows else 0.0}

    def scores(self, data: PreparedData, device: str, *, test: bool = True) -> dict[str, float | None]:
        """Scores of the network that is kept, by name; unless ``test`` is off, this touches the test images."""
        module = TrainModule(self.classifier.network, seed=self.seed)
        parts = {"validation": data.validation, **({"test": data.test} if test else {})}
        return named_scores(
            **{name: scores_on(module, evaluation_loader(part), device) for name, part in parts.items()}
        )


def search_supernet(
    run: RunFolder,
    data: PreparedData,
    recipe: Recipe,
    control: Control,
    *,
    source: zoo_store.ZooEntry | None = None,
    title: str = "search",
) -> Searched:
    """The bilevel search, warm-started from a source where one is given; what it leaves is the last epoch's state."""
    if source is not None:
        check_sizes(source)
    try:
        module = _search_module(data, recipe, warm=None if source is None else recipe.warm)
    except darts.LimitError as error:
        raise RecipeError(
            f"{error} The switches are --max-params and --max-macs; repeat with --overwrite, or in another --output."
        ) from error
    warm = None if source is None else module.start_from(source.state)
    marker, metrics, guard = (run.path / name for name in (SUPERNET_FILE, METRICS_FILE, GUARD_FILE))
    if marker.exists():
        try:
            module.supernet.load_state_dict(load_file(marker))
            collapse = Collapse(**read_json(guard)) if guard.exists() else None
            return Searched(module, [row for row in read_csv(metrics) if row.stage == "search"], warm, collapse)
        except (SafetensorError, RuntimeError, TypeError, ValueError, OSError) as error:
            names = ", ".join(product.name for product in (marker, metrics, guard) if product.exists())
            control.say(f"one of {names} in {run.path} is damaged ({error}); searching again")
            for product in (marker, metrics, guard):
                product.unlink(missing_ok=True)
            return search_supernet(run, data, recipe, control, source=source, title=title)
    near = data.near(adapters.torch_device(control.device), control.workers)
    rules = _stop_rules(recipe)
    history = run_stage(
        module,
        near.search_loader(recipe),
        evaluation_loader(near.validation),
        stage="search",
        num_epochs=recipe.epochs,
        folder=run.path,
        device=control.device,
        stop_rules=rules,
        title=title,
        quiet=control.quiet,
    )
    last = history.rows[-1]
    if last.stopped is not None:
        control.say(f"{title}: stopped after epoch {last.epoch} of {recipe.epochs}: {last.stopped}")
    module.supernet.requires_grad_(True)  # whatever the schedule froze
    _require_finite(module.supernet, "the search", f"weight_lr={recipe.weight_lr:g}", "--weight-lr")
    write_csv(metrics, history.rows)
    write_whole(run.path / MIXING_FILE, save_tensors(history.mixing()))
    collapse = collapse_of(rules)
    if collapse is not None:
        _put_back(module.supernet, history.arch_parameters[collapse.epoch])
        run.write_json(GUARD_FILE, collapse._asdict())
        control.say(f"{title}: {collapse.reason}; the architecture is that of epoch {collapse.epoch}")
    write_whole(marker, save_tensors(adapters.plain_state(module.supernet)))
    return Searched(module, history.rows, warm, collapse)


@torch.no_grad()
def _put_back(supernet: darts.Supernet, values: Sequence[Tensor]) -> None:
    """Give the architecture parameters earlier values back."""
    for parameter, value in zip(supernet.arch_parameters(), values, strict=True):
        parameter.copy_(value)


def train_final(run: RunFolder, data: PreparedData, recipe: Recipe, control: Control, searched: Searched) -> Trained:
    """Discretize, build the final network and train it on the weight and architecture images together.

    After a warm start it trains what the warm schedule lets move.

    Source: Singh & Vanschoren (arXiv:2407.20279), algorithm 2, line 14 (inherit), and appendix B.2 (retrain).
    """
    stage = "finetune" if recipe.final == "inherit" else "retrain"
    folder, metrics = run.path / "network", run.path / METRICS_FILE
    rows = read_csv(metrics)
    if (folder / "network.json").exists():
        try:
            trained = [row for row in rows if row.stage == stage]
            return Trained(load_classifier(folder), trained, recipe.seed, _projection_seconds(run))
        except NetworkFileError as error:
            control.say(f"{error} Training it again.")
            shutil.rmtree(folder)
    supernet, genotype = _discretized(run, data, recipe, control, searched.supernet)
    run.write_json("genotype.json", genotype.to_dict())
    network = _untrained_network(data, recipe, supernet, genotype)
    if searched.warm_start is not None:
        freeze_all_but(network, recipe.warm.moving)
    network.train()  # whatever mode the supernet was left in; Lightning keeps the mode that it finds
    final_rows: Sequence[EpochRow] = ()
    device = adapters.torch_device(control.device)
    near = data.near(device, control.workers)
    if recipe.final == "inherit" and recipe.reestimate_final:
        _reestimate(network, near, recipe, device)
    if recipe.finetune_epochs:
        module = _train_module(network, data, recipe)
        best = None if recipe.finetune_patience is None else BestEpoch(recipe.finetune_patience)
        final_rows = run_stage(
            module,
            near.train_loader(recipe),
            evaluation_loader(near.validation),
            stage=stage,
            num_epochs=recipe.finetune_epochs,
            folder=run.path,
            device=control.device,
            gradient_clip=recipe.max_gradient_norm,
            stop_rules=[] if best is None else [best],
            title="fine-tuning" if stage == "finetune" else "retraining",
            quiet=control.quiet,
        ).rows
        network.load_state_dict(module.result.state_dict() if best is None else best.state)
        write_csv(metrics, [*(row for row in rows if row.stage == "search"), *final_rows])
    network.requires_grad_(True)
    _require_finite(network, "training the final network", f"finetune_lr={recipe.finetune_lr:g}", "--finetune-lr")
    classifier = Classifier(network.eval(), data.class_names, data.normalisations[0], recipe.image_size)
    save_classifier(folder, classifier, {"data": adapters.data_cards(data)})
    return Trained(classifier, final_rows, recipe.seed, _projection_seconds(run))


def _discretized(
    run: RunFolder, data: PreparedData, recipe: Recipe, control: Control, supernet: darts.Supernet
) -> tuple[darts.Supernet, darts.Genotype]:
    """The architecture, and the supernet whose weights it may inherit."""
    if recipe.discretization == "magnitude":
        return supernet, recipe.objective.of(supernet).discretize(supernet)
    marker, weights = run.path / PROJECTION_FILE, run.path / PROJECTED_FILE
    if marker.exists():
        try:
            stored = darts.Genotype.from_dict(read_json(marker)["genotype"])
            stored.check_in(supernet.space)
            tuned = copy.deepcopy(supernet)
            tuned.load_state_dict(load_file(weights))
            return tuned, stored
        except (SafetensorError, RuntimeError, TypeError, ValueError, KeyError, OSError) as error:
            control.say(f"{marker.name} or {weights.name} of {run.path} is damaged ({error}); choosing again")
    started = time.perf_counter()
    with counted("choosing ops by what is lost without them", quiet=control.quiet) as progress:
        device = adapters.torch_device(control.device)
        found = project_supernet(supernet, data, recipe, device, progress, workers=control.workers)
    seconds = time.perf_counter() - started
    _require_finite(found.supernet, "tuning between decisions", f"weight_lr={recipe.weight_lr:g}", "--weight-lr")
    write_whole(weights, save_tensors(adapters.plain_state(found.supernet)))
    projection = found.projection
    decisions = [decision.to_dict() for decision in projection.decisions]
    genotype = projection.genotype
    run.write_json(PROJECTION_FILE, {"genotype": genotype.to_dict(), "seconds": seconds, "decisions": decisions})
    return found.supernet, genotype


def _projection_seconds(run: RunFolder) -> float | None:
    return float(run.read_json(PROJECTION_FILE)["seconds"]) if run.has(PROJECTION_FILE) else None


def _require_finite(net: torch.nn.Module, what: str, setting: str, switch: str) -> None:
    if not is_finite(net):
        raise DivergedError(
            f"{what} diverged: weights or statistics are not finite at {setting}. Lower {switch} and begin anew in "
            "another --output."
        )


def _search_module(data: PreparedData, recipe: Recipe, *, warm: WarmSchedule | None = None) -> SearchModule:
    first_rate = recipe.weight_lr * (1.0 if warm is None else warm.lr_factor)
    return SearchModule(
        num_classes=data.num_classes,
        space=recipe.space,
        channels=recipe.channels,
        num_cells=recipe.num_cells,
        in_channels=data.in_channels,
        stem=recipe.stem,
        family=recipe.family,
        weight_optimizer=_sgd(recipe, recipe.weight_lr),
        arch_optimizer=partial(
            torch.optim.Adam, lr=recipe.arch_lr, betas=(0.5, 0.999), weight_decay=recipe.arch_weight_decay
        ),
        weight_scheduler=partial(CosineAnnealingLR, T_max=recipe.epochs, eta_min=min(recipe.weight_lr_min, first_rate)),
        order=recipe.order,
        perturbation=recipe.perturbation,
        max_radius=recipe.max_radius,
        attack_steps=recipe.attack_steps,
        random_start=recipe.random_start,
        num_micro_batches=recipe.num_micro_batches,
        max_gradient_norm=recipe.max_gradient_norm,
        augmentation=data.augmentation(recipe),
        first_alpha_epoch=recipe.first_alpha_epoch if warm is None else 0,
        warm=warm,
        objective=recipe.objective,
        seed=recipe.seed,
    )


def _stop_rules(recipe: Recipe) -> list[StopRule]:
    rules: list[StopRule] = []
    if recipe.patience is not None:
        rules.append(AccuracyPlateau(recipe.patience))
    if recipe.stable_epochs is not None:
        rules.append(ArchitectureStability(recipe.stable_epochs, recipe.entropy_tolerance))
    if recipe.max_skips is not None:
        rules.append(SkipConnectionLimit(recipe.max_skips))
    if recipe.eigenvalue_ratio is not None:
        rules.append(EigenvalueRise(recipe.eigenvalue_ratio))
    return rules


def _train_module(network: darts.DiscreteNetwork, data: PreparedData, recipe: Recipe) -> TrainModule:
    return TrainModule(
        network,
        optimizer=_sgd(recipe, recipe.finetune_lr),
        drop_path_prob=recipe.drop_path_prob,
        auxiliary_weight=recipe.auxiliary_weight,
        augmentation=data.augmentation(recipe),
        seed=recipe.seed,
        schedule=recipe.final_schedule,
        class_weights=_balanced(data) if recipe.class_weights == "balanced" else None,
    )


def _balanced(data: PreparedData) -> Tensor:
    """Weights of the classes, shape (num_classes,), float32: in the training images all classes then weigh the same."""
    labels = data.search.labels.cpu()
    counts = torch.bincount(labels, minlength=data.num_classes).clamp(min=1)
    return len(labels) / (data.num_classes * counts.float())


def _reestimate(network: darts.DiscreteNetwork, data: PreparedData, recipe: Recipe, device: torch.device) -> None:
    """Give a network that inherits its weights statistics of its own, by one pass over the training images."""
    network.to(device)
    with own_random_numbers():
        torch.manual_seed(recipe.seed)  # of ops that draw noise
        darts.reestimate_batch_norm(network, (batch.to(device).images for batch in data.train_loader(recipe)))
    network.cpu()


def _sgd(recipe: Recipe, lr: float) -> partial[torch.optim.SGD]:
    return partial(torch.optim.SGD, lr=lr, momentum=recipe.weight_momentum, weight_decay=recipe.weight_decay)


def _untrained_network(
    data: PreparedData, recipe: Recipe, supernet: darts.Supernet, genotype: darts.Genotype
) -> darts.DiscreteNetwork:
    if recipe.final == "inherit":
        return darts.DiscreteNetwork.from_supernet(supernet, genotype)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return darts.DiscreteNetwork(
            genotype,
            data.num_classes,
            recipe.retrain_channels,
            recipe.retrain_num_cells,
            auxiliary=recipe.auxiliary_weight > 0,
            in_channels=data.in_channels,
            stem=recipe.stem,
        )
