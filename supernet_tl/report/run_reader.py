"""A finished run folder to one typed value: read and checked once, before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import darts
from supernet_tl.data.errors import DataError
from supernet_tl.data.health import DataHealth
from supernet_tl.report.errors import ReportError
from supernet_tl.report.fields import Fields
from supernet_tl.report.run_record import (
    SEARCH_STAGE,
    Dataset,
    Mistake,
    Mistakes,
    NetworkNumbers,
    ProbeRecord,
    RankedSource,
    RankingRecord,
    RunRecord,
    SizedNetwork,
    SizeSweep,
    Source,
    WarmStart,
)
from supernet_tl.spaces import find_space, space_names
from supernet_tl.training.history import EpochRow, read_csv

SUMMARY_SCHEMA = 1
RANKING_SCHEMA = 1
MISTAKES_SCHEMA = 1
_NEWER_SCORES = ("validation_balanced_accuracy", "validation_macro_f1", "test_balanced_accuracy", "test_macro_f1")


def read_run(path: Path) -> RunRecord:
    """Read a finished run folder.

    Raises:
        ReportError: the run is unfinished, one of its files is missing, malformed or contradicts the others.
    """
    summary = _summary(path)
    target = summary.object("target")
    space = _space(summary)
    return RunRecord(
        path=path,
        verb=summary.text("verb"),
        created=summary.text("created"),
        target=_dataset(target),
        fingerprint=target.text("fingerprint"),
        class_names=target.texts("class_names"),
        skipped_images=_skipped(target),
        num_ignored=target.integer("ignored_files"),
        first_ignored=target.texts("first_ignored_files") if "first_ignored_files" in target.values else (),
        notes=target.texts("notes") if "notes" in target.values else (),
        source=_source(summary.object_or_none("source")),
        warm_start=_warm_start(summary.object_or_none("warm_start")),
        recipe=_recipe(summary),
        genotype=_genotype(summary, space),
        space=space,
        supernet=_network_numbers(summary.object("supernet")),
        network=_network_numbers(summary.object("network")),
        final=summary.object("network").text("final"),
        channels=summary.object("network").integer("channels"),
        num_cells=summary.object("network").integer("num_cells"),
        thresholds=tuple(row.number("accuracy") for row in summary.objects("time_to_accuracy")),
        seconds=_numbers_by_name(summary.object("seconds")),
        versions=_texts_by_name(summary.object("versions")),
        rows=_rows(path / "metrics.csv"),
        ranking=_ranking(path / "ranking.json"),
        mixing=_mixing(path / "mixing_weights.safetensors", space),
        samples=_samples(path / "samples.safetensors"),
        health=_health(path / "health.json"),
        alphas_of=_alphas_of(summary),
        sweep=_sweep(summary),
        health_pictures=_health_pictures(path / "health.safetensors"),
        mistakes=_mistakes(path, target.texts("class_names")),
    )


def _summary(path: Path) -> Fields:
    file = path / "summary.json"
    if not path.is_dir():
        raise ReportError(f"{path} is no folder; expected the --output of a finished transfer or search.")
    if not file.exists():
        unfinished = (path / "run.json").exists()
        raise ReportError(
            f"{path} holds no summary.json: the run is not finished. Repeat its command to finish it."
            if unfinished
            else f"{path} holds no summary.json; expected the --output of a finished transfer or search."
        )
    summary = Fields.read(file)
    summary.check_schema(SUMMARY_SCHEMA)
    return summary


def _dataset(card: Fields) -> Dataset:
    splits = card.object("splits")
    return Dataset(
        name=card.text("name"),
        origin=card.text("origin"),
        licence=card.text("licence"),
        description=card.text("description"),
        domain=card.text("domain"),
        num_images=card.integer("num_images"),
        num_classes=card.integer("num_classes"),
        splits={name: splits.integer(name) for name in splits.values},
        num_skipped=card.integer("skipped"),
        dropped_classes=card.texts("dropped_classes"),
    )


def _skipped(target: Fields) -> tuple[str, ...]:
    """What was wrong with each image; older summaries hold it as text."""
    found = target.values.get("skipped_images")
    if not isinstance(found, list) or not all(isinstance(problem, dict) for problem in found):
        return target.texts("skipped_images")
    return tuple(f"{problem.text('path')}: {problem.text('reason')}" for problem in target.objects("skipped_images"))


def _source(source: Fields | None) -> Source | None:
    if source is None:
        return None
    metrics = source.object_or_none("metrics")
    return Source(
        entry=source.text("entry"),
        name=source.text("name"),
        kind=source.text("kind"),
        select=source.text("select"),
        datasets=tuple(_dataset(card) for card in source.objects("data")),
        validation_accuracy=None if metrics is None else metrics.number_or_none("validation_accuracy"),
        has_seen_target=source.flag("has_seen_target"),
        genotype=_genotype_of_source(source),
    )


def _genotype_of_source(source: Fields) -> darts.Genotype | None:
    """None where the entry's card tells of none that can be read, and in runs of earlier versions."""
    if not isinstance(source.values.get("genotype"), Mapping):
        return None
    try:
        return darts.Genotype.from_dict(source.object("genotype").values)
    except darts.DartsError:  # cards come from anywhere, and the run does not rest on it
        return None


