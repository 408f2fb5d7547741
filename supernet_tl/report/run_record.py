"""A finished run folder as one typed value: everything a report tells, read and checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import darts
from supernet_tl.history import EpochRow, TimeToAccuracy, best_validation_accuracy, read_csv, time_to_accuracy
from supernet_tl.report.errors import ReportError
from supernet_tl.report.fields import Fields

SUMMARY_SCHEMA = 1
RANKING_SCHEMA = 1
_SEARCH = "search"


@dataclass(frozen=True)
class Dataset:
    """An image set as its card tells of it.

    Attributes:
        name: how people call it.
        origin: where the images come from.
        licence: as the origin states it.
        description: one or two sentences.
        domain: kind of images; may be empty.
        num_images: in the set.
        num_classes: in the set.
        splits: images per split.
        num_skipped: images left out because they could not be read.
        dropped_classes: classes left out because they were too small.
    """

    name: str
    origin: str
    licence: str
    description: str
    domain: str
    num_images: int
    num_classes: int
    splits: Mapping[str, int]
    num_skipped: int
    dropped_classes: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """The zoo entry that a run started from.

    Attributes:
        entry: its id.
        name: of its dataset, or of its mixture.
        kind: ``single`` or ``mixture``.
        select: how it was chosen: ``nearest``, ``mixture``, ``random``, or the name that was asked for.
        datasets: what it was pretrained on.
        validation_accuracy: of the pretrained supernet on its own source, a fraction; None when its card has none.
    """

    entry: str
    name: str
    kind: str
    select: str
    datasets: tuple[Dataset, ...]
    validation_accuracy: float | None


@dataclass(frozen=True)
class WarmStart:
    """What the warm start did with the tensors.

    Attributes:
        num_copied: tensors that came from the source.
        reinitialised: names of the target's tensors that began afresh.
        unused: names of the source's tensors that went nowhere.
    """

    num_copied: int
    reinitialised: tuple[str, ...]
    unused: tuple[str, ...]


@dataclass(frozen=True)
class NetworkNumbers:
    """What was measured of a supernet or of a final network.

    Attributes:
        validation_accuracy: after the last epoch, a fraction.
        test_accuracy: after the last epoch, a fraction.
        num_parameters: weights, without alphas.
        macs: multiply-accumulates for one image.
    """

    validation_accuracy: float | None
    test_accuracy: float
    num_parameters: int
    macs: int


@dataclass(frozen=True)
class RankedSource:
    """One row of a ranking.

    Attributes:
        entry: id of the zoo entry.
        name: of its dataset.
        chosen: whether the run started from it.
        distance: OTDD in embedding units; None where the debiased squared value is negative.
        squared: in embedding units squared, the mean over the draws.
        draws: squared, one a draw.
        converged: whether every coupling was solved to its tolerance.
    """

    entry: str
    name: str
    chosen: bool
    distance: float | None
    squared: float
    draws: tuple[float, ...]
    converged: bool


@dataclass(frozen=True)
class RankingRecord:
    """How the source was chosen.

    Attributes:
        select: the strategy, or the entry asked for.
        unit: of the distances, in words.
        rows_compared: rows of target and of source in every comparison.
        num_evaluated: sources whose distance was computed.
        rows: nearest first.
        excluded: entries that could not be compared, with the reason.
    """

    select: str
    unit: str
    rows_compared: int
    num_evaluated: int
    rows: tuple[RankedSource, ...]
    excluded: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class RunRecord:
    """One finished run.

    Attributes:
        path: its folder.
        verb: ``transfer`` or ``search``.
        created: when it was finished, ISO 8601.
        target: what was to be solved.
        fingerprint: of the target's images and labels.
        class_names: of the target.
        skipped_images: what was wrong with images left out.
        num_ignored: files of the target that are no images.
        source: what the run started from; None from scratch.
        warm_start: None from scratch.
        recipe: the settings.
        genotype: the architecture found.
        space: where it was searched.
        supernet: measured after the search.
        network: measured after training the final network.
        final: ``inherit`` or ``retrain``.
        channels: of the final network.
        num_cells: of the final network.
        thresholds: validation accuracies whose first epoch the run notes.
        seconds: wall time of each stage.
        versions: of the libraries that numbers depend on.
        rows: what happened in each epoch.
        ranking: None from scratch.
        mixing: mixing weights of ``normal`` and ``reduction`` cell, shape (epochs + 1, num_edges, num_primitives);
            empty when the folder does not keep them.
        samples: images of ``target`` and ``source``, uint8 (n, 3, height, width); empty when the folder keeps none.
    """

    path: Path
    verb: str
    created: str
    target: Dataset
    fingerprint: str
    class_names: tuple[str, ...]
    skipped_images: tuple[str, ...]
    num_ignored: int
    source: Source | None
    warm_start: WarmStart | None
    recipe: Mapping[str, Any]
    genotype: darts.Genotype
    space: darts.SearchSpace
    supernet: NetworkNumbers
    network: NetworkNumbers
    final: str
    channels: int
    num_cells: int
    thresholds: tuple[float, ...]
    seconds: Mapping[str, float]
    versions: Mapping[str, str]
    rows: tuple[EpochRow, ...] = field(repr=False)
    ranking: RankingRecord | None = field(repr=False)
    mixing: Mapping[str, NDArray[np.float32]] = field(repr=False)
    samples: Mapping[str, NDArray[np.uint8]] = field(repr=False)

    @property
    def seed(self) -> int:
        """Of splits, weights, batches and draws."""
        return int(self.recipe["seed"])

    @property
    def from_scratch(self) -> bool:
        """Whether the search began with random weights."""
        return self.source is None

    @property
    def label(self) -> str:
        """How plots call the run unless they are told otherwise."""
        return "from scratch" if self.source is None else f"warm start ({self.source.name})"

    @property
    def search_rows(self) -> tuple[EpochRow, ...]:
        """Epochs of the supernet's search."""
        return tuple(row for row in self.rows if row.stage == _SEARCH)

    @property
    def final_rows(self) -> tuple[EpochRow, ...]:
        """Epochs of the final network's training."""
        return tuple(row for row in self.rows if row.stage != _SEARCH)

    @property
    def best_validation_accuracy(self) -> float | None:
        """The supernet's highest, over the epochs of the search."""
        return best_validation_accuracy(self.search_rows)

    def time_to(self, accuracy: float) -> TimeToAccuracy:
        """When the supernet's validation accuracy first was at least ``accuracy``."""
        return time_to_accuracy(self.search_rows, accuracy)


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
        skipped_images=target.texts("skipped_images"),
        num_ignored=target.integer("ignored_files"),
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
    )


