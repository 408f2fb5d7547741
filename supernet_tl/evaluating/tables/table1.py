"""The paper's Table 1: relative improvement of every method on every target, mean and spread over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from supernet_tl.evaluating.tables.numbers import mean_of, spread_of
from supernet_tl.evaluating.tables.runs import PARTS
from supernet_tl.evaluating.tables.values import Value


def table1_of(values: Sequence[Value], targets: Iterable[str]) -> list[dict[str, Any]]:
    """A row for every target and part that has values.

    A cell's ``num_seeds`` counts the seeds whose relative improvement is defined; where none is, its mean is null and
    ``why`` tells.

    Args:
        values: of all methods.
        targets: in the order of the table.
    """
    rows = []
    for target in targets:
        for part in PARTS:
            there: dict[str, list[Value]] = {}
            for value in values:
                if value.target == target and value.runs[part]:
                    there.setdefault(value.method, []).append(value)
            if there:
                cells = {method: _cell(found, part) for method, found in there.items()}
                rows.append({"target": target, "part": part, "cells": cells})
    return rows


def _cell(values: Sequence[Value], part: str) -> dict[str, Any]:
    improvements = [value.ri[part] for value in values]
    whys = sorted({value.why[part] for value in values if part in value.why})
    return {
        "mean": mean_of(improvements),
        "spread": spread_of(improvements),
        "num_seeds": sum(one is not None for one in improvements),
        "why": "; ".join(whys) or None,
        "jobs": sorted({job for value in values for job in value.jobs}),
    }