def _warm_start(report: Fields | None) -> WarmStart | None:
    if report is None:
        return None
    return WarmStart(report.integer("copied"), report.texts("reinitialised"), report.texts("unused"))


def _alphas_of(summary: Fields) -> int | None:
    if not summary.values.get("stopped_early"):  # which runs of earlier versions lack
        return None
    stopped = summary.object("stopped_early")
    return stopped.integer("alphas_of") if "alphas_of" in stopped.values else None


def _sweep(summary: Fields) -> SizeSweep | None:
    if not summary.values.get("sweep"):  # which runs of earlier versions lack
        return None
    sweep = summary.object("sweep")
    networks = tuple(
        SizedNetwork(
            network.integer_or_none("limit"),
            _network_numbers(network),
            network.flag("unbeaten"),
            network.text("folder"),
        )
        for network in sweep.objects("networks")
    )
    return SizeSweep(sweep.text("unit"), networks)


def _recipe(summary: Fields) -> Mapping[str, Any]:
    recipe = summary.object("recipe")
    recipe.integer("seed")
    return recipe.values


def _space(summary: Fields) -> darts.SearchSpace:
    name = summary.object("recipe").text("space")
    if name not in darts.SPACES and name not in space_names():
        raise ReportError(
            f"{summary.where} names the search space {name!r}; known are {', '.join(space_names())}. "
            "Use the version of supernet-tl, or install the package, that made the run."
        )
    return find_space(name)


def _genotype(summary: Fields, space: darts.SearchSpace) -> darts.Genotype:
    try:
        genotype = darts.Genotype.from_dict(summary.object("genotype").values)
        genotype.check_in(space)
    except darts.DartsError as error:
        raise ReportError(f"{summary.where} holds no genotype of space {space.name!r}: {error}") from error
    return genotype


def _network_numbers(numbers: Fields) -> NetworkNumbers:
    return NetworkNumbers(
        validation_accuracy=numbers.number_or_none("validation_accuracy"),
        test_accuracy=numbers.number("test_accuracy"),
        num_parameters=numbers.integer("num_parameters"),
        macs=numbers.integer("macs"),
        **{name: numbers.number_or_none(name) if name in numbers.values else None for name in _NEWER_SCORES},
    )


def _numbers_by_name(values: Fields) -> dict[str, float]:
    return {name: values.number(name) for name in values.values}


def _texts_by_name(values: Fields) -> dict[str, str]:
    return {name: values.text(name) for name in values.values}


def _rows(path: Path) -> tuple[EpochRow, ...]:
    if not path.exists():
        raise ReportError(f"{path} is missing, though the run is finished; restore it or repeat the run.")
    try:
        rows = tuple(read_csv(path))
    except (KeyError, TypeError, ValueError) as error:
        raise ReportError(f"{path} is no table of epochs ({error!r}); restore it or repeat the run.") from error
    if not any(row.stage == SEARCH_STAGE for row in rows):
        raise ReportError(f"{path} has no row of stage {SEARCH_STAGE!r}; restore it or repeat the run.")
    return rows


def _ranking(path: Path) -> RankingRecord | None:
    if not path.exists():
        return None
    ranking = Fields.read(path)
    ranking.check_schema(RANKING_SCHEMA)
    return RankingRecord(
        select=ranking.text("select"),
        unit=ranking.text("unit"),
        rows_compared=ranking.integer("rows_compared"),
        num_evaluated=ranking.integer("num_evaluated"),
        rows=tuple(_ranked(row) for row in ranking.objects("ranking")),
        excluded=tuple(
            (row.text_or_none("name") or row.text("entry")[:12], row.text("reason"))
            for row in ranking.objects("excluded")
        ),
        reason=ranking.text_or_none("reason"),
        terms=ranking.text_or_none("terms") or "rows",
        distance=ranking.text_or_none("distance") or "otdd",
        probes=_probes(ranking),
    )


