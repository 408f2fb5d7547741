"""Algorithms 2 and 3: select a source, search on from its supernet, keep a small trained network; and the baseline.

Source: Singh & Vanschoren, "On Supernet Transfer Learning for Effective Task Adaptation" (arXiv:2407.20279).
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from safetensors.torch import save as save_tensors
from torch import Tensor

import darts
import ot_select
import zoo_store
from supernet_tl import adapters
from supernet_tl.adapt import SAMPLES_FILE, search_supernet, train_final
from supernet_tl.choosing.choose import select_entry
from supernet_tl.choosing.past_accuracies import digest_of
from supernet_tl.choosing.probing import Prober
from supernet_tl.choosing.selection import Selection
from supernet_tl.control import Control, Source
from supernet_tl.data import ImageSet, Splits, StoredSplits
from supernet_tl.data.health import DataHealth
from supernet_tl.data.splitting.stored import FILE_NAME as SPLITS_FILE
from supernet_tl.data_health import copy_health, examine_target
from supernet_tl.files import write_whole
from supernet_tl.mistakes import IMAGES_FILE, MISTAKES_FILE, mistakes_of
from supernet_tl.network_file import Classifier
from supernet_tl.prepared_data import PreparedData, pinned
from supernet_tl.recipe import ADOPTED, Recipe
from supernet_tl.run_folder import RunFolder, is_finished, refuse_finished, run_folder
from supernet_tl.summary import metrics_of, summarise
from supernet_tl.sweeping import Sweep, sweep_sizes
from supernet_tl.terminal.console import counted
from supernet_tl.zoos import open_zoo, zoo_default


@dataclass(frozen=True)
class TransferResult:
    """What a transfer or a search hands back.

    Attributes:
        selection: the choice with the evidence, which may be scratch; None for a search from scratch.
        genotype: the architecture.
        network: the final network, in evaluation mode, on the CPU.
        classifier: the same with normalisation and class names: ``classifier.predict(images)``.
        metrics: accuracies and sizes by name, such as ``network_test_accuracy``.
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
        """The sources, nearest first; None for a search that chose none."""
        return None if self.selection is None else self.selection.ranking


