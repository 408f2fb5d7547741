"""One page for several targets, each solved in several ways, perhaps with several seeds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from supernet_tl.report.comparison import (
    Contender,
    Line,
    Section,
    TimeLine,
    check_same_target,
    contenders,
    differing_settings,
    improvement_cells,
    mean_and_spread,
    scratch_best_name,
    seeds_without_baseline,
    table,
    time_table,
    times_to,
    times_to_scratch_best,
)
from supernet_tl.report.errors import ReportError
from supernet_tl.report.plots import Plot, learning_curves
from supernet_tl.report.ranking_chart import RankingChart, ranking_chart
from supernet_tl.report.rendering import write_page
from supernet_tl.report.run_page import FILE_NAME, HEADLINE_ACCURACY, Samples, samples_of
from supernet_tl.report.run_reader import read_run
from supernet_tl.report.run_record import RunRecord
from supernet_tl.report.wording import percent


@dataclass(frozen=True)
class TargetGroup:
    """The runs on one target.

    Attributes:
        name: of the target, as the page calls it.
        runs: finished run folders by label, such as ``from scratch``; a sequence holds one folder a seed.
    """

    name: str
    runs: Mapping[str, Path | Sequence[Path]]


@dataclass(frozen=True)
class _Glance:
    """One line of the table at the top."""

    contender: Contender
    test_accuracy: str
    improvement: str
    supernet_accuracy: str
    headline: tuple[str, str]
    scratch_best: tuple[str, str]


@dataclass(frozen=True)
class _Target:
    """One target's part of the page."""

    anchor: str
    name: str
    contenders: tuple[Contender, ...]
    glances: tuple[_Glance, ...]
    scratch_best_name: str | None
    plots: tuple[Plot, ...]
    table: tuple[Section, ...]
    times: tuple[TimeLine, ...]
    ranking: RankingChart | None
    ranked_by: str
    samples: tuple[Samples, ...]
    differing: tuple[Line, ...]
    unpaired_seeds: tuple[int, ...]
    links: tuple[tuple[str, tuple[tuple[int, str | None], ...]], ...]


def build_overview(title: str, groups: Sequence[TargetGroup], output: Path) -> Path:
    """Write one page for several targets.

    Args:
        title: of the page.
        groups: the targets, in the order of the page.
        output: the page's file.

    Returns:
        ``output``.

    Raises:
        ReportError: there is nothing to show, a run is unfinished or damaged, or runs of a group are on other images.
    """
    if not groups:
        raise ReportError("an overview of no targets was asked for; give at least one TargetGroup.")
    output = Path(output)
    targets = [_target(index, group, output) for index, group in enumerate(groups)]
    return write_page(output, "overview.html", title=title, targets=targets, headline_accuracy=HEADLINE_ACCURACY)


def _target(index: int, group: TargetGroup, output: Path) -> _Target:
    listed = contenders(_records(group))
    everything = [record for contender in listed for record in contender.records]
    for other in everything[1:]:
        check_same_target(everything[0], other)
    warm = next((record for record in everything if record.source is not None), everything[0])
    ranked = next(((part.label, run.ranking) for part in listed for run in part.records if run.ranking), ("", None))
    anchor = f"target-{index + 1}"
    has_baseline = any(contender.from_scratch for contender in listed)
    improvements = improvement_cells("network", listed)
    return _Target(
        anchor=anchor,
        name=group.name,
        contenders=listed,
        glances=tuple(
            _Glance(
                contender,
                mean_and_spread([record.network.test_accuracy for record in contender.records], percent),
                improvement,
                mean_and_spread([record.supernet.validation_accuracy for record in contender.records], percent),
                times_to(contender, HEADLINE_ACCURACY),
                times_to_scratch_best(contender, listed),
            )
            for contender, improvement in zip(listed, improvements, strict=True)
        ),
        scratch_best_name=scratch_best_name(listed) if has_baseline else None,
        plots=learning_curves(listed, anchor),
        table=table(listed),
        times=time_table(listed, everything[0].thresholds),
        ranking=None if ranked[1] is None else ranking_chart(ranked[1]),
        ranked_by=ranked[0],
        samples=samples_of(warm),
        differing=differing_settings(listed),
        unpaired_seeds=seeds_without_baseline(listed),
        links=tuple(
            (contender.label, tuple((record.seed, _link(record, output)) for record in contender.records))
            for contender in listed
        ),
    )


def _records(group: TargetGroup) -> dict[str, list[RunRecord]]:
    if not group.runs:
        raise ReportError(f"the target {group.name!r} has no runs; give at least one run folder.")
    records = {}
    for label, paths in group.runs.items():
        listed = [Path(paths)] if isinstance(paths, str | os.PathLike) else [Path(path) for path in paths]
        if not listed:
            raise ReportError(f"{group.name!r}, {label!r} lists no run folder; give at least one.")
        records[label] = [read_run(path) for path in listed]
    return records


def _link(record: RunRecord, output: Path) -> str | None:
    """The way from the page to a run's own report; None where that was not written."""
    report = record.path / FILE_NAME
    if not report.exists():
        return None
    return quote(Path(os.path.relpath(report.resolve(), output.parent.resolve())).as_posix())