def check_same_target(record: RunRecord, other: RunRecord) -> None:
    """Refuse to compare runs on different images.

    Raises:
        ReportError: naming both targets.
    """
    if record.fingerprint != other.fingerprint:
        raise ReportError(
            f"{other.path} is a run on {other.target.name} (images {other.fingerprint[:12]}), {record.path} one on "
            f"{record.target.name} (images {record.fingerprint[:12]}); only runs on the same images can be compared. "
            f"Leave it out, or compare with a run on {record.target.name}."
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
    )


def _warm_start(report: Fields | None) -> WarmStart | None:
    if report is None:
        return None
    return WarmStart(report.integer("copied"), report.texts("reinitialised"), report.texts("unused"))


def _recipe(summary: Fields) -> Mapping[str, Any]:
    recipe = summary.object("recipe")
    recipe.integer("seed")
    return recipe.values


def _space(summary: Fields) -> darts.SearchSpace:
    name = summary.object("recipe").text("space")
    if name not in darts.SPACES:
        raise ReportError(
            f"{summary.where} names the search space {name!r}; known are {', '.join(darts.SPACES)}. "
            "Use the version of supernet-tl that made the run."
        )
    return darts.SPACES[name]


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
    if not any(row.stage == _SEARCH for row in rows):
        raise ReportError(f"{path} has no row of stage {_SEARCH!r}; restore it or repeat the run.")
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
                f"{path}, {name} holds {found}; expected mixing weights of shape (epochs + 1, {wanted[0]}, {wanted[1]}) "
                f"for space {space.name!r}. Restore the file or repeat the run."
            )
    return tensors


def _samples(path: Path) -> dict[str, NDArray[np.uint8]]:
    tensors = _tensors(path)
    for name, images in tensors.items():
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] != 3:
            raise ReportError(
                f"{path}, {name} is {images.dtype} of shape {images.shape}; expected uint8 images (n, 3, height, width)."
            )
    return tensors


def _tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Tensors of a file that only pictures depend on; empty when there is no such file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not path.exists():
        return {}
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise ReportError(f"{path} is damaged ({error}); restore it, or delete it to go without its picture.") from error
