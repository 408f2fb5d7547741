"""The page of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supernet_tl.recipe import SELECTION_SETTINGS, Recipe
from supernet_tl.report.architecture_change import architecture_change
from supernet_tl.report.cell_layout import cell_drawing
from supernet_tl.report.comparison import (
    Contender,
    baseline_of,
    check_same_target,
    contenders,
    differing_settings,
    relative_improvement,
    seeds_without_baseline,
    table,
    time_table,
)
from supernet_tl.report.contact_sheet import image_urls
from supernet_tl.report.health_section import health_section, seen_in_test
from supernet_tl.report.mistakes_section import mistakes_section
from supernet_tl.report.mixing_views import mixing_views
from supernet_tl.report.plots import learning_curves
from supernet_tl.report.ranking_chart import ranking_chart
from supernet_tl.report.rendering import write_page
from supernet_tl.report.run_reader import read_run
from supernet_tl.report.run_record import Dataset, RunRecord
from supernet_tl.report.size_section import size_section

FILE_NAME = "report.html"
HEADLINE_ACCURACY = 0.85
_SWITCHES = (
    "epochs",
    "finetune_epochs",
    "batch_size",
    "space",
    "family",
    "channels",
    "num_cells",
    "image_size",
    "in_channels",
    "stem",
    "seed",
)
"""Settings that the command line offers as switches of a search."""

_STAGE_NAMES = {"finetune": "fine-tuning", "projection": "choosing ops"}


@dataclass(frozen=True)
class Samples:
    """Images of one side.

    Attributes:
        role: ``target`` or ``source``.
        name: of the dataset or the mixture.
        datasets: with origin and licence.
        images: as data URLs.
    """

    role: str
    name: str
    datasets: tuple[Dataset, ...]
    images: tuple[str, ...]


def build_report(run: Path, compare: Mapping[str, Path] | None = None) -> Path:
    """Write the page of a finished run.

    Args:
        run: the ``--output`` of a transfer or a search.
        compare: other finished runs on the same images, by the label that plots and tables give them.

    Returns:
        The page, ``report.html`` in the run's folder.

    Raises:
        ReportError: a run is unfinished or damaged, or one of those compared is on other images.
    """
    record = read_run(Path(run))
    others = {label: read_run(Path(path)) for label, path in (compare or {}).items()}
    for other in others.values():
        check_same_target(record, other)
    label = record.label if record.label not in others else f"{record.label} (this run)"
    listed = contenders({label: [record], **{name: [other] for name, other in others.items()}})
    best = record.best_validation_accuracy
    return write_page(
        record.path / FILE_NAME,
        "run.html",
        run=record,
        verdict=verdict(record),
        findings=_findings(record, listed),
        stage_names=_STAGE_NAMES,
        headline_accuracy=HEADLINE_ACCURACY,
        headline=record.time_to(HEADLINE_ACCURACY),
        best=None if best is None else record.time_to(best),
        samples=samples_of(record),
        leak="" if record.health is None else seen_in_test(record.health),
        health=None if record.health is None else health_section(record.health, record.health_pictures),
        ranking=None if record.ranking is None else ranking_chart(record.ranking),
        contenders=listed,
        plots=learning_curves(listed, "run"),
        commands=_commands(record),
        cells=[
            (name, cell_drawing(record.genotype, reduction=reduction))
            for name, reduction in (("Normal cell", False), ("Reduction cell", True))
        ],
        change=None
        if record.source is None or record.source.genotype is None
        else architecture_change(record.source.genotype, record.genotype),
        mistakes=None if record.mistakes is None else mistakes_section(record.mistakes, record.class_names),
        mixing=mixing_views(record.space, record.genotype, record.mixing) if record.mixing else None,
        sizes=None if record.sweep is None else size_section(record.sweep),
        table=table(listed),
        times=time_table(listed, record.thresholds),
        differing=differing_settings(listed),
        unpaired_seeds=seeds_without_baseline(listed),
    )


def verdict(record: RunRecord) -> str:
    """The run's outcome in a line, without the accuracy that the page sets in bold beside it."""
    if record.source is None:
        ranking = record.ranking
        if ranking is None:
            return f"{record.target.name}: searched from scratch"
        why = "because no probed source did better" if ranking.probes else f"as {ranking.select} chose"
        return f"{record.target.name}: searched from scratch, {why}"
    how = {
        "random": ", drawn at random",
        "mixture": ", a mixture of sources",
        "probe": _place_among_probes(record),
    }.get(record.source.select, "")
    return f"{record.target.name}: started from {record.source.name}{how}"


def _place_among_probes(record: RunRecord) -> str:
    """How the chosen source did among those probed, as a clause."""
    probes = () if record.ranking is None else record.ranking.probes
    chosen = {probe.accuracy for probe in probes if probe.chosen}
    equals = [probe.name for probe in probes if not probe.chosen and probe.accuracy in chosen]
    return f", as good in its probe as {' and '.join(equals)}" if equals else ", the best of those probed"


def samples_of(record: RunRecord) -> tuple[Samples, ...]:
    """Contact sheets of the target and, after a transfer, of the source."""
    sides: list[tuple[str, str, tuple[Dataset, ...]]] = [("target", record.target.name, (record.target,))]
    if record.source is not None:
        sides.append(("source", record.source.name, record.source.datasets))
    return tuple(
        Samples(role, name, datasets, image_urls(record.samples[role]) if role in record.samples else ())
        for role, name, datasets in sides
    )


def _findings(record: RunRecord, listed: tuple[Contender, ...]) -> dict[str, Any] | None:
    """What comparing with the baseline shows; None when this run is the baseline or there is none."""
    baseline = baseline_of(record, listed)
    if record.from_scratch or baseline is None:
        return None
    best = baseline.best_validation_accuracy
    return {
        "baseline": baseline,
        "improvement": relative_improvement(record.network.test_accuracy, baseline.network.test_accuracy),
        "supernet_improvement": relative_improvement(record.supernet.test_accuracy, baseline.supernet.test_accuracy),
        "best": None if best is None else (best, baseline.time_to(best), record.time_to(best)),
    }


def _commands(record: RunRecord) -> dict[str, Any]:
    """How to get a run to compare this one with, under the same settings."""
    defaults = Recipe().to_dict()
    changed = {
        name: value
        for name, value in record.recipe.items()
        if name in defaults and value is not None and value != defaults[name]
    }
    switches = " ".join(f"--{name.replace('_', '-')} {changed[name]}" for name in _SWITCHES if name in changed)
    if record.target.num_skipped:
        switches += " --skip-corrupt"
    if record.target.dropped_classes:
        switches += " --drop-small-classes"
    if record.from_scratch:
        other, folder = f"supernet-tl transfer --target TARGET --zoo ZOO {switches} --output warm/", "warm/"
    else:
        other, folder = f"supernet-tl search --target TARGET {switches} --output scratch/", "scratch/"
    return {
        "run": " ".join(other.split()),
        "report": f"supernet-tl report RUN --compare {folder}",
        "further": [
            f"{name} {value}" for name, value in changed.items() if name not in SELECTION_SETTINGS | set(_SWITCHES)
        ],
    }
