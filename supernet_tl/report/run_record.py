"""A finished run as one typed value: everything that a report tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import darts
from supernet_tl.data.health import DataHealth
from supernet_tl.training.history import EpochRow, TimeToAccuracy, best_validation_accuracy, time_to_accuracy

SEARCH_STAGE = "search"


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
class Mistake:
    """A test image that the final network takes for something else.

    Attributes:
        index: of the image in its set.
        path: of its file; None where it has none.
        class_name: what it is.
        taken_for: what it is taken for.
        probability: that the network gives its mistake.
    """

    index: int
    path: str | None
    class_name: str
    taken_for: str
    probability: float


@dataclass(frozen=True)
class Mistakes:
    """What the final network takes for what.

    Attributes:
        confusion: test images, shape (num_classes, num_classes), by class and by predicted class.
        num_wrong: of them.
        surest: the mistakes that the network is surest of, the surest first.
        images: of these, uint8 (n, 3 or 1, height, width).
    """

    confusion: NDArray[np.int64] = field(repr=False)
    num_wrong: int
    surest: tuple[Mistake, ...]
    images: NDArray[np.uint8] = field(repr=False)


@dataclass(frozen=True)
class Source:
    """The zoo entry that a run started from.

    Attributes:
        entry: its id.
        name: of its dataset, or of its mixture.
        kind: ``single`` or ``mixture``.
        select: how it was chosen: a selector such as ``nearest``, or the name that was asked for.
        datasets: what it was pretrained on.
        validation_accuracy: of the pretrained supernet on its own source, a fraction; None when its card has none.
        has_seen_target: whether it was pretrained on the target's very images, test images included.
        genotype: the discrete architecture of its own alphas; None where the run does not tell.
    """

    entry: str
    name: str
    kind: str
    select: str
    datasets: tuple[Dataset, ...]
    validation_accuracy: float | None
    has_seen_target: bool
    genotype: darts.Genotype | None = None


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
        validation_balanced_accuracy: mean recall of the classes; None in runs from before it was measured, like those
            that follow.
        validation_macro_f1: mean F1 of the classes.
        test_balanced_accuracy: as of validation.
        test_macro_f1: as of validation.
    """

    validation_accuracy: float | None
    test_accuracy: float
    num_parameters: int
    macs: int
    validation_balanced_accuracy: float | None = None
    validation_macro_f1: float | None = None
    test_balanced_accuracy: float | None = None
    test_macro_f1: float | None = None


@dataclass(frozen=True)
class SizedNetwork:
    """One final network of a sweep over sizes.

    Attributes:
        limit: in the sweep's unit; None for the run's own network.
        numbers: what was measured of it.
        unbeaten: whether no other network is at most as large and better on validation.
        folder: of the network, within the run's.
    """

    limit: int | None
    numbers: NetworkNumbers
    unbeaten: bool
    folder: str


@dataclass(frozen=True)
class SizeSweep:
    """Final networks of several sizes from one search.

    Attributes:
        unit: of the limits: ``params`` or ``macs``.
        networks: the smallest first.
    """

    unit: str
    networks: tuple[SizedNetwork, ...]


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
class ProbeRecord:
    """A short search that was made to decide.

    Attributes:
        name: of the source, or ``scratch``.
        chosen: whether the run went on from there.
        accuracy: on validation images after its last epoch, a fraction; None where it diverged.
    """

    name: str
    chosen: bool
    accuracy: float | None


@dataclass(frozen=True)
class RankingRecord:
    """How the source was chosen.

    Attributes:
        select: the strategy, or the entry asked for.
        unit: of the distances, in words.
        rows_compared: rows of target and of source in every comparison; of the target where terms are
            ``self_distances``.
        num_evaluated: sources whose distance was computed.
        rows: nearest first.
        excluded: entries that could not be compared, with the reason.
        reason: why this one was chosen, or scratch, as a clause; None where the run does not tell.
        terms: on which sources of different sizes were compared, ``rows`` or ``self_distances``.
        distance: name of what was measured.
        probes: what was tried in order to decide.
    """

    select: str
    unit: str
    rows_compared: int
    num_evaluated: int
    rows: tuple[RankedSource, ...]
    excluded: tuple[tuple[str, str], ...]
    reason: str | None = None
    terms: str = "rows"
    distance: str = "otdd"
    probes: tuple[ProbeRecord, ...] = ()


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
        num_ignored: files of the target that are not used.
        first_ignored: names of the first of them; empty in runs of older versions.
        notes: what was told while the target was read.
        source: what the run started from; None from scratch, by choice or for want of a zoo.
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
        ranking: None for a search that chose no source.
        mixing: mixing weights of ``normal`` and ``reduction`` cell, shape (epochs + 1, num_edges, num_primitives);
            empty when the folder does not keep them.
        samples: images of ``target`` and ``source``, uint8 (n, 3, height, width); empty when the folder keeps none.
        health: what was found when the target was examined; None when it was not.
        alphas_of: the epoch whose alphas the supernet has, where a guard put earlier ones back; None elsewhere.
        sweep: further networks of other sizes; None where none were asked for.
        health_pictures: images that findings name, uint8 (3, height, width), by their index in the target.
        mistakes: of the final network on the test images; None in runs of older versions.
    """

    path: Path
    verb: str
    created: str
    target: Dataset
    fingerprint: str
    class_names: tuple[str, ...]
    skipped_images: tuple[str, ...]
    num_ignored: int
    first_ignored: tuple[str, ...]
    notes: tuple[str, ...]
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
    health: DataHealth | None = field(default=None, repr=False)
    alphas_of: int | None = None
    sweep: SizeSweep | None = field(default=None, repr=False)
    health_pictures: Mapping[int, NDArray[np.uint8]] = field(default_factory=dict, repr=False)
    mistakes: Mistakes | None = field(default=None, repr=False)

    @property
    def seed(self) -> int:
        """Of splits, weights, batches and draws."""
        return int(self.recipe["seed"])

    @property
    def from_scratch(self) -> bool:
        """Whether the run is a search from scratch, with which others are compared; a transfer never is."""
        return self.verb == "search"

    @property
    def label(self) -> str:
        """How plots call the run unless they are told otherwise."""
        if self.source is None:
            return "from scratch" if self.from_scratch else "from scratch by choice"
        return f"warm start ({self.source.name})"

    @property
    def search_rows(self) -> tuple[EpochRow, ...]:
        """Epochs of the supernet's search."""
        return tuple(row for row in self.rows if row.stage == SEARCH_STAGE)

    @property
    def stopped_early(self) -> str | None:
        """Why the search ended before the last epoch of its recipe; None when it ran them all."""
        return self.search_rows[-1].stopped

    @property
    def final_rows(self) -> tuple[EpochRow, ...]:
        """Epochs of the final network's training."""
        return tuple(row for row in self.rows if row.stage != SEARCH_STAGE)

    @property
    def best_validation_accuracy(self) -> float | None:
        """The supernet's highest, over the epochs of the search."""
        return best_validation_accuracy(self.search_rows)

    def time_to(self, accuracy: float) -> TimeToAccuracy:
        """When the supernet's validation accuracy first was at least ``accuracy``."""
        return time_to_accuracy(self.search_rows, accuracy)
