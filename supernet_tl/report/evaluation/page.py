"""The page of a leave-one-out evaluation, from its summary and the outcomes of its jobs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supernet_tl.report.errors import ReportError
from supernet_tl.report.evaluation.cells import found_cells
from supernet_tl.report.evaluation.distance_map import distance_map
from supernet_tl.report.evaluation.facts import PARTS, Facts
from supernet_tl.report.evaluation.headline import headline
from supernet_tl.report.evaluation.learning import learning_methods, learning_plots
from supernet_tl.report.evaluation.result_tables import (
    correlation_tables,
    improvement_tables,
    overall_tables,
    training_table,
)
from supernet_tl.report.evaluation.run_tables import other_jobs_table, runs_table
from supernet_tl.report.evaluation.scatter import choice_against_scratch, over_source_size
from supernet_tl.report.evaluation.series import series_of
from supernet_tl.report.evaluation.strips import accuracy_strips, improvement_strips
from supernet_tl.report.rendering import write_page

SCHEMA = 1


def write_evaluation_page(
    path: str | os.PathLike[str], summary: Mapping[str, Any], outcomes: Mapping[str, Mapping[str, Any]]
) -> Path:
    """Write the page, which needs no other file and asks nothing of any network.

    Args:
        path: the page's file.
        summary: the content of the evaluation's ``summary.json``.
        outcomes: of its finished jobs, by name; curves and architectures are drawn from them.

    Returns:
        ``path``.

    Raises:
        ReportError: the summary is of another schema version.
    """
    if summary.get("schema_version") != SCHEMA:
        raise ReportError(
            f"the evaluation's summary has schema_version {summary.get('schema_version')!r}; this version reads "
            f"{SCHEMA}. Repeat the evaluation's command to write it anew."
        )
    facts = Facts.of(summary, outcomes)
    improvements = [improvement_strips(facts, part, name) for part, name in PARTS]
    values = {
        "facts": facts,
        "parts": PARTS,
        "head": headline(facts),
        "improvements": improvement_tables(facts),
        "overall": overall_tables(facts),
        "tries_all_sources": "sources" in summary["recipe"]["arms"],
        "correlations": correlation_tables(facts, every_seed=len(facts.seeds) == 1),
        "seed_correlations": correlation_tables(facts, every_seed=True),
        "transfer_strips": [chart for chart in improvements if chart is not None],
        "learning": learning_plots(facts),
        "learning_series": [series_of(facts, method) for method in learning_methods(facts)],
        "final_strips": accuracy_strips(facts),
        "cells": found_cells(facts),
        "distances": distance_map(facts),
        "scatter": choice_against_scratch(facts),
        "sizes": over_source_size(facts),
        "training": training_table(facts),
        "runs": runs_table(facts),
        "methods": summary["methods"],
        "settings": json.dumps(summary["recipe"], indent=2, ensure_ascii=False),
        "versions": summary.get("versions") or {},
        "failed": [missing for missing in summary["progress"]["missing"] if missing["why"] == "failed"],
    }
    others = other_jobs_table(facts)  # last: it lists what all the others have come from
    return write_page(Path(path), "evaluation/page.html", **values, others=others, job_names=facts.jobs.names)