def select(
    target: Source,
    zoo: zoo_store.Zoo | str | os.PathLike[str],
    select: str = "nearest",
    *,
    control: Control | None = None,
    **options: Any,
) -> Selection:
    """Rank a zoo's sources by their distance to a target, and choose one. Nothing is trained.

    Args:
        target: a folder, Meta-Album folder, ``pocket:NAME`` or image set.
        zoo: the zoo, its address, or ``starter``, the one that the package ships.
        select: as in :func:`transfer`; for ``probe`` the outcome says what a transfer would probe.
        control: device, bad images.
        **options: fields of :class:`supernet_tl.Recipe`; the embedder is the zoo's own unless one is given.
    """
    control, store = control or Control(), open_zoo(zoo)
    recipe, required = transfer_recipe(store, options)
    images = control.open(target)
    chosen = _select(store, images, control.split(images, recipe), select, recipe, required, control)
    _say_seen(chosen, control)
    return chosen


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
    with_scratch: bool = False,
    sweep: Sweep | int | None = None,
    control: Control | None = None,
    **options: Any,
) -> TransferResult:
    """Algorithm 2: take the nearest supernet, search on from its weights and alphas, discretize, fine-tune.

    Where probing finds that no source helps, the same from random weights, and the outcome says so. Algorithm 3 with
    ``select="mixture"``. An interrupted transfer is continued when the same call is made again.

    Args:
        target: a folder, Meta-Album folder, ``pocket:NAME`` or image set.
        zoo: the zoo, its address, or ``starter``, the one that the package ships.
        select: ``nearest``; ``probe``, which searches for ``probe_epochs`` from the ``probe_candidates`` nearest and
            from scratch, and goes on from what does best on validation; ``mixture``; the baselines ``random``,
            ``largest``, ``same-classes`` and ``fixed-best``; a selector that another package offers; or an entry's id
            or name.
        epochs: of the search.
        finetune_epochs: of training the final network.
        final: ``inherit`` (line 14: surviving weights, depth and width of the supernet) or ``retrain`` (appendix B.2).
        output: the run's folder.
        embedder: the one that the zoo was sketched with when absent.
        seed: of everything random.
        with_scratch: also search from scratch with the same settings, in ``output/scratch``, for the report.
        sweep: also train so many smaller networks of the same search, each the best one within a limit, in
            ``output/sweep``; the summary and the report show accuracy against size.
        control: device, overwriting, bad images.
        **options: further fields of :class:`supernet_tl.Recipe`. ``space``, ``channels``, ``num_cells``,
            ``image_size``, ``in_channels``, ``stem`` and ``family`` are those of the chosen entry; where given, only
            entries that have them are considered.

    Raises:
        SelectionError: no entry can be used.
        RunFolderError: ``output`` holds something else.
        DataError: the target cannot be used.
    """
    control = control or Control()
    refuse_finished(_path(output), overwrite=control.overwrite)
    store = open_zoo(zoo)
    given = dict(options, epochs=epochs, finetune_epochs=finetune_epochs, final=final, embedder=embedder, seed=seed)
    recipe, required = transfer_recipe(store, given)
    sweep = Sweep(sweep) if isinstance(sweep, int) else sweep
    if sweep is not None:
        sweep.check(recipe)
    recipe, stored = pinned(recipe.with_final())
    images = control.open(target)
    settings = {"recipe": _settings(recipe), "required": required, "select": select, "target": images.fingerprint()}
    if sweep is not None:
        settings["sweep"] = asdict(sweep)
    with run_folder(_path(output), "transfer", settings, overwrite=control.overwrite) as run:
        _say_continued(run, control)
        splits = _splits(run, images, recipe, stored, control)
        health = examine_target(run, images, splits, control, required.get("image_size"))
        started = time.perf_counter()
        prober = Prober(run, store, images, splits, recipe, control)
        if run.has("ranking.json"):
            stored = run.read_json("ranking.json")
            chosen = Selection.from_dict(stored, store, images.content_fingerprint())
            prober.search_seconds = stored.get("probe_seconds", 0.0)
        else:
            chosen = _select(store, images, splits, select, recipe, required, control, prober)
        source = None if chosen.entry_id is None else store.get(chosen.entry_id)  # whole, before the run is tied to it
        run.write_json("ranking.json", {**chosen.to_dict(), "probe_seconds": prober.search_seconds})
        control.say(str(chosen))
        _say_seen(chosen, control)
        seconds = {"selection": time.perf_counter() - started - prober.wall_seconds}
        if chosen.probes:
            seconds["probe"] = prober.search_seconds
        recipe = recipe.replace(**chosen.settings).with_final()
        if source is None and with_scratch:
            control.say("this run is from scratch itself, so it is not made a second time to compare with")
            with_scratch = False
        data = control.prepare(images, recipe, splits)
        return _adapt(
            run,
            data,
            recipe,
            control,
            chosen,
            source,
            seconds,
            health,
            keep=output is not None,
            with_scratch=with_scratch,
            sweep=sweep,
        )


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
    refuse_finished(_path(output), overwrite=control.overwrite)
    recipe = Recipe.from_options(dict(options, epochs=epochs, finetune_epochs=finetune_epochs, final=final, seed=seed))
    recipe, stored = pinned(recipe.with_final())
    images = control.open(target, image_size=recipe.size_of_all_images)
    settings = {"recipe": _settings(recipe), "target": images.fingerprint()}
    with run_folder(_path(output), "search", settings, overwrite=control.overwrite) as run:
        _say_continued(run, control)
        splits = _splits(run, images, recipe, stored, control)
        health = examine_target(run, images, splits, control, recipe.image_size)
        data = control.prepare(images, recipe, splits)
        return _adapt(run, data, recipe, control, None, None, {}, health, keep=output is not None)


def _adapt(
    run: RunFolder,
    data: PreparedData,
    recipe: Recipe,
    control: Control,
    selection: Selection | None,
    source: zoo_store.ZooEntry | None,
    seconds: Mapping[str, float],
    health: DataHealth | None,
    *,
    keep: bool,
    with_scratch: bool = False,
    sweep: Sweep | None = None,
) -> TransferResult:
    """Search on the target, train the final network, evaluate, and leave the evidence."""
    run.write_json(SPLITS_FILE, data.splits[0].to_dict(data.image_sets[0]))
    _write_samples(run, data, source)
    searched = search_supernet(run, data, recipe, control, source=source)
    trained = train_final(run, data, recipe, control, searched)
    summary = summarise(data, recipe, selection, searched, trained, seconds, control.device, health)
    if sweep is not None:
        own = {**summary["network"], "genotype": summary["genotype"], "seconds": trained.seconds}
        started = time.perf_counter()
        summary["sweep"] = sweep_sizes(run, data, recipe, control, searched, own, sweep)
        summary["seconds"]["sweep"] = time.perf_counter() - started
    confused, images = _mistakes(trained.classifier, data, control)
    write_whole(run.path / IMAGES_FILE, save_tensors({"images": images}))
    run.write_json(MISTAKES_FILE, confused)
    run.write_json("summary.json", summary)
    if keep:
        from supernet_tl.report import build_report

        compared = {"from scratch": _scratch_beside(run, data, recipe, control, health)} if with_scratch else None
        build_report(run.path, compared)
    run.finish()
    network = trained.classifier.network.to("cpu").eval()
    return TransferResult(
        selection,
        network.genotype,
        network,
        trained.classifier,
        metrics_of(summary),
        summary,
        run.path if keep else None,
    )


