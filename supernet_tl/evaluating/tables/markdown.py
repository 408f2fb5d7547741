"""A page of an evaluation's results in Markdown, every number of which comes from its summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from supernet_tl.evaluating.tables.comparison import Comparison, comparison_table
from supernet_tl.evaluating.tables.layout import (
    NOTHING,
    Table,
    epochs_table,
    final_training_table,
    number,
    overall_table,
    schedules_table,
    table1,
    table2,
)
from supernet_tl.markdown import escape, grid

_MAX_LISTED = 20


def results_page(
    summary: Mapping[str, Any],
    *,
    command: str,
    title: str = "Results",
    reading: str | None = None,
    schedules: Mapping[str, Any] | None = None,
    schedules_command: str | None = None,
    comparisons: Sequence[Comparison] = (),
) -> str:
    """The page; equal arguments give equal text.

    Args:
        summary: as :func:`supernet_tl.evaluating.tables.summary.summarise_evaluation` gives it.
        command: that makes the evaluation, as people type it.
        title: of the page.
        reading: what a person says of the tables, in Markdown.
        schedules: the summary of a second evaluation, in which schedules of warm starts were compared.
        schedules_command: that makes it.
        comparisons: further evaluations, those of a section in one table.
    """
    sections = [
        f"# {escape(title)}",
        "This page is generated: every number in its tables comes from the evaluation's `summary.json`.",
        *_made(summary, command),
    ]
    if reading is not None:
        sections += ["## Reading", reading.strip()]
    sections += ["## Table 1: relative improvement", *_table(table1(summary))]
    sections += ["## All targets together", *_table(overall_table(summary))]
    sections += ["## Epochs to scratch's best", *_table(epochs_table(summary))]
    sections += ["## Table 2: distance and transfer", *_table(table2(summary))]
    sections += ["## Training of the final networks", *_table(final_training_table(summary))]
    if schedules is not None:
        sections += ["## Schedules of warm starts", *_schedules(schedules, schedules_command)]
    for comparison in comparisons:
        sections += [f"## {escape(comparison.title)}", *_comparison(comparison)]
    sections += ["## Methods", _methods(summary), "## Datasets", _datasets(summary)]
    sections += _missing(summary)
    return "\n\n".join(sections) + "\n"


def _made(summary: Mapping[str, Any], command: str) -> Iterator[str]:
    progress, recipe = summary["progress"], summary["recipe"]
    versions = ", ".join(f"{escape(name)} {escape(version)}" for name, version in summary["versions"].items())
    seeds = ", ".join(map(str, recipe["seeds"]))
    facts = {
        "made by": f"`{command}`",
        "last job finished": escape(summary["created"] or NOTHING),
        "jobs": f"{progress['finished']} of {progress['planned']} finished",
        "measured on": f"{summary['measure']} images",
        "datasets": f"{len(recipe['datasets'])}, of which {len(recipe['targets'] or recipe['datasets'])} are targets",
        "seeds": seeds,
        "machines": _machines(summary),
        "time of all jobs": f"{number(summary['seconds'] / 3600, 2)} hours, "
        f"{number(summary['cpu_seconds'] / 3600, 2)} CPU hours",
        "versions": versions or NOTHING,
    }
    yield "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _machines(summary: Mapping[str, Any]) -> str:
    found = "; ".join(
        f"{escape(one['device'])} with {one['threads']} thread{'' if one['threads'] == 1 else 's'} a job: "
        f"{one['num_jobs']} jobs"
        for one in summary["machines"]
    )
    return found or NOTHING


def _table(table: Table) -> Iterator[str]:
    yield escape(table.caption)
    if not table.blocks:
        yield "No finished jobs tell of this yet."
    for block in table.blocks:
        yield f"**{escape(block.title[:1].upper() + block.title[1:])}**"
        yield grid(table.header, block.rows)


def _schedules(summary: Mapping[str, Any], command: str | None) -> Iterator[str]:
    progress, recipe = summary["progress"], summary["recipe"]
    yield (
        f"A second evaluation, {f'made by `{command}`, ' if command else ''}measured on {summary['measure']} images: "
        f"{progress['finished']} of {progress['planned']} jobs finished, "
        f"{len(recipe['targets'] or recipe['datasets'])} targets, seeds {', '.join(map(str, recipe['seeds']))}."
    )
    yield "\n".join(
        f"- {escape(name)}: {_settings(settings)}"
        for name, settings in {"main": recipe["transfer"], **recipe["schedules"]}.items()
    )
    yield from _table(schedules_table(summary))


def _comparison(compared: Comparison) -> Iterator[str]:
    lines = []
    for label, summary in compared.summaries.items():
        progress, recipe = summary["progress"], summary["recipe"]
        schedules, targets = recipe["schedules"], recipe["targets"] or recipe["datasets"]
        lines.append(
            f"- {escape(label)}: {progress['finished']} of {progress['planned']} jobs finished, {len(targets)} "
            f"targets, seeds {', '.join(map(str, recipe['seeds']))}, made by `{compared.commands[label]}`"
        )
        lines.append(f"  - machines: {_machines(summary)}")
        lines += [f"  - {escape(name)}: {_settings(settings)}" for name, settings in schedules.items()]
    yield "\n".join(lines)
    yield from _table(comparison_table(compared))


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}` {escape(str(value))}" for name, value in settings.items()) or "no settings of its own"


def _methods(summary: Mapping[str, Any]) -> str:
    return "\n".join(f"- **{escape(one['title'])}**: {escape(one['explained'])}" for one in summary["methods"])


def _datasets(summary: Mapping[str, Any]) -> str:
    sources = {one["source"]: one for one in summary["source_sizes"]}
    rows = tuple(
        (
            one["name"],
            one["dataset"],
            *(number(one[name], 0) for name in ("num_images", "num_classes")),
            number(one["source_accuracy"]),
            number(sources.get(one["name"], {}).get("mean_ri"), 4),
        )
        for one in summary["datasets"]
    )
    header = ("name", "dataset", "images", "classes", "accuracy of its pretraining", "mean RI as a source")
    return (
        "Accuracy of the pretraining is on its own validation images; RI is the relative improvement of final networks "
        "over all targets.\n\n" + grid(header, rows)
    )


def _missing(summary: Mapping[str, Any]) -> Iterator[str]:
    """The jobs that are not finished; beyond so many they are counted."""
    missing = summary["progress"]["missing"]
    if not missing:
        return
    yield "## What is missing"
    failed = [one for one in missing if one["why"] == "failed"]
    others = [one for one in missing if one["why"] != "failed"]
    listed = [*failed, *others][:_MAX_LISTED]
    lines = [
        f"- `{one['job']}`: {escape(one['why'])}" + (f" ({escape(one['error'])})" if one["error"] else "")
        for one in listed
    ]
    if len(missing) > len(listed):
        lines.append(f"- and {len(missing) - len(listed)} more")
    yield "\n".join(lines)
