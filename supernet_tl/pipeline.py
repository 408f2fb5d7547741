"""The paper's algorithms on image sets: pretrain a zoo, transfer to a target, search from scratch.

Source: Singh & Vanschoren, "On Supernet Transfer Learning for Effective Task Adaptation" (arXiv:2407.20279).
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from safetensors.torch import save as save_tensors
from torch import Tensor

import darts
import ot_select
import zoo_store
from supernet_tl import adapters
from supernet_tl.console import counted, say
from supernet_tl.data import ImageSet, Splits, open_image_set
from supernet_tl.errors import RecipeError
from supernet_tl.files import write_whole
from supernet_tl.history import (
    EpochRow,
    TimeToAccuracy,
    best_validation_accuracy,
    read_csv,
    time_to_accuracy,
    write_csv,
)
from supernet_tl.network_file import Classifier, load_classifier, save_classifier
from supernet_tl.prepared_data import PreparedData, evaluation_loader, mix, prepare
from supernet_tl.recipe import Recipe, digest
from supernet_tl.run_folder import RunFolder, run_folder
from supernet_tl.search_module import SearchModule
from supernet_tl.selection import ADOPTED, Selection, select_entry, zoo_default
from supernet_tl.stages import run_stage, test_accuracy
from supernet_tl.train_module import TrainModule

Source = str | os.PathLike[str] | ImageSet
SUMMARY_SCHEMA = 1
_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.99)
_PRETRAIN_FRACS = {"test_frac": 0.1, "validation_frac": 0.1}
"""A source is there to be learnt from: less is held out than of a target."""


@dataclass(frozen=True)
class Control:
    """How a run behaves, which changes none of its numbers but those that depend on the device.

    Attributes:
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        quiet: say nothing on the terminal.
        overwrite: replace a run that the output folder holds.
        skip_corrupt: leave unreadable images out instead of refusing the set.
        drop_small_classes: leave classes with fewer than four images out instead of refusing the set.
    """

    device: str = "auto"
    quiet: bool = False
    overwrite: bool = False
    skip_corrupt: bool = False
    drop_small_classes: bool = False

    def open(self, source: Source) -> ImageSet:
        """Open and check an image set."""
        with counted(f"checking {source}", quiet=self.quiet) as progress:
            return open_image_set(
                source,
                skip_corrupt=self.skip_corrupt,
                drop_small_classes=self.drop_small_classes,
                progress=progress,
            )


@dataclass(frozen=True)
class TransferResult:
    """What a transfer or a search hands back.

    Attributes:
        selection: the chosen source with the evidence; None for a search from scratch.
        genotype: the architecture.
        network: the final network, in evaluation mode.
        classifier: the same with normalisation and class names.
        metrics: accuracies and sizes, by name.
        summary: the content of ``summary.json``.
        output: the run's folder; None when none was asked for.
    """

    selection: Selection | None
    genotype: darts.Genotype
    network: darts.DiscreteNetwork
    classifier: Classifier
    metrics: dict[str, Any]
    summary: dict[str, Any] = field(repr=False)
    output: Path | None

    @property
    def ranking(self) -> ot_select.Ranking[ot_select.Comparison] | None:
        """The sources, nearest first."""
        return self.selection.ranking if self.selection is not None else None


def pretrain(
    sources: Source | Sequence[Source],
    zoo: zoo_store.Zoo | str | os.PathLike[str] | None = None,
    *,
    mixture: bool = False,
    output: str | os.PathLike[str] | None = None,
    control: Control | None = None,
    **options: Any,
) -> zoo_store.ZooEntry | list[zoo_store.ZooEntry]:
    """Algorithm 1: search a supernet on each source, from random weights; algorithm 3's source with ``mixture``.

    An entry that the zoo already holds for the same images and settings is not made again. Interrupted pretraining is
    continued when the same call is made again with a zoo or an output.

    Args:
        sources: folders, Meta-Album folders, ``pocket:NAME`` or image sets; one or several.
        zoo: gets the entries.
        mixture: one supernet with one head for all sources together.
        output: folder of the runs (logs, metrics); ``ZOO/.runs`` when absent.
        control: device, overwriting, bad images.
        **options: fields of :class:`supernet_tl.Recipe`, such as ``space``, ``channels``, ``num_cells``, ``epochs``,
            ``embedder``, ``seed``.

    Returns:
        One entry, or a list of them when several sources are not mixed.

    Raises:
        RecipeError: an option is unknown or out of range.
        DataError: a source that cannot be used.
    """
    control = control or Control()
    recipe = Recipe.from_options({**_PRETRAIN_FRACS, **{name: value for name, value in options.items() if value is not None}})
    listed = [sources] if isinstance(sources, str | os.PathLike | ImageSet) else list(sources)
    if not listed:
        raise RecipeError("no sources were given; expected at least one folder, pocket:NAME or image set.")
    if mixture and len(listed) < 2:
        raise RecipeError("a mixture of one source was asked for; give two or more sources, or leave --mixture out.")
    opened = [control.open(source) for source in listed]
    store = None if zoo is None else adapters.open_zoo(zoo if isinstance(zoo, zoo_store.Zoo) else Path(zoo))
    runs = Path(output) if output is not None else (Path(zoo) / ".runs" if isinstance(zoo, str | os.PathLike) else None)
    if isinstance(zoo, zoo_store.Zoo) and runs is None:
        runs = Path(zoo.path) / ".runs"
    groups = [opened] if mixture else [[images] for images in opened]
    # The embedder is needed last; that it cannot be had must be known before hours of training.
    adapters.embedder_for(recipe.embedder, recipe.embed_size, control.device)
    entries = [_pretrain_one(group, store, recipe, runs, control) for group in groups]
    return entries[0] if len(entries) == 1 else entries


def _pretrain_one(
    group: Sequence[ImageSet], zoo: zoo_store.Zoo | None, recipe: Recipe, runs: Path | None, control: Control
) -> zoo_store.ZooEntry:
    name = "+".join(images.name for images in group)
    fingerprints = [images.fingerprint() for images in group]
    known = None if zoo is None else _pretrained(zoo, recipe, fingerprints, control)
    if zoo is not None and known is not None:
        say(f"{name}: already in the zoo as {known[:12]}; nothing to do", quiet=control.quiet)
        return zoo.get(known)
    settings = {"recipe": recipe.to_dict(), "data": fingerprints}
    folder = None if runs is None else runs / f"{_file_name(name)}-{digest(settings)[:12]}"
    finished_before = folder is not None and (folder / "run.json").exists() and zoo is not None
    overwrite = control.overwrite or (finished_before and _is_finished(folder))
    with run_folder(folder, "pretraining", settings, overwrite=overwrite) as run:
        if run.continued:
            say(f"{name}: continuing the unfinished pretraining in {run.path}", quiet=control.quiet)
        parts = [_prepared(images, recipe, None, control) for images in group]
        data = parts[0] if len(parts) == 1 else mix(parts)
        module, rows, _ = _search(run, data, recipe, None, control, title=f"pretraining {name}")
        with counted(f"embedding {name}", quiet=control.quiet) as progress:
            sketch = adapters.sketch_of(data, recipe, control.device, progress)
        metrics = {
            "validation_accuracy": _last_validation(rows),
            "test_accuracy": test_accuracy(module, evaluation_loader(data.test), control.device),
        }
        timings = {"search_seconds": rows[-1].seconds}
        entry = adapters.entry_of(data, recipe, module.supernet, sketch, metrics, timings)
        if zoo is not None:
            entry_id = zoo.add(entry)
            say(f"{name}: added to the zoo as {entry_id[:12]}", quiet=control.quiet)
        run.finish()
    return entry


def select(
    target: Source,
    zoo: zoo_store.Zoo | str | os.PathLike[str],
    *,
    select: str = "nearest",
    control: Control | None = None,
    **options: Any,
) -> Selection:
    """Rank a zoo's sources by their distance to a target, and choose one.

    Args:
        target: a folder, Meta-Album folder, ``pocket:NAME`` or image set.
        zoo: the zoo or its path.
        select: ``nearest``, ``mixture``, ``random``, or an entry.
        control: device, bad images.
        **options: fields of :class:`supernet_tl.Recipe`; the zoo's embedder is used unless one is given.
    """
    control = control or Control()
    store = adapters.open_zoo(zoo if isinstance(zoo, zoo_store.Zoo) else Path(zoo))
    recipe, required = _transfer_recipe(store, options)
    images = control.open(target)
    return _select(store, _prepared(images, recipe, None, control), select, recipe, required, control)


def transfer(
    target: Source,
    zoo: zoo_store.Zoo | str | os.PathLike[str],
    select: str = "nearest",
    epochs: int = 50,
    finetune_epochs: int = 50,
    final: str = "inherit",
    output: str | os.PathLike[str] | None = None,
    embedder: str | None = None,
    seed: int = 0,
    *,
    control: Control | None = None,
    **options: Any,
) -> TransferResult:
    """Algorithm 2: take the nearest supernet, search on from its weights and alphas, discretize, fine-tune.

    Algorithm 3 with ``select="mixture"``. An interrupted transfer is continued when the same call is made again.

    Args:
        target: a folder, Meta-Album folder, ``pocket:NAME`` or image set.
        zoo: the zoo or its path.
        select: ``nearest``, ``mixture``, ``random``, or an entry's id or name.
        epochs: of the search.
        finetune_epochs: of training the final network.
        final: ``inherit`` (line 14: surviving weights, depth and width of the supernet) or ``retrain`` (appendix B.2).
        output: the run's folder.
        embedder: the one that the zoo was sketched with when absent.
        seed: of everything random.
        control: device, overwriting, bad images.
        **options: further fields of :class:`supernet_tl.Recipe`. ``space``, ``channels``, ``num_cells`` and
            ``image_size`` are those of the chosen entry; where given, only entries that have them are considered.

    Raises:
        SelectionError: no entry can be used.
        RunFolderError: ``output`` holds something else.
        DataError: the target cannot be used.
    """
    control = control or Control()
    store = adapters.open_zoo(zoo if isinstance(zoo, zoo_store.Zoo) else Path(zoo))
    given = dict(options, epochs=epochs, finetune_epochs=finetune_epochs, final=final, embedder=embedder, seed=seed)
    recipe, required = _transfer_recipe(store, given)
    images = control.open(target)
    settings = {
        "recipe": recipe.to_dict(),
        "required": required,
        "select": select,
        "target": images.fingerprint(),
    }
    with run_folder(None if output is None else Path(output), "transfer", settings, overwrite=control.overwrite) as run:
        _say_continued(run, control)
        started = time.perf_counter()
        splits = _splits(run, images)
        chosen = _select(store, _prepared(images, recipe, splits, control), select, recipe, required, control)
        run.write_json("ranking.json", chosen.to_dict())
        source = store.get(chosen.entry_id)
        recipe = recipe.replace(**{name: _card_value(source.card, name) for name in ADOPTED})
        data = _prepared(images, recipe, splits, control)
        select_seconds = time.perf_counter() - started
        _write_samples(run, data, source)
        return _adapt(run, data, recipe, chosen, source, control, output, {"selection": select_seconds})


def search(
    target: Source,
    epochs: int = 50,
    finetune_epochs: int = 50,
    final: str = "inherit",
    output: str | os.PathLike[str] | None = None,
    seed: int = 0,
    *,
    control: Control | None = None,
    **options: Any,
) -> TransferResult:
    """The baseline: the same search, discretization and fine-tuning from random weights. Arguments as ``transfer``."""
    control = control or Control()
    recipe = Recipe.from_options(dict(options, epochs=epochs, finetune_epochs=finetune_epochs, final=final, seed=seed))
    images = control.open(target)
    settings = {"recipe": recipe.to_dict(), "target": images.fingerprint()}
    with run_folder(None if output is None else Path(output), "search", settings, overwrite=control.overwrite) as run:
        _say_continued(run, control)
        data = _prepared(images, recipe, _splits(run, images), control)
        _write_samples(run, data, None)
        return _adapt(run, data, recipe, None, None, control, output, {})


def _adapt(
    run: RunFolder,
    data: PreparedData,
    recipe: Recipe,
    selection: Selection | None,
    source: zoo_store.ZooEntry | None,
    control: Control,
    output: str | os.PathLike[str] | None,
    seconds: dict[str, float],
) -> TransferResult:
    """Search on the target, discretize, build the final network, fine-tune, evaluate, and leave the evidence."""
    run.write_json("splits.json", data.splits[0].to_dict())
    module, search_rows, warm = _search(run, data, recipe, source, control, title="search")
    genotype = module.genotype()
    run.write_json("genotype.json", genotype.to_dict())
    classifier, final_rows = _final_network(run, data, recipe, module, genotype, control)
    final = TrainModule(classifier.network)
    accuracies = {
        "supernet": {
            "validation_accuracy": _last_validation(search_rows),
            "test_accuracy": test_accuracy(module, evaluation_loader(data.test), control.device),
        },
        "network": {
            "validation_accuracy": test_accuracy(final, evaluation_loader(data.validation), control.device),
            "test_accuracy": test_accuracy(final, evaluation_loader(data.test), control.device),
        },
    }
    seconds = {
        **seconds,
        "search": search_rows[-1].seconds,
        "finetune": final_rows[-1].seconds if final_rows else 0.0,
    }
    summary = _summary(run, data, recipe, selection, warm, module, classifier, accuracies, search_rows, seconds)
    run.write_json("summary.json", summary)
    if output is not None:
        from supernet_tl.report import build_report

        build_report(run.path)
    run.finish()
    metrics = {
        f"{part}_{name}": value for part in ("supernet", "network") for name, value in summary[part].items()
    }
    classifier.network.to("cpu").eval()
    path = None if output is None else Path(output)
    return TransferResult(selection, genotype, classifier.network, classifier, metrics, summary, path)


def _search(
    run: RunFolder,
    data: PreparedData,
    recipe: Recipe,
    source: zoo_store.ZooEntry | None,
    control: Control,
    title: str,
) -> tuple[SearchModule, list[EpochRow], darts.WarmStartReport | None]:
    """The bilevel search, or its outcome where the run already has it."""
    module = SearchModule(
        num_classes=data.num_classes,
        space=recipe.space,
        channels=recipe.channels,
        num_cells=recipe.num_cells,
        weight_optimizer=partial(
            torch.optim.SGD, lr=recipe.weight_lr, momentum=recipe.weight_momentum, weight_decay=recipe.weight_decay
        ),
        arch_optimizer=partial(
            torch.optim.Adam, lr=recipe.arch_lr, betas=(0.5, 0.999), weight_decay=recipe.arch_weight_decay
        ),
        weight_scheduler=partial(
            torch.optim.lr_scheduler.CosineAnnealingLR, T_max=recipe.epochs, eta_min=min(recipe.weight_lr_min, recipe.weight_lr)
        ),
        perturbation=recipe.perturbation,
        max_radius=recipe.max_radius,
        max_gradient_norm=recipe.max_gradient_norm,
        augmentation=data.augmentation(recipe),
        seed=recipe.seed,
    )
    warm = None if source is None else darts.warm_start(module.supernet, source.state)
    marker, metrics = run.path / "supernet.safetensors", run.path / "metrics.csv"
    if marker.exists():
        module.supernet.load_state_dict(load_file(marker))
        return module, [row for row in read_csv(metrics) if row.stage == "search"], warm
    history = run_stage(
        module,
        data.search_loader(recipe),
        evaluation_loader(data.validation),
        stage="search",
        num_epochs=recipe.epochs,
        folder=run.path,
        device=control.device,
        title=title,
        quiet=control.quiet,
    )
    write_csv(metrics, history.rows)
    write_whole(run.path / "mixing_weights.safetensors", save_tensors(history.mixing()))
    write_whole(marker, save_tensors(_plain_state(module.supernet)))
    return module, history.rows, warm


def _final_network(
    run: RunFolder,
    data: PreparedData,
    recipe: Recipe,
    searched: SearchModule,
    genotype: darts.Genotype,
    control: Control,
) -> tuple[Classifier, list[EpochRow]]:
    """The final network, trained on weight and architecture images, or the one that the run already has."""
    stage = "finetune" if recipe.final == "inherit" else "retrain"
    folder, metrics = run.path / "network", run.path / "metrics.csv"
    rows = read_csv(metrics)
    if (folder / "network.json").exists():
        return load_classifier(folder), [row for row in rows if row.stage == stage]
    network = _untrained_network(data, recipe, searched.supernet, genotype)
    final_rows: list[EpochRow] = []
    if recipe.finetune_epochs:
        module = TrainModule(
            network,
            optimizer=partial(
                torch.optim.SGD, lr=recipe.finetune_lr, momentum=recipe.weight_momentum, weight_decay=recipe.weight_decay
            ),
            drop_path_prob=recipe.drop_path_prob,
            auxiliary_weight=recipe.auxiliary_weight,
            augmentation=data.augmentation(recipe),
            seed=recipe.seed,
        )
        final_rows = run_stage(
            module,
            data.train_loader(recipe),
            evaluation_loader(data.validation),
            stage=stage,
            num_epochs=recipe.finetune_epochs,
            folder=run.path,
            device=control.device,
            gradient_clip=recipe.max_gradient_norm,
            title="fine-tuning" if stage == "finetune" else "retraining",
            quiet=control.quiet,
        ).rows
        write_csv(metrics, [*(row for row in rows if row.stage == "search"), *final_rows])
    classifier = Classifier(network.eval(), data.class_names, data.normalisations[0], recipe.image_size)
    save_classifier(folder, classifier, {"data": adapters.data_cards(data)})
    return classifier, final_rows


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
        )


def _summary(
    run: RunFolder,
    data: PreparedData,
    recipe: Recipe,
    selection: Selection | None,
    warm: darts.WarmStartReport | None,
    module: SearchModule,
    classifier: Classifier,
    accuracies: dict[str, dict[str, float | None]],
    rows: Sequence[EpochRow],
    seconds: dict[str, float],
) -> dict[str, Any]:
    image_shape = (3, recipe.image_size, recipe.image_size)
    best = best_validation_accuracy(rows)
    images, network = data.image_sets[0], classifier.network
    return {
        "schema_version": SUMMARY_SCHEMA,
        "verb": "search" if selection is None else "transfer",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "target": {
            **adapters.data_cards(data)[0],
            "class_names": list(data.class_names),
            "skipped_images": [str(problem) for problem in images.skipped],
            "ignored_files": len(images.ignored),
        },
        "source": None if selection is None else _source(selection),
        "warm_start": None
        if warm is None
        else {"copied": len(warm.copied), "reinitialised": list(warm.reinitialised), "unused": list(warm.unused)},
        "recipe": recipe.to_dict(),
        "genotype": classifier.network.genotype.to_dict(),
        "num_skip_connections": classifier.network.genotype.count("skip_connect"),
        "supernet": {
            **accuracies["supernet"],
            "best_validation_accuracy": best,
            "num_parameters": sum(parameter.numel() for parameter in module.supernet.weight_parameters()),
            "macs": darts.count_macs(module.supernet, image_shape),
        },
        "network": {
            **accuracies["network"],
            "final": recipe.final,
            "channels": network.channels,
            "num_cells": network.num_cells,
            "num_parameters": darts.count_parameters(network),
            "macs": darts.count_macs(network, image_shape),
        },
        "time_to_accuracy": [_as_dict(time_to_accuracy(rows, accuracy)) for accuracy in _THRESHOLDS],
        "time_to_best": None if best is None else _as_dict(time_to_accuracy(rows, best)),
        "seconds": seconds,
        "versions": adapters.library_versions(),
    }


def _as_dict(reached: TimeToAccuracy) -> dict[str, float | int | None]:
    return {"accuracy": reached.accuracy, "epochs": reached.epochs, "seconds": reached.seconds}


def _source(selection: Selection) -> dict[str, Any]:
    card, comparison = selection.card, selection.comparison
    return {
        "select": selection.select,
        "entry": selection.entry_id,
        "name": card.get("name"),
        "kind": card.get("kind"),
        "data": card.get("data"),
        "metrics": card.get("metrics"),
        "squared_distance": comparison.squared,
        "distance": comparison.distance if comparison.squared >= 0 else None,
        "rows_compared": selection.ranking.rows_compared,
        "num_evaluated": selection.ranking.num_evaluated,
    }


def _select(
    zoo: zoo_store.Zoo,
    data: PreparedData,
    select: str,
    recipe: Recipe,
    required: dict[str, Any],
    control: Control,
) -> Selection:
    with counted("embedding the target", quiet=control.quiet) as progress:
        sketch = adapters.sketch_of(data, recipe, control.device, progress)
    with counted("measuring distances", quiet=control.quiet) as progress:
        chosen = select_entry(zoo, sketch, select, recipe, required, progress)
    for entry_id, reason in chosen.excluded.items():
        say(f"left out of the ranking: {entry_id[:12]}, because {reason}", quiet=control.quiet)
    return chosen


def _transfer_recipe(zoo: zoo_store.Zoo, options: dict[str, Any]) -> tuple[Recipe, dict[str, Any]]:
    """The recipe of a transfer, and which settings an entry must have: those the caller gave."""
    given = {name: value for name, value in options.items() if value is not None}
    required = {name: given[name] for name in ADOPTED if name in given}
    for name in ("embedder", "embed_size"):
        if name not in given:
            found = zoo_default(zoo, name)
            if found is not None:
                given[name] = found
    return Recipe.from_options(given), required


def _card_value(card: Any, name: str) -> Any:
    value = card[name]
    return value["name"] if isinstance(value, dict) else value


def _prepared(images: ImageSet, recipe: Recipe, splits: Splits | None, control: Control) -> PreparedData:
    with counted(f"reading {images.name}", quiet=control.quiet) as progress:
        return prepare(images, recipe, splits, progress)


def _splits(run: RunFolder, images: ImageSet) -> Splits | None:
    return Splits.from_dict(run.read_json("splits.json"), images.labels) if run.has("splits.json") else None


def _pretrained(zoo: zoo_store.Zoo, recipe: Recipe, fingerprints: list[str], control: Control) -> str | None:
    """The entry of the same settings, images and embedder, if the zoo has one."""
    if not Path(zoo.path).exists():
        return None
    identity = adapters.embedder_for(recipe.embedder, recipe.embed_size, control.device).identity
    for entry_id, card in zoo.cards().items():
        embedder = card.get("embedder") or {}
        same_data = [part.get("fingerprint") for part in card.get("data") or []] == fingerprints
        same_embedder = embedder.get("weights_sha256") == identity.weights_sha256
        if same_data and same_embedder and card.get("recipe") == recipe.pretraining_settings():
            return entry_id
    return None


def _is_finished(folder: Path | None) -> bool:
    from supernet_tl.files import read_json

    return folder is not None and bool(read_json(folder / "run.json").get("finished"))


def _write_samples(run: RunFolder, data: PreparedData, source: zoo_store.ZooEntry | None) -> None:
    samples = {"target": adapters.thumbnails(data.image_sets, data.splits)}
    if source is not None and adapters.THUMBNAILS in source.sketch:
        samples["source"] = source.sketch[adapters.THUMBNAILS]
    write_whole(run.path / "samples.safetensors", save_tensors(samples))


def _plain_state(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in module.state_dict().items()}


def _last_validation(rows: Sequence[EpochRow]) -> float | None:
    return rows[-1].validation_accuracy


def _say_continued(run: RunFolder, control: Control) -> None:
    if run.continued:
        say(f"continuing the unfinished run in {run.path}", quiet=control.quiet)


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)[:60]