def _mistakes(classifier: Classifier, data: PreparedData, control: Control) -> tuple[dict[str, Any], Tensor]:
    """What the network takes for what, found out on the device that trained it."""
    classifier.network.to(adapters.torch_device(control.device))
    try:
        return mistakes_of(classifier, data)
    finally:
        classifier.network.cpu()


def _scratch_beside(
    run: RunFolder, data: PreparedData, recipe: Recipe, control: Control, health: DataHealth | None
) -> Path:
    """The same search from random weights, in a folder of its own within the run's; not repeated once finished."""
    path = run.path / "scratch"
    settings = {"recipe": _settings(recipe), "target": data.image_sets[0].fingerprint()}
    if not is_finished(path):
        control.say("the same from scratch, to compare with")
        with run_folder(path, "search", settings) as scratch:
            copy_health(run, scratch)
            _adapt(scratch, data, recipe, control, None, None, {}, health, keep=True)
    return path


def _select(
    zoo: zoo_store.Zoo,
    images: ImageSet,
    splits: Splits,
    select: str,
    recipe: Recipe,
    required: Mapping[str, Any],
    control: Control,
    prober: Prober | None = None,
) -> Selection:
    with counted("embedding the target", quiet=control.quiet) as progress:
        sketch = adapters.sketch_of([images], [splits], recipe, control.device, progress)
    with counted("measuring distances", quiet=control.quiet) as progress:
        chosen = select_entry(zoo, sketch, select, recipe, required, progress, prober, control.say)
    for entry_id, reason in chosen.excluded.items():
        control.say(f"left out of the ranking: {entry_id[:12]}, because {reason}")
    return replace(chosen, target=images.content_fingerprint())


def transfer_recipe(zoo: zoo_store.Zoo, options: Mapping[str, Any]) -> tuple[Recipe, dict[str, Any]]:
    """The recipe of a transfer, and which settings an entry must have: those the caller gave."""
    given = {name: value for name, value in options.items() if value is not None}
    required = {name: given[name] for name in ADOPTED if name in given}
    for name in ("embedder", "embed_size", "embed_precision"):
        if name not in given:
            given[name] = zoo_default(zoo, name)
    return Recipe.from_options(given), required


def _settings(recipe: Recipe) -> dict[str, Any]:
    """The recipe as a run is recognised by: files that it was given count by their content."""
    past = recipe.past_accuracies
    return {**recipe.to_dict(), "past_accuracies": None if past is None else f"sha256:{digest_of(past)}"}


def _splits(run: RunFolder, images: ImageSet, recipe: Recipe, stored: StoredSplits | None, control: Control) -> Splits:
    """Those that the run began with; drawn for one that begins."""
    if run.has(SPLITS_FILE):
        return Splits.from_dict(run.read_json(SPLITS_FILE), images)
    return control.split(images, recipe, stored)


def _write_samples(run: RunFolder, data: PreparedData, source: zoo_store.ZooEntry | None) -> None:
    samples = {"target": adapters.thumbnails(data.image_sets, data.splits)}
    if source is not None and adapters.THUMBNAILS in source.sketch:
        samples["source"] = source.sketch[adapters.THUMBNAILS]
    write_whole(run.path / SAMPLES_FILE, save_tensors(samples))


def _say_seen(chosen: Selection, control: Control) -> None:
    if chosen.has_seen_target:
        control.say(f"note: {chosen.name} was pretrained on these very images, test images included")


def _say_continued(run: RunFolder, control: Control) -> None:
    if run.continued:
        control.say(f"continuing the unfinished run in {run.path}")


def _path(output: str | os.PathLike[str] | None) -> Path | None:
    return None if output is None else Path(output)
