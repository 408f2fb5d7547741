"""``summary.json`` of an evaluation: every number of its tables, with the jobs it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supernet_tl.evaluating.outcomes import Failure
from supernet_tl.evaluating.plan import Plan
from supernet_tl.evaluating.tables.correlations import distances_of, table2_of
from supernet_tl.evaluating.tables.datasets import datasets_of, source_sizes_of
from supernet_tl.evaluating.tables.final_training import final_training_of
from supernet_tl.evaluating.tables.finished import Finished
from supernet_tl.evaluating.tables.methods import methods_of
from supernet_tl.evaluating.tables.overall import overall_of
from supernet_tl.evaluating.tables.progress import made_on, progress_of
from supernet_tl.evaluating.tables.table1 import table1_of
from supernet_tl.evaluating.tables.values import values_of

SCHEMA = 1


def summarise_evaluation(
    plan: Plan, outcomes: Mapping[str, dict[str, Any]], failures: Mapping[str, Failure]
) -> dict[str, Any]:
    """The numbers of an evaluation in plain JSON values; equal arguments give equal ones.

    What rests on a job that is not finished is left out, and ``progress`` tells why the job is not; nothing is
    imputed. Accuracies and relative improvements are fractions, of test images unless the recipe measures validation.
    Spreads are sample standard deviations over seeds, null for one seed.

    Args:
        plan: of the evaluation.
        outcomes: of finished jobs, by name; those of other plans are passed over.
        failures: of jobs that were tried and are not finished, by name.
    """
    finished = Finished(plan, outcomes)
    methods = methods_of(plan.recipe)
    values = values_of(finished, methods)
    made = made_on(finished.outcomes.values())
    return {
        "schema_version": SCHEMA,
        "created": made.pop("finished"),
        "measure": plan.recipe.measure,
        "recipe": plan.recipe.to_dict(),
        "progress": progress_of(plan, outcomes, failures),
        "datasets": datasets_of(finished),
        **made,
        "methods": [method.to_dict() for method in methods],
        "runs": [run.to_dict() for run in finished.runs],
        "values": [value.to_dict() for value in values],
        "table1": table1_of(values, finished.targets),
        "overall": overall_of(values, methods),
        "table2": table2_of(finished),
        "distances": distances_of(finished),
        "source_sizes": source_sizes_of(finished),
        "final_training": final_training_of(finished, values, methods),
    }