def _probes(ranking: Fields) -> tuple[ProbeRecord, ...]:
    """What was probed; nothing in a ranking from before there were probes."""
    if "probes" not in ranking.values:
        return ()
    chosen = ranking.text_or_none("chosen")
    return tuple(
        ProbeRecord(row.text("name"), row.text_or_none("entry") == chosen, row.number_or_none("accuracy"))
        for row in ranking.objects("probes")
    )


def _ranked(row: Fields) -> RankedSource:
    return RankedSource(
        entry=row.text("entry"),
        name=row.text_or_none("name") or row.text("entry")[:12],
        chosen=row.flag("chosen"),
        distance=row.number_or_none("distance"),
        squared=row.number("squared"),
        draws=row.numbers("draws"),
        converged=row.flag("converged"),
    )


def _mixing(path: Path, space: darts.SearchSpace) -> dict[str, NDArray[np.float32]]:
    tensors = _tensors(path)
    wanted = (space.num_edges, space.num_primitives)
    for name in ("normal", "reduction"):
        if tensors and (name not in tensors or tensors[name].ndim != 3 or tensors[name].shape[1:] != wanted):
            found = tensors[name].shape if name in tensors else "nothing"
            raise ReportError(
                f"{path}, {name} holds {found}; expected mixing weights of shape "
                f"(epochs + 1, {wanted[0]}, {wanted[1]}) for space {space.name!r}. Restore the file or repeat the run."
            )
    return tensors


def _samples(path: Path) -> dict[str, NDArray[np.uint8]]:
    tensors = _tensors(path)
    for name, images in tensors.items():
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] != 3:
            raise ReportError(
                f"{path}, {name} is {images.dtype} of shape {images.shape}; "
                "expected uint8 images (n, 3, height, width). Restore the file, or delete it to go without its picture."
            )
    return tensors


def _mistakes(run: Path, class_names: tuple[str, ...]) -> Mistakes | None:
    """None for a run of an earlier version, or one whose files were deleted."""
    path, pictures = run / "mistakes.json", run / "mistakes.safetensors"
    if not path.exists() or not pictures.exists():
        return None
    found = Fields.read(path)
    found.check_schema(MISTAKES_SCHEMA)
    surest = tuple(
        Mistake(
            one.integer("index"),
            one.text_or_none("path"),
            one.text("class"),
            one.text("taken_for"),
            one.number("probability"),
        )
        for one in found.objects("surest")
    )
    try:
        confusion = np.array(found.values["confusion"], dtype=np.int64)
    except (KeyError, TypeError, ValueError, OverflowError):
        confusion = np.empty(0, dtype=np.int64)
    images = _tensors(pictures).get("images", np.empty(0, dtype=np.uint8))
    num = len(class_names)
    is_whole = confusion.shape == (num, num) and bool((confusion >= 0).all())
    if not is_whole or images.dtype != np.uint8 or images.ndim != 4 or len(images) != len(surest):
        raise ReportError(
            f"{path} and {pictures.name} hold confusions of shape {confusion.shape} and images of shape "
            f"{images.shape}; expected ({num}, {num}), and an image for each of {len(surest)} mistakes. Restore "
            "them, or delete them to go without that section."
        )
    return Mistakes(confusion, found.integer("num_wrong"), surest, images)


def _health(path: Path) -> DataHealth | None:
    """None for a run whose images were not examined, or that is older than examining."""
    if not path.exists():
        return None
    try:
        return DataHealth.from_dict(Fields.read(path).values)
    except DataError as error:
        raise ReportError(f"{path}: {error} Or delete the file to go without that section.") from error


def _health_pictures(path: Path) -> dict[int, NDArray[np.uint8]]:
    tensors = _tensors(path)
    if not tensors:
        return {}
    indices, images = tensors.get("indices"), tensors.get("images")
    if indices is None or images is None or images.dtype != np.uint8 or images.shape[:2] != (len(indices), 3):
        raise ReportError(
            f"{path} holds {', '.join(f'{name} {values.shape}' for name, values in tensors.items())}; expected indices "
            "(n,) and uint8 images (n, 3, height, width). Restore the file, or delete it to go without its pictures."
        )
    return dict(zip(indices.tolist(), images, strict=True))


def _tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Tensors of a file that only pictures depend on; empty when there is no such file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not path.exists():
        return {}
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise ReportError(
            f"{path} is damaged ({error}); restore it, or delete it to go without its picture."
        ) from error
